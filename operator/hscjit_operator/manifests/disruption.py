"""How many pods may a drain of nodes take at once?"""

from hscjit_operator import names
from hscjit_operator.manifests.meta import Manifest, match, metadata
from hscjit_operator.model.spec import HSCJit


def disruption_budgets(app: HSCJit) -> list[Manifest]:
    """Return the budgets of API and workers.

    `maxUnavailable`, not `minAvailable`: with one replica the latter would block every drain for
    ever. A pod that is not healthy anyway may always go.
    """
    return [
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata(app, component),
            "spec": {
                "maxUnavailable": 1,
                "selector": match(app, component),
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            },
        }
        for component in (names.API, names.WORKER)
    ]
