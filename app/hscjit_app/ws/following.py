"""How do an answer's frames reach one socket? One answer after the other, from where it stood."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from typing import Literal

import structlog

from hscjit_app.answers.stream import MAX_ANSWERS, HistoryGone, StreamsDown
from hscjit_app.deps import Services
from hscjit_app.sessions import Session
from hscjit_app.ws.protocol import LAST_FRAMES, Error, ResyncRequired
from hscjit_app.ws.sending import SendQueue, Stalled
from hscjit_app.ws.writing import MANUAL_WAIT_S, interrupted

log = structlog.get_logger(__name__)

SILENCE_S = MANUAL_WAIT_S + 10.0
"""No answer is silent for so long: there is no pod to take it over, or Redis lost its frames."""
FOLLOW_PATIENCE_S = 15.0
"""How long a broken stream is tried again before the customer is told."""
RESUME_PATIENCE_S = 5.0
"""How long a resume waits for streams that don't answer."""
RETRY_S = 0.3
_SKEW_MS = 60_000
"""How far the clocks of two pods may differ."""

Reason = Literal["history_gone", "ahead", "session", "unavailable"]
_MESSAGES: dict[Reason, str] = {
    "history_gone": "A part of what was said is not kept any more",
    "ahead": "Your last id is ahead of what is kept",
    "session": "This session opens no conversation here, a new one was begun",
    "unavailable": "What was said can't be read right now",
}


class Following:
    """What one socket is being sent of its session's answers.

    Answers go out one after the other, so that one `last_id` says how far a client got.
    """

    def __init__(
        self,
        services: Services,
        queue: SendQueue,
        stalled: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stalled` is called when the client takes nothing any more."""
        self._services = services
        self._queue = queue
        self._stalled = stalled
        self._clock = clock
        # Lists: most sockets have asked nothing yet, and an empty deque takes ten times as much.
        self._waiting: list[tuple[str, int]] = []
        self._known: list[str] = []
        self._task: asyncio.Task[None] | None = None
        self.unfinished = 0
        """Answers that are followed and did not end yet."""

    @property
    def active(self) -> bool:
        """True while frames are to come."""
        return self._task is not None

    def add(self, answer_id: str, after: int = 0) -> None:
        """Send an answer's frames after this number; one that is followed already stays so."""
        if answer_id in self._known:
            return
        self._known = [*self._known[1 - 2 * MAX_ANSWERS :], answer_id]
        self._waiting.append((answer_id, after))
        self.unfinished += 1
        if self._task is None:
            self._task = asyncio.create_task(self._follow_all())

    async def ended(self) -> None:
        """Wait until all answers are out."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def stop(self) -> None:
        """Send no more."""
        if self._task is not None:
            self._task.cancel()

    async def resume(self, session: Session, last_id: str | None) -> None:
        """Send everything after `last_id` again, in order; an unfinished answer is followed."""
        kept = await self._kept(session, patient=last_id is not None)
        if kept is None:
            if last_id is not None:
                await self.resync("unavailable")
            return
        last_answer, _, seq = (last_id or "").partition(".")
        if last_answer in kept:
            kept = kept[kept.index(last_answer) :]
        elif last_id is not None:
            await self.resync("ahead" if _is_ahead(last_answer) else "history_gone")
        for answer_id in kept:
            self.add(answer_id, after=int(seq) if answer_id == last_answer else 0)

    async def resync(self, reason: Reason, answer_id: str | None = None) -> None:
        """Tell the client that it can't simply go on from what it has."""
        frame = ResyncRequired(reason=reason, message=_MESSAGES[reason], id=answer_id)
        log.info("Could not resume exactly", reason=reason)
        with contextlib.suppress(Stalled):
            await self._queue.put(frame.encode())

    async def _kept(self, session: Session, *, patient: bool) -> list[str] | None:
        """Return the session's answers, None if they can't be known."""
        give_up = self._clock() + (RESUME_PATIENCE_S if patient else 0)
        while True:
            try:
                return await self._services.streams.answers_of(session.id)
            except StreamsDown:
                if self._clock() >= give_up:
                    return None
                await asyncio.sleep(RETRY_S)

    async def _follow_all(self) -> None:
        try:
            while self._waiting:
                await self._pump(*self._waiting.pop(0))
                self.unfinished -= 1
        except Stalled:
            self._stalled()
        finally:
            self._task = None

    async def _pump(self, answer_id: str, after: int) -> None:
        """Send an answer's frames up to its last one; raises `Stalled`."""
        broken_at: float | None = None
        while True:
            try:
                newest, ended = await self._services.streams.newest(answer_id)
                if newest < after:
                    # Redis came back with less than it had told: what the client has may differ.
                    await self.resync("ahead", answer_id)
                    after = 0
                elif ended and newest == after:
                    return
                async with contextlib.aclosing(self._frames(answer_id, after)) as frames_now:
                    async for seq, frame in frames_now:
                        after, broken_at = seq, None
                        await self._queue.put(frame)
                        if is_last(frame):
                            return
            except StreamsDown:
                broken_at = broken_at or self._clock()
                if self._clock() - broken_at > FOLLOW_PATIENCE_S:
                    break
                await asyncio.sleep(RETRY_S)
            except HistoryGone:
                await self.resync("history_gone", answer_id)
                return
            except TimeoutError:
                break
            else:
                return  # the stream is gone
        end = interrupted()
        error = Error(code=end.code, message=end.message, retry_after=end.retry_after, id=answer_id)
        await self._queue.put(error.encode())

    async def _frames(self, answer_id: str, after: int) -> AsyncGenerator[tuple[int, str], None]:
        """Yield frames as they come; raises TimeoutError when nobody seems to write any more."""
        async with contextlib.aclosing(
            self._services.streams.follow(answer_id, after, live=True)
        ) as followed:
            while True:
                async with asyncio.timeout(SILENCE_S):
                    found = await anext(followed, None)
                if found is None:
                    return
                yield found


def is_last(frame: str) -> bool:
    """True for the frame that ends an answer; quotes inside its text are escaped, so this is it."""
    return any(f'"type":"{name}"' in frame for name in LAST_FRAMES)


def _is_ahead(answer_id: str) -> bool:
    """True for an id that nobody can have been given yet: ids begin with their millisecond."""
    try:
        made = int(answer_id[:12], 16)
    except ValueError:
        return False
    return made > time.time_ns() // 1_000_000 + _SKEW_MS
