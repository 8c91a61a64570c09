"""A simulated HSCJit on a virtual clock: pods that carry load, hang, come up and go.

It holds every word that is said in it against the list of reasons.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hscjit_operator import names
from hscjit_operator.decisions import reasons
from hscjit_operator.decisions.bounds import begin
from hscjit_operator.decisions.history import History
from hscjit_operator.decisions.tick import Step, step
from hscjit_operator.model.autopilot import Action, Decision, Eviction, PodRef
from hscjit_operator.model.policy import Policy
from hscjit_operator.model.samples import ActResult, Metrics, Observation, PodSample

NOON = 1_781_524_800.0  # 2026-06-15T12:00:00Z, a Monday
DEPENDENCIES = {"database": True, "redis_cache": True, "redis_queue": True}
FOUND = {*reasons.FINDINGS, *reasons.REFUSALS}
REFUSED = {None, *reasons.REFUSALS}
BUCKETS = (0.01, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, float("inf"))


def pod(name: str, component: str = names.API, **fields) -> PodRef:
    """Return a pod that has been up for ten minutes."""
    given = {"ip": "10.1.0.1", "ready": True, "ready_changed": NOON - 590, "started": NOON - 600}
    return PodRef(**{"name": name, "uid": f"uid-{name}", "component": component, **given, **fields})


def metrics(**fields) -> Metrics:
    """Return the metrics of an idle, healthy pod."""
    idle = {"connections": 0.0, "inflight": 0.0, "requests": 0.0, "errors": 0.0, "loop_lag": 0.001}
    also = {"process_start": NOON - 600, "dependencies": DEPENDENCIES, "queue_depth": 0.0}
    return Metrics(**{**idle, **also, "queue_oldest_age": 0.0, **fields})


def histogram(**counts: float) -> tuple[tuple[float, float], ...]:
    """Return a cumulative histogram of `fast` (10 ms), `half` (0.5 s) and `slow` (5 s) ones."""
    at = {0.01: counts.get("fast", 0), 0.5: counts.get("half", 0), 5.0: counts.get("slow", 0)}
    total, out = 0.0, []
    for bound in BUCKETS:
        total += at.get(bound, 0)
        out.append((bound, total))
    return tuple(out)


@dataclass
class Sky:
    """One HSCJit whose pods do what the decisions say, some seconds later."""

    policy: Policy = field(default_factory=Policy)
    api: int = 2
    workers: int = 1
    boot_s: float = 4.0
    now: float = NOON
    inflight: float = 0.0
    """Requests in flight, shared by the pods that are ready."""
    queue_age: float = 0.0
    queue_depth: float = 0.0
    busy_workers: int = 0
    hung: set[str] = field(default_factory=set)
    """Names of pods that accept and never answer."""
    mute: set[str] = field(default_factory=set)
    """Names of pods whose /metrics fails, beside a living /health."""
    sick: Callable[[PodRef, float], Metrics | None] = lambda _pod, _now: None
    """Metrics of a pod that is ill in its own way."""
    dependencies_ready: dict[str, bool] = field(default_factory=dict)
    elsewhere: bool = False
    eviction: Eviction = Eviction.DONE
    observation: dict[str, object] = field(default_factory=dict)
    """Fields laid over each observation."""

    def __post_init__(self) -> None:
        self.born = 0
        self.pods: list[PodRef] = []
        self.results: list[ActResult] = []
        self.log: list[tuple[float, Decision]] = []
        self.last: Step | None = None
        self.history: History = begin(self.policy, {})
        for component, count in ((names.API, self.api), (names.WORKER, self.workers)):
            for _ in range(count):
                self._add(component, started=self.now - 600)

    def _add(self, component: str, started: float) -> None:
        self.born += 1
        added = pod(f"x-{component}-{self.born}", component, started=started, ready=False)
        self.pods.append(replace(added, ready_changed=started))

    def run(self, seconds: int, load: Callable[[float], float] | None = None) -> list[Decision]:
        """Let so many seconds pass, one tick each; return what was decided in them.

        `load` gives the requests in flight by the seconds since this call.
        """
        before, begun = len(self.log), self.now
        for _ in range(seconds):
            self.now += 1.0
            if load is not None:
                self.inflight = load(self.now - begun)
            self._kubelet()
            self._tick()
        return [decision for _, decision in self.log[before:]]

    def acted(self, action: Action | None = None) -> list[tuple[float, Decision]]:
        """Return what was done, with its time, of one kind or all."""
        done = [(at, d) for at, d in self.log if d.refused_because is None]
        return [(at, d) for at, d in done if action in (None, d.action)]

    def refused(self) -> list[str]:
        """Return the reasons of refusals, each as often as it was given."""
        return [d.refused_because for _, d in self.log if d.refused_because is not None]

    def named(self, component: str) -> list[str]:
        return [p.name for p in self.pods if p.component == component]

    def finding(self, kind: str) -> tuple[str, str]:
        """Return status and reason of a condition's input."""
        found = next(f for f in self.last.findings if f.type == kind)
        return found.status, found.reason

    def _kubelet(self) -> None:
        """Pods come up by themselves; their number follows the targets."""
        self.pods = [
            replace(p, ready=True, ready_changed=p.started + self.boot_s)
            if not p.ready
            and p.component in (names.API, names.WORKER)
            and self.now - p.started >= self.boot_s
            and p.name not in self.hung
            else p
            for p in self.pods
        ]
        if self.last is None or self.policy.scale.mode != "Act":
            wanted = {names.API: self.api, names.WORKER: self.workers}
        else:
            targets = self.last.targets
            wanted = {names.API: targets.api_floor, names.WORKER: targets.workers}
        for component, count in wanted.items():
            have = self.named(component)
            for _ in range(count - len(have)):
                self._add(component, started=self.now)
            for name in have[count:]:
                self.pods = [p for p in self.pods if p.name != name]

    def _sample(self, ref: PodRef, serving: int) -> PodSample:
        if ref.name in self.hung or (not ref.ready and self.now - ref.started < self.boot_s):
            return PodSample(ref)
        if ref.name in self.mute:
            return PodSample(ref, alive=True)
        ill = self.sick(ref, self.now)
        if ill is not None:
            return PodSample(ref, ill, alive=True)
        queue = {"queue_depth": self.queue_depth, "queue_oldest_age": self.queue_age}
        if ref.component == names.WORKER:
            busy = ref.name in self.named(names.WORKER)[: self.busy_workers]
            started = self.now - 1 if busy else 0.0
            own = metrics(heartbeat=self.now, task_started=started, **queue)
        else:
            own = metrics(inflight=self.inflight / max(serving, 1), **queue)
        return PodSample(ref, own, alive=True)

    def _tick(self) -> None:
        serving = sum(p.ready and p.component == names.API for p in self.pods)
        samples = tuple(self._sample(p, serving) for p in self.pods)
        seen = {
            "samples": samples,
            "pods": tuple(self.pods),
            "elsewhere_answered": self.elsewhere,
            "dependencies_ready": self.dependencies_ready,
            "results": tuple(self.results),
        }
        observed = Observation(**{**seen, **self.observation})
        self.results = []
        self.last = step(self.policy, observed, self.history, self.now)
        self.history = self.last.history
        for finding in self.last.findings:
            assert finding.reason in FOUND
        for decision in self.last.decisions:
            assert decision.reason in reasons.DECISIONS
            assert decision.refused_because in REFUSED
            self.log.append((self.now, decision))
            acts = decision.refused_because is None and decision.mode == "Act"
            if acts and decision.action is Action.EVICT:
                self._evict(decision.target)

    def _evict(self, name: str) -> None:
        victim = next(p for p in self.pods if p.name == name)
        self.results.append(ActResult(victim, self.eviction))
        if self.eviction is Eviction.DONE:
            self.pods.remove(victim)
            self._add(victim.component, started=self.now)
