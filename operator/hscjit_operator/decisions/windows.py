"""When may the operator restart pods of its own accord? Cron lines in their own time zones."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from hscjit_operator.model.spec import Window

_REPEATED: Final = timedelta(hours=2)
"""More than any zone repeats at once."""


def opening(windows: Sequence[Window], at: datetime) -> datetime:
    """Return the first moment from `at` on that lies in a window; without windows that is `at`."""
    return min((_opening(window, at) for window in windows), default=at)


def _opening(window: Window, at: datetime) -> datetime:
    # Looking for the opening that could still last, and for the next one, goes forward both times:
    # so the two agree also in the hours that a change of the clocks skips or repeats.
    latest = _after(window, at.astimezone(UTC) - window.duration)
    return at if latest <= at else _after(window, at)


def _after(window: Window, at: datetime) -> datetime:
    """Return when a window opens next, strictly after a moment."""
    local = at.astimezone(ZoneInfo(window.time_zone))
    # Begun in the second run of an hour that a change of the clocks repeats, the walk would take it
    # for the first one, and let a window open that has been open an hour ago.
    begin = local - _REPEATED if local.fold else local
    opened: Iterator[datetime] = CronSim(window.schedule, begin)
    return next(utc for found in opened if (utc := found.astimezone(UTC)) > at)
