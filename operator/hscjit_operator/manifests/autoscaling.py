"""Who turns the number of API pods between the floor and the ceiling, and how fast?"""

from hscjit_operator import names
from hscjit_operator.manifests.meta import Manifest, metadata
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit


def autoscaler(app: HSCJit, inputs: Inputs) -> Manifest | None:
    """Return the API's HPA; None while `autoscaling.enabled` is off.

    It stays while a restore has stopped the API: at 0 replicas an HPA stands still by itself, and
    goes on when the operator hands the Deployment back with a number above 0.
    """
    wanted = app.api.autoscaling
    if not wanted.enabled:
        return None
    targets = {"cpu": wanted.target_cpu, "memory": wanted.target_memory}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(app, names.API),
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": names.child(app.name, names.API),
            },
            "minReplicas": inputs.targets.api_floor,
            "maxReplicas": inputs.targets.api_ceiling,
            "metrics": [_utilization(kind, of) for kind, of in targets.items() if of is not None],
            "behavior": {
                # Up at once: double, or two more, whichever is larger.
                "scaleUp": {
                    "stabilizationWindowSeconds": 0,
                    "selectPolicy": "Max",
                    "policies": [_policy("Percent", 100, 15), _policy("Pods", 2, 60)],
                },
                # Down only after five quiet minutes, and at most by half in each further one.
                "scaleDown": {
                    "stabilizationWindowSeconds": 300,
                    "selectPolicy": "Max",
                    "policies": [_policy("Percent", 50, 60)],
                },
            },
        },
    }


def _utilization(resource: str, percent: int) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": resource, "target": target}}


def _policy(kind: str, value: int, period_s: int) -> Manifest:
    return {"type": kind, "value": value, "periodSeconds": period_s}
