"""What does one tick come to? `step` is the whole autopilot but for the I/O, on any clock."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hscjit_operator.decisions import (
    bounds,
    health,
    outcome,
    remediation,
    scaling,
    signals,
    workers,
)
from hscjit_operator.decisions.health import Verdict
from hscjit_operator.decisions.history import History, PodHistory, recent
from hscjit_operator.decisions.obstacles import Obstacle
from hscjit_operator.decisions.outcome import Judgement
from hscjit_operator.decisions.signals import Signals
from hscjit_operator.model.autopilot import ByLoad, Decision, Finding, Targets
from hscjit_operator.model.policy import Policy
from hscjit_operator.model.samples import Observation

UNREACHABLE_S = 10.0
"""Ready pods that never answered for this long are out of our reach."""
MISSED_S = 5.0
"""So long a silence everywhere is a finding; a shorter one is a hiccup."""


@dataclass(frozen=True, slots=True)
class Step:
    """Everything one tick came to."""

    decisions: tuple[Decision, ...]
    judgements: tuple[Judgement, ...]
    history: History
    targets: Targets
    """What the children shall be made with."""
    by_load: ByLoad
    """What of that load asks for."""
    findings: tuple[Finding, ...]
    verdicts: tuple[Verdict, ...]


def step(policy: Policy, observed: Observation, history: History, now: float) -> Step:
    """Judge the pods, decide what to do, and remember what the next tick needs."""
    history = bounds.within(policy, history)
    standing = history.targets
    verdicts, pods = health.judge(policy, observed, history.pods, now)
    history = _heard(history, pods, observed, now)
    load = signals.read(policy, observed, pods, now)

    if observed.restoring:
        # The workload is stopped on purpose: what was pending or useless is no longer about it.
        history = replace(history, pending=())
        judgements: tuple[Judgement, ...] = ()
    else:
        judgements, history = outcome.judge(
            policy, observed, verdicts, signals=load, history=history, now=now
        )

    healing = remediation.decide(policy, observed, verdicts, history, now)
    scaled, history = _scale(policy, observed, load, healing.history, now)
    history = bounds.learn(policy, standing, history)
    return Step(
        decisions=(*healing.decisions, *scaled),
        judgements=judgements,
        history=history,
        targets=effective(policy, history),
        by_load=asked(policy, history),
        findings=(
            _metrics_available(observed, load, history, now),
            _scaling_active(policy, observed, load, history),
            _remediation_allowed(healing.obstacle),
        ),
        verdicts=verdicts,
    )


def effective(policy: Policy, history: History) -> Targets:
    """Return the targets the children get: the decisions' in Act, else the spec's own."""
    return history.targets if policy.scale.mode == "Act" else policy.start()


def asked(policy: Policy, history: History) -> ByLoad:
    """Return what of them load asks for: nothing where nobody acts on it."""
    return history.by_load if policy.scale.mode == "Act" else ByLoad()


def _heard(
    history: History, pods: Mapping[str, PodHistory], observed: Observation, now: float
) -> History:
    answered, since = history.answered, history.unheard_since
    if any(not sample.silent for sample in observed.samples):
        answered, since = now, None
    elif not any(sample.pod.ready for sample in observed.samples):
        since = None
    elif since is None:
        since = now
    return replace(history, pods=pods, answered=answered, unheard_since=since)


def _scale(
    policy: Policy, observed: Observation, load: Signals, history: History, now: float
) -> tuple[tuple[Decision, ...], History]:
    decisions: tuple[Decision, ...] = ()
    frozen = bool(observed.paused & {"all", "scale"}) or observed.restoring
    if policy.scale.mode == "Off":
        history = bounds.within(policy, replace(history, targets=policy.start()))
    elif not frozen:
        for_api, history = scaling.decide(policy, load, history, now)
        for_workers, history = workers.decide(policy, load, history, now)
        decisions = (*for_api, *for_workers)
    hold_s = float(policy.scale.step_down_after_seconds)
    return decisions, replace(
        history,
        api=signals.remember(history.api, load.demand, whole=load.whole, hold_s=hold_s, now=now),
        workers=signals.remember(
            history.workers, workers.needed(load), whole=True, hold_s=hold_s, now=now
        ),
    )


def _metrics_available(
    observed: Observation, load: Signals, history: History, now: float
) -> Finding:
    kind = "MetricsAvailable"
    if history.unheard_since is not None:
        if history.answered is None and not recent(history.unheard_since, now, UNREACHABLE_S):
            message = "No pod answers from here; run the operator inside the cluster"
            return Finding(kind, "False", "NotReachableFromHere", message)
        if history.answered is not None and not recent(history.answered, now, MISSED_S):
            return Finding(kind, "False", "NobodyAnswers", "No pod answers /metrics or /health")
        if history.answered is None:
            return Finding(kind, "Unknown", "NotAskedYet", "No pod has answered yet")
    if history.answered is None:
        return Finding(kind, "Unknown", "NoPods", "No pod of the API or the workers is up yet")
    if not load.whole and not recent(history.api.whole_since, now, MISSED_S):
        mute = any(s.pod.ready and s.metrics is None for s in observed.samples)
        if mute and load.api_ready:
            return Finding(
                kind, "False", "SomeMissing", "An API pod that is ready answers no /metrics"
            )
    return Finding(kind, "True", "Scraped", "Every second from each API and worker pod")


def _scaling_active(
    policy: Policy, observed: Observation, load: Signals, history: History
) -> Finding:
    mode = policy.scale.mode
    blind = load.demand is None and load.queue_age is None
    full = history.targets.api_floor >= policy.api_high
    cases = (
        (
            bool(observed.paused & {"all", "scale"}),
            ("False", "Paused", "The hscjit.dev/paused annotation holds the targets still"),
        ),
        (observed.restoring, ("False", "Restoring", "A restore has stopped the workload")),
        (mode == "Off", ("False", "Off", "spec.autopilot.scale.mode is Off")),
        (mode == "Observe", ("False", "ObserveOnly", "spec.autopilot.scale.mode is Observe")),
        (blind, ("False", "NoData", "Without metrics the targets stand still")),
        (
            not policy.autoscaling,
            ("True", "WorkersOnly", "spec.api.autoscaling is not enabled: only workers scale"),
        ),
        (full, ("True", "AtMaximum", "The API's floor has reached maxReplicas")),
    )
    otherwise = ("True", "Scaling", "Floor and workers follow the load")
    return Finding("ScalingActive", *next((say for true, say in cases if true), otherwise))


def _remediation_allowed(obstacle: Obstacle | None) -> Finding:
    kind = "RemediationAllowed"
    if obstacle is None:
        return Finding(kind, "True", "WithinBudget", "A bad pod would be replaced")
    return Finding(kind, "False", obstacle.reason, obstacle.message)
