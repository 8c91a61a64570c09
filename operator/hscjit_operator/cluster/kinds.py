"""Which kinds do we make or look at, and under which path does the API server keep them?"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from hscjit_operator import names


class Kind(NamedTuple):
    """One kind as the API server serves it; all of ours are namespaced."""

    kind: str
    group: str
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        """Return what `apiVersion` says in an object of this kind."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Return the path of the collection, or of one object or its subresource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root, "namespaces", namespace, self.plural, name, subresource]
        return "/".join(part for part in parts if part)


HSCJIT: Final = Kind(names.KIND, names.GROUP, names.VERSION, names.PLURAL)
SECRET: Final = Kind("Secret", "", "v1", "secrets")
"""Read by name and never watched: RBAC grants neither `list` nor `watch` on Secrets."""
POD: Final = Kind("Pod", "", "v1", "pods")
EVENT: Final = Kind("Event", "events.k8s.io", "v1", "events")
CLAIM: Final = Kind("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims")
CONFIG_MAP: Final = Kind("ConfigMap", "", "v1", "configmaps")
SERVICE: Final = Kind("Service", "", "v1", "services")
DEPLOYMENT: Final = Kind("Deployment", "apps", "v1", "deployments")
STATEFUL_SET: Final = Kind("StatefulSet", "apps", "v1", "statefulsets")
JOB: Final = Kind("Job", "batch", "v1", "jobs")
AUTOSCALER: Final = Kind("HorizontalPodAutoscaler", "autoscaling", "v2", "horizontalpodautoscalers")

WATCHED: Final[tuple[Kind, ...]] = (
    DEPLOYMENT,
    STATEFUL_SET,
    SERVICE,
    Kind("ServiceAccount", "", "v1", "serviceaccounts"),
    CONFIG_MAP,
    CLAIM,
    POD,
    JOB,
    Kind("CronJob", "batch", "v1", "cronjobs"),
    AUTOSCALER,
    Kind("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets"),
    Kind("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies"),
)
"""Child kinds that are watched, label-selected on the server."""

_BY_KIND: Final[Mapping[str, Kind]] = {
    kind.kind: kind for kind in (*WATCHED, HSCJIT, SECRET, EVENT)
}


def of(manifest: Mapping[str, Any]) -> Kind:
    """Return the kind of an object; one we do not know is a mistake of ours (KeyError)."""
    return _BY_KIND[manifest["kind"]]


def by_name(kind: str) -> Kind:
    """Return the kind called so; one we do not know is a mistake of ours (KeyError)."""
    return _BY_KIND[kind]
