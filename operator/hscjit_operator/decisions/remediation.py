"""Which bad pod is replaced, and why not? One at a time, within budgets, never for another's fault.

Pods that are bad together, or while what they stand on is down, have one cause, and it is not in
them: a restart of them would add a second outage to the first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hscjit_operator import names
from hscjit_operator.decisions.health import State, Verdict, not_ready_long
from hscjit_operator.decisions.history import Act, History, Pending, recent, useless_key
from hscjit_operator.model.autopilot import Action, Decision, Eviction, PodRef
from hscjit_operator.model.autopilot_spec import Mode
from hscjit_operator.model.policy import Policy
from hscjit_operator.model.samples import Observation

HOUR_S = 3600.0
SETTLE_S = 30.0
"""After a dependency is back its users get this long to recover by themselves."""
EFFECT_S = 90.0
"""An eviction has helped when, after this long, its component is no worse for that reason."""
USELESS_S = 1800.0
"""What helped nothing is not tried again for this long."""
UNDER_WAY_S = 60.0
"""How long an evicted pod may take until it is seen to go."""
BACK_OFF_S = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Waits after the 1st, 2nd… refusal by a PodDisruptionBudget in a row."""
DEPENDENCY_DOWN_REASON = "DependencyNotReady"
DEPENDENCIES: Mapping[str, str] = {
    "database": names.POSTGRES,
    "redis_cache": names.REDIS_CACHE,
    "redis_queue": names.REDIS_QUEUE,
}
"""Name in the pods' metrics → component."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands against any remediation right now."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What remediation came to in one tick."""

    decisions: tuple[Decision, ...]
    history: History
    obstacle: Obstacle | None


def dependencies_down(observed: Observation) -> tuple[str, ...]:
    """Return the components that are not up, as their own readiness or most pods' metrics say."""
    unready = [c for c in DEPENDENCIES.values() if observed.dependencies_ready.get(c) is False]
    missed = []
    for metric, component in DEPENDENCIES.items():
        said = _said(observed, metric)
        if said.count(False) * 2 > len(said):
            missed.append(component)
    return tuple(dict.fromkeys([*unready, *missed]))


def _said(observed: Observation, metric: str) -> list[bool]:
    """Return what each pod says of one dependency."""
    return [
        sample.metrics.dependencies[metric]
        for sample in observed.samples
        if sample.metrics and metric in sample.metrics.dependencies
    ]


def _once_up(observed: Observation) -> frozenset[str]:
    """Return the components that are, or must have been, up.

    An API pod gets ready only after it had contact with all of them, so one that is ready tells of
    them even where an operator before us saw it.
    """
    if any(pod.component == names.API and pod.ready for pod in observed.pods):
        return frozenset(DEPENDENCIES.values())
    found = {c for c in DEPENDENCIES.values() if observed.dependencies_ready.get(c)}
    return frozenset(found.union(c for m, c in DEPENDENCIES.items() if any(_said(observed, m))))


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
    once_up = _once_up(observed)
    if not once_up <= history.dependencies_up:
        history = replace(history, dependencies_up=history.dependencies_up | once_up)
    away = dependencies_down(observed)
    if history.dependencies_up.intersection(away):
        history = replace(history, dependency_seen_down=now)
    if mode == "Off":
        return Outcome((), history, Obstacle("Off", "spec.autopilot.heal.mode is Off"))
    if observed.restoring:
        return Outcome((), history, Obstacle("Restoring", "A restore has stopped the workload"))

    judged = list(verdicts)
    bad = [verdict for verdict in judged if verdict.state is State.BAD]
    ailing = _ailing_dependency(observed, now)
    common = _common_obstacle(policy, observed, judged, away, history=history, now=now)
    decisions: list[Decision] = []
    if ailing is not None and not _under_way(ailing, mode, history, now):
        inputs = {"notReadyPod": ailing.name}
        wanted = _eviction(ailing, DEPENDENCY_DOWN_REASON, inputs, mode, now)
        obstacle = (
            _standing_still(observed)
            or _brake(policy, history, ailing.component, now)
            or _proven_useless(history, ailing.component, DEPENDENCY_DOWN_REASON, now)
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
            _standing_still(observed)
            or common
            or _brake(policy, history, verdict.pod.component, now)
            or _proven_useless(history, verdict.pod.component, verdict.reason, now)
        )
        alike = sum(_alike(verdict, other) for other in bad)
        decided, history = _apply(wanted, verdict.pod, obstacle, history, now=now, bad=alike)
        decisions.append(decided)
    brake = _brake(policy, history, "", now)
    refused = next((d for d in decisions if d.refused_because), None)
    return Outcome(tuple(decisions), history, _summary(mode, observed, common or brake, refused))


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


def _ailing_dependency(observed: Observation, now: float) -> PodRef | None:
    """Return a pod of our own Redis or Postgres that runs, was ready, and no longer is."""
    ours = set(DEPENDENCIES.values())
    for pod in observed.pods:
        if pod.component in ours and not pod.deleting and not_ready_long(pod, now):
            return pod
    return None


def _standing_still(observed: Observation) -> Obstacle | None:
    if observed.paused & {"all", "heal"}:
        return Obstacle("Paused", "The hscjit.dev/paused annotation holds healing still")
    return None


def _common_obstacle(
    policy: Policy,
    observed: Observation,
    verdicts: list[Verdict],
    away: tuple[str, ...],
    *,
    history: History,
    now: float,
) -> Obstacle | None:
    """Return why no API or worker pod at all may be replaced; `away` are dependencies not up."""
    down = [component for component in away if component in history.dependencies_up]
    if down:
        return Obstacle("DependencyDown", f"{down[0]} is down: no API or worker pod is to blame")
    if away:
        return Obstacle("DependencyStarting", f"{', '.join(away)} has not been up yet")
    if recent(history.dependency_seen_down, now, SETTLE_S):
        return Obstacle(
            "DependencyDown", f"A dependency was down within the last {SETTLE_S:.0f} seconds"
        )
    for component in (names.API, names.WORKER):
        of_it = [verdict for verdict in verdicts if verdict.pod.component == component]
        bad = sum(verdict.state is State.BAD for verdict in of_it)
        limit = policy.heal.budgets.max_unhealthy_percent
        # A single bad pod is never "many", even where it is the only one.
        if bad > 1 and bad * 100 > len(of_it) * limit:
            return Obstacle(
                "TooManyUnhealthy",
                f"More than {limit} % of the {component} pods are bad at once: not their fault",
            )
    if observed.rollout_in_progress:
        return Obstacle("RolloutInProgress", "A rollout is not finished: its pods are not judged")
    return None


def _brake(policy: Policy, history: History, component: str, now: float) -> Obstacle | None:
    """Return which budget or wait holds the next eviction in a component back."""
    if history.refusals:
        wait_s = BACK_OFF_S[len(history.refusals) - 1]
        if recent(history.refusals[-1], now, wait_s):
            return Obstacle("DisruptionBudget", "A PodDisruptionBudget refused the last eviction")
    budget = policy.heal.budgets.max_per_hour
    if len(history.evictions) >= budget:
        return Obstacle("BudgetSpent", f"maxPerHour ({budget}) evictions were made within an hour")
    cooldown_s = policy.heal.cooldown_seconds
    lately = (act for act in history.evictions if recent(act.at, now, cooldown_s))
    if any(act.component == component for act in lately):
        return Obstacle("CoolingDown", "The last eviction is not older than cooldownSeconds")
    return None


def _proven_useless(history: History, component: str, reason: str, now: float) -> Obstacle | None:
    found = history.useless.get(useless_key(Action.EVICT, component, reason))
    if recent(found, now, USELESS_S):
        return Obstacle("HelpedNothing", "The last eviction for this reason helped nothing")
    return None


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


def _summary(
    mode: Mode, observed: Observation, general: Obstacle | None, refused: Decision | None
) -> Obstacle | None:
    """Return the one obstacle that the condition names; a cooldown alone is none."""
    still = _standing_still(observed)
    if still is not None:
        return still
    if mode == "Observe":
        return Obstacle("ObserveOnly", "spec.autopilot.heal.mode is Observe")
    if refused is not None and refused.refused_because != "CoolingDown":
        return Obstacle(refused.refused_because or "", refused.message)
    if general is not None and general.reason != "CoolingDown":
        return general
    return None
