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
        parts = [self._root, "namespaces", namespace, self.plural, name, subresource]
        return "/".join(part for part in parts if part)

    def collection(self, namespace: str | None) -> str:
        """Return the path of all objects, of one namespace or (None) of all."""
        return self.path(namespace) if namespace else f"{self._root}/{self.plural}"

    @property
    def _root(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


HSCJIT: Final = Kind(names.KIND, names.GROUP, names.VERSION, names.PLURAL)
SECRET: Final = Kind("Secret", "", "v1", "secrets")
"""Read by name and never watched: RBAC grants neither `list` nor `watch` on Secrets."""
POD: Final = Kind("Pod", "", "v1", "pods")
DISCOVERY: Final = Kind("APIResourceList", "", "v1", "")
"""What the API server answers when asked which kinds it serves; for counting, it has no objects."""
EVENT: Final = Kind("Event", "events.k8s.io", "v1", "events")
LEASE: Final = Kind("Lease", "coordination.k8s.io", "v1", "leases")
"""The operator's own, in its own namespace; no child of anything."""
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
    Kind("Ingress", "networking.k8s.io", "v1", "ingresses"),
)
"""Child kinds that are watched, label-selected on the server."""

HTTP_ROUTE: Final = Kind("HTTPRoute", "gateway.networking.k8s.io", "v1", "httproutes")
OPTIONAL: Final[tuple[Kind, ...]] = (
    Kind("ServiceMonitor", "monitoring.coreos.com", "v1", "servicemonitors"),
    Kind("PodMonitor", "monitoring.coreos.com", "v1", "podmonitors"),
    Kind("PrometheusRule", "monitoring.coreos.com", "v1", "prometheusrules"),
    Kind("GrafanaDashboard", "grafana.integreatly.org", "v1beta1", "grafanadashboards"),
    HTTP_ROUTE,
)
"""Child kinds that not every cluster serves: while it does, they are listed once a minute."""

_BY_KIND: Final[Mapping[str, Kind]] = {
    kind.kind: kind for kind in (*WATCHED, *OPTIONAL, HSCJIT, SECRET, EVENT)
}


def of(manifest: Mapping[str, Any]) -> Kind:
    """Return the kind of an object; one we do not know is a mistake of ours (KeyError)."""
    return _BY_KIND[manifest["kind"]]


def by_name(kind: str) -> Kind:
    """Return the kind called so; one we do not know is a mistake of ours (KeyError)."""
    return _BY_KIND[kind]
