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

_RECORD: Final = re.compile(r"\bimage ([0-9a-f]{7})\b")


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


def record(image: str) -> str:
    """Return how the condition says that an image's migration is done; `recorded` reads it."""
    return f"The database has the schema of image {names.image_hash(image)}"


def recorded(status: str, message: str) -> str | None:
    """Return the hash of the image whose migration a DatabaseMigrated condition records."""
    found = _RECORD.search(message) if status == "True" else None
    return found.group(1) if found else None


def decide(
    wanted: str, running: str | None, done: str | None, job: JobFacts | None, said: str
) -> Rollout:
    """Return what runs and what migrates.

    `running` is the image on the Deployments (None without any), `done` the recorded hash, `job`
    the wanted image's migration Job and `said` the last words of its pod.
    """
    if done == names.image_hash(wanted) or running == wanted or _is(job, "Complete"):
        return Rollout(wanted, None, True, True, "Migrated", record(wanted))
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
