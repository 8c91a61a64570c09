"""Did it help? Each act is judged at its deadline; what helped nothing is not soon repeated."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hscjit_operator.decisions.dependencies import DEPENDENCIES
from hscjit_operator.decisions.health import State, Verdict
from hscjit_operator.decisions.history import History, Pending, useless_key
from hscjit_operator.decisions.scaling import LATENCY
from hscjit_operator.decisions.signals import Signals
from hscjit_operator.model.autopilot import Action, Decision, Targets
from hscjit_operator.model.policy import Policy
from hscjit_operator.model.samples import Observation

HELPED = "Helped"
HELPED_NOTHING = "HelpedNothing"
UNKNOWN = "NoData"
BETTER = 0.9
"""Latency has fallen when it is at most this share of what it was."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one decision."""

    decision: Decision
    outcome: str
    """Helped, HelpedNothing or NoData."""


def judge(
    policy: Policy,
    observed: Observation,
    verdicts: Iterable[Verdict],
    *,
    signals: Signals,
    history: History,
    now: float,
) -> tuple[tuple[Judgement, ...], History]:
    """Judge what has come to its deadline."""
    due = [p for p in history.pending if now >= p.decision.deadline]
    if not due:
        return (), history
    judged = list(verdicts)
    judgements = []
    useless = dict(history.useless)
    for pending in due:
        if pending.decision.action is Action.EVICT:
            helped = _evicted(pending, observed, judged)
        else:
            helped = _scaled(policy, pending, signals, history.targets)
        outcome = {True: HELPED, False: HELPED_NOTHING, None: UNKNOWN}[helped]
        judgements.append(Judgement(pending.decision, outcome))
        if helped is False:
            decision = pending.decision
            useless[useless_key(decision.action, pending.component, decision.reason)] = now
    left = tuple(p for p in history.pending if now < p.decision.deadline)
    return tuple(judgements), replace(history, pending=left, useless=useless)


def _scaled(policy: Policy, pending: Pending, signals: Signals, targets: Targets) -> bool | None:
    """Return whether what was expected came true; None when nobody can tell."""
    helped: bool | None = None
    match pending.decision.action:
        case Action.RAISE_FLOOR if pending.decision.reason == LATENCY:
            if signals.latency is not None:  # too few predictions prove nothing either way
                helped = signals.latency <= pending.before * BETTER
        case Action.RAISE_FLOOR:
            helped = signals.api_ready >= min(pending.before, targets.api_floor)
        case Action.RAISE_WORKERS:
            if signals.queue_age is not None:
                helped = signals.queue_age < max(pending.before, policy.queue_latency_s)
        case Action.LOWER_FLOOR:
            helped = targets.api_floor <= pending.before
        case Action.LOWER_WORKERS:
            helped = targets.workers <= pending.before
    return helped


def _evicted(pending: Pending, observed: Observation, verdicts: list[Verdict]) -> bool | None:
    if pending.component in DEPENDENCIES.values():
        return observed.dependencies_ready.get(pending.component)
    peers = [v for v in verdicts if v.pod.component == pending.component]
    if not any(v.state is not State.NO_DATA for v in peers):
        return None
    alike = sum(v.state is State.BAD and v.reason == pending.decision.reason for v in peers)
    return alike < pending.before
