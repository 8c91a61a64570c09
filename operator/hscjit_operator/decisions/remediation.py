"""Which bad pod is replaced, and why not? One at a time, within budgets, never for another's fault.

Pods that are bad together, or while what they stand on is down, have one cause, and it is not in
them: a restart of them would add a second outage to the first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hscjit_operator.decisions import dependencies, obstacles
from hscjit_operator.decisions.health import State, Verdict
from hscjit_operator.decisions.history import Act, History, Pending, recent, useless_key
from hscjit_operator.decisions.obstacles import BACK_OFF_S, USELESS_S, Obstacle
from hscjit_operator.model.autopilot import Action, Decision, Eviction, PodRef
from hscjit_operator.model.autopilot_spec import Mode
from hscjit_operator.model.policy import Policy
from hscjit_operator.model.samples import Observation

HOUR_S = 3600.0
EFFECT_S = 90.0
"""An eviction has helped when, after this long, its component is no worse for that reason."""
UNDER_WAY_S = 60.0
"""How long an evicted pod may take until it is seen to go."""
DEPENDENCY_DOWN_REASON = "DependencyNotReady"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What remediation came to in one tick."""

    decisions: tuple[Decision, ...]
    history: History
    obstacle: Obstacle | None


def decide(
    policy: Policy,
    observed: Observation,
    verdicts: Iterable[Verdict],
    history: History,
    now: float,
) -> Outcome:
    """Replace what is bad, or say what stands against it."""
    mode = policy.heal.mode
    history = _prune(history, observed, now)
    once_up = dependencies.once_up(observed)
    if not once_up <= history.dependencies_up:
        history = replace(history, dependencies_up=history.dependencies_up | once_up)
    away = dependencies.down(observed)
    if history.dependencies_up.intersection(away):
        history = replace(history, dependency_seen_down=now)
    if mode == "Off":
        return Outcome((), history, Obstacle("Off", "spec.autopilot.heal.mode is Off"))
    if observed.restoring:
        return Outcome((), history, Obstacle("Restoring", "A restore has stopped the workload"))

    judged = list(verdicts)
    bad = [verdict for verdict in judged if verdict.state is State.BAD]
    ailing = dependencies.ailing(observed, now)
    common = obstacles.common(policy, observed, judged, away, history=history, now=now)
    decisions: list[Decision] = []
    if ailing is not None and not _under_way(ailing, mode, history, now):
        inputs = {"notReadyPod": ailing.name}
        wanted = _eviction(ailing, DEPENDENCY_DOWN_REASON, inputs, mode, now)
        obstacle = (
            obstacles.standing_still(observed)
            or obstacles.brake(policy, history, ailing.component, now)
            or obstacles.proven_useless(history, ailing.component, DEPENDENCY_DOWN_REASON, now)
        )
        decided, history = _apply(wanted, ailing, obstacle, history, now=now, bad=1)
        decisions.append(decided)
    for verdict in bad:
        if _under_way(verdict.pod, mode, history, now):
            continue
        wanted = _eviction(verdict.pod, verdict.reason, verdict.inputs or {}, mode, now)
        if _failed_replacement(verdict, history, now):
            # The cure has the illness: known before any deadline.
            kind = useless_key(Action.EVICT, verdict.pod.component, verdict.reason)
            history = replace(history, useless={**history.useless, kind: now})
        obstacle = (
            obstacles.standing_still(observed)
            or common
            or obstacles.brake(policy, history, verdict.pod.component, now)
            or obstacles.proven_useless(history, verdict.pod.component, verdict.reason, now)
        )
        alike = sum(_alike(verdict, other) for other in bad)
        decided, history = _apply(wanted, verdict.pod, obstacle, history, now=now, bad=alike)
        decisions.append(decided)
    brake = obstacles.brake(policy, history, "", now)
    refused = next((d for d in decisions if d.refused_because), None)
    return Outcome(
        tuple(decisions), history, obstacles.summary(mode, observed, common or brake, refused)
    )


def _alike(one: Verdict, other: Verdict) -> bool:
    return (one.pod.component, one.reason) == (other.pod.component, other.reason)


def _prune(history: History, observed: Observation, now: float) -> History:
    """Fold in how evictions ended, and forget what is older than an hour."""
    if not (observed.results or history.evictions or history.refusals or history.useless):
        return history
    refusals = history.refusals
    evictions = history.evictions
    pending = history.pending
    for result in observed.results:
        if result.outcome is Eviction.DONE:
            refusals = ()
            continue
        pending = tuple(p for p in pending if p.decision.target != result.pod.name)
        # Failed, or no such pod: an attempt like any other for budget and cooldown, lest a stale
        # view of the pods becomes a storm of attempts. A refusal has a wait of its own.
        if result.outcome is Eviction.REFUSED:
            evictions = tuple(act for act in evictions if act.uid != result.pod.uid)
            refusals = (*refusals, now)[-len(BACK_OFF_S) :]
    return replace(
        history,
        evictions=tuple(act for act in evictions if recent(act.at, now, HOUR_S)),
        refusals=refusals if refusals and recent(refusals[-1], now, HOUR_S) else (),
        pending=pending,
        useless={k: at for k, at in history.useless.items() if recent(at, now, USELESS_S)},
    )


def _failed_replacement(verdict: Verdict, history: History, now: float) -> bool:
    """Return whether a new pod has what the one before it was evicted for."""
    started = verdict.pod.started
    return recent(started, now, EFFECT_S) and any(
        act.at <= (started or 0.0)
        for act in history.evictions
        if (act.component, act.reason) == (verdict.pod.component, verdict.reason)
    )


def _under_way(pod: PodRef, mode: Mode, history: History, now: float) -> bool:
    """Return whether the pod's eviction was asked for already; observing, it stays where it is."""
    patience = HOUR_S if mode == "Observe" else UNDER_WAY_S
    return any(act.uid == pod.uid and recent(act.at, now, patience) for act in history.evictions)


def _eviction(
    pod: PodRef, reason: str, inputs: Mapping[str, float | int | str], mode: Mode, now: float
) -> Decision:
    return Decision(
        action=Action.EVICT,
        target=pod.name,
        reason=reason,
        message=f"Replacing pod {pod.name}: {reason}",
        inputs=inputs,
        expected=f"No more {pod.component} pods are bad for {reason} than before, without this one",
        deadline=now + EFFECT_S,
        mode=mode,
    )


def _apply(
    wanted: Decision,
    pod: PodRef,
    obstacle: Obstacle | None,
    history: History,
    *,
    now: float,
    bad: int,
) -> tuple[Decision, History]:
    """Return the decision as it stands, and the history in which it was made."""
    if obstacle is not None:
        refused = replace(
            wanted,
            refused_because=obstacle.reason,
            message=f"Not replacing pod {pod.name} ({wanted.reason}): {obstacle.message}",
            expected="",
            deadline=0.0,
        )
        return refused, history
    act = Act(now, wanted.action, pod.component, wanted.reason, pod.uid)
    history = replace(history, evictions=(*history.evictions, act))
    if wanted.mode == "Act":
        pending = Pending(wanted, pod.component, before=float(bad))
        history = replace(history, pending=(*history.pending, pending))
    return wanted, history
