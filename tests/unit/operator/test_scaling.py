"""Targets: raised at once by a step, left alone by noise, lowered with care, bounded always."""

import itertools
import math
import random
from dataclasses import replace

import pytest
from tests.unit.operator.sky import NOON, Sky, histogram, metrics

from hscjit_operator import names
from hscjit_operator.decisions.bounds import begin, written
from hscjit_operator.model.autopilot import Action, Bounds, ByLoad, Targets, clamp
from hscjit_operator.model.autopilot_spec import Autopilot, Scale, ScaleBudgets
from hscjit_operator.model.policy import OffPeak, Policy, policy_of
from hscjit_operator.model.spec import parse

# A pod is meant to carry 10 requests in flight: 25 of them ask for 2.5 pods.
MINUTE = 60


def scaling(**fields):
    return Policy(autopilot=Autopilot(scale=Scale(**fields)))


QUICK = scaling(step_down_after_seconds=60, step_down_seconds=10)
"""Lowers after a minute (two after a raise), so that a test need not live through an hour."""


def noisy(mean, share=0.3, seed=7):
    """Return load that is flat but for uniform noise of ±share."""
    rng = random.Random(seed)  # noqa: S311  a test's noise, the same each time
    return lambda _t: mean * (1 + rng.uniform(-share, share))


def changes(sky):
    return [d.action for _, d in sky.acted()]


CLAMPS = {
    "within": (Targets(3, 8, 2), Targets(3, 8, 2)),
    "floor too low": (Targets(0, 8, 2), Targets(2, 8, 2)),
    "floor too high": (Targets(99, 8, 2), Targets(10, 10, 2)),
    "ceiling below floor": (Targets(5, 3, 2), Targets(5, 5, 2)),
    "ceiling too high": (Targets(3, 99, 2), Targets(3, 10, 2)),
    "workers too few": (Targets(3, 8, 0), Targets(3, 8, 1)),
    "workers too many": (Targets(3, 8, 9), Targets(3, 8, 4)),
}


@pytest.mark.parametrize(("targets", "expected"), CLAMPS.values(), ids=CLAMPS)
def test_clamp(targets, expected):
    assert clamp(targets, Bounds(2, 10, 1, 4)) == expected


STORED = {
    "nothing": ({}, Targets(2, 10, 1)),
    "as it was": ({"targets": {"apiFloor": 5, "apiCeiling": 10, "workers": 3}}, Targets(5, 10, 3)),
    "beyond today's spec": (
        {"targets": {"apiFloor": 50, "apiCeiling": 90, "workers": 30}},
        Targets(10, 10, 4),
    ),
    "half of it": ({"targets": {"workers": 2}}, Targets(2, 10, 2)),
    "nonsense": ({"targets": {"apiFloor": "5", "workers": True}}, Targets(2, 10, 1)),
    "no map": ({"targets": 5}, Targets(2, 10, 1)),
}


@pytest.mark.parametrize(("persisted", "expected"), STORED.values(), ids=STORED)
def test_targets_outlive_a_restart_of_the_operator(persisted, expected):
    assert begin(Policy(), persisted).targets == expected


def test_what_is_stored_is_what_is_read():
    targets, by_load = Targets(4, 10, 2), ByLoad(4, 2)
    history = begin(Policy(), written(targets, by_load))

    assert (history.targets, history.by_load) == (targets, by_load)


def test_the_policy_of_an_empty_spec():
    metadata = {"name": "x", "namespace": "n", "uid": "u", "generation": 1}

    assert policy_of(parse({"metadata": metadata, "spec": {}})) == Policy()


def test_without_autoscaling_the_users_number_stands():
    spec = {"api": {"replicas": 3, "autoscaling": {"enabled": False}}}
    metadata = {"name": "x", "namespace": "n", "uid": "u", "generation": 1}
    policy = policy_of(parse({"metadata": metadata, "spec": spec}))
    sky = Sky(policy=policy, api=3, inflight=500.0)
    sky.run(300)

    assert sky.last.targets == Targets(3, 3, 1)
    assert sky.finding("ScalingActive") == ("True", "WorkersOnly")


# load per pod of 2 before the step, after it
STEPS = {
    "from idle to just above": (0, 21, 3),
    "from half to just above": (10, 21, 3),
    "tenfold": (5, 50, 6),
    "beyond the ceiling": (5, 500, 10),
}


@pytest.mark.parametrize(("low", "high", "floor"), STEPS.values(), ids=STEPS)
def test_a_step_is_answered_by_the_first_tick_that_sees_it(low, high, floor):
    sky = Sky(inflight=low)
    sky.run(120)
    begun = sky.now
    sky.inflight = high
    sky.run(120)

    at, decision = sky.acted(Action.RAISE_FLOOR)[0]
    assert at - begun <= 1.0  # the tick's second is the whole delay: 1.5 s with scrape and pass
    assert decision.target == f"api={floor}"
    assert sky.last.targets.api_floor == floor
    assert changes(sky) == [Action.RAISE_FLOOR]


LOADS = {"filling": 19, "at the floor": 20, "above it": 23, "far below": 8}


@pytest.mark.parametrize("mean", LOADS.values(), ids=LOADS)
@pytest.mark.parametrize("seed", [1, 2])
def test_noisy_flat_load_changes_at_most_once_in_ten_minutes(mean, seed):
    sky = Sky()
    sky.run(15 * MINUTE, load=noisy(mean, seed=seed))

    moments = [at for at, _ in sky.acted()]
    assert all(later - at >= 600 for at, later in itertools.pairwise(moments))
    # And the one there is has settled it: the floor carries what the load needs at its highest.
    assert sky.last.targets.api_floor >= min(10, math.ceil(mean / 10))


def test_a_real_step_out_of_noise_is_seen_at_once():
    sky = Sky()
    sky.run(180, load=noisy(12))
    begun = sky.now
    sky.run(60, load=noisy(45, seed=8))

    assert sky.acted(Action.RAISE_FLOOR)[0][0] - begun <= 1.0


def test_an_outlier_within_the_noise_of_a_busy_minute_is_left_alone():
    sky = Sky()
    sky.run(120, load=noisy(15, share=0.4))  # up to 21: above the floor of 20, and no step

    assert changes(sky) == []


def test_load_that_falls_lowers_step_by_step_and_never_below_its_need():
    sky = Sky(policy=QUICK)
    sky.run(60, load=lambda _t: 80.0)
    assert sky.last.targets.api_floor == 10
    sky.run(10 * MINUTE, load=lambda t: max(25.0, 80.0 - t / 5))

    lowered = sky.acted(Action.LOWER_FLOOR)
    assert lowered[0][0] - NOON > 120
    gaps = [b - a for (a, _), (b, _) in itertools.pairwise(lowered)]
    assert min(gaps) >= 10
    assert sky.last.targets.api_floor == math.ceil(25 * 1.2 / 10)
    for at, decision in lowered:
        need = max(25.0, 80.0 - (at - NOON - 60) / 5)
        assert int(decision.target.removeprefix("api=")) * 10 >= need


def test_nothing_is_lowered_while_a_ready_pod_says_nothing():
    sky = Sky(policy=QUICK)
    sky.run(60, load=lambda _t: 80.0)
    sky.mute.add(sky.named(names.API)[3])
    sky.run(5 * MINUTE, load=lambda _t: 0.0)

    assert Action.LOWER_FLOOR not in changes(sky)
    assert sky.last.targets.api_floor == 10


def test_one_missed_scrape_does_not_begin_the_hold_anew():
    sky = Sky(policy=QUICK)
    sky.run(60, load=lambda _t: 80.0)
    for _ in range(6):
        sky.run(30, load=lambda _t: 0.0)
        sky.mute.add(sky.named(names.API)[-1])
        sky.run(3, load=lambda _t: 0.0)
        sky.mute.clear()

    assert Action.LOWER_FLOOR in changes(sky)


def test_a_ramp_is_followed_upwards():
    sky = Sky()
    worst = 0.0
    for second in range(600):
        sky.run(1, load=lambda _t, s=second: 10 + s / 10)
        worst = max(worst, sky.inflight / 10 - sky.last.targets.api_floor)

    assert worst <= 0.6  # of a pod: what ten seconds of proof and fifteen of cooldown cost
    assert sky.last.targets.api_floor >= 7


def test_slow_predictions_raise_once_and_not_again_when_more_pods_do_not_help():
    sky = Sky()
    slow = {}

    def sick(ref, now):
        if ref.component != names.API:
            return None
        slow[ref.name] = slow.get(ref.name, 0) + 1
        buckets = tuple((b, n * slow[ref.name]) for b, n in histogram(half=20))
        return metrics(prediction_buckets=buckets, process_start=ref.started)

    sky.sick = sick
    sky.run(20 * MINUTE)

    assert [d.reason for _, d in sky.acted()] == ["LatencyAboveTarget"]
    assert sky.history.useless.keys() == {"RaiseFloor/api/LatencyAboveTarget"}


def test_slow_predictions_while_redis_is_down_raise_nothing():
    sky = Sky(dependencies_ready={names.REDIS_CACHE: False})
    sky.sick = lambda ref, now: (
        metrics(prediction_buckets=tuple((b, n * (now - NOON)) for b, n in histogram(half=20)))
        if ref.component == names.API
        else None
    )
    sky.run(300)

    assert sky.acted() == []


def test_pods_that_do_not_come_are_not_asked_for_again_and_again():
    sky = Sky(boot_s=10_000.0)
    sky.pods = [replace(p, ready=True) for p in sky.pods]
    sky.run(30, load=lambda _t: 5.0)
    sky.run(600, load=lambda t: 30.0 + t / 10)

    raised = sky.acted(Action.RAISE_FLOOR)
    assert all(at < NOON + 30 + 130 for at, _ in raised)
    assert "RaiseFloor/api/InFlightAboveTarget" in sky.history.useless


QUEUES = {"as old as the target": (5.0, 1), "older": (5.1, 2), "far older": (60.0, 2)}


@pytest.mark.parametrize(("age", "workers"), QUEUES.values(), ids=QUEUES)
def test_tasks_that_wait_too_long_raise_the_workers_at_once(age, workers):
    sky = Sky()
    sky.run(60)
    sky.queue_age, sky.queue_depth = age, 20.0
    sky.run(1)

    assert sky.last.targets.workers == workers


def test_workers_grow_while_it_helps_and_shrink_when_idle():
    sky = Sky()
    sky.run(10)
    sky.queue_depth = 50.0
    for second in range(80):
        sky.queue_age = 6.0 + second / 10
        sky.run(1)
    assert sky.last.targets.workers == 4
    sky.queue_age = sky.queue_depth = 0.0
    sky.run(9 * MINUTE)
    assert sky.last.targets.workers == 4
    sky.run(5 * MINUTE)

    assert sky.last.targets.workers == 1
    lowered = [at for at, _ in sky.acted(Action.LOWER_WORKERS)]
    assert min(b - a for a, b in itertools.pairwise(lowered)) >= 60


def test_workers_that_are_busy_are_kept():
    sky = Sky(policy=QUICK, busy_workers=3)
    sky.run(10)
    sky.queue_age, sky.queue_depth = 30.0, 9.0
    sky.run(30)
    sky.queue_age = sky.queue_depth = 0.0
    sky.run(5 * MINUTE)

    assert sky.last.targets.workers == 4


def test_a_queue_nobody_knows_of_changes_nothing():
    sky = Sky()
    sky.sick = lambda _ref, _now: metrics(queue_depth=None, queue_oldest_age=None)
    sky.run(300)

    assert sky.acted() == []


MODES = {
    "Act": ("Act", Targets(6, 10, 1), ("True", "Scaling")),
    "Observe": ("Observe", Targets(2, 10, 1), ("False", "ObserveOnly")),
    "Off": ("Off", Targets(2, 10, 1), ("False", "Off")),
}


@pytest.mark.parametrize(("mode", "targets", "finding"), MODES.values(), ids=MODES)
def test_modes(mode, targets, finding):
    sky = Sky(policy=scaling(mode=mode))
    sky.run(60)
    sky.run(60, load=lambda _t: 50.0)

    assert sky.last.targets == targets
    assert sky.finding("ScalingActive") == finding
    assert changes(sky) == ([] if mode == "Off" else [Action.RAISE_FLOOR])


@pytest.mark.parametrize("paused", ["all", "scale"])
def test_paused_targets_stand_still(paused):
    sky = Sky(policy=QUICK)
    sky.run(60, load=lambda _t: 50.0)
    sky.observation = {"paused": frozenset({paused})}
    sky.run(5 * MINUTE, load=lambda _t: 0.0)

    assert sky.last.targets.api_floor == 6
    assert sky.finding("ScalingActive") == ("False", "Paused")


def test_healing_paused_scales_on():
    sky = Sky(observation={"paused": frozenset({"heal"})})
    sky.run(60, load=lambda _t: 50.0)

    assert sky.last.targets.api_floor == 6


def test_the_hours_budget_holds_lowerings_and_never_a_raise():
    sky = Sky(policy=scaling(budgets=ScaleBudgets(max_per_hour=1), step_down_after_seconds=60))
    sky.run(30)
    sky.run(30, load=lambda _t: 30.0)
    sky.run(30, load=lambda _t: 80.0)
    assert sky.last.targets.api_floor == 10
    sky.run(5 * MINUTE, load=lambda _t: 0.0)

    assert sky.last.targets.api_floor == 10
    assert set(sky.refused()) == {"BudgetSpent"}


def test_a_spec_that_narrows_takes_the_targets_with_it():
    sky = Sky()
    sky.run(60, load=lambda _t: 80.0)
    sky.policy = replace(sky.policy, api_high=5, workers_low=2)
    sky.run(1, load=lambda _t: 80.0)

    assert sky.last.targets == Targets(5, 5, 2)


NO_DATA = {"samples": ()}

# What was asked for before (floor, workers), the spec's own floors then and now, what stands.
TAKEN_BACK = {
    "raised by the spec alone": ((0, 0), (5, 3), (2, 1), Targets(2, 10, 1)),
    "part of the way back": ((0, 0), (5, 3), (4, 2), Targets(4, 10, 2)),
    "left as it is": ((0, 0), (5, 3), (5, 3), Targets(5, 10, 3)),
    "load asked for less than the spec": ((3, 2), (5, 3), (2, 1), Targets(3, 10, 2)),
    "load asked for as much": ((5, 3), (5, 3), (2, 1), Targets(5, 10, 3)),
    "load asked for more": ((7, 4), (5, 3), (2, 1), Targets(7, 10, 4)),
}


@pytest.mark.parametrize("restarted", [False, True], ids=["same operator", "another operator"])
@pytest.mark.parametrize(("asked", "then", "now", "expected"), TAKEN_BACK.values(), ids=TAKEN_BACK)
def test_a_floor_that_the_spec_takes_back_falls_without_data_to_what_load_asked_for(
    asked, then, now, expected, restarted
):
    sky = Sky(observation=NO_DATA)
    floor, workers = max(asked[0], 2), max(asked[1], 1)
    sky.history = begin(sky.policy, written(Targets(floor, 10, workers), ByLoad(*asked)))
    sky.policy = replace(sky.policy, api_low=then[0], workers_low=then[1])
    sky.run(3)
    assert sky.last.targets == Targets(max(asked[0], then[0]), 10, max(asked[1], then[1]))
    if restarted:
        sky.history = begin(sky.policy, written(sky.last.targets, sky.last.by_load))

    sky.policy = replace(sky.policy, api_low=now[0], workers_low=now[1])
    sky.run(3)

    assert sky.last.targets == expected


def test_a_quiet_times_floor_is_not_the_specs_to_take_back():
    quiet = OffPeak(schedule="0 12 * * *", duration_s=600, api_low=6)
    sky = Sky(policy=replace(Policy(), off_peak=(quiet,)), observation=NO_DATA)
    sky.run(30)
    assert sky.last.targets.api_floor == 6
    sky.run(1200)

    assert sky.last.targets.api_floor == 6  # nobody knows what load it carries


def test_targets_written_before_load_was_told_apart_stand_until_there_is_data():
    sky = Sky(policy=replace(Policy(), api_low=1), observation=NO_DATA)
    sky.history = begin(sky.policy, {"targets": {"apiFloor": 5, "apiCeiling": 10, "workers": 2}})
    sky.run(60)

    assert sky.last.targets == Targets(5, 10, 2)


def test_what_the_autopilot_raised_and_lowered_to_the_specs_floor_is_its_own():
    sky = Sky(policy=replace(QUICK, api_low=3), api=3)
    sky.run(60, load=lambda _t: 50.0)
    assert sky.last.history.by_load == ByLoad(6, 0)
    sky.run(10 * MINUTE, load=lambda _t: 0.0)

    assert sky.last.targets.api_floor == 3
    assert sky.last.history.by_load == ByLoad(3, 0)


@pytest.mark.parametrize("mode", ["Observe", "Off"])
def test_what_is_not_acted_on_is_not_asked_for(mode):
    sky = Sky(policy=scaling(mode=mode))
    sky.run(60)
    sky.run(60, load=lambda _t: 50.0)

    assert sky.last.by_load == ByLoad()


def test_nothing_moves_when_the_clock_is_set_back():
    sky = Sky()
    sky.run(60, load=lambda _t: 50.0)
    sky.now -= 7200
    sky.run(30, load=lambda _t: 50.0)
    sky.run(30, load=lambda _t: 90.0)

    assert sky.last.targets.api_floor == 10
