"""How does the scheduler run? Once; a lock in Redis makes even two of them harmless."""

from hscjit_operator import names
from hscjit_operator.manifests import credentials, pods
from hscjit_operator.manifests.meta import Manifest
from hscjit_operator.manifests.workload import deployment, process
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit
from hscjit_operator.model.workload import resources

_KEYS = ("redis-queue-url",)
_RESOURCES = resources(("25m", "128Mi"), ("500m", "256Mi"))


def beat(app: HSCJit, inputs: Inputs) -> Manifest:
    """Return the scheduler's Deployment."""
    volumes = [credentials.files(app, _KEYS), pods.tmp("16Mi")]
    container = process(
        app,
        inputs,
        names.BEAT,
        volumes=volumes,
        keys=_KEYS,
        env=[pods.METRICS_VARIABLE],
        command=["celery", "-A", "hscjit_app.worker", "--quiet", "beat"],
        resources=pods.with_disk(_RESOURCES, "128Mi"),
        **pods.metrics_server(),
    )
    return deployment(
        app,
        inputs,
        names.BEAT,
        keys=_KEYS,
        replicas=0 if inputs.stopped else 1,
        strategy={"type": "Recreate"},
        pod=pods.spec(
            app,
            volumes,
            serviceAccountName=names.child(app.name, names.WORKER),
            terminationGracePeriodSeconds=30,
            containers=[container],
        ),
    )
