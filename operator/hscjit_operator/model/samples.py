"""What did one tick see? Samples of pods, answers to our acts: all the decisions are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hscjit_operator.model.autopilot import Eviction, PodRef


@dataclass(frozen=True, slots=True)
class Metrics:
    """The numbers of one scrape that decisions need; None where the pod did not export it.

    Counters and histograms are as scraped, cumulative since `process_start`. Instants are Unix
    seconds by the pod's clock, durations seconds.
    """

    connections: float | None = None
    inflight: float | None = None
    requests: float | None = None
    """Requests answered, of every class of status code."""
    errors: float | None = None
    """Those of them answered 5xx."""
    prediction_buckets: tuple[tuple[float, float], ...] = ()
    """Upper bound → predictions at most that slow, cumulative, in rising order, +Inf last."""
    loop_lag: float | None = None
    memory: float | None = None
    process_start: float | None = None
    dependencies: Mapping[str, bool] = field(default_factory=dict)
    """`database`, `redis_cache`, `redis_queue` → answered its last check."""
    queue_depth: float | None = None
    queue_oldest_age: float | None = None
    heartbeat: float | None = None
    """When this worker last consumed a heartbeat."""
    task_started: float | None = None
    """Start of the oldest running task, 0 when none runs."""


@dataclass(frozen=True, slots=True)
class PodSample:
    """What one tick heard from one pod."""

    pod: PodRef
    metrics: Metrics | None = None
    """None: no usable answer from /metrics in time."""
    alive: bool = False
    """/health answered 200: in this tick, or late, since the tick before."""

    @property
    def silent(self) -> bool:
        """Return whether neither door answered."""
        return self.metrics is None and not self.alive


@dataclass(frozen=True, slots=True)
class ActResult:
    """How an eviction that was asked for ended."""

    pod: PodRef
    outcome: Eviction


@dataclass(frozen=True, slots=True)
class Observation:
    """One tick of one HSCJit."""

    samples: tuple[PodSample, ...]
    """API and worker pods that have an address and are not on their way out."""
    pods: tuple[PodRef, ...] = ()
    """All pods, those of Redis and Postgres too."""
    elsewhere_answered: bool = False
    """A pod of another HSCJit answered in this tick: the network and we ourselves work."""
    trusted: bool = True
    """False when our own loop was kept from its work: silence then says nothing about the pods."""
    dependencies_ready: Mapping[str, bool] = field(default_factory=dict)
    rollout_in_progress: bool = False
    paused: frozenset[str] = frozenset()
    restoring: bool = False
    results: tuple[ActResult, ...] = ()
    """Answers to evictions that arrived since the tick before."""
