"""When, and for how long? Durations, cron lines and time zones, as Kubernetes reads them too."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_DURATION: Final = re.compile(r"(?:([0-9]{1,4})h)?(?:([0-9]{1,4})m)?")


def duration(value: str) -> timedelta:
    """Read hours and minutes: `8h`, `90m`, `1h30m`."""
    match = _DURATION.fullmatch(value)
    span = timedelta(hours=int(match[1] or 0), minutes=int(match[2] or 0)) if match else None
    if not span:
        raise ValueError(
            f"{value!r} is not a duration; write hours and minutes above zero, such as 8h or 1h30m"
        )
    return span


@dataclass(frozen=True)
class Lasting:
    """A duration from `shortest` to `longest`, both included."""

    shortest: timedelta
    longest: timedelta

    def __call__(self, value: timedelta) -> timedelta:
        if not self.shortest <= value <= self.longest:
            low, high = (_hours(self.shortest), _hours(self.longest))
            raise ValueError(f"{_hours(value)} is out of range; set {low} to {high}")
        return value


def _hours(span: timedelta) -> str:
    hours, minutes = divmod(int(span.total_seconds()) // 60, 60)
    return "".join([f"{hours}h" if hours else "", f"{minutes}m" if minutes or not hours else ""])


_MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def _cron_field(item: str) -> str:
    """Return the pattern of one cron field: a list of `*`, items or ranges, each with a step."""
    term = rf"(\*|{item}(-{item})?)(/[1-9][0-9]?)?"
    return f"{term}(,{term})*"


CRON_PATTERN: Final = (
    "("
    + "|".join(_MACROS)
    + "|"
    + " +".join(
        [
            _cron_field("[0-5]?[0-9]"),
            _cron_field("([01]?[0-9]|2[0-3])"),
            _cron_field("(0?[1-9]|[12][0-9]|3[01])"),
            _cron_field(
                "(0?[1-9]|1[0-2]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))",
            ),
            _cron_field("([0-6]|(?i:sun|mon|tue|wed|thu|fri|sat))"),
        ]
    )
    + ")"
)
"""The cron lines that Kubernetes and cronsim both know and both read alike.

So neither `L`, `#` or `W`, nor 7 for Sunday, a sixth field or `TZ=`.
"""
_ANY_DAY: Final = datetime(2026, 1, 1)  # noqa: DTZ001  a line is walked, no instant is meant


def cron(value: str) -> str:
    """Return a cron line of five fields; `@daily` and its kin are written out."""
    wanted = 'write five fields, such as "0 2 * * *" for 02:00 each day, or @daily'
    if not re.fullmatch(CRON_PATTERN, value):
        raise ValueError(f"{value!r} is not a cron line; {wanted}")
    line = _MACROS.get(value, value)
    try:
        next(CronSim(line, _ANY_DAY))
    except CronSimError as error:
        raise ValueError(f"{value!r} is not a cron line ({error}); {wanted}") from error
    except StopIteration:
        raise ValueError(f"{value!r} names a day that never comes; {wanted}") from None
    return " ".join(line.split())


def moment(value: str) -> datetime:
    """Read a time with its zone."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(
            f"{value[:64]!r} is no time; write one with its zone, such as 2026-01-31T06:00:00Z"
        )
    return at


def time_zone(value: str) -> str:
    """Accept the name of a time zone that the tz database knows."""
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError) as error:  # which one depends on how wrong the name is
        raise ValueError(
            f"{value!r} is not a time zone; write a name such as Etc/UTC or Europe/Berlin"
        ) from error
    return value
