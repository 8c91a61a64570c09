"""What does the autopilot keep of one HSCJit between ticks, its written ledger included?"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import structlog

from hscjit_operator import ledger, names
from hscjit_operator.decisions.history import Act, History, recent
from hscjit_operator.decisions.remediation import HOUR_S
from hscjit_operator.ledger import Ledger
from hscjit_operator.model.autopilot import Action, Actuator, Report, Subject
from hscjit_operator.model.policy import Policy
from hscjit_operator.model.samples import ActResult, Observation, PodSample
from hscjit_operator.names import Key

log = structlog.stdlib.get_logger(__name__)

CALL_DEADLINE_S: Final = 10.0
FLUSH_S: Final = 60.0
"""Repeats alone are written this often at most."""
RETRY_S: Final = 10.0
"""After a call that failed."""

Work = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Look:
    """What one tick went by."""

    observed: Observation
    before: History
    at: float


@dataclass(slots=True)
class Flight:
    """One HSCJit under the autopilot's eyes."""

    key: Key
    subject: Subject
    policy: Policy
    history: History
    report: Report
    ledger: Ledger = field(default_factory=Ledger)
    unwritten: bool = False
    """An entry or an outcome is not in the ConfigMap yet."""
    uncounted: bool = False
    """Only repeats are not in it yet."""
    seen: Look | None = None
    """What the last tick went by; None before the first."""
    fault: str = ""
    """Why the last tick could not decide."""
    results: list[ActResult] = field(default_factory=list)
    """How evictions ended since the last tick."""
    _known: bool = False
    """What an operator before us wrote has been read: only then may we write."""
    _busy: bool = False
    """A read or write of the ledger is under way."""
    _tried: float | None = None
    """When the ledger was last read or written, well or badly."""
    _failed: float | None = None
    """When a write last failed."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def look(
        self, samples: tuple[PodSample, ...], *, elsewhere: bool, trusted: bool, now: float
    ) -> None:
        """Take what the pods answered in this tick."""
        nothing = Observation(samples=samples, elsewhere_answered=elsewhere, trusted=trusted)
        observed = replace(self._as_told(nothing), results=tuple(self.results))
        self.results.clear()
        self.seen = Look(observed, self.history, now)

    def take(self, subject: Subject, policy: Policy) -> bool:
        """Take what a pass saw; return whether the last look has to be judged anew for it."""
        before, known = self.seen, self.policy
        self.subject, self.policy = subject, policy
        if before is not None:
            self.seen = replace(before, observed=self._as_told(before.observed))
        return self.seen != before or policy != known

    def _as_told(self, observed: Observation) -> Observation:
        """Return an observation of the subject as it is now."""
        subject = self.subject
        pods = {pod.uid: pod for pod in subject.pods if not pod.deleting}
        samples = (replace(s, pod=pods[s.pod.uid]) for s in observed.samples if s.pod.uid in pods)
        return replace(
            observed,
            samples=tuple(samples),
            pods=subject.pods,
            dependencies_ready=subject.dependencies_ready,
            rollout_in_progress=subject.rollout_in_progress,
            paused=subject.paused,
            restoring=subject.restoring,
        )

    def start(self, work: Work, what: str) -> None:
        """Run something beside the loop; its failure is logged and is nobody else's."""

        async def guarded() -> None:
            try:
                async with asyncio.timeout(2 * CALL_DEADLINE_S):
                    await work()
            except Exception as error:  # noqa: BLE001  the task's boundary
                log.warning(
                    "Could not " + what,
                    namespace=self.key.namespace,
                    hscjit=self.key.name,
                    error=repr(error),
                )

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def end(self) -> None:
        """Drop what is under way."""
        for task in self._tasks:
            task.cancel()

    def keep_ledger(self, actuator: Actuator, now: float) -> None:
        """Write the ledger when something is new, and for mere repeats once a minute."""
        if self._busy or recent(self._failed, now, RETRY_S):
            return
        if not self._known:
            if not recent(self._tried, now, RETRY_S):
                self._tried, self._busy = now, True
                self.start(partial(self._read, actuator, now), "read the ledger")
        elif self.unwritten or (self.uncounted and not recent(self._tried, now, FLUSH_S)):
            self._tried, self._busy = now, True
            self.start(partial(self._write, actuator), "write the ledger")

    async def _read(self, actuator: Actuator, now: float) -> None:
        try:
            async with asyncio.timeout(CALL_DEADLINE_S):
                text = await actuator.read_ledger(self.key)
        finally:
            self._busy = False
        self.ledger = replace(self.ledger, older=ledger.load(text).older)
        self._known = True
        # What an operator before us evicted within the hour counts against the same budget.
        earlier = tuple(
            Act(at, Action.EVICT, _component(self.key, pod), reason)
            for at, pod, reason in ledger.evictions(self.ledger)
            if recent(at, now, HOUR_S)
        )
        self.history = replace(self.history, evictions=(*earlier, *self.history.evictions))

    async def _write(self, actuator: Actuator) -> None:
        text = ledger.render(self.ledger)
        unwritten, self.unwritten, self.uncounted = self.unwritten, False, False
        done = False
        try:
            async with asyncio.timeout(CALL_DEADLINE_S):
                await actuator.write_ledger(self.key, text)
            done = True
        finally:
            self._busy = False
            if not done:
                self.unwritten, self.uncounted = self.unwritten or unwritten, True
                self._failed = self._tried


def _component(key: Key, pod: str) -> str:
    """Return the component a pod's name speaks of."""
    every = (names.API, names.WORKER, names.REDIS_CACHE, names.REDIS_QUEUE, names.POSTGRES)
    return next((c for c in every if pod.startswith(names.child(key.name, c) + "-")), "")
