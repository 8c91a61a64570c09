"""Which HSCJit gets the next pass? A queue of keys, never of events.

What woke us only decides how soon and in which order; the pass itself is always the same. One pass
per key at a time; what comes in meanwhile makes one more pass afterwards. A key whose pass failed
waits longer each time, and nothing but a new spec cuts that short.
"""

import asyncio
import contextlib
import heapq
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from hscjit_operator import metrics
from hscjit_operator.names import Key


class Trigger(IntEnum):
    """What woke us; a smaller number goes first among those that are due."""

    FOLLOW = 0
    """The last pass did something: what it began is ended before anything else is begun."""
    SPEC = 1
    """A new or edited HSCJit."""
    CHILD = 2
    """A child came, changed or went."""
    NEWS = 3
    """The autopilot, the front door or a polled Secret has something new."""
    CHECK = 4
    """A pass asked to look again about now."""
    RETRY = 5
    """The last pass failed."""
    RESYNC = 6
    """Nothing happened for a while; costs no call."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pass ended."""

    failed: bool = False
    """Something did not work: come back with a growing delay."""
    acted: bool = False
    """Something was done: what follows from it is looked at right away."""
    check_again_in: float | None = None
    """Seconds until the next look even if nothing happens."""
    gone: bool = False
    """There is nothing left to look at."""


DEBOUNCE_S: Final = 0.01
"""Events come in bursts: one pass for those within 10 ms."""
FIRST_BACKOFF_S: Final = 0.2
LONGEST_BACKOFF_S: Final = 60.0
_STEADY_AFTER: Final = 20
"""Doublings after which the delay is the longest anyway."""


@dataclass(slots=True)
class _Entry:
    due: float
    trigger: Trigger
    serial: int


@dataclass(slots=True)
class _Record:
    failures: int = 0
    not_before: float = 0.0
    resync_at: float = 0.0
    entry: _Entry | None = None
    running: bool = False


Handler = Callable[[Key, Trigger], Awaitable[Outcome]]


@dataclass(slots=True)
class Queue:
    """Calls `handle` for each key that is due, at most `in_flight` at once."""

    handle: Handler
    in_flight: int
    resync_s: float
    clock: Callable[[], float]
    """Monotonic seconds."""
    spread: Callable[[float, float], float] = random.uniform
    """Jitter, so that those who fail together do not come back together."""
    _records: dict[Key, _Record] = field(default_factory=dict)
    _waiting: list[tuple[float, int, Key]] = field(default_factory=list)
    _ready: list[tuple[Trigger, int, Key]] = field(default_factory=list)
    _failing: set[Key] = field(default_factory=set)
    _serial: int = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def put(self, key: Key, trigger: Trigger, delay_s: float = DEBOUNCE_S) -> None:
        """Ask for a pass; several asked for meanwhile become one."""
        record = self._records.setdefault(key, _Record())
        due = self.clock() + delay_s
        if trigger is Trigger.SPEC:
            record.failures, record.not_before = 0, 0.0
        due = max(due, record.not_before)
        entry = record.entry
        if entry is not None:
            if entry.due <= due and entry.trigger <= trigger:
                return
            due, trigger = min(due, entry.due), min(trigger, entry.trigger)
        self._serial += 1
        record.entry = _Entry(due, trigger, self._serial)
        heapq.heappush(self._waiting, (due, self._serial, key))
        self._wake.set()

    async def run(self) -> None:
        """Start passes as they become due, until cancelled."""
        try:
            while True:
                self._wake.clear()
                # Not `wait_for`: before Python 3.12 it may swallow a cancellation.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._start_due()):
                        await self._wake.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start_due(self) -> float | None:
        """Start what can be started; return the seconds until something else becomes due."""
        now = self.clock()
        while self._waiting and self._waiting[0][0] <= now:
            _, serial, key = heapq.heappop(self._waiting)
            record = self._records.get(key)
            # An entry that was replaced since stays in the heap and is skipped here.
            if record is None or record.entry is None or record.entry.serial != serial:
                continue
            if not record.running:
                heapq.heappush(self._ready, (record.entry.trigger, serial, key))
        while self._ready and len(self._tasks) < self.in_flight:
            _, serial, key = heapq.heappop(self._ready)
            record = self._records.get(key)
            if record is None or record.entry is None or record.entry.serial != serial:
                continue
            trigger, record.entry, record.running = record.entry.trigger, None, True
            task = asyncio.create_task(self._work(key, record, trigger), name=f"pass {key}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        metrics.QUEUE_DEPTH.set(len(self._ready))
        return self._waiting[0][0] - now if self._waiting else None

    async def _work(self, key: Key, record: _Record, trigger: Trigger) -> None:
        try:
            outcome = await self.handle(key, trigger)
        finally:
            record.running = False
            self._wake.set()
        if outcome.gone and record.entry is None:
            self._records.pop(key, None)
            self._failing.discard(key)
            return
        if outcome.failed:
            doublings = min(record.failures, _STEADY_AFTER)
            record.failures += 1
            delay = min(FIRST_BACKOFF_S * 2**doublings, LONGEST_BACKOFF_S)
            delay *= self.spread(0.75, 1.25)
            record.not_before = self.clock() + delay
            self._postpone(record)
            self.put(key, Trigger.RETRY, delay)
            self._failing.add(key)
        else:
            record.failures, record.not_before = 0, 0.0
            self._failing.discard(key)
            if outcome.acted:
                self.put(key, Trigger.FOLLOW, 0.0)
            if outcome.check_again_in is not None:
                self.put(key, Trigger.CHECK, outcome.check_again_in)
            self.put(key, Trigger.RESYNC, self.resync_s * self.spread(0.8, 1.2))
        metrics.BACKING_OFF.set(len(self._failing))
        self._requeue(key, record)

    def _postpone(self, record: _Record) -> None:
        """Let what came in while the pass failed wait like everything else, but for a new spec."""
        if record.entry is not None and record.entry.trigger is not Trigger.SPEC:
            record.entry = None

    def _requeue(self, key: Key, record: _Record) -> None:
        """Put back what came due while the pass ran and was skipped for that."""
        if record.entry is not None and record.entry.due <= self.clock():
            heapq.heappush(self._waiting, (record.entry.due, record.entry.serial, key))
