"""What is everything called? Group, kinds, children, labels, selectors, annotations, managers.

Names are made here and nowhere else, so that no two places can build one differently.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

GROUP: Final = "hscjit.dev"
VERSION: Final = "v1alpha1"
PLURAL: Final = "hscjits"
KIND: Final = "HSCJit"
API_VERSION: Final = f"{GROUP}/{VERSION}"

MANAGER: Final = "hscjit-operator"
"""Field manager of every child and of the status."""
HANDOVER: Final = "hscjit-operator-handover"
"""Field manager that holds only `spec.replicas`, while the number changes hands with the HPA."""

MAX_NAME: Final = 40
"""Longest HSCJit name: with the longest suffix a StatefulSet or CronJob name stays within 52."""
MAX_SUFFIX: Final = 12
"""Longest child suffix, its dash included."""

# Components: the value of the component label, and (but for jobs) the suffix of the child's name.
API: Final = "api"
WORKER: Final = "worker"
BEAT: Final = "beat"
REDIS_CACHE: Final = "redis-cache"
REDIS_QUEUE: Final = "redis-queue"
POSTGRES: Final = "postgres"
MIGRATE: Final = "mig"
BACKUP: Final = "backup"
RESTORE: Final = "restore"
CLEANUP: Final = "cleanup"
MANUALS: Final = "manuals"
CONFIG: Final = "config"
REDIS: Final = "redis"
LEDGER: Final = "ledger"
BACKUPS: Final = "backups"
SECRET: Final = "secret"  # noqa: S105  a suffix, not a secret

LABEL_NAME: Final = "app.kubernetes.io/name"
LABEL_INSTANCE: Final = "app.kubernetes.io/instance"
LABEL_COMPONENT: Final = "app.kubernetes.io/component"
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABEL_PART_OF: Final = "app.kubernetes.io/part-of"
LABEL_OWNER_UID: Final = f"{GROUP}/owner-uid"
"""UID of the HSCJit a child was made for; what Retain keeps is known by it, having no owner."""
OWNED: Final = {LABEL_MANAGED_BY: MANAGER}
"""Selects, on the server, every child of every HSCJit."""

OPERATOR: Final = {LABEL_NAME: "hscjit-operator"}
"""Selects the operator's own pods; the chart sets it, the network policies let them in."""

PROMETHEUS: Final = {LABEL_NAME: "hscjit-prometheus"}
"""Selects the pod of the Prometheus that the chart can bring along."""

ANNOTATION_PAUSED: Final = f"{GROUP}/paused"
ANNOTATION_PAUSED_UNTIL: Final = f"{GROUP}/paused-until"
ANNOTATION_PAUSED_REASON: Final = f"{GROUP}/paused-reason"
ANNOTATION_RESTARTED_AT: Final = f"{GROUP}/restarted-at"
ANNOTATION_RESTORE_FROM: Final = f"{GROUP}/restore-from"
ANNOTATION_APPROVE: Final = f"{GROUP}/approve"
ANNOTATION_CONFIG_CHECKSUM: Final = f"{GROUP}/config-checksum"
ANNOTATION_SECRET_CHECKSUM: Final = f"{GROUP}/secret-checksum"
ANNOTATION_TEMPLATE_VERSION: Final = f"{GROUP}/template-version"
ANNOTATION_IMAGE: Final = f"{GROUP}/image"

MANUALS_HOSTS: Final = "HSCJIT_MANUALS_ALLOWED_HOSTS"
"""Key of the configuration with the hosts that manuals may be fetched from."""


class Key(NamedTuple):
    """Which HSCJit: the name of a queue entry, a lock, a log line."""

    namespace: str
    name: str


def child(name: str, component: str) -> str:
    """Return the name of an HSCJit's child."""
    return f"{name}-{component}"


def migration_job(name: str, image: str) -> str:
    """Return the name of the one migration Job of an image, known by the image's hash."""
    return f"{name}-{MIGRATE}-{image_hash(image)}"


def rotation_job(name: str, login: str, password: str, volume: str) -> str:
    """Return the name of the one Job for a login, its password (a digest) and a volume."""
    found = hashlib.sha256(f"{login} {password} {volume}".encode()).hexdigest()
    return f"{name}-rot-{found[:7]}"


def image_hash(image: str) -> str:
    """Return 7 hex digits that stand for an image reference in names."""
    return hashlib.sha256(image.encode()).hexdigest()[:7]


def selector(name: str, component: str) -> dict[str, str]:
    """Return the labels a component's pods are selected by: never a user's, as they are fixed."""
    return {LABEL_NAME: "hscjit", LABEL_INSTANCE: name, LABEL_COMPONENT: component}


def labels(name: str, component: str, owner_uid: str) -> dict[str, str]:
    """Return the labels every child of a component carries."""
    return {
        **selector(name, component),
        LABEL_PART_OF: "hscjit",
        **OWNED,
        LABEL_OWNER_UID: owner_uid,
    }


def owner_of(body: Mapping[str, Any]) -> Key | None:
    """Return the HSCJit that a child says it belongs to, or None for a stranger.

    The owner reference answers, so that a child whose instance label somebody changed is still
    seen as whose it is. Without one the label does: that is still there on what Retain keeps, and
    on a child whose owner reference somebody stripped.
    """
    metadata = body.get("metadata", {})
    found = metadata.get("labels", {})
    if found.get(LABEL_MANAGED_BY) != MANAGER:
        return None
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("kind") == KIND and owner.get("apiVersion", "").startswith(f"{GROUP}/"):
            return Key(metadata.get("namespace", ""), owner["name"])
    if LABEL_INSTANCE not in found:
        return None
    return Key(metadata.get("namespace", ""), found[LABEL_INSTANCE])
