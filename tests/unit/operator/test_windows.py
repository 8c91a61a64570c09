"""Maintenance windows: when one is open, when the next one opens, whatever the clocks do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hscjit_operator.decisions.windows import opening
from hscjit_operator.model.spec import Window

BERLIN = "Europe/Berlin"


def window(schedule: str, hours: float = 2, zone: str = BERLIN) -> Window:
    return Window(schedule, timedelta(hours=hours), zone)


NIGHT = window("0 2 * * *")
HALF_PAST = window("30 2 * * *", 1)
SUNDAY = window("0 4 * * sun", 3, "Etc/UTC")


def at(text: str) -> datetime:
    """Read a time that says its distance from UTC."""
    found = datetime.fromisoformat(text)
    assert found.tzinfo is not None
    return found


CASES = {
    # windows, asked at, first moment that lies in one
    "no windows": ((), "2026-06-15T12:00:00+02:00", "2026-06-15T12:00:00+02:00"),
    "the second before": ((NIGHT,), "2026-06-15T01:59:59+02:00", "2026-06-15T02:00:00+02:00"),
    "it opens": ((NIGHT,), "2026-06-15T02:00:00+02:00", "2026-06-15T02:00:00+02:00"),
    "in the middle": ((NIGHT,), "2026-06-15T03:17:08+02:00", "2026-06-15T03:17:08+02:00"),
    "its last second": ((NIGHT,), "2026-06-15T03:59:59+02:00", "2026-06-15T03:59:59+02:00"),
    "its end": ((NIGHT,), "2026-06-15T04:00:00+02:00", "2026-06-16T02:00:00+02:00"),
    "asked in another zone": ((NIGHT,), "2026-06-15T01:30:00+00:00", "2026-06-15T03:30:00+02:00"),
    "the zone decides": (
        (window("0 2 * * *", zone="Asia/Tokyo"),),
        "2026-06-15T12:00:00+00:00",
        "2026-06-15T17:00:00+00:00",
    ),
    "the nearer of two": (
        (SUNDAY, NIGHT),
        "2026-06-15T12:00:00+00:00",
        "2026-06-16T02:00:00+02:00",
    ),
    "one of two is open": (
        (NIGHT, SUNDAY),
        "2026-06-14T05:00:00+00:00",
        "2026-06-14T05:00:00+00:00",
    ),
    "days away": ((SUNDAY,), "2026-06-15T12:00:00+00:00", "2026-06-21T04:00:00+00:00"),
    "longer than its distance: always": (
        (window("0 * * * *", 3),),
        "2026-06-15T12:34:00+00:00",
        "2026-06-15T12:34:00+00:00",
    ),
    # On 2026-03-29 the clock in Berlin jumps from 02:00 to 03:00.
    "spring: 02:30 does not come, 03:00 stands for it": (
        (HALF_PAST,),
        "2026-03-28T12:00:00+01:00",
        "2026-03-29T03:00:00+02:00",
    ),
    "spring: two hours are two hours": (
        (window("0 1 * * *"),),
        "2026-03-29T03:59:59+02:00",
        "2026-03-29T03:59:59+02:00",
    ),
    "spring: and no more": (
        (window("0 1 * * *"),),
        "2026-03-29T04:00:00+02:00",
        "2026-03-30T01:00:00+02:00",
    ),
    # On 2026-10-25 the hour from 02:00 to 03:00 comes twice.
    "autumn: 02:30 is the first one": (
        (HALF_PAST,),
        "2026-10-24T12:00:00+02:00",
        "2026-10-25T02:30:00+02:00",
    ),
    "autumn: the second 02:30 opens nothing": (
        (window("30 2 * * *", 0.5),),
        "2026-10-25T02:30:00+01:00",
        "2026-10-26T02:30:00+01:00",
    ),
    "autumn: two hours are two hours": (
        (NIGHT,),
        "2026-10-25T02:59:59+01:00",
        "2026-10-25T02:59:59+01:00",
    ),
    "autumn: and no more": (
        (NIGHT,),
        "2026-10-25T03:00:00+01:00",
        "2026-10-26T02:00:00+01:00",
    ),
    "leap day": (
        (window("0 0 29 2 *", 24, "Etc/UTC"),),
        "2026-06-15T12:00:00+00:00",
        "2028-02-29T00:00:00+00:00",
    ),
}


@pytest.mark.parametrize(("windows", "asked", "first"), CASES.values(), ids=CASES)
def test_the_first_moment_in_a_window(windows: tuple[Window, ...], asked: str, first: str):
    assert opening(windows, at(asked)) == at(first)


MINUTES = st.integers(0, 59)
WINDOWS = st.builds(
    lambda minute, hour, span, zone: Window(f"{minute} {hour} * * *", span, zone),
    MINUTES,
    st.integers(0, 23),
    st.timedeltas(timedelta(minutes=1), timedelta(hours=30)),
    st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Etc/UTC"]),
)
_YEAR = (datetime(2026, 1, 1), datetime(2027, 1, 1))  # noqa: DTZ001  the strategy adds the zone
YEAR = st.datetimes(*_YEAR, timezones=st.just(UTC))


@given(st.lists(WINDOWS, min_size=1, max_size=3), YEAR)
def test_what_opens_is_open_then(windows: list[Window], asked: datetime):
    """Told to wait until a moment, one finds the window open at that moment: nobody waits twice."""
    first = opening(windows, asked)

    assert asked <= first <= asked + timedelta(hours=26)
    assert opening(windows, first) == first


@given(WINDOWS, YEAR)
def test_the_answer_stays_while_time_passes(one: Window, asked: datetime):
    """A status that names the moment need not be written again before it has come."""
    first = opening([one], asked)

    assert opening([one], asked + (first - asked) / 2) == first or first == asked


def test_every_day_has_its_window_in_local_time():
    zone = ZoneInfo(BERLIN)
    day = datetime(2026, 1, 1, tzinfo=zone)
    while day.year == 2026:
        assert opening([NIGHT], day).astimezone(zone).date() == day.date()
        day += timedelta(days=1)
