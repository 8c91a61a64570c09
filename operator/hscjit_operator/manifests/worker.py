"""How do the workers run?"""

from hscjit_operator import names
from hscjit_operator.manifests import credentials, pods
from hscjit_operator.manifests.meta import Manifest
from hscjit_operator.manifests.workload import deployment, process, user_env
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit

KEYS = ("database-url", "redis-queue-url")
_FINISH_S = 60
"""More than a leaving worker takes: it gets 10 s to end what it has begun, and what it can't end
another takes over through the outbox."""
_LEAVE_SOFTLY = {"name": "REMAP_SIGTERM", "value": "SIGQUIT"}
"""Read by Celery: SIGTERM then means its soft shutdown, which has an end."""


def worker(app: HSCJit, inputs: Inputs) -> Manifest:
    """Return the workers' Deployment."""
    wanted = app.worker
    # Manuals are fetched and parsed in /tmp: several at once, each of at most maxBytes.
    volumes = [credentials.files(app, KEYS), pods.tmp("1Gi")]
    container = process(
        app,
        inputs,
        names.WORKER,
        volumes=volumes,
        keys=KEYS,
        env=[*user_env(wanted), pods.METRICS_VARIABLE, _LEAVE_SOFTLY],
        command=["celery", "-A", "hscjit_app.worker", "--quiet", "worker"],
        # Workers have nothing to tell each other: the database knows what is whose.
        args=[
            f"--concurrency={wanted.concurrency}",
            f"--pool={wanted.pool}",
            "--without-gossip",
            "--without-mingle",
        ],
        resources=pods.with_disk(wanted.resources, "2Gi"),
        **pods.metrics_server(),
    )
    return deployment(
        app,
        inputs,
        names.WORKER,
        keys=KEYS,
        replicas=0 if inputs.stopped else inputs.targets.workers,
        strategy={
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        },
        placement=wanted,
        pod=pods.spec(
            app,
            volumes,
            serviceAccountName=names.child(app.name, names.WORKER),
            terminationGracePeriodSeconds=_FINISH_S,
            containers=[container],
        ),
    )
