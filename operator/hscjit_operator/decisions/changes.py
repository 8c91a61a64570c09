"""How is a target changed? Within the hour's budget, to be judged later, not soon if useless."""

from collections.abc import Mapping
from dataclasses import replace

from hscjit_operator.decisions.history import Act, History, Pending, recent, useless_key
from hscjit_operator.model.autopilot import Action, Decision, Targets
from hscjit_operator.model.policy import Policy

HOUR_S = 3600.0
EFFECT_S = 90.0
"""Judged after this long: new pods are up by then."""
USELESS_S = 1800.0
"""What helped nothing is not tried again for this long."""


def change(
    policy: Policy,
    history: History,
    now: float,
    *,
    component: str,
    action: Action,
    targets: Targets,
    number: int,
    reason: str,
    inputs: Mapping[str, float | int | str],
    expected: str,
    before: float | None = None,
) -> tuple[Decision, History]:
    """Make one change of the targets, unless the hour's budget is spent.

    Raises are never refused: a budget that starves customers protects nobody.
    """
    decision = Decision(
        action=action,
        target=f"{component}={number}",
        reason=reason,
        message=f"{action} to {number} for {component}: {reason}",
        inputs=inputs,
        expected=expected,
        deadline=now + EFFECT_S,
        mode=policy.scale.mode,
    )
    past = tuple(act for act in history.changes if recent(act.at, now, HOUR_S))
    budget = policy.scale.budgets.max_per_hour
    if len(past) >= budget and action in (Action.LOWER_FLOOR, Action.LOWER_WORKERS):
        refused = replace(
            decision,
            refused_because="BudgetSpent",
            message=f"Not lowering {component} to {number}: maxPerHour ({budget}) is reached",
            expected="",
            deadline=0.0,
        )
        return refused, replace(history, changes=past)
    pending = history.pending
    if before is not None and decision.mode == "Act":
        pending = (*pending, Pending(decision, component, before))
    return decision, replace(
        history,
        targets=targets,
        changes=(*past, Act(now, action, component, reason)),
        pending=pending,
    )


def step_s(policy: Policy) -> float:
    """Return the least time between two steps down."""
    return float(policy.scale.step_down_seconds)


def hopeless(history: History, component: str, action: Action, reason: str, now: float) -> bool:
    """Return whether the like of it helped nothing a while ago."""
    found = history.useless.get(useless_key(action, component, reason))
    return recent(found, now, USELESS_S)
