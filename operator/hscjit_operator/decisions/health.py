"""Which pods are bad? Of each pod ok, bad or no data, by N of the last M seconds."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from hscjit_operator import names
from hscjit_operator.decisions.history import PodHistory, Tick
from hscjit_operator.model.autopilot import PodRef
from hscjit_operator.model.autopilot_spec import HealThresholds
from hscjit_operator.model.policy import Policy
from hscjit_operator.model.samples import Metrics, Observation, PodSample

NOT_READY_S = 60.0
"""A pod that was ready, and that the kubelet has called not ready for this long, is bad."""
TASK_HARD_LIMIT_S = 120.0
"""After this long Celery kills a task: a worker with a younger one is busy, not stuck."""
LAG_TICKS = 8
"""The lag gauge shows the worst of 5 s, so that one hiccup fills six ticks: only more of them in a
row prove that it goes on."""
STALE_S = 5.0
"""How long the last metrics of a pod stand in for missing ones."""
UNRESPONSIVE = "Unresponsive"
SERVER_ERRORS = "ServerErrors"
SLOW = "SlowPredictions"
LAG = "EventLoopLag"
STALLED = "WorkerStalled"


class State(StrEnum):
    """Three values: what is not known is never taken for good or bad."""

    OK = "Ok"
    BAD = "Bad"
    NO_DATA = "NoData"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one pod is found to be."""

    pod: PodRef
    state: State
    reason: str = ""
    inputs: Mapping[str, float | int | str] | None = None


def judge(
    policy: Policy, observed: Observation, pods: Mapping[str, PodHistory], now: float
) -> tuple[tuple[Verdict, ...], dict[str, PodHistory]]:
    """Return a verdict for each sampled pod, and the pods' histories with this tick in them.

    Pods that are no longer sampled are forgotten.
    """
    loaded = overloaded(policy, observed)
    work_waits = any((s.metrics.queue_depth or 0) > 0 for s in observed.samples if s.metrics)
    answering = sum(not sample.silent for sample in observed.samples)
    histories: dict[str, PodHistory] = {}
    verdicts = []
    for sample in observed.samples:
        history = _same_container(pods.get(sample.pod.uid, PodHistory()), sample.pod)
        others = answering - (not sample.silent) > 0 or observed.elsewhere_answered
        tick = _tick(
            policy.heal.thresholds,
            sample,
            history,
            now,
            can_blame=others and observed.trusted,
            loaded=loaded,
            work_waits=work_waits,
        )
        keep = max(policy.heal.thresholds.window_seconds, LAG_TICKS)
        history = PodHistory(
            started=history.started,
            ticks=(*history.ticks, tick)[-keep:],
            answered=history.answered or not sample.silent,
            last=sample.metrics or history.last,
            last_at=now if sample.metrics else history.last_at,
        )
        histories[sample.pod.uid] = history
        verdicts.append(_verdict(policy.heal.thresholds, sample.pod, history, now))
    return tuple(verdicts), histories


def overloaded(policy: Policy, observed: Observation) -> bool:
    """Return whether the API as a whole carries more than it is meant to.

    It is slow then, and more pods help it; the replacement of one would do the contrary.
    """
    api = [s.metrics for s in observed.samples if s.metrics and s.pod.component == names.API]
    return demand(policy, api) > len(api)


def demand(policy: Policy, api: list[Metrics]) -> float:
    """Return how many API pods the load asks for, as a fraction: 2.4 is two full and a bit."""
    per_pod = policy.scale.thresholds
    return max(
        sum(m.inflight or 0 for m in api) / per_pod.in_flight_per_pod,
        sum(m.connections or 0 for m in api) / per_pod.connections_per_pod,
    )


def not_ready_long(pod: PodRef, now: float) -> bool:
    """Return whether the kubelet has called the pod not ready for long, after it had been ready.

    Readiness lost before the present container started belongs to its start-up (a Postgres that
    replays its log, say), which a restart would only begin anew.
    """
    if pod.ready or pod.started is None or pod.ready_changed is None:
        return False
    return pod.ready_changed > pod.started and now - pod.ready_changed >= NOT_READY_S


def quantile(buckets: tuple[tuple[float, float], ...], share: float) -> float | None:
    """Return a quantile of a histogram, None when it is empty.

    Linear within a bucket; beyond the last finite bound that bound stands for all: no slower
    than can be proven.
    """
    total = buckets[-1][1] if buckets else 0.0
    if total <= 0:
        return None
    rank = share * total
    lower_bound = lower_count = 0.0
    for bound, count in buckets:
        if count >= rank:
            if math.isinf(bound):
                return lower_bound
            within = (rank - lower_count) / (count - lower_count) if count > lower_count else 1.0
            return lower_bound + (bound - lower_bound) * within
        lower_bound, lower_count = bound, count
    return lower_bound


def since(
    new: tuple[tuple[float, float], ...], old: tuple[tuple[float, float], ...]
) -> tuple[tuple[float, float], ...]:
    """Return what a histogram gained between two scrapes, nothing when its buckets changed."""
    if [bound for bound, _ in new] != [bound for bound, _ in old]:
        return ()
    gained = tuple((b, max(0.0, n - o)) for (b, n), (_, o) in zip(new, old, strict=True))
    return gained if gained and gained[-1][1] > 0 else ()


def _same_container(history: PodHistory, pod: PodRef) -> PodHistory:
    """Return the history if it is about the container that runs now, else a new one."""
    return history if history.started == pod.started else PodHistory(started=pod.started)


def _tick(
    limits: HealThresholds,
    sample: PodSample,
    history: PodHistory,
    now: float,
    *,
    can_blame: bool,
    loaded: bool,
    work_waits: bool,
) -> Tick:
    """Return what this tick says about one pod."""
    if sample.metrics is None:
        # A container that does not run is in the kubelet's hands; one that never answered starts.
        up = sample.pod.started is not None and (sample.pod.ready or history.answered)
        return Tick(data=False, silent=sample.silent and can_blame and up)
    new, old = sample.metrics, history.last
    if sample.pod.component == names.WORKER:
        return Tick(data=True, stalled=work_waits and _consumes_nothing(limits, new, now))
    lagging = not loaded and (new.loop_lag or 0) * 1000 >= limits.event_loop_lag_milliseconds
    if old is None or old.process_start != new.process_start:
        return Tick(data=True, lagging=lagging)  # counters began anew: no difference to take
    requests = max(0.0, (new.requests or 0) - (old.requests or 0))
    errors = max(0.0, (new.errors or 0) - (old.errors or 0))
    predicted = since(new.prediction_buckets, old.prediction_buckets)
    p95 = quantile(predicted, 0.95)
    return Tick(
        data=True,
        requests=requests,
        failing=requests > 0 and errors * 100 >= requests * limits.failure_percent,
        predicted=predicted,
        slow=not loaded and p95 is not None and p95 * 1000 >= limits.latency_milliseconds,
        lagging=lagging,
    )


def _consumes_nothing(limits: HealThresholds, worker: Metrics, now: float) -> bool:
    """Return whether a worker takes nothing from its queues, without a task that excuses it."""
    heard = max(worker.heartbeat or 0, worker.process_start or 0)
    if heard == 0 or now - heard < limits.worker_silent_seconds:
        return False
    return not worker.task_started or now - worker.task_started >= TASK_HARD_LIMIT_S


def _verdict(limits: HealThresholds, pod: PodRef, history: PodHistory, now: float) -> Verdict:
    """Return the verdict by the last ticks: what is called bad must be bad still."""
    for reason, inputs in _complaints(limits, pod, history, now):
        return Verdict(pod, State.BAD, reason, inputs)
    return Verdict(pod, State.OK if history.ticks[-1].data else State.NO_DATA)


def _complaints(
    limits: HealThresholds, pod: PodRef, history: PodHistory, now: float
) -> Iterator[tuple[str, dict[str, float | int | str]]]:
    """Yield what is wrong with a pod, the gravest first."""
    window = history.ticks[-limits.window_seconds :]
    latest, enough = window[-1], limits.bad_seconds
    if not (latest.silent or latest.failing or latest.slow or latest.lagging or latest.stalled):
        if not_ready_long(pod, now):
            yield UNRESPONSIVE, {"notReadySeconds": int(NOT_READY_S)}
        return  # nothing else counts that is over

    silent = sum(tick.silent for tick in window)
    if latest.silent and silent >= enough:
        yield UNRESPONSIVE, {"silentSeconds": silent, "windowSeconds": len(window)}

    if not_ready_long(pod, now):
        yield UNRESPONSIVE, {"notReadySeconds": int(NOT_READY_S)}

    requests = sum(tick.requests for tick in window)
    failing = sum(tick.failing for tick in window)
    if latest.failing and failing >= enough and requests >= limits.min_requests:
        yield SERVER_ERRORS, {"failingSeconds": failing, "requests": requests}

    predictions = sum(tick.predicted[-1][1] for tick in window if tick.predicted)
    slow = sum(tick.slow for tick in window)
    if latest.slow and slow >= enough and predictions >= limits.min_requests:
        yield SLOW, {"slowSeconds": slow, "predictions": predictions}

    lagging = history.ticks[-max(enough, LAG_TICKS) :]
    if len(lagging) >= max(enough, LAG_TICKS) and all(tick.lagging for tick in lagging):
        yield LAG, {"laggingSeconds": len(lagging)}

    stalled = sum(tick.stalled for tick in window)
    if latest.stalled and stalled >= enough:
        yield STALLED, {"stalledSeconds": stalled}
