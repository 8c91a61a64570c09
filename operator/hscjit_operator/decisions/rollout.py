"""Which image and template does the workload run, and what has to happen before it may?

An image runs only after its migration Job brought the database to its schema; until then the old
one keeps serving. Both image and template version stay where the first pass put them until the
spec says otherwise: a newer operator restarts nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hscjit_operator import names
from hscjit_operator.model.observed import JobFacts

SERVER: Final = "server-"
"""Begins what stands for an external database where an embedded one has the UID of its claim."""


@dataclass(frozen=True, slots=True)
class Pins:
    """What is written down about the workload, in two places that restore each other."""

    status: str | None
    """In `status`."""
    annotation: str | None
    """On the Deployments."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is written down of the last migration that ended well: `status.migration`."""

    image: str = ""
    """The image whose schema the database has; empty while another's is being made."""
    volume: str = ""
    """UID of the claim under the database then, or of an external one `server-` and the digest of
    its address; empty where none was known. A database whose volume was lost and made anew is
    empty, whatever was true of the former one, and so may be another server's."""

    @classmethod
    def read(cls, status: Mapping[str, Any]) -> "Record":
        """Return what a status holds of it."""
        told = status.get("migration") or {}
        return cls(told.get("image", ""), told.get("volume", ""))

    def as_dict(self) -> dict[str, str]:
        """Return it as it is stored."""
        return {k: v for k, v in (("image", self.image), ("volume", self.volume)) if v}


@dataclass(frozen=True, slots=True)
class Rollout:
    """What runs now, and what has to be done before the wanted image may."""

    image: str
    """Runs now, or will be the first to run."""
    migrate_image: str | None
    """Its migration Job is wanted; None when there is nothing to migrate."""
    workload: bool
    """The database is ready for `image`."""
    migrated: bool
    """The database has the schema of the wanted image."""
    reason: str
    """Of the DatabaseMigrated condition: Migrated, Migrating, MigrationFailed."""
    message: str
    record: Record = Record()
    """What is to be written down."""
    gathers: bool = False
    """The pods that run keep their template for the moment: what was asked together with the image
    rolls out together with it, once. A migration in trouble gathers nothing, for a change of
    settings may be what mends it."""


def pinned(asked: str | None, pins: Pins, default: str) -> str:
    """Return what is wanted: the spec's word, else what is written down, else the operator's."""
    return asked or pins.status or pins.annotation or default


def decide(
    wanted: str,
    running: str | None,
    done: Record,
    job: JobFacts | None,
    said: str,
    *,
    volume: str = "",
    external: bool = False,
    trouble: str = "",
) -> Rollout:
    """Return what runs and what migrates.

    `running` is the image on the Deployments (None without any), `done` what is recorded, `job` the
    wanted image's migration Job and `said` the last words of its pod. `volume` is the claim under
    the database, or says which server an `external` one is: where it is another than the recorded
    one, neither the record nor what runs says anything about the database in it. Where the database
    moved in or out, what runs stays with the old one until the new one is migrated. `trouble` says
    why the migration can't begin, empty while nothing is in its way.
    """
    was_external = done.volume.startswith(SERVER)
    if not volume and was_external == external:
        volume = done.volume  # while the claim is away, the record goes on naming it
    anew = bool(done.volume) and done.volume != volume
    moved = anew and (external or was_external)
    known = wanted in (done.image, running)
    if (known and not anew) or _is(job, "Complete"):
        message = f"The database has the schema of image {names.image_hash(wanted)}"
        return Rollout(wanted, None, True, True, "Migrated", message, Record(wanted, volume))
    first = running or wanted
    serving = f"; {running} keeps serving" if running else ""
    reason, message = "Migrating", f"The migration for {wanted} has to end first{serving}"
    if _is(job, "Failed"):
        why = said or (job.message if job else "")
        reason = "MigrationFailed"
        message = f"The migration for {wanted} failed{serving}: {why}"
    record = Record("", done.volume)
    keep = running is not None and not moved
    gathers = keep and reason == "Migrating" and not (said or trouble)
    return Rollout(first, wanted, keep, False, reason, message, record, gathers)


def held(wanted: str) -> Rollout:
    """Return what is said while a restore replaces the database: nothing migrates, nothing runs."""
    said = "A restore replaces the database and its schema"
    return Rollout(wanted, None, False, False, "Restoring", said)


def _is(job: JobFacts | None, outcome: str) -> bool:
    return job is not None and job.outcome == outcome
