"""Is it a quiet time, and what are the API's bounds then? Cron lines in their own time zones."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

from hscjit_operator.model.policy import OffPeak, Policy


class Hours(NamedTuple):
    """The bounds of the API at one moment."""

    low: int
    high: int
    quiet: bool


def hours(policy: Policy, now: float) -> Hours:
    """Return the bounds that hold now. Where quiet times overlap the higher floor wins.

    That entry's ceiling counts too; among equal floors the higher ceiling. A quiet time never
    asks for more pods than the spec allows.
    """
    running = (
        [entry for entry in policy.off_peak if is_on(entry, now)] if policy.autoscaling else []
    )
    if not running:
        return Hours(policy.api_low, policy.api_high, quiet=False)
    low, high = max(
        (entry.api_low, policy.api_high if entry.api_high is None else entry.api_high)
        for entry in running
    )
    low = min(low, policy.api_high)
    return Hours(low, max(low, min(high, policy.api_high)), quiet=True)


def is_on(entry: OffPeak, now: float) -> bool:
    """Return whether the entry's latest beginning is less than its duration ago."""
    begun = _latest(entry.schedule, entry.time_zone, int(now // 60))
    return begun is not None and now - begun < entry.duration_s


@lru_cache(maxsize=1024)
def _latest(schedule: str, time_zone: str, minute: int) -> float | None:
    """Return when a cron line last came up, at or before a minute; asked once a minute each."""
    # Walking back finds what lies strictly before: begin one minute later.
    start = datetime.fromtimestamp((minute + 1) * 60, UTC).astimezone(ZoneInfo(time_zone))
    try:
        begun: datetime = next(CronSim(schedule, start, reverse=True))
    except StopIteration:
        return None
    return begun.timestamp()
