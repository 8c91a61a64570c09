"""What does every child carry: its name, its labels, its owner?"""

from collections.abc import Mapping
from typing import Any

from hscjit_operator import names
from hscjit_operator.model.spec import HSCJit

Manifest = dict[str, Any]
"""One Kubernetes object as plain data, ready to be applied."""


def metadata(
    app: HSCJit,
    component: str,
    suffix: str | None = None,
    *,
    owner: bool = True,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """Return a child's metadata; its name is the HSCJit's plus `suffix` (the component, if None).

    `owner=False` is for what outlives its HSCJit under `deletionPolicy: Retain`: such a child is
    known by the UID label alone.
    """
    found: Manifest = {
        "name": names.child(app.name, suffix or component),
        "namespace": app.namespace,
        "labels": names.labels(app.name, component, app.uid),
    }
    if annotations:
        found["annotations"] = dict(annotations)
    if owner:
        found["ownerReferences"] = [owner_reference(app)]
    return found


def kept_metadata(app: HSCJit, component: str, suffix: str | None = None) -> Manifest:
    """Return the metadata of a child that holds what can't be made again: Retain keeps it."""
    return metadata(app, component, suffix, owner=app.deletion_policy == "Delete")


def owner_reference(app: HSCJit) -> Manifest:
    """Return the reference that lets the garbage collector take a child with its HSCJit."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": app.name,
        "uid": app.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def match(app: HSCJit, component: str) -> Manifest:
    """Return the selector of one component's pods."""
    return {"matchLabels": names.selector(app.name, component)}
