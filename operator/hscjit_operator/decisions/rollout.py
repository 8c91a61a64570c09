"""Which image and template does the workload run, and what has to happen before it may?

An image runs only after its migration Job brought the database to its schema; until then the old
one keeps serving. Both image and template version stay where the first pass put them until the
spec says otherwise: a newer operator restarts nothing.
"""

import re
from dataclasses import dataclass
from typing import Final

from hscjit_operator import names
from hscjit_operator.model.observed import JobFacts

_RECORD: Final = re.compile(r"\bimage ([0-9a-f]{7})\b(?:.* on volume ([0-9a-f]{8})\b)?")
_GOING: Final = re.compile(r"^The migration for (\S+) ")


@dataclass(frozen=True, slots=True)
class Pins:
    """What is written down about the workload, in two places that restore each other."""

    status: str | None
    """In `status`."""
    annotation: str | None
    """On the Deployments."""


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


def pinned(asked: str | None, pins: Pins, default: str) -> str:
    """Return what is wanted: the spec's word, else what is written down, else the operator's."""
    return asked or pins.status or pins.annotation or default


def record(image: str, volume: str = "") -> str:
    """Return how the condition says that an image's migration is done; `recorded` reads it.

    `volume` is the UID of the claim under the database, empty where none is known: a database whose
    volume was lost and made anew is empty, whatever was true of the former one.
    """
    where = f" on volume {volume[:8]}" if volume else ""
    return f"The database has the schema of image {names.image_hash(image)}{where}"


def recorded(status: str, message: str) -> str | None:
    """Return the hash of the image whose migration a DatabaseMigrated condition records."""
    found = _RECORD.search(message) if status == "True" else None
    return found.group(1) if found else None


def recorded_volume(status: str, message: str) -> str:
    """Return the volume (8 digits of its claim's UID) that such a condition records, or nothing."""
    found = _RECORD.search(message) if status == "True" else None
    return (found.group(2) or "") if found else ""


def replaced(status: str, message: str, running: str | None, volume: str) -> bool:
    """Tell whether the database under the running image is another one than it was migrated on.

    That stays true until the running image's own migration has ended again.
    """
    if status == "True":
        before = recorded_volume(status, message)
        return bool(before and volume and before != volume[:8])
    going = _GOING.search(message) if status == "False" else None
    return bool(going and going.group(1) == running)


def decide(
    wanted: str,
    running: str | None,
    done: str | None,
    job: JobFacts | None,
    said: str,
    *,
    volume: str = "",
    anew: bool = False,
) -> Rollout:
    """Return what runs and what migrates.

    `running` is the image on the Deployments (None without any), `done` the recorded hash, `job`
    the wanted image's migration Job and `said` the last words of its pod. `anew`: the database was
    `replaced`, so neither a record nor what runs says anything about it; `volume` is its claim.
    """
    known = done == names.image_hash(wanted) or running == wanted
    if (known and not anew) or _is(job, "Complete"):
        return Rollout(wanted, None, True, True, "Migrated", record(wanted, volume))
    first = running or wanted
    serving = f"; {running} keeps serving" if running else ""
    if _is(job, "Failed"):
        why = said or (job.message if job else "")
        message = f"The migration for {wanted} failed{serving}: {why}"
        return Rollout(first, wanted, running is not None, False, "MigrationFailed", message)
    message = f"The migration for {wanted} has to end first{serving}"
    return Rollout(first, wanted, running is not None, False, "Migrating", message)


def held(wanted: str) -> Rollout:
    """Return what is said while a restore replaces the database: nothing migrates, nothing runs."""
    said = "A restore replaces the database and its schema"
    return Rollout(wanted, None, False, False, "Restoring", said)


def _is(job: JobFacts | None, outcome: str) -> bool:
    return job is not None and job.outcome == outcome
