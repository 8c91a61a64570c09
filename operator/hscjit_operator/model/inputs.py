"""What do the manifests need to know besides the spec?

The pass gathers these facts and decisions; `manifests.desired(app, inputs)` reads them and nothing
else, so that the same two values always give the same children.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # the type alone: builders are handed the value
    from hscjit_operator.model.addresses import Place
    from hscjit_operator.model.autopilot import Targets


class Exchange(NamedTuple):
    """One step of a password's exchange: what a Job tells the database."""

    login: str
    """The login that gets a password."""
    key: str
    """Key of the generated Secret that holds it."""
    mark: str
    """7 hex digits of that value's digest: a pod that was given an older Secret notices."""
    job: str
    """The Job's name: another one for each password, login and volume."""


@dataclass(frozen=True)
class Inputs:
    """Facts and decisions of one pass that shape the children."""

    image: str
    """Resolved app image the workload runs now: the old one until the new one is migrated."""

    migrate_image: str | None
    """Image whose migration Job is wanted now; None once it is recorded as done."""

    redis_image: str
    """Image of the embedded Redis, the one it was made with until a plan is approved."""

    postgres_image: str
    """Image of the embedded Postgres, likewise."""

    template_version: str
    """Version of the pod templates, such as "1"; changes only where the rollout rules allow it."""

    restarted_at: str | None
    """The value of the restart annotation that the pods carry; None before the first restart."""

    targets: "Targets"
    """Floor and ceiling of the API and number of workers, already within the spec's bounds."""

    api_replicas: int | None
    """What the API Deployment shall have; None leaves the number to the HPA."""

    workload: bool
    """The database is migrated: API, worker, beat and the recurring jobs may exist."""

    stopped: bool
    """A restore runs: API, worker, beat and the Redis queue are wanted at 0 replicas."""

    restore: str | None
    """Stamp of the backup for which the restore Job is wanted now."""

    exchange: Exchange | None
    """The Job that is wanted now for the exchange of the database's password; None for none."""

    manuals_ip: str | None
    """ClusterIP of the bundled manuals' Service; None before it is known."""

    secrets: Mapping[str, str]
    """Digest of each secret file, by its name: who mounts it rolls once when it changes."""

    places: Mapping[str, "Place"]
    """Where the external stores are, by component; one whose Secret says nothing usable lacks."""

    operator_namespace: str
    """Where the operator runs: the network policies let it scrape from there."""

    served: frozenset[str] = frozenset()
    """Kinds not every cluster knows that this one serves, such as ServiceMonitor."""

    prometheus: bool = False
    """The release's own Prometheus runs there too: it may scrape as well."""

    backups_kept: bool = False
    """No backups are made any more, and the claim with those that were is there, and ours."""
