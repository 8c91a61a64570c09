"""What do decisions remember from tick to tick? One frozen value, handed in and returned anew.

It keeps when things happened, never when they end, so that a clock set back blocks nothing: an
instant in the future is not `recent`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from hscjit_operator.model.autopilot import ByLoad, Decision, Targets
from hscjit_operator.model.samples import Metrics


def recent(at: float | None, now: float, span_s: float) -> bool:
    """Return whether something happened within the last `span_s` seconds."""
    return at is not None and 0 <= now - at < span_s


class Tick(NamedTuple):
    """What one tick said about one pod."""

    data: bool
    """It answered /metrics; without this only `silent` can be true."""
    silent: bool = False
    """Neither door answered, while another pod's did."""
    requests: float = 0.0
    """HTTP requests it answered since the tick before."""
    failing: bool = False
    """Too many of those were 5xx."""
    predicted: tuple[tuple[float, float], ...] = ()
    """The predictions since the tick before: upper bound → at most that slow, cumulative."""
    slow: bool = False
    """They were too slow."""
    lagging: bool = False
    stalled: bool = False
    """A worker: it consumed nothing, though there was work."""


@dataclass(frozen=True, slots=True)
class PodHistory:
    """What is remembered of one pod."""

    started: float | None = None
    """Start of the container all this is about; a new one begins a new history."""
    answered: bool = False
    """It has answered us since: its silence is no start-up."""
    ticks: tuple[Tick, ...] = ()
    """The last ones, newest last."""
    last: Metrics | None = None
    """The newest metrics, for the next tick's differences and as evidence."""
    last_at: float | None = None


class Act(NamedTuple):
    """One thing that was done (or, observing, would have been)."""

    at: float
    action: str
    component: str
    reason: str
    uid: str = ""
    """Of the pod, for an eviction."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A done decision that waits to be judged at its deadline."""

    decision: Decision
    component: str
    before: float
    """The number it was to better: bad pods, latency, queue age, or pods wanted."""


class Peak(NamedTuple):
    """The highest values within one slice of time."""

    since: float
    high: float


@dataclass(frozen=True, slots=True)
class Load:
    """What is remembered of one number that is raised and lowered with its load."""

    recent: tuple[float, ...] = ()
    """The load of the last minute, one value a tick, newest last; anew after each raise."""
    peaks: tuple[Peak, ...] = ()
    """The highest load of each slice of the hold, oldest first."""
    whole_since: float | None = None
    """Since when no tick was without data; None: the last one was."""
    raised: float | None = None
    lowered: float | None = None


@dataclass(frozen=True, slots=True)
class History:
    """All that is remembered of one HSCJit."""

    targets: Targets
    """What the decisions have come to; while observing, what they would have."""
    by_load: ByLoad = field(default_factory=ByLoad)
    """What of that load has asked for: it alone stands when the spec takes its own part back."""
    pods: Mapping[str, PodHistory] = field(default_factory=dict)
    """By UID."""
    answered: float | None = None
    """When any pod of this HSCJit last answered."""
    unheard_since: float | None = None
    """Since when a pod that is ready has been asked and none has answered."""
    dependencies_up: frozenset[str] = frozenset()
    """Components of Redis and Postgres that were up once: what never was is not down, it starts."""
    dependency_seen_down: float | None = None
    """When a dependency that had been up was last seen down."""
    evictions: tuple[Act, ...] = ()
    """Of the last hour."""
    refusals: tuple[float, ...] = ()
    """When a PodDisruptionBudget refused us, since the last eviction that went through."""
    changes: tuple[Act, ...] = ()
    """Of targets, in the last hour."""
    useless: Mapping[str, float] = field(default_factory=dict)
    """`action/component/reason` that helped nothing → when that was found."""
    pending: tuple[Pending, ...] = ()
    api: Load = Load()
    workers: Load = Load()


def useless_key(action: str, component: str, reason: str) -> str:
    """Return under which name a kind of act is remembered as useless."""
    return f"{action}/{component}/{reason}"
