"""What stands against a remediation? A common cause, a budget, a wait, a try that was no help."""

from dataclasses import dataclass

from hscjit_operator import names
from hscjit_operator.decisions.health import State, Verdict
from hscjit_operator.decisions.history import History, recent, useless_key
from hscjit_operator.model.autopilot import Action, Decision
from hscjit_operator.model.autopilot_spec import Mode
from hscjit_operator.model.policy import Policy
from hscjit_operator.model.samples import Observation

SETTLE_S = 30.0
"""After a dependency is back its users get this long to recover by themselves."""
USELESS_S = 1800.0
"""What helped nothing is not tried again for this long."""
BACK_OFF_S = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Waits after the 1st, 2nd… refusal by a PodDisruptionBudget in a row."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands against any remediation right now."""

    reason: str
    message: str


def standing_still(observed: Observation) -> Obstacle | None:
    """Return whether somebody has told us to leave everything as it is."""
    if observed.paused & {"all", "heal"}:
        return Obstacle("Paused", "The hscjit.dev/paused annotation holds healing still")
    return None


def common(
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


def brake(policy: Policy, history: History, component: str, now: float) -> Obstacle | None:
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


def proven_useless(history: History, component: str, reason: str, now: float) -> Obstacle | None:
    """Return whether an eviction in this component, for this reason, helped nothing lately."""
    found = history.useless.get(useless_key(Action.EVICT, component, reason))
    if recent(found, now, USELESS_S):
        return Obstacle("HelpedNothing", "The last eviction for this reason helped nothing")
    return None


def summary(
    mode: Mode, observed: Observation, general: Obstacle | None, refused: Decision | None
) -> Obstacle | None:
    """Return the one obstacle that the condition names; a cooldown alone is none."""
    still = standing_still(observed)
    if still is not None:
        return still
    if mode == "Observe":
        return Obstacle("ObserveOnly", "spec.autopilot.heal.mode is Observe")
    if refused is not None and refused.refused_because != "CoolingDown":
        return Obstacle(refused.refused_because or "", refused.message)
    if general is not None and general.reason != "CoolingDown":
        return general
    return None
