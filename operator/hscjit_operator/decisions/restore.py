"""At which step is a restore, and what does that step want?

Each step follows from what is observed and from the step recorded in the status, so a restore that
was cut off anywhere goes on from there. Doing a step twice does no harm: the Job replaces the
whole content each time.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from hscjit_operator.model.observed import JobFacts

Step = Literal["Stopping", "Restoring", "Starting", "Done", "Failed"]

_STAMP: Final = re.compile(r"\d{8}T\d{6}Z")
OVER: Final = ("Done", "Failed")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the cluster shows of a restore."""

    pods_left: bool
    """API, worker, beat, queue or restore pods are still there."""
    job: JobFacts | None
    """The restore Job."""
    said: str
    """The last words of its pod."""
    migrated: bool
    """Since the restore began to start, the running image's migration was recorded."""
    answering: bool
    """The front door answered since the workload was started again."""
    queue: bool = True
    """The queue is embedded: an external one is left as it is."""


@dataclass(frozen=True, slots=True)
class Restore:
    """What a restore wants in this pass."""

    stamp: str
    step: Step
    message: str
    stopped: bool
    """API, worker, beat and the Redis queue shall be at 0."""
    job: bool
    """The restore Job shall be there."""

    @property
    def running(self) -> bool:
        """The restore is under way."""
        return self.step not in OVER


def decide(
    asked: str | None, recorded: Mapping[str, Any], enabled: bool, seen: Seen
) -> Restore | None:
    """Return the present step, or None when there is nothing to do and nothing to tell.

    `asked` is the annotation's value, `recorded` the `status.restore`, `enabled` whether there is
    a claim for backups.
    """
    stamp: str | None = recorded.get("from")
    step: Step | None = recorded.get("step")
    if asked and asked != stamp and (step is None or step in OVER):
        return _begin(asked, enabled)
    if stamp is None or step is None:
        return None
    if step in OVER:
        # The annotation taken away, it is forgotten: the same backup can be asked for again.
        return _over(stamp, step, str(recorded.get("message", ""))) if asked else None
    return _go_on(stamp, step, seen)


def _begin(asked: str, enabled: bool) -> Restore:
    if not _STAMP.fullmatch(asked):
        said = f"{asked!r} is no backup's name; expected one such as 20260131T020000Z"
        return _over(asked[:32], "Failed", said)
    if not enabled:
        return _over(asked, "Failed", "spec.backup.enabled is false: there is no claim")
    return _stopping(asked)


def _go_on(stamp: str, step: Step, seen: Seen) -> Restore:
    match step, seen.job:
        case "Stopping", job if job is not None or seen.pods_left:
            return _stopping(stamp)
        case "Restoring", JobFacts(outcome="Complete"):
            return _starting(stamp, stopped=True)
        case "Restoring", JobFacts(outcome="Failed", message=message):
            return _over(stamp, "Failed", seen.said or message)
        case "Stopping" | "Restoring", _:
            return _restoring(stamp, queue=seen.queue)
    if seen.migrated and seen.answering:
        left = "" if seen.queue else "; Postgres only: the queue is external, and was left as it is"
        return _over(stamp, "Done", f"Restored, and answering again{left}")
    return _starting(stamp, stopped=not seen.migrated)


def _stopping(stamp: str) -> Restore:
    said = "Waiting until API, workers, beat and the queue are gone"
    return Restore(stamp, "Stopping", said, stopped=True, job=False)


def _restoring(stamp: str, *, queue: bool) -> Restore:
    what = "the database and the queue" if queue else "the database"
    said = f"The restore Job loads {what}"
    return Restore(stamp, "Restoring", said, stopped=True, job=True)


def _starting(stamp: str, *, stopped: bool) -> Restore:
    said = "Bringing the schema up to date" if stopped else "Starting the workload"
    return Restore(stamp, "Starting", said, stopped=stopped, job=False)


def _over(stamp: str, step: Step, message: str) -> Restore:
    return Restore(stamp, step, message, stopped=False, job=False)
