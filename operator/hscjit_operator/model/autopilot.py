"""What passes between the autopilot and the rest: what it is told, what it sees, what it says.

Every instant here is a float in seconds since the epoch, on a clock that runs steadily. Histories
keep when something happened, never when it ends: an instant in the future (the machine's clock was
set back) then counts as never, and cannot block anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from hscjit_operator.model.autopilot_spec import Mode

if TYPE_CHECKING:
    from hscjit_operator.model.spec import HSCJit
    from hscjit_operator.names import Key


@dataclass(frozen=True, slots=True)
class Targets:
    """The numbers the autopilot may turn; always within the spec's bounds, see `clamp`."""

    api_floor: int
    """Fewest API pods: the HPA's minReplicas."""
    api_ceiling: int
    """Most API pods: the HPA's maxReplicas."""
    workers: int
    """Worker pods, exactly."""


@dataclass(frozen=True, slots=True)
class ByLoad:
    """The part of the targets that load has asked for; the spec's floors count for nothing here."""

    api_floor: int = 0
    """API pods; 0: load has asked for nothing."""
    workers: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which numbers the spec lets the targets move."""

    api_low: int
    api_high: int
    workers_low: int
    workers_high: int


def clamp(targets: Targets, bounds: Bounds) -> Targets:
    """Return the nearest targets within the bounds; the ceiling is never below the floor."""
    floor = min(max(targets.api_floor, bounds.api_low), bounds.api_high)
    return Targets(
        api_floor=floor,
        api_ceiling=min(max(targets.api_ceiling, floor), bounds.api_high),
        workers=min(max(targets.workers, bounds.workers_low), bounds.workers_high),
    )


@dataclass(frozen=True, slots=True)
class PodRef:
    """One pod as the watch shows it. API and worker pods are scraped, the others only looked at."""

    name: str
    uid: str
    component: str
    """One of names.API, WORKER, BEAT, REDIS_CACHE, REDIS_QUEUE, POSTGRES."""
    ip: str | None = None
    ready: bool = False
    ready_changed: float | None = None
    """When the kubelet's Ready condition last flipped."""
    started: float | None = None
    """Since when the main container runs; None while it does not (waiting, terminated)."""
    deleting: bool = False
    """It has a deletionTimestamp: it drains, and is nobody's business any more."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One HSCJit as the last pass saw it: all the autopilot is told about it."""

    app: "HSCJit"
    pods: tuple[PodRef, ...]
    persisted_status: Mapping[str, Any] = field(default_factory=dict)
    """`status.autopilot` as stored: where the targets start from after a restart."""
    rollout_in_progress: bool = False
    """The API or worker Deployment has pods of two templates, or new ones not yet available."""
    paused: frozenset[str] = frozenset()
    """Of "all", "heal", "scale": what the annotation holds still and has not expired."""
    restoring: bool = False
    """A restore has stopped the workload: nothing is judged, nothing is done."""
    dependencies_ready: Mapping[str, bool] = field(default_factory=dict)
    """Component (names.REDIS_CACHE, …) → its pod is ready. A component missing here is unknown."""
    api_replicas: int | None = None
    """`spec.replicas` of the API Deployment, whoever wrote it; None while there is none."""


class Action(StrEnum):
    """What the autopilot can do."""

    EVICT = "Evict"
    RAISE_FLOOR = "RaiseFloor"
    LOWER_FLOOR = "LowerFloor"
    SET_CEILING = "SetCeiling"
    RAISE_WORKERS = "RaiseWorkers"
    LOWER_WORKERS = "LowerWorkers"


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing the autopilot does, would do (Observe), or refuses to do (`refused_because`)."""

    action: Action
    target: str
    """A pod's name, or the component and the number it shall have: `api=5`."""
    reason: str
    """Why it is wanted, CamelCase: Unresponsive, InFlightAboveTarget…"""
    message: str = ""
    """The same in a sentence, for Events."""
    inputs: Mapping[str, float | int | str] = field(default_factory=dict)
    """The numbers it was made from."""
    expected: str = ""
    """What shall be true at the deadline if it helped."""
    deadline: float = 0.0
    """When it is judged; 0 for a refusal, which is not."""
    refused_because: str | None = None
    """CamelCase: DependencyDown, DisruptionBudget…; None when nothing stands against it."""
    mode: Mode = "Act"


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition as the autopilot sees it; the pass gives it its generation and its clock.

    Messages hold no number that moves by itself: a status is never written because time passed.
    """

    type: str
    """MetricsAvailable, ScalingActive or RemediationAllowed."""
    status: str
    """"True", "False" or "Unknown"."""
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What the autopilot has to say about one HSCJit; it changes only when something changed."""

    targets: Targets
    by_load: ByLoad
    findings: tuple[Finding, ...]
    """Empty before the first tick: what the status says stands, Unknown where it says nothing."""
    last_decision: Mapping[str, Any] | None = None
    """`status.autopilot.lastDecision`, ready to be applied: time (RFC 3339), action, target,
    reason, inputs and, for a refusal, refusedBecause; `mode` when it was only observed."""


class Eviction(StrEnum):
    """How the API server answered an eviction."""

    DONE = "Done"
    REFUSED = "Refused"
    """429: a PodDisruptionBudget stands against it."""
    GONE = "Gone"
    """404, or 409 for another UID: there is no such pod any more."""
    FAILED = "Failed"
    """Anything else; tried again after the cooldown."""


class Actuator(Protocol):
    """What the autopilot may do to the cluster. Each call has its own deadline and may raise."""

    async def evict(self, key: "Key", pod: PodRef) -> Eviction:
        """Ask for the pod's eviction, with its UID as a precondition: never another's."""

    async def tail_logs(self, key: "Key", pod: PodRef, lines: int) -> str:
        """Return the last lines of the main container's log."""

    async def scale_api(self, key: "Key", replicas: int) -> None:
        """Raise the API Deployment at once (PATCH /scale), not at the HPA's next look."""

    async def mark_costs(self, key: "Key", costs: Mapping[str, int]) -> None:
        """Set `controller.kubernetes.io/pod-deletion-cost` by pod name before a lowering."""

    async def event(self, key: "Key", kind: str, reason: str, message: str) -> None:
        """Post one Event on the HSCJit; kind is Normal or Warning."""

    async def read_ledger(self, key: "Key") -> str | None:
        """Return `ledger.json` of the ConfigMap `<n>-ledger`, None when there is none."""

    async def write_ledger(self, key: "Key", text: str) -> None:
        """Apply the ConfigMap `<n>-ledger`, owned by the HSCJit, with `ledger.json` in it."""


class Pilot(Protocol):
    """What a pass needs of the autopilot."""

    def set_subject(self, key: "Key", subject: Subject) -> None:
        """Tell what a pass saw."""

    def app(self, key: "Key") -> "HSCJit | None":
        """Return the HSCJit by the last valid spec it was told of."""

    def report(self, key: "Key") -> Report | None:
        """Return what the autopilot has to say."""

    def forget(self, key: "Key") -> None:
        """Look after an HSCJit no more."""
