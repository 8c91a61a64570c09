"""How much is there to do? One tick's load of the API and of the queue, with what is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hscjit_operator import names
from hscjit_operator.decisions.health import STALE_S, demand, quantile
from hscjit_operator.decisions.history import Load, Peak, PodHistory, recent
from hscjit_operator.model.policy import Policy
from hscjit_operator.model.samples import Metrics, Observation

LATENCY_TICKS = 5
"""Predictions of so many seconds are looked at together…"""
LATENCY_MIN = 20
"""…and say nothing when there are fewer."""
MINUTE = 60
SLICES = 30
"""Into how many slices a hold is cut: a peak is forgotten one slice late at most."""


@dataclass(frozen=True, slots=True)
class Signals:
    """One tick's load."""

    demand: float | None
    """API pods the load asks for; None when no API pod's numbers are known."""
    whole: bool
    """The numbers of every ready API pod are known: none carries load that is not counted."""
    inflight: float
    connections: float
    latency: float | None
    """P95 of the predictions of the last seconds, over all API pods."""
    api_ready: int
    queue_age: float | None
    """Age of the task that has waited longest; None when nobody knows."""
    queue_depth: float
    workers_busy: int
    """Worker pods that run a task, or whose numbers are not known."""
    workers_ready: int


def read(
    policy: Policy, observed: Observation, pods: Mapping[str, PodHistory], now: float
) -> Signals:
    """Sum up a tick. A pod that just missed one answers with its last numbers for a while."""
    api: list[Metrics] = []
    ages: list[float] = []
    whole, depth = True, 0.0
    api_ready = workers_ready = workers_busy = 0
    for sample in observed.samples:
        pod, fresh = sample.pod, sample.metrics
        if fresh is not None:
            depth = max(depth, fresh.queue_depth or 0.0)
            if fresh.queue_oldest_age is not None:
                ages.append(fresh.queue_oldest_age)
        if pod.component == names.API:
            api_ready += pod.ready
            known = fresh or _last(pods.get(pod.uid), now)
            if known is not None:
                api.append(known)
            elif pod.ready:
                whole = False
        elif pod.component == names.WORKER:
            workers_ready += pod.ready
            workers_busy += fresh is None or bool(fresh.task_started)
    return Signals(
        demand=demand(policy, api) if api else None,
        whole=whole and bool(api),
        inflight=sum([m.inflight or 0 for m in api]),
        connections=sum([m.connections or 0 for m in api]),
        latency=_latency(pods.values()),
        api_ready=api_ready,
        queue_age=max(ages, default=None),
        queue_depth=depth,
        workers_busy=workers_busy,
        workers_ready=workers_ready,
    )


def _last(history: PodHistory | None, now: float) -> Metrics | None:
    if history is None or not recent(history.last_at, now, STALE_S):
        return None
    return history.last


def _latency(pods: Iterable[PodHistory]) -> float | None:
    """Return the P95 over all pods' predictions of the last seconds, if they are enough."""
    merged: dict[float, float] = {}
    for history in pods:
        for tick in history.ticks[-LATENCY_TICKS:]:
            for bound, count in tick.predicted:
                merged[bound] = merged.get(bound, 0.0) + count
    buckets = tuple(sorted(merged.items()))
    if not buckets or buckets[-1][1] < LATENCY_MIN:
        return None
    return quantile(buckets, 0.95)


def remember(load: Load, value: float | None, *, whole: bool, hold_s: float, now: float) -> Load:
    """Return the load with this tick in it; a tick without data breaks what was whole."""
    if value is None or not whole:
        return Load(recent=load.recent, peaks=load.peaks, raised=load.raised, lowered=load.lowered)
    slice_s = hold_s / SLICES
    peaks = load.peaks
    if not peaks or not recent(peaks[-1].since, now, slice_s):
        kept = (peak for peak in peaks if recent(peak.since, now, hold_s + slice_s))
        peaks = (*kept, Peak(now, value))
    elif value > peaks[-1].high:
        peaks = (*peaks[:-1], Peak(peaks[-1].since, value))
    since = load.whole_since if load.whole_since is not None and load.whole_since <= now else now
    return Load(
        recent=(*load.recent, value)[-MINUTE:],
        peaks=peaks,
        whole_since=since,
        raised=load.raised,
        lowered=load.lowered,
    )


def peak(load: Load, hold_s: float, now: float) -> float | None:
    """Return the highest load of the whole hold, None unless every tick of it had data."""
    if load.whole_since is None or now - load.whole_since < hold_s:
        return None
    return max(entry.high for entry in load.peaks)
