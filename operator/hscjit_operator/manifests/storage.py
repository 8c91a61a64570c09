"""On what do the data lie, and what becomes of it with its HSCJit?"""

from hscjit_operator import names
from hscjit_operator.manifests.meta import Manifest, kept_metadata
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit

DATA = "data"
"""Name of the claim template of every StatefulSet that keeps something."""


def data_claim(app: HSCJit, component: str) -> str:
    """Return the name of the claim that holds a StatefulSet's data."""
    return f"{DATA}-{names.child(app.name, component)}-0"


def data_claim_template(
    app: HSCJit, component: str, size: str, storage_class: str | None
) -> Manifest:
    """Return the claim template of a StatefulSet's data.

    The claims it makes have no owner of ours; the label says whose they are.
    """
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": DATA, "labels": names.labels(app.name, component, app.uid)},
        "spec": _claim_spec(size, storage_class),
    }


def data_claim_policy(app: HSCJit) -> Manifest:
    """Return what the StatefulSet's controller does with the claims; scaling never touches them."""
    return {"whenDeleted": app.deletion_policy, "whenScaled": "Retain"}


def backup_claim(app: HSCJit, inputs: Inputs) -> Manifest | None:
    """Return the claim for backups; it binds when the first backup runs.

    Switched off, no more backups are made; those that are there stay, with whom the policy says.
    """
    if not (app.backup.enabled or inputs.backups_kept):
        return None
    wanted = app.backup.destination.persistent_volume_claim
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": kept_metadata(app, names.BACKUP),
        "spec": _claim_spec(wanted.storage, wanted.storage_class),
    }


def _claim_spec(size: str, storage_class: str | None) -> Manifest:
    # No class named means the cluster's default one; an empty name would mean none at all.
    named = {} if storage_class is None else {"storageClassName": storage_class}
    return {
        "accessModes": ["ReadWriteOnce"],
        **named,
        "resources": {"requests": {"storage": size}},
    }
