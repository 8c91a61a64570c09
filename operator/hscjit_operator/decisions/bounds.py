"""Which targets stand: the load's word, within what the spec asks for today?

A floor that only the spec has raised falls with it, data or not. What load has asked for falls by
data alone: whoever knows nothing of the load lowers nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hscjit_operator.decisions.history import History
from hscjit_operator.model.autopilot import ByLoad, Targets, clamp
from hscjit_operator.model.policy import Policy


def begin(policy: Policy, persisted: Mapping[str, Any]) -> History:
    """Return the history of an HSCJit seen for the first time since the operator started.

    `persisted` is `status.autopilot`: its targets go on where they stood, within the bounds of
    today's spec. What is not a number there is as if it were absent; where nothing says what load
    has asked for, it may have been all of it.
    """
    found, start = _numbers(persisted, "targets"), policy.start()
    targets = Targets(
        api_floor=found.get("apiFloor", start.api_floor),
        api_ceiling=found.get("apiCeiling", start.api_ceiling),
        workers=found.get("workers", start.workers),
    )
    asked = _numbers(persisted, "byLoad")
    by_load = ByLoad(
        api_floor=asked.get("apiFloor", found.get("apiFloor", 0)),
        workers=asked.get("workers", found.get("workers", 0)),
    )
    return within(policy, History(targets=targets, by_load=by_load))


def written(targets: Targets, by_load: ByLoad) -> dict[str, dict[str, int]]:
    """Return both as `status.autopilot` holds them."""
    return {
        "targets": {
            "apiFloor": targets.api_floor,
            "apiCeiling": targets.api_ceiling,
            "workers": targets.workers,
        },
        "byLoad": {"apiFloor": by_load.api_floor, "workers": by_load.workers},
    }


def within(policy: Policy, history: History) -> History:
    """Return the history with its targets within the spec as it is now."""
    stood, asked = history.targets, history.by_load
    # Only quiet times lower the ceiling.
    lowered = bool(policy.off_peak) and policy.autoscaling
    targets = clamp(
        Targets(
            api_floor=_let_go(stood.api_floor, asked.api_floor, policy.api_low),
            api_ceiling=stood.api_ceiling if lowered else policy.api_high,
            workers=_let_go(stood.workers, asked.workers, policy.workers_low),
        ),
        policy.bounds(),
    )
    return _standing(history, targets, asked)


def learn(policy: Policy, before: Targets, history: History) -> History:
    """Return the history with what its decisions, since `before`, have found load to ask for.

    A raise that only brings back the spec's own floor, as after a quiet time, is not load's.
    """
    targets, asked = history.targets, history.by_load
    if targets.api_floor > max(before.api_floor, policy.api_low):
        asked = replace(asked, api_floor=targets.api_floor)
    if targets.workers > max(before.workers, policy.workers_low):
        asked = replace(asked, workers=targets.workers)
    return _standing(history, targets, asked)


def _let_go(stands: int, asked: int, low: int) -> int:
    """Return what stands of a target once the spec no longer holds it up."""
    return min(stands, max(asked, low)) if stands > asked else stands


def _standing(history: History, targets: Targets, asked: ByLoad) -> History:
    """Return the history with these targets; itself, as in most ticks, where they stand already."""
    by_load = ByLoad(min(asked.api_floor, targets.api_floor), min(asked.workers, targets.workers))
    if (targets, by_load) == (history.targets, history.by_load):
        return history
    return replace(history, targets=targets, by_load=by_load)


def _numbers(persisted: Mapping[str, Any], name: str) -> dict[str, int]:
    found = persisted.get(name)
    numbers = found.items() if isinstance(found, Mapping) else ()
    return {k: v for k, v in numbers if isinstance(v, int) and not isinstance(v, bool)}
