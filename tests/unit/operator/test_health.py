"""Verdicts: ok, bad or no data, by N of the last M seconds, at both sides of each threshold."""

import pytest
from tests.unit.operator.sky import NOON, histogram, metrics, pod

from hscjit_operator import names
from hscjit_operator.decisions.health import State, judge, not_ready_long, quantile, since
from hscjit_operator.model.policy import Policy
from hscjit_operator.model.samples import Metrics, Observation, PodSample

POLICY = Policy()  # bad in 5 of the last 8 seconds
API = pod("api-1")
OTHER = pod("api-2")
WORKER = pod("worker-1", names.WORKER)
FINE = metrics()


def watch(ticks, ref=API, other=True, policy=POLICY, trusted=True):
    """Judge one pod over ticks of (metrics or None, alive); return its last verdict."""
    histories, verdicts = {}, ()
    for second, (seen, alive) in enumerate(ticks):
        samples = [PodSample(ref, seen, alive)]
        if other:
            samples.append(PodSample(OTHER, metrics(), alive=True))
        observed = Observation(tuple(samples), trusted=trusted)
        verdicts, histories = judge(policy, observed, histories, NOON + second)
    return verdicts[0]


UP = (FINE, True)
SILENT = (None, False)
MUTE = (None, True)
SICK_HEALTH = (FINE, False)

SILENCE = {
    "answers": ([UP], State.OK, ""),
    "silent 4 of 5": ([UP] + [SILENT] * 4, State.NO_DATA, ""),
    "silent 5 of 6": ([UP] + [SILENT] * 5, State.BAD, "Unresponsive"),
    "silent 5 of 8 with gaps": (
        [SILENT, UP, SILENT, UP, SILENT, UP, SILENT, SILENT],
        State.BAD,
        "Unresponsive",
    ),
    "silent 5, the first out of the window": (
        [SILENT, UP, SILENT, UP, SILENT, UP, SILENT, UP, SILENT],
        State.NO_DATA,
        "",
    ),
    "silent 5 and back": ([UP] + [SILENT] * 5 + [UP], State.OK, ""),
    "metrics fail beside a living health": ([UP] + [MUTE] * 60, State.NO_DATA, ""),
    "a sign of life every fourth second": ([UP] + [SILENT, SILENT, MUTE] * 9, State.NO_DATA, ""),
    "health fails beside living metrics": ([UP] + [SICK_HEALTH] * 60, State.OK, ""),
}


@pytest.mark.parametrize(("ticks", "state", "reason"), SILENCE.values(), ids=SILENCE)
def test_silence(ticks, state, reason):
    verdict = watch(ticks)

    assert (verdict.state, verdict.reason) == (state, reason)


def test_nothing_answers_anywhere_is_our_fault():
    assert watch([UP] + [SILENT] * 60, other=False).state is State.NO_DATA


def test_a_pod_elsewhere_that_answers_is_witness_enough():
    histories = {}
    for second, sample in enumerate([PodSample(API, FINE, alive=True)] + [PodSample(API)] * 5):
        observed = Observation((sample,), elsewhere_answered=True)
        verdicts, histories = judge(POLICY, observed, histories, NOON + second)

    assert verdicts[0].reason == "Unresponsive"


def test_silence_heard_by_a_starved_loop_blames_nobody():
    assert watch([UP] + [SILENT] * 60, trusted=False).state is State.NO_DATA


STARTING = {
    "never answered, not ready": (
        pod("api-1", ready=False, ready_changed=NOON - 601),
        State.NO_DATA,
    ),
    "never answered us, but ready": (pod("api-1"), State.BAD),
    "container does not run": (pod("api-1", started=None), State.NO_DATA),
}


@pytest.mark.parametrize(("ref", "state"), STARTING.values(), ids=STARTING)
def test_start_up_is_not_silence(ref, state):
    assert watch([SILENT] * 30, ref=ref).state is state


def test_a_restarted_container_begins_a_new_history():
    histories = {}
    for second in range(20):
        # Answered, then restarted by the kubelet: it is coming up, not hanging.
        ref = API if second < 4 else pod("api-1", started=NOON + 4, ready=False)
        sample = PodSample(ref, FINE if second < 4 else None, alive=second < 4)
        other = PodSample(OTHER, metrics(), alive=True)
        verdicts, histories = judge(POLICY, Observation((sample, other)), histories, NOON + second)

    assert verdicts[0].state is State.NO_DATA


NOT_READY = {
    "ready": (pod("p"), False),
    "not ready, just under": (pod("p", ready=False, ready_changed=NOON - 59), False),
    "not ready for long": (pod("p", ready=False, ready_changed=NOON - 60), True),
    "not ready since before this container": (
        pod("p", ready=False, ready_changed=NOON - 601),
        False,
    ),
    "container gone": (pod("p", ready=False, ready_changed=NOON - 90, started=None), False),
}


@pytest.mark.parametrize(("ref", "expected"), NOT_READY.values(), ids=NOT_READY)
def test_what_the_kubelet_calls_not_ready(ref, expected):
    assert not_ready_long(ref, NOON) is expected


def counting(per_tick, ticks=12):
    """Return ticks whose counters grow by `per_tick` of the fields given."""
    grown = []
    for second in range(ticks):
        fields = {}
        for name, value in per_tick.items():
            if name == "prediction_buckets":
                fields[name] = tuple((bound, count * second) for bound, count in value)
            elif name == "loop_lag":
                fields[name] = value
            else:
                fields[name] = value * second
        grown.append((metrics(**fields), True))
    return grown


COUNTED = {
    "half of the answers fail": ({"requests": 10, "errors": 5}, "ServerErrors"),
    "just under half fail": ({"requests": 100, "errors": 49}, ""),
    "too few requests to tell": ({"requests": 2, "errors": 2}, ""),
    "enough requests to tell": ({"requests": 2.5, "errors": 2.5}, "ServerErrors"),
    "slow": ({"prediction_buckets": histogram(slow=5)}, "SlowPredictions"),
    "slow but few": ({"prediction_buckets": histogram(slow=2)}, ""),
    "half a second is not slow": ({"prediction_buckets": histogram(half=50)}, ""),
    "one in a hundred is slow": ({"prediction_buckets": histogram(fast=99, slow=1)}, ""),
    "lag at the threshold": ({"loop_lag": 1.0}, "EventLoopLag"),
    "lag under it": ({"loop_lag": 0.999}, ""),
}


@pytest.mark.parametrize(("per_tick", "reason"), COUNTED.values(), ids=COUNTED)
def test_what_a_pod_counts_against_itself(per_tick, reason):
    assert watch(counting(per_tick)).reason == reason


LAGGING = {"one hiccup fills six ticks": (7, ""), "two hiccups": (8, "EventLoopLag")}


@pytest.mark.parametrize(("ticks", "reason"), LAGGING.values(), ids=LAGGING)
def test_one_hiccup_of_the_loop_is_not_an_illness(ticks, reason):
    lagging = (metrics(loop_lag=1.5), True)

    assert watch([UP, UP] + [lagging] * ticks).reason == reason


def test_slowness_under_overload_is_scalings_affair():
    slow = counting({"prediction_buckets": histogram(slow=5)})
    # Two pods that carry 10 each: the 21st request in flight is one too many.
    calm = [(Metrics(**{**fields(m), "inflight": 20.0}), True) for m, _ in slow]
    loaded = [(Metrics(**{**fields(m), "inflight": 21.0}), True) for m, _ in slow]

    assert watch(calm).reason == "SlowPredictions"
    assert watch(loaded).reason == ""


def fields(m):
    return {name: getattr(m, name) for name in Metrics.__dataclass_fields__}


def test_a_restarted_process_is_not_judged_by_the_difference_to_its_former_counters():
    before = (metrics(requests=1000.0, errors=0.0), True)
    after = [(metrics(requests=n * 1.0, errors=0.0, process_start=NOON), True) for n in range(9)]

    assert watch([before, *after]).state is State.OK


# heartbeat's age, task's age (None: none runs), tasks waiting
STALLS = {
    "heartbeat fresh": (29, None, 5, ""),
    "heartbeat old": (38, None, 5, "WorkerStalled"),
    "nothing to do": (300, None, 0, ""),
    "a long task runs": (300, 100, 5, ""),
    "its task outlived the hard limit": (300, 129, 5, "WorkerStalled"),
}


@pytest.mark.parametrize(
    ("heartbeat_age", "task_age", "depth", "reason"), STALLS.values(), ids=STALLS
)
def test_a_worker_that_consumes_nothing(heartbeat_age, task_age, depth, reason):
    # Ages at the last of the ticks: nothing moves but the clock.
    end = NOON + 8
    stuck = metrics(
        heartbeat=end - heartbeat_age,
        task_started=0.0 if task_age is None else end - task_age,
        queue_depth=float(depth),
    )

    assert watch([(stuck, True)] * 9, ref=WORKER).reason == reason


def test_a_worker_that_just_started_has_time_to_consume_its_first_heartbeat():
    new = metrics(process_start=NOON, heartbeat=None, task_started=0.0, queue_depth=5.0)

    assert watch([(new, True)] * 30, ref=WORKER).state is State.OK
    assert watch([(new, True)] * 36, ref=WORKER).reason == "WorkerStalled"


QUANTILES = {
    "empty": ((), None),
    "no observations": (histogram(), None),
    "all in one bucket": (histogram(half=100), 0.25 + 0.25 * 0.95),
    "beyond the last bound": (((1.0, 0.0), (float("inf"), 10.0)), 1.0),
}


@pytest.mark.parametrize(("buckets", "expected"), QUANTILES.values(), ids=QUANTILES)
def test_quantile(buckets, expected):
    assert quantile(buckets, 0.95) == pytest.approx(expected)


def test_a_histogram_with_other_buckets_has_no_difference():
    assert since(((1.0, 5.0),), ((2.0, 1.0),)) == ()
