"""Which restart do the pods carry, and when does the one that is asked for begin?

A value of the annotation hscjit.dev/restarted-at restarts the API, the workers and beat once, by a
rollout. That it begins is written into the status before anything is done: whatever dies in
between, the pods then get this value, and get it once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hscjit_operator import names
from hscjit_operator.decisions.windows import opening
from hscjit_operator.model.schedule import moment
from hscjit_operator.model.spec import Window


@dataclass(frozen=True, slots=True)
class Restart:
    """What one pass makes of the annotation."""

    carried: str | None
    """What the pods' template carries now."""
    record: str | None
    """What is written down to be carried from now on."""
    due: datetime | None = None
    """When the pending one begins."""
    message: str = ""
    """Why it waits, or what is wrong."""
    wrong: bool = False
    """The annotation cannot be read."""

    def as_dict(self) -> dict[str, str]:
        """Return `status.restart`."""
        told = {
            "carriedOut": self.record or "",
            "dueTime": stamp(self.due) if self.due else "",
            "message": self.message,
        }
        return {key: value for key, value in told.items() if value}


def stamp(at: datetime) -> str:
    """Return a moment as Kubernetes writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decide(
    asked: str | None,
    carried: str | None,
    *,
    running: bool,
    windows: Sequence[Window],
    held: bool,
    now: datetime,
) -> Restart:
    """Return what the pods carry.

    `asked` is the annotation's value, `carried` what is written down; `running` tells whether there
    are pods at all, `held` whether rollouts are paused.
    """
    if not asked or asked == carried:
        return Restart(carried, carried)  # an annotation taken away restarts nothing
    try:
        at = moment(asked)
    except ValueError as error:
        said = f"{names.ANNOTATION_RESTARTED_AT}: {error}"
        return Restart(carried, carried, message=said, wrong=True)
    if not running and at <= now:
        return Restart(asked, asked)  # pods that come to be need no restart
    if held and at <= now:
        said = f"The restart asked for by {asked} waits until rollouts are paused no more"
        return Restart(carried, carried, message=said)
    due = opening(windows, max(at, now))
    if due <= now:
        return Restart(carried, asked)
    why = "it is asked for that time" if due == at else "the next maintenance window opens then"
    said = f"The restart asked for by {asked} begins at {stamp(due)}: {why}"
    return Restart(carried, carried, due=due, message=said)
