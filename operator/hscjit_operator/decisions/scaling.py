"""How many API pods at least and at most? Raised at once by what is unusual, lowered with care.

The load is counted in pods: 2.4 means that what the pods carry would fill 2.4 of them. It is
absolute, so that a raise does not feed on itself while its pods still start.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean, pstdev

from hscjit_operator import names
from hscjit_operator.decisions.changes import EFFECT_S, change, hopeless, step_s
from hscjit_operator.decisions.history import History, Load, recent
from hscjit_operator.decisions.offpeak import Hours, hours
from hscjit_operator.decisions.signals import Signals, peak
from hscjit_operator.model.autopilot import Action, Decision, Targets
from hscjit_operator.model.policy import Policy

LATENCY = "LatencyAboveTarget"
HEADROOM = 1.2
"""A raise leaves room for this much more, and a lowering too: between them nothing moves."""
PANIC = 1.5
"""Load this far above the floor needs no proof, and no cooldown holds it."""
UNUSUAL = 3.0
"""So many standard deviations above the last minute is a step, not noise."""
LASTING = 10
"""Seconds whose mean above the floor is no noise either."""
FIRST = 3
"""Before there are `LASTING` seconds of history: so many in a row above the floor."""
CALM = 0.5
"""Lowered only while latency is below this share of its target."""

Made = tuple[tuple[Decision, ...], History]


def decide(policy: Policy, signals: Signals, history: History, now: float) -> Made:
    """Return the changes of the API's floor and ceiling, and the history they leave."""
    if not policy.autoscaling:
        # The user's number stands, whatever was scaled before.
        low, high = policy.api_low, policy.api_high
        targets = replace(history.targets, api_floor=low, api_ceiling=high)
        return (), history if targets == history.targets else replace(history, targets=targets)
    present = hours(policy, now)
    decided: list[Decision] = []
    for rule in (_ceiling, _floor_of_the_hour, _raise, _lower):
        decision, history = rule(policy, present, signals, history, now)
        if decision is not None:
            decided.append(decision)
            if decision.action in (Action.RAISE_FLOOR, Action.LOWER_FLOOR):
                break
    return tuple(decided), history


Step = tuple[Decision | None, History]


def _ceiling(
    policy: Policy, present: Hours, signals: Signals, history: History, now: float
) -> Step:
    """Follow the hours: up at once, down never below what the last minute needed."""
    targets = history.targets
    wanted = max(present.high, targets.api_floor)
    if present.quiet and wanted < targets.api_ceiling:
        if not signals.whole or not history.api.recent:
            return None, history
        lately = max(*history.api.recent, signals.demand or 0.0)
        needed = math.ceil(lately * HEADROOM)
        wanted = min(max(wanted, needed), policy.api_high)
        settled = recent(_last_change(history, Action.SET_CEILING), now, step_s(policy))
        if wanted >= targets.api_ceiling or settled:
            return None, history
    if wanted == targets.api_ceiling:
        return None, history
    return _change(
        policy,
        history,
        now,
        action=Action.SET_CEILING,
        targets=replace(targets, api_ceiling=wanted),
        number=wanted,
        reason="OffPeak" if present.quiet else "OffPeakOver",
        inputs={"ceiling": targets.api_ceiling, "demand": _round(signals.demand)},
        expected="The HPA stays at or below it",
    )


def _floor_of_the_hour(
    policy: Policy, present: Hours, signals: Signals, history: History, now: float
) -> Step:
    """Never below the floor of the spec or of the quiet time: this needs no data."""
    floor = history.targets.api_floor
    if floor >= present.low:
        return None, history
    return _raised(
        policy,
        history,
        now,
        wanted=present.low,
        high=present.high,
        reason="OffPeakFloor" if present.quiet else "OffPeakOver",
        inputs={"floor": floor, "demand": _round(signals.demand)},
    )


def _raise(policy: Policy, present: Hours, signals: Signals, history: History, now: float) -> Step:
    """Raise the floor when load or latency is above what the pods are meant to carry."""
    floor = history.targets.api_floor
    cooling = recent(history.api.raised, now, policy.scale.cooldown_seconds)
    reason = _heaviest(policy, signals)
    wanted = _by_load(signals, history.api, floor, cooling=cooling)
    if wanted is None:
        reason = LATENCY
        wanted = None if cooling else _by_latency(policy, signals, history, now)
    if wanted is None or min(wanted, present.high) <= floor:
        return None, history
    # While the pods of the last raise do not come, asking for more of them is no help; latency
    # that more pods did not better is not theirs.
    waiting = reason == LATENCY or signals.api_ready < floor
    if waiting and hopeless(history, names.API, Action.RAISE_FLOOR, reason, now):
        return None, history
    inputs = {
        "floor": floor,
        "demand": _round(signals.demand),
        "inFlight": signals.inflight,
        "connections": signals.connections,
        "latencySeconds": _round(signals.latency),
    }
    return _raised(
        policy,
        history,
        now,
        wanted=wanted,
        high=present.high,
        reason=reason,
        inputs=inputs,
        before=signals.latency,
    )


def _heaviest(policy: Policy, signals: Signals) -> str:
    """Return what of the load asks for the most pods."""
    limits = policy.scale.thresholds
    by_connections = signals.connections / limits.connections_per_pod
    by_inflight = signals.inflight / limits.in_flight_per_pod
    return "ConnectionsAboveTarget" if by_connections > by_inflight else "InFlightAboveTarget"


def _by_load(signals: Signals, load: Load, floor: int, *, cooling: bool) -> int | None:
    """Return the floor that the load asks for, None while it may be noise."""
    demand = signals.demand
    if demand is None or demand <= floor:
        return None
    if demand > floor * PANIC:
        return math.ceil(demand * HEADROOM)
    if cooling:
        return None
    if len(load.recent) < LASTING:
        lately = (*load.recent, demand)[-FIRST:]
        surely = len(lately) == FIRST and min(lately) > floor
        return math.ceil(fmean(lately) * HEADROOM) if surely else None
    if demand > fmean(load.recent) + UNUSUAL * pstdev(load.recent):
        return math.ceil(demand * HEADROOM)
    lasting = fmean((*load.recent, demand)[-LASTING:])
    return math.ceil(lasting * HEADROOM) if lasting > floor else None


def _by_latency(policy: Policy, signals: Signals, history: History, now: float) -> int | None:
    """Return the floor that latency asks for, while no raise waits to be judged."""
    limit_s = policy.scale.thresholds.latency_target_milliseconds / 1000
    latency = signals.latency
    if latency is None or latency <= limit_s or signals.api_ready == 0:
        return None
    if any(p.decision.action is Action.RAISE_FLOOR for p in history.pending):
        return None
    # What Redis or Postgres holds up, no pod more will speed up.
    if recent(history.dependency_seen_down, now, EFFECT_S):
        return None
    return math.ceil(signals.api_ready * min(2.0, latency / limit_s))


def _raised(
    policy: Policy,
    history: History,
    now: float,
    *,
    wanted: int,
    high: int,
    reason: str,
    inputs: Mapping[str, float | int | str],
    before: float | None = None,
) -> Step:
    floor = min(wanted, high)
    targets = replace(
        history.targets, api_floor=floor, api_ceiling=max(floor, history.targets.api_ceiling)
    )
    by_latency = reason == LATENCY
    decision, after = _change(
        policy,
        history,
        now,
        action=Action.RAISE_FLOOR,
        targets=targets,
        number=floor,
        reason=reason,
        inputs=inputs,
        expected="Latency falls by a tenth" if by_latency else f"{floor} API pods are ready",
        before=(before or 0.0) if by_latency else float(floor),
    )
    if decision.refused_because is not None:
        return decision, after
    # Another load from here on: what was usual before says nothing about it.
    return decision, replace(after, api=replace(after.api, recent=(), raised=now))


def _lower(policy: Policy, present: Hours, signals: Signals, history: History, now: float) -> Step:
    """Lower the floor step by step towards what the highest load of the hold needed."""
    floor, hold_s = history.targets.api_floor, float(policy.scale.step_down_after_seconds)
    if not signals.whole or floor <= present.low:
        return None, history
    reason = "OffPeak" if present.quiet and floor <= policy.api_low else "LoadFell"
    limit_s = policy.scale.thresholds.latency_target_milliseconds / 1000
    highest = peak(history.api, hold_s, now)
    if (
        highest is None
        or (signals.latency or 0.0) > limit_s * CALM
        # Twice the hold after a raise: load that comes and goes finds its pods still there.
        or recent(history.api.raised, now, 2 * hold_s)
        or recent(history.api.lowered, now, step_s(policy))
        or hopeless(history, names.API, Action.LOWER_FLOOR, reason, now)
    ):
        return None, history
    highest = max(highest, signals.demand or 0.0)
    wanted = max(present.low, math.ceil(highest * HEADROOM))
    wanted = max(wanted, floor - max(1, floor // 4))
    if wanted >= floor:
        return None, history
    decision, after = _change(
        policy,
        history,
        now,
        action=Action.LOWER_FLOOR,
        targets=replace(history.targets, api_floor=wanted),
        number=wanted,
        reason=reason,
        inputs={"floor": floor, "highestDemand": _round(highest), "holdSeconds": hold_s},
        expected="The load stays below what these pods carry",
        before=float(wanted),
    )
    if decision.refused_because is not None:
        return decision, after
    return decision, replace(after, api=replace(after.api, lowered=now))


def _change(
    policy: Policy,
    history: History,
    now: float,
    *,
    action: Action,
    targets: Targets,
    number: int,
    reason: str,
    inputs: Mapping[str, float | int | str],
    expected: str,
    before: float | None = None,
) -> tuple[Decision, History]:
    """Make one change of the API's targets, unless the hour's budget is spent."""
    return change(
        policy,
        history,
        now,
        component=names.API,
        action=action,
        targets=targets,
        number=number,
        reason=reason,
        inputs=inputs,
        expected=expected,
        before=before,
    )


def _last_change(history: History, action: Action) -> float | None:
    return next((act.at for act in reversed(history.changes) if act.action == action), None)


def _round(value: float | None) -> float:
    return round(value or 0.0, 3)
