"""What did a cleanup do? The last word of its pod, told once, as an Event on the HSCJit."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from hscjit_operator import names, sight
from hscjit_operator.cluster.events import QUIET_S, Events, Kind
from hscjit_operator.model.observed import Observed

NEWS_S: Final = QUIET_S - 60
"""Words older than this are no news: within it the same Event is not posted twice, and an operator
that starts anew does not tell what was told long ago."""


async def tell(events: Events, body: Mapping[str, Any], observed: Observed, now: datetime) -> None:
    """Post what each cleanup that ended a moment ago has to say."""
    for kind, reason, note in news(observed, now.timestamp()):
        await events.post(body, kind, reason, note)


def news(observed: Observed, now: float) -> Iterator[tuple[Kind, str, str]]:
    """Return the Events that are due: their kind, reason and note."""
    for _, pod in sight.pods(observed):
        if pod.component != names.CLEANUP or pod.ended is None or now - pod.ended >= NEWS_S:
            continue
        told = sight.outcome(pod.said)
        if told is None:
            yield "Warning", "CleanupFailed", pod.said or "It ended without a word"
        elif told["ok"]:
            yield "Normal", "CleanedUp", told["message"]
        else:
            yield "Warning", "CleanupFailed", told["message"]
