"""Which field of the spec does a child's field come from? For those who have to be told."""

import re
from collections.abc import Mapping
from typing import Final

from hscjit_operator import names
from hscjit_operator.manifests.network_policy import DNS
from hscjit_operator.model.spec import HSCJit

_POD: Final = "spec.template.spec"
_MAIN: Final = f"{_POD}.containers[0]"
_TOLERATION: Final = re.compile(rf"{re.escape(_POD)}\.tolerations\[(\d+)\](.*)")

_Origins = tuple[tuple[str, str], ...]
"""A child's field, and the spec's: what is below the one stands below the other. An origin that
ends in `*` is said without what is below."""


def _workload(block: str) -> _Origins:
    return (
        (f"{_POD}.affinity", f"{block}.affinity"),
        (f"{_POD}.nodeSelector", f"{block}.nodeSelector"),
        (f"{_POD}.topologySpreadConstraints", f"{block}.topologySpread"),
        (f"{_POD}.priorityClassName", f"{block}.priorityClassName"),
        (f"{_POD}.imagePullSecrets", "spec.image.pullSecrets"),
        (f"{_MAIN}.env", f"{block}.env*"),
        (f"{_MAIN}.image", "spec.image*"),
        (f"{_MAIN}.resources", f"{block}.resources"),
        ("spec.template.labels", f"{block}.podLabels*"),
        ("spec.template.metadata.labels", f"{block}.podLabels*"),
        ("spec.template.annotations", f"{block}.podAnnotations*"),
        ("spec.template.metadata.annotations", f"{block}.podAnnotations*"),
        ("spec.strategy.rollingUpdate", f"{block}.rollout"),
    )


def _store(block: str) -> _Origins:
    return (
        (f"{_MAIN}.resources", f"{block}.resources"),
        ("spec.volumeClaimTemplates", f"{block}.storage*"),
    )


_PEERS: Final = (
    "spec.network.clientsFrom, metricsFrom, ingress.controllers or gatewayRef.controllers*"
)
_ORIGINS: Final[Mapping[tuple[str, str], _Origins]] = {
    ("Deployment", names.API): _workload("spec.api"),
    ("Deployment", names.WORKER): _workload("spec.worker"),
    ("StatefulSet", names.REDIS_CACHE): _store("spec.redis.embedded.cache"),
    ("StatefulSet", names.REDIS_QUEUE): _store("spec.redis.embedded.queue"),
    ("StatefulSet", names.POSTGRES): _store("spec.postgres.embedded"),
    ("Service", names.API): (
        ("spec.ports[0].nodePort", "spec.network.service.nodePort"),
        ("metadata.annotations", "spec.network.service.annotations*"),
    ),
    ("Ingress", names.API): (
        ("spec.rules[0].host", "spec.network.ingress.host"),
        ("spec.ingressClassName", "spec.network.ingress.className"),
        ("spec.tls", "spec.network.ingress.tlsSecretRef*"),
        ("metadata.annotations", "spec.network.ingress.annotations*"),
    ),
    ("NetworkPolicy", DNS): (("spec.egress[0].to", "spec.network.dns"),),
    ("NetworkPolicy", names.API): (
        ("spec.ingress", _PEERS),
        ("spec.egress", "spec.network.extraEgress*"),
    ),
    ("NetworkPolicy", names.WORKER): (
        ("spec.ingress", "spec.network.metricsFrom*"),
        ("spec.egress", "spec.network.extraEgress*"),
    ),
    ("NetworkPolicy", names.BEAT): (("spec.ingress", "spec.network.metricsFrom*"),),
    ("HorizontalPodAutoscaler", names.API): (("spec", "spec.api.autoscaling*"),),
    ("CronJob", names.BACKUP): (
        ("spec.schedule", "spec.backup.schedule"),
        ("spec.timeZone", "spec.backup.timeZone"),
    ),
    ("CronJob", names.CLEANUP): (("spec.schedule", "spec.maintenance.cleanupSchedule"),),
    ("PersistentVolumeClaim", names.BACKUP): (
        (
            "spec.resources.requests.storage",
            "spec.backup.destination.persistentVolumeClaim.storage",
        ),
        ("spec.storageClassName", "spec.backup.destination.persistentVolumeClaim.storageClass"),
    ),
}


def origin(app: HSCJit, kind: str, name: str, field: str) -> str | None:
    """Return the path in the spec, None for what the operator alone has chosen."""
    component = name.removeprefix(f"{app.name}-")
    borne = _TOLERATION.fullmatch(field)
    if borne and kind == "Deployment" and component in (names.API, names.WORKER):
        return _toleration(app, component, int(borne[1]), borne[2])
    for prefix, path in _ORIGINS.get((kind, component), ()):
        below = field.removeprefix(prefix)
        if field.startswith(prefix) and (not below or below[0] in ".["):
            return path[:-1] if path.endswith("*") else path + below
    return None


def _toleration(app: HSCJit, component: str, index: int, below: str) -> str:
    """Return where a toleration stands: those of the block come before those for spot nodes."""
    own = len((app.api if component == names.API else app.worker).tolerations)
    where = f"tolerations[{index}]" if index < own else f"spot.tolerations[{index - own}]"
    return f"spec.{component}.{where}{below}"
