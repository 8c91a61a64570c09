"""How does the API run?"""

from typing import Any

from hscjit_operator import names
from hscjit_operator.manifests import credentials, pods
from hscjit_operator.manifests.config import catalog_files
from hscjit_operator.manifests.meta import Manifest
from hscjit_operator.manifests.workload import deployment, process, user_env
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit

KEYS = ("admin-token", "database-url", "redis-cache-url", "redis-queue-url", "session-key")
_DRAIN_S = 30
"""After the preStop sleep: sockets are told to move, answers are handed over."""


def api(app: HSCJit, inputs: Inputs) -> Manifest:
    """Return the API's Deployment.

    Its replicas are named only where no HPA turns them, or to stop it for a restore.
    """
    wanted = app.api
    volumes = [credentials.files(app, KEYS), pods.tmp("64Mi"), *catalog_files(app)]
    container = process(
        app,
        inputs,
        names.API,
        volumes=volumes,
        keys=KEYS,
        env=[*user_env(wanted), {"name": "HSCJIT_PORT", "value": str(pods.API_PORT)}],
        command=["python", "-m", "hscjit_app.serve"],
        resources=pods.with_disk(wanted.resources, "256Mi"),
        ports=[{"name": "http", "containerPort": pods.API_PORT, "protocol": "TCP"}],
        startupProbe=pods.startup_probe("/health", "http"),
        readinessProbe=pods.http_probe("/ready", "http", period_s=2, failures=3, timeout_s=2),
        # Only the backstop: the autopilot replaces a hung pod within seconds, with evidence.
        livenessProbe=pods.http_probe("/health", "http", period_s=10, failures=6, timeout_s=2),
        **_lifecycle(wanted.rollout.pre_stop_seconds),
    )
    return deployment(
        app,
        inputs,
        names.API,
        keys=KEYS,
        replicas=0 if inputs.stopped else inputs.api_replicas,
        strategy={
            "type": "RollingUpdate",
            "rollingUpdate": {
                "maxSurge": wanted.rollout.max_surge,
                "maxUnavailable": wanted.rollout.max_unavailable,
            },
        },
        placement=wanted,
        pod=pods.spec(
            app,
            volumes,
            serviceAccountName=names.child(app.name, names.API),
            terminationGracePeriodSeconds=wanted.rollout.pre_stop_seconds + _DRAIN_S,
            containers=[container],
        ),
    )


def _lifecycle(seconds: int) -> dict[str, Any]:
    """Return the sleep in which Services learn that the pod is leaving, before it hears SIGTERM."""
    return {"lifecycle": {"preStop": {"sleep": {"seconds": seconds}}}} if seconds else {}
