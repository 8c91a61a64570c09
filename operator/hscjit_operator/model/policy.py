"""What may the autopilot do, and within which numbers? The part of a spec its decisions read."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hscjit_operator.model.autopilot import Bounds, Targets
from hscjit_operator.model.autopilot_spec import Autopilot, Heal, Scale

if TYPE_CHECKING:
    from hscjit_operator.model.spec import HSCJit


@dataclass(frozen=True, slots=True)
class OffPeak:
    """A quiet time that comes back by a cron line."""

    schedule: str
    """When it begins."""
    duration_s: float
    time_zone: str = "Etc/UTC"
    api_low: int = 1
    api_high: int | None = None
    """None: the ceiling stays."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything of one spec that decisions read."""

    autopilot: Autopilot = field(default_factory=Autopilot)
    autoscaling: bool = True
    """False: the API keeps `api_low` = `api_high` = spec.api.replicas, whatever the load."""
    api_low: int = 2
    api_high: int = 10
    workers_low: int = 1
    workers_high: int = 4
    queue_latency_s: float = 5.0
    off_peak: tuple[OffPeak, ...] = ()

    @property
    def heal(self) -> Heal:
        """When a pod is bad, and how often one may be replaced."""
        return self.autopilot.heal

    @property
    def scale(self) -> Scale:
        """How much load a pod shall carry, and how slowly its number falls."""
        return self.autopilot.scale

    def bounds(self) -> Bounds:
        """Return how far the targets may ever move: the lowest floor is the quietest time's."""
        quiet = [entry.api_low for entry in self.off_peak] if self.autoscaling else []
        return Bounds(
            api_low=min([self.api_low, *quiet]),
            api_high=self.api_high,
            workers_low=self.workers_low,
            workers_high=self.workers_high,
        )

    def start(self) -> Targets:
        """Return the targets of a new HSCJit, and those of one that nobody scales."""
        return Targets(self.api_low, self.api_high, self.workers_low)


def policy_of(app: "HSCJit") -> Policy:
    """Read the policy out of a spec."""
    scaling = app.api.autoscaling
    return Policy(
        autopilot=app.autopilot,
        autoscaling=scaling.enabled,
        api_low=scaling.min_replicas if scaling.enabled else app.api.replicas,
        api_high=scaling.max_replicas if scaling.enabled else app.api.replicas,
        workers_low=app.worker.min_replicas,
        workers_high=app.worker.max_replicas,
        queue_latency_s=float(app.worker.queue_latency_target_seconds),
        off_peak=tuple(
            OffPeak(
                schedule=entry.schedule,
                duration_s=entry.duration.total_seconds(),
                time_zone=entry.time_zone,
                api_low=entry.api_min_replicas,
                api_high=entry.api_max_replicas,
            )
            for entry in app.maintenance.off_peak
        ),
    )
