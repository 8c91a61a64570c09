"""What does a pass say of an HSCJit? From what it saw and decided to the status, purely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hscjit_operator import components, names
from hscjit_operator import conditions as c
from hscjit_operator.conditions import Condition
from hscjit_operator.decisions import bounds
from hscjit_operator.decisions.plan import Plan, Release
from hscjit_operator.decisions.readiness import (
    Gravity,
    Problem,
    Situation,
    conclude,
)
from hscjit_operator.decisions.restart import Restart
from hscjit_operator.decisions.restore import Restore
from hscjit_operator.decisions.rollout import Rollout
from hscjit_operator.decisions.rotation import Rotation
from hscjit_operator.model import status as s
from hscjit_operator.model.autopilot import Report
from hscjit_operator.model.observed import (
    Answer,
    AutoscalerFacts,
    Observed,
)
from hscjit_operator.model.pause import Pause
from hscjit_operator.model.spec import HSCJit


@dataclass(frozen=True, slots=True)
class Told:
    """What the backups have to say."""

    status: Mapping[str, Any]
    """`status.backup`."""
    condition: Condition


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a pass saw and decided; what it could not find out is None."""

    name: str
    namespace: str
    generation: int
    before: Mapping[str, Any]
    """The status as it stands."""
    observed: Observed
    rolled: Mapping[tuple[str, str], int]
    in_cluster: bool
    problems: tuple[Problem, ...]
    pause: Pause
    pause_wrong: str
    """Why the annotation cannot be read; empty when it can."""
    now: str
    """RFC 3339."""
    app: HSCJit | None = None
    """None: the spec could not be read."""
    rollout: Rollout | None = None
    restore: Restore | None = None
    restart: Restart | None = None
    rotation: Rotation | None = None
    used: Release | None = None
    """What the pods run; None: they could not be made."""
    plan: Plan | None = None
    """What a newer operator offers; without `used` it is not known."""
    version: str | None = None
    answer: Answer | None = None
    pilot: Report | None = None
    backup: Told | None = None
    endpoint: str | None = None
    """Where customers reach the API."""


def blind(seen: Seen, unseen: Sequence[str]) -> dict[str, Any]:
    """Return the status while the children cannot be seen: as it was, and what stands in the way.

    What was true of them is not taken back, but Ready is true of what is known only.
    """
    why = "; ".join(unseen)
    found = [
        Condition(c.READY, "Unknown", "Forbidden", why),
        Condition(c.DEGRADED, "True", "Forbidden", why),
    ]
    return {
        **seen.before,
        "observedGeneration": seen.generation,
        "conditions": c.merge(seen.before, found, seen.generation, seen.now),
    }


def compose(seen: Seen) -> s.Status:
    """Return the status that this pass has to report."""
    parts = components.standing(seen.observed, seen.rolled, seen.name, seen.before, seen.app)
    situation = Situation(
        components=parts,
        serving=names.API,
        rollout=seen.rollout,
        restore=seen.restore,
        answer=seen.answer,
        in_cluster=seen.in_cluster,
        problems=seen.problems,
        waiting=_waiting(seen),
        rotation=seen.rotation,
        before=c.read(seen.before, c.READY),
    )
    found = [
        *conclude(situation),
        *_findings(seen),
        _paused(seen),
        *([seen.backup.condition] if seen.backup else []),
    ]
    before = seen.before
    api, workers = parts[names.API], parts[names.WORKER]
    return s.Status(
        observed_generation=seen.generation,
        conditions=c.merge(before, found, seen.generation, seen.now),
        replicas=components.total(seen.observed, seen.name),
        selector=s.selector(seen.name),
        version=seen.version or before.get("version", ""),
        image=seen.rollout.image if seen.rollout else before.get("image", ""),
        endpoint=seen.endpoint or before.get("endpoint", ""),
        images=(
            {"redis": seen.used.redis, "postgres": seen.used.postgres}
            if seen.used
            else before.get("images") or {}
        ),
        migration=(
            seen.rollout.record.as_dict() if seen.rollout else before.get("migration") or {}
        ),
        components={
            s.COMPONENTS[component]: {
                "desired": part.desired,
                "ready": part.ready,
                "reason": part.reason,
            }
            for component, part in parts.items()
        },
        summary={
            "api": f"{api.ready}/{api.desired}",
            "workers": f"{workers.ready}/{workers.desired}",
            "autopilot": _mode(seen),
        },
        autopilot=_autopilot(seen),
        backup=seen.backup.status if seen.backup else before.get("backup") or {},
        restore=_restore(seen),
        plan=_plan(seen),
        restart=seen.restart.as_dict() if seen.restart else before.get("restart") or {},
    )


def _waiting(seen: Seen) -> tuple[Problem, ...]:
    """Return what is asked for and waits, or cannot be read."""
    found = []
    if seen.restart is not None and seen.restart.message:
        reason = "InvalidRestart" if seen.restart.wrong else "Waiting"
        found.append(Problem(Gravity.WAIT, reason, seen.restart.message))
    if seen.plan is not None and seen.plan.approved and not seen.plan.begun:
        said = f"Plan {seen.plan.hash}: {seen.plan.message}"
        found.append(Problem(Gravity.WAIT, "Waiting", said))
    return tuple(found)


def _plan(seen: Seen) -> Mapping[str, Any]:
    if seen.used is None:
        return seen.before.get("plan") or {}
    return seen.plan.as_dict() if seen.plan is not None else {}


def _mode(seen: Seen) -> str:
    if seen.app is None:
        return str((seen.before.get("summary") or {}).get("autopilot", ""))
    flown = seen.app.autopilot
    held = seen.pause.holds("heal") and seen.pause.holds("scale")
    return s.mode(flown.heal.mode, flown.scale.mode, held)


def _findings(seen: Seen) -> list[Condition]:
    """Return the autopilot's conditions; an HPA that sees no metrics overrules its optimism."""
    found = []
    for finding in seen.pilot.findings if seen.pilot else ():
        status: c.Status = "Unknown"
        if finding.status in ("True", "False"):
            status = "True" if finding.status == "True" else "False"
        found.append(Condition(finding.type, status, finding.reason, finding.message))
    for (kind, _), child in seen.observed.items():
        hpa = child.facts if kind == "HorizontalPodAutoscaler" else None
        if isinstance(hpa, AutoscalerFacts) and hpa.active is False:
            told = Condition(c.SCALING_ACTIVE, "False", "AutoscalerInactive", hpa.message)
            found.append(told)
    return found


def _paused(seen: Seen) -> Condition:
    if seen.pause_wrong:
        return Condition(c.PAUSED, "False", "InvalidPause", seen.pause_wrong)
    if not seen.pause.parts:
        return Condition(c.PAUSED, "False", "Running", "Nothing is paused")
    until = f" until {seen.pause.until.isoformat()}" if seen.pause.until else ""
    why = f": {seen.pause.reason}" if seen.pause.reason else ""
    said = f"Paused {', '.join(sorted(seen.pause.parts))}{until}{why}"
    return Condition(c.PAUSED, "True", "PausedByAnnotation", said)


def _autopilot(seen: Seen) -> dict[str, Any]:
    if seen.pilot is None:
        return dict(seen.before.get("autopilot") or {})
    told: dict[str, Any] = {**bounds.written(seen.pilot.targets, seen.pilot.by_load)}
    if seen.pilot.last_decision is not None:
        told["lastDecision"] = dict(seen.pilot.last_decision)
    ledger = names.child(seen.name, names.LEDGER)
    if ("ConfigMap", ledger) in seen.observed:
        told["ledger"] = ledger
    return told


def _restore(seen: Seen) -> dict[str, Any]:
    """Return `status.restore`; its times are those at which its step was first seen."""
    before = dict(seen.before.get("restore") or {})
    if seen.restore is None:
        return before
    same = before.get("from") == seen.restore.stamp
    told = {
        "from": seen.restore.stamp,
        "step": seen.restore.step,
        "message": seen.restore.message[:4096],
        "startTime": before.get("startTime", seen.now) if same else seen.now,
    }
    if not seen.restore.running:
        told["completionTime"] = before.get("completionTime", seen.now) if same else seen.now
    return told
