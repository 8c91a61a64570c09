"""How many workers? More as soon as tasks wait too long, fewer when there was nothing to do."""

import math
from dataclasses import replace

from hscjit_operator import names
from hscjit_operator.decisions.changes import change, hopeless, step_s
from hscjit_operator.decisions.history import History, recent
from hscjit_operator.decisions.scaling import HEADROOM, Made
from hscjit_operator.decisions.signals import Signals, peak
from hscjit_operator.model.autopilot import Action
from hscjit_operator.model.policy import Policy

LATE = "QueueAgeAboveTarget"
IDLE = "QueueShort"
CALM = 0.25
"""Lowered only while the oldest task is younger than this share of the target."""


def decide(policy: Policy, signals: Signals, history: History, now: float) -> Made:
    """Return the change of the number of workers, if any, and the history it leaves."""
    if signals.queue_age is None:
        return (), history  # nobody knows how long the queue is
    if signals.queue_age > policy.queue_latency_s:
        return _raise(policy, signals, signals.queue_age, history, now)
    return _lower(policy, signals, signals.queue_age, history, now)


def needed(signals: Signals) -> float | None:
    """Return how many workers the queue keeps busy, None when nobody knows: what `peak` is of."""
    if signals.queue_age is None:
        return None
    return float(max(signals.workers_busy, 1 if signals.queue_depth else 0))


def _raise(policy: Policy, signals: Signals, age: float, history: History, now: float) -> Made:
    workers = history.targets.workers
    # In proportion to how late the queue is, twice the number at most.
    wanted = min(math.ceil(workers * min(2.0, age / policy.queue_latency_s)), policy.workers_high)
    if (
        wanted <= workers
        or recent(history.workers.raised, now, policy.scale.cooldown_seconds)
        # What Redis holds up, no worker more will speed up.
        or recent(history.dependency_seen_down, now, policy.queue_latency_s)
        or hopeless(history, names.WORKER, Action.RAISE_WORKERS, LATE, now)
    ):
        return (), history
    decision, after = change(
        policy,
        history,
        now,
        component=names.WORKER,
        action=Action.RAISE_WORKERS,
        targets=replace(history.targets, workers=wanted),
        number=wanted,
        reason=LATE,
        inputs={
            "workers": workers,
            "queueAgeSeconds": round(age, 1),
            "queueDepth": signals.queue_depth,
            "targetSeconds": policy.queue_latency_s,
        },
        expected="The oldest task gets younger",
        before=age,
    )
    return (decision,), replace(after, workers=replace(after.workers, raised=now))


def _lower(policy: Policy, signals: Signals, age: float, history: History, now: float) -> Made:
    workers, hold_s = history.targets.workers, float(policy.scale.step_down_after_seconds)
    wanted = max(policy.workers_low, workers - 1)
    if wanted >= workers or age > policy.queue_latency_s * CALM:
        return (), history
    busiest = peak(history.workers, hold_s, now)
    if (
        busiest is None
        or math.ceil(max(busiest, needed(signals) or 0.0) * HEADROOM) > wanted
        or recent(history.workers.raised, now, 2 * hold_s)
        or recent(history.workers.lowered, now, step_s(policy))
        or hopeless(history, names.WORKER, Action.LOWER_WORKERS, IDLE, now)
    ):
        return (), history
    decision, after = change(
        policy,
        history,
        now,
        component=names.WORKER,
        action=Action.LOWER_WORKERS,
        targets=replace(history.targets, workers=wanted),
        number=wanted,
        reason=IDLE,
        inputs={"workers": workers, "busiest": busiest, "queueAgeSeconds": round(age, 1)},
        expected="Tasks still wait no longer than the target",
        before=float(wanted),
    )
    if decision.refused_because is not None:
        return (decision,), after
    return (decision,), replace(after, workers=replace(after.workers, lowered=now))
