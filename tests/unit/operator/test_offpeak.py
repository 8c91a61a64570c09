"""Quiet times: when one is on, which of two holds, and what becomes of floor and ceiling."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from tests.unit.operator.sky import Sky

from hscjit_operator.decisions.offpeak import hours, is_on
from hscjit_operator.model.autopilot import Action, Targets
from hscjit_operator.model.autopilot_spec import Autopilot, Scale
from hscjit_operator.model.policy import OffPeak, Policy

HOUR = 3600.0
QUICK = Autopilot(scale=Scale(step_down_after_seconds=60, step_down_seconds=10))
NIGHT = OffPeak("0 22 * * *", 8 * HOUR, "Europe/Berlin", api_low=1, api_high=3)


def at(text, zone="Europe/Berlin"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


MOMENTS = {
    "the second before": ("2026-06-15T21:59:59", False),
    "its beginning": ("2026-06-15T22:00:00", True),
    "past midnight": ("2026-06-16T03:00:00", True),
    "its last second": ("2026-06-16T05:59:59", True),
    "its end": ("2026-06-16T06:00:00", False),
    # The clock jumps from 02:00 to 03:00: eight hours after 22:00 it shows 07:00.
    "the night that loses an hour, still on": ("2026-03-29T06:59:59", True),
    "the night that loses an hour, over": ("2026-03-29T07:00:00", False),
    # The hour from 02:00 comes twice: eight hours after 22:00 it shows 05:00.
    "the night that gains an hour, still on": ("2026-10-25T04:59:59", True),
    "the night that gains an hour, over": ("2026-10-25T05:00:00", False),
}


@pytest.mark.parametrize(("moment", "on"), MOMENTS.values(), ids=MOMENTS)
def test_when_it_is_on(moment, on):
    assert is_on(NIGHT, at(moment)) is on


def test_the_time_zone_decides():
    tokyo = OffPeak("0 22 * * *", HOUR, "Asia/Tokyo")

    assert is_on(tokyo, at("2026-06-15T22:30", "Asia/Tokyo"))
    assert not is_on(tokyo, at("2026-06-15T22:30"))


def test_a_day_that_has_not_come_yet_was_on_last_year():
    new_year = OffPeak("0 0 1 1 *", 24 * HOUR)

    assert is_on(new_year, at("2026-01-01T12:00", "Etc/UTC"))
    assert not is_on(new_year, at("2026-01-02T00:00", "Etc/UTC"))


LATE = "2026-06-15T23:30"
WEEKEND = OffPeak("0 23 * * *", HOUR, "Europe/Berlin", api_low=2, api_high=2)
OPEN = OffPeak("0 23 * * *", HOUR, "Europe/Berlin", api_low=1)
HUGE = OffPeak("0 23 * * *", HOUR, "Europe/Berlin", api_low=50, api_high=90)

BOUNDS = {
    "none": ((), (3, 10, False)),
    "one": ((NIGHT,), (1, 3, True)),
    "overlapping, the higher floor wins": ((NIGHT, WEEKEND), (2, 2, True)),
    "in either order": ((WEEKEND, NIGHT), (2, 2, True)),
    "equal floors, the higher ceiling": ((NIGHT, OPEN), (1, 10, True)),
    "never above the spec": ((HUGE,), (10, 10, True)),
}


@pytest.mark.parametrize(("entries", "expected"), BOUNDS.values(), ids=BOUNDS)
def test_bounds_of_the_hour(entries, expected):
    assert hours(Policy(api_low=3, off_peak=entries), at(LATE)) == expected


def test_fixed_replicas_know_no_quiet_time():
    policy = Policy(autoscaling=False, api_low=3, api_high=3, off_peak=(NIGHT,))

    assert hours(policy, at(LATE)) == (3, 3, False)


def sky_before(moment, **fields):
    """Return an HSCJit that has lived for three minutes, with a night ahead or around it."""
    policy = Policy(autopilot=QUICK, off_peak=(NIGHT,))
    sky = Sky(policy=policy, now=at(moment) - 180, **fields)
    sky.run(179)
    return sky


def test_floor_and_ceiling_are_lowered_and_restored():
    sky = sky_before("2026-06-15T22:00")
    assert sky.last.targets == Targets(2, 10, 1)
    sky.run(120)
    assert sky.last.targets == Targets(1, 3, 1)

    sky.now = at("2026-06-16T06:00") - 2
    sky.run(1)
    assert sky.last.targets == Targets(1, 3, 1)
    sky.run(1)
    assert sky.last.targets == Targets(2, 10, 1)
    assert [(d.action, d.reason) for _, d in sky.acted()] == [
        (Action.SET_CEILING, "OffPeak"),
        (Action.LOWER_FLOOR, "OffPeak"),
        (Action.SET_CEILING, "OffPeakOver"),
        (Action.RAISE_FLOOR, "OffPeakOver"),
    ]


def test_a_busy_night_keeps_what_its_load_needs():
    sky = sky_before("2026-06-15T22:00", inflight=45.0)
    assert sky.last.targets.api_floor == 6
    sky.run(300)
    assert sky.last.targets.api_floor == 6
    assert sky.last.targets.api_ceiling == 6

    sky.inflight = 5.0
    sky.run(300)
    assert sky.last.targets == Targets(1, 3, 1)


def test_without_data_nothing_is_lowered_and_the_morning_comes_all_the_same():
    sky = sky_before("2026-06-15T21:59:50")
    sky.mute.update(p.name for p in sky.pods)
    sky.run(300)
    assert sky.last.targets == Targets(2, 10, 1)

    blind = sky_before("2026-06-16T06:00")
    assert blind.last.targets.api_ceiling == 3
    blind.mute.update(p.name for p in blind.pods)
    blind.run(30)
    assert blind.last.targets == Targets(2, 10, 1)
