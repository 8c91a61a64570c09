"""What is true of an HSCJit, given what this pass saw? Facts in, conditions out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hscjit_operator import conditions as c
from hscjit_operator.conditions import Condition
from hscjit_operator.decisions.restore import Restore
from hscjit_operator.decisions.rollout import Rollout
from hscjit_operator.decisions.rotation import Rotation
from hscjit_operator.model.observed import Answer


class Gravity(IntEnum):
    """How bad a problem is; the gravest gives the reason."""

    WAIT = 0
    """Passes by itself, and is no fault."""
    FAULT = 1
    """Tried again, or healed by somebody; the workload goes on meanwhile."""
    STALL = 2
    """Nothing moves until somebody changes something."""
    SPEC = 3
    """The spec itself."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that this pass found wrong."""

    gravity: Gravity
    reason: str
    message: str
    retry: bool = False
    """A call failed: worth another try, with growing pauses."""


EXTERNAL: Final = "External"
"""The reason in `status.components` of a store that somebody else runs."""


@dataclass(frozen=True, slots=True)
class Component:
    """One component's pods."""

    desired: int
    ready: int
    present: bool = True
    """Its Deployment or StatefulSet exists."""
    rolling: bool = False
    stuck: str = ""
    """Why its rollout makes no progress."""
    trouble: str = ""
    """Why one of its pods gets nowhere, such as ImagePullBackOff, or none is made."""
    before: tuple[str, int] = ("", 0)
    """Its reason and its ready pods when the status was written last."""
    external: bool = False
    """Somebody else runs it: it has no pods of ours."""

    @property
    def growing(self) -> bool:
        """Tell whether more pods were asked for, and those that were ready still are."""
        reason, ready = self.before
        steady = reason in ("Ready", "ScalingUp") and self.ready >= ready > 0
        return self.ready < self.desired and steady and not self.trouble

    @property
    def reason(self) -> str:
        """Return the word for `status.components`."""
        if self.external:
            return EXTERNAL
        if not self.present:
            return "Missing"
        if self.stuck:
            return "RolloutStuck"
        if self.ready >= self.desired and not self.trouble:
            return "RollingOut" if self.rolling else "Ready"
        if self.growing and not self.rolling:
            return "ScalingUp"
        return self.trouble.partition(":")[0] or ("RollingOut" if self.rolling else "NotReady")


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the conditions are made from."""

    components: Mapping[str, Component]
    """By component: names.API and so on."""
    serving: str
    """Which of them is the API."""
    rollout: Rollout | None
    restore: Restore | None
    answer: Answer | None
    """Of the front door, since the last rollout; None: nobody has knocked yet."""
    in_cluster: bool
    problems: tuple[Problem, ...]
    waiting: tuple[Problem, ...]
    """Disruption that is asked for and has not begun."""
    before: Condition
    """Ready as it was."""
    rotation: Rotation | None = None
    """The database gets another password; that alone disturbs nobody."""


_ONCE_ANSWERED: Final = ("Answering", "Degraded", "NotAnswering")


def conclude(seen: Situation) -> list[Condition]:
    """Return every condition that the pass itself is the judge of."""
    worst = max(seen.problems, key=lambda p: p.gravity, default=None)
    gravity = worst.gravity if worst else None
    underway = _underway(seen)
    troubled = [p for p in seen.problems if p.gravity is not Gravity.WAIT]
    faults = troubled + _unready(seen, underway)
    reconciling = underway or next(iter(troubled), None)
    stalled = worst if gravity is not None and gravity >= Gravity.STALL else None
    return [
        _ready(seen, worst, underway, faults),
        _available(seen),
        _progressing(seen, underway),
        _flag(c.DEGRADED, faults, "AllReady", "Every component is as it should be"),
        _flag(
            c.RECONCILING,
            [reconciling] if reconciling and not stalled else [],
            "Settled",
            "Nothing is left to do",
        ),
        _flag(c.STALLED, [stalled] if stalled else [], "Settled", "Nothing is in the way"),
        _spec_valid(seen.problems),
        *_migrated(seen.rollout),
    ]


def _underway(seen: Situation) -> Problem | None:
    """Return what is being made, rolled out or restored; None when all stands."""
    if seen.restore is not None and seen.restore.running:
        return Problem(Gravity.WAIT, "Restoring", seen.restore.message)
    waits = [p for p in seen.problems if p.gravity is Gravity.WAIT]
    if seen.rollout is not None and seen.rollout.migrate_image is not None:
        waits.append(Problem(Gravity.WAIT, seen.rollout.reason, seen.rollout.message))
    missing = [name for name, found in seen.components.items() if not found.present]
    if missing:
        waits.append(Problem(Gravity.WAIT, "Creating", f"Making {', '.join(missing)}"))
    rolling = [name for name, found in seen.components.items() if found.present and found.rolling]
    if rolling:
        waits.append(Problem(Gravity.WAIT, "RollingOut", f"Rolling out {', '.join(rolling)}"))
    if not waits and seen.before.reason not in _ONCE_ANSWERED and _short(seen):
        waits.append(Problem(Gravity.WAIT, "Creating", f"Starting {', '.join(_short(seen))}"))
    return _joined(waits)


def _short(seen: Situation) -> list[str]:
    return [name for name, found in seen.components.items() if found.ready < found.desired]


def _unready(seen: Situation, underway: Problem | None) -> list[Problem]:
    """Return the components that are not as they should be, where nothing explains it."""
    found = []
    for name, component in seen.components.items():
        if component.stuck:
            why = "; ".join(filter(None, (component.stuck, component.trouble)))
            found.append(_fault("RolloutStuck", f"{name}: {why}"))
        elif component.growing:
            continue  # a crowd was met with more pods: they are on their way
        elif component.trouble:
            found.append(_fault("ComponentsNotReady", f"{name}: {component.trouble}"))
        elif component.ready < component.desired and underway is None:
            why = f"{component.ready} of {component.desired} pods are ready"
            found.append(_fault("ComponentsNotReady", f"{name}: {why}"))
    answer = seen.answer
    if answer is not None and answer.ok and answer.degraded:
        lacks = ", ".join(answer.degraded)
        found.append(_fault("ComponentsNotReady", f"The app does without {lacks}"))
    if seen.rollout is not None and seen.rollout.reason == "MigrationFailed":
        found.append(_fault("MigrationFailed", seen.rollout.message))
    if seen.restore is not None and seen.restore.step == "Failed":
        said = f"The restore from {seen.restore.stamp} failed: {seen.restore.message}"
        found.append(_fault("RestoreFailed", said))
    return found


def _ready(
    seen: Situation, worst: Problem | None, underway: Problem | None, faults: list[Problem]
) -> Condition:
    if worst is not None and worst.gravity >= Gravity.STALL:
        reason = "InvalidSpec" if worst.gravity is Gravity.SPEC else worst.reason
        return Condition(c.READY, "False", reason, worst.message)
    if underway is not None:
        reason = "Restoring" if underway.reason == "Restoring" else "Progressing"
        told = _joined([underway, *faults])
        return Condition(c.READY, "False", reason, told.message if told else "")
    return _by_answer(seen, faults)


def _by_answer(seen: Situation, faults: list[Problem]) -> Condition:
    answer = seen.answer
    if answer is None and seen.before.reason in (*_ONCE_ANSWERED, "NotReachableFromHere"):
        return seen.before  # the operator started anew, and that is all that happened
    if answer is None:
        return Condition(c.READY, "False", "Progressing", "Waiting for the first answer of /ready")
    if not answer.reachable and not seen.in_cluster:
        said = "The operator runs outside the cluster and cannot ask /ready through the Service"
        return Condition(c.READY, "Unknown", "NotReachableFromHere", said)
    if not answer.ok:
        reason = "NotAnswering" if seen.before.reason in _ONCE_ANSWERED else "Progressing"
        told = _joined([_fault(reason, answer.message), *faults])
        return Condition(c.READY, "False", reason, told.message if told else "")
    if faults:
        told = _joined(faults)
        return Condition(c.READY, "True", "Degraded", told.message if told else "")
    return Condition(c.READY, "True", "Answering", "/ready answers through the Service")


def _available(seen: Situation) -> Condition:
    api = seen.components.get(seen.serving)
    if api is not None and api.ready > 0:
        return Condition(c.AVAILABLE, "True", "PodsReady", "API pods are ready")
    return Condition(c.AVAILABLE, "False", "NoPodReady", "No API pod is ready")


def _progressing(seen: Situation, underway: Problem | None) -> Condition:
    stuck = [f"{name}: {found.stuck}" for name, found in seen.components.items() if found.stuck]
    if stuck:
        return Condition(c.PROGRESSING, "False", "RolloutStuck", "; ".join(stuck))
    if underway is not None:
        return Condition(c.PROGRESSING, "True", underway.reason, underway.message)
    if seen.rotation is not None and seen.rotation.state == "Rotating":
        said = f"Rotating the database's password: {seen.rotation.message}"
        return Condition(c.PROGRESSING, "True", "RotatingPassword", said)
    waits = _joined(list(seen.waiting))
    if waits is not None:
        return Condition(c.PROGRESSING, "False", waits.reason, waits.message)
    return Condition(c.PROGRESSING, "False", "Settled", "Nothing is being made or rolled out")


def _spec_valid(problems: Iterable[Problem]) -> Condition:
    wrong = _joined([p for p in problems if p.gravity is Gravity.SPEC])
    if wrong is None:
        return Condition(c.SPEC_VALID, "True", "Valid", "Every field can be acted on")
    return Condition(c.SPEC_VALID, "False", wrong.reason, wrong.message)


def _migrated(rollout: Rollout | None) -> list[Condition]:
    if rollout is None:
        return []  # nobody could look: what is recorded stays
    done = rollout.migrate_image is None
    return [
        Condition(c.DATABASE_MIGRATED, "True" if done else "False", rollout.reason, rollout.message)
    ]


def _flag(name: str, problems: list[Problem], reason: str, message: str) -> Condition:
    told = _joined(problems)
    if told is None:
        return Condition(name, "False", reason, message)
    return Condition(name, "True", told.reason, told.message)


def _fault(reason: str, message: str) -> Problem:
    return Problem(Gravity.FAULT, reason, message)


def _joined(problems: list[Problem]) -> Problem | None:
    """Return one problem with the gravest one's reason and everybody's message."""
    if not problems:
        return None
    worst = max(problems, key=lambda p: p.gravity)
    message = "; ".join(dict.fromkeys(p.message for p in problems if p.message))
    return Problem(worst.gravity, worst.reason, message)
