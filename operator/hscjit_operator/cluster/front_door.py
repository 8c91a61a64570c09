"""Does the assistant answer where its customers knock? `/ready`, asked through the Service."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from hscjit_operator.model.observed import Answer
from hscjit_operator.names import Key

_TIMEOUT_S: Final = 2.0
_KNOCKS_AT_ONCE: Final = 32
_OK: Final = 200


@dataclass(slots=True)
class _Door:
    url: str
    epoch: int
    answer: Answer | None = None
    due: float = 0.0
    knocking: bool = False
    doubted: bool = False
    """The last knock failed, and none before it: one lost packet is no outage."""


class FrontDoor:
    """Knocks at every door it was told of, and says when the answer changed."""

    def __init__(
        self, changed: Callable[[Key], None], *, period_s: float, clock: Callable[[], float]
    ) -> None:
        """Knock every `period_s`; call `changed` with the owner when an answer is another."""
        self._changed = changed
        self._period_s = period_s
        self._clock = clock
        self._doors: dict[Key, _Door] = {}
        self._wake = asyncio.Event()
        self._turns = asyncio.Semaphore(_KNOCKS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def answer(self, key: Key, url: str, epoch: int) -> Answer | None:
        """Return the last answer from that URL since that rollout; None: nobody knocked since."""
        door = self._doors.get(key)
        if door is None or door.url != url:
            door = self._doors[key] = _Door(url, epoch)
            self._wake.set()
        if door.epoch != epoch:
            door.epoch, door.due = epoch, 0.0
            self._wake.set()
        found = door.answer
        return found if found is not None and found.epoch == epoch else None

    def forget(self, key: Key) -> None:
        """Stop knocking."""
        self._doors.pop(key, None)

    async def run(self) -> None:
        """Knock until cancelled."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            try:
                while True:
                    self._wake.clear()
                    # Not `wait_for`: before Python 3.12 it may swallow a cancellation.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._start_due(session)):
                            await self._wake.wait()
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start_due(self, session: aiohttp.ClientSession) -> float:
        now = self._clock()
        nearest = self._period_s
        for key, door in self._doors.items():
            if door.knocking:
                continue
            if door.due <= now:
                door.knocking = True
                task = asyncio.create_task(self._knock(session, key, door))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                nearest = min(nearest, door.due - now)
        return nearest

    async def _knock(self, session: aiohttp.ClientSession, key: Key, door: _Door) -> None:
        # A turn of our own, for the connector's would be waited for within the time for an answer:
        # a thousand doors at once, as after a restart, would count as many that nobody opened.
        async with self._turns:
            epoch = door.epoch
            answer = await _ask(session, door.url, epoch)
        before, door.knocking = door.answer, False
        lost = before.ok and not answer.ok if before else not answer.reachable
        door.doubted = lost and not door.doubted
        if not door.doubted:
            door.answer = answer
        # Impatient until the first good answer: that is what the user is waiting for.
        pause = self._period_s if answer.ok else min(1.0, self._period_s)
        door.due = self._clock() + (0.0 if door.epoch != epoch else pause)
        self._wake.set()
        if door.answer != before and self._doors.get(key) is door:
            self._changed(key)


async def _ask(session: aiohttp.ClientSession, url: str, epoch: int) -> Answer:
    try:
        async with session.get(url) as response:
            body = await _json(response)
            degraded = tuple(str(name) for name in body.get("degraded") or ())
            if response.status == _OK:
                return Answer(True, True, degraded, epoch=epoch)
            said = f"/ready answers {response.status}"
            said += f" ({', '.join(degraded)})" if degraded else ""
            return Answer(False, True, degraded, said, epoch)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        # The class alone: an address or a port in the text would make every failure a new one.
        said = f"Nothing answers /ready through the Service ({type(error).__name__})"
        return Answer(False, False, (), said, epoch)


async def _json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        body = await response.json(content_type=None)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
