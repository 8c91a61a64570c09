"""Who writes which answer? Each is written to its stream, whoever is listening or not, by the pod
that was asked, or by another one when that pod dies or leaves."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import structlog

from hscjit_app import loops, metrics
from hscjit_app.answers.stream import (
    AlreadyAsked,
    Claim,
    Fenced,
    HistoryGone,
    Orphan,
    StreamsDown,
)
from hscjit_app.deps import Services
from hscjit_app.errors import TooFast, Unavailable
from hscjit_app.pods import Topic
from hscjit_app.ws.protocol import Error
from hscjit_app.ws.writing import Question, Said, Writer, Writing, interrupted

log = structlog.get_logger(__name__)

AT_ONCE = 64
"""Answers written by one process at the same time; more are asked to come back."""
PERIOD_S = 0.5
"""How often leases are renewed and orphans looked for: four times in a lease."""
MOST_STUCK = 10
"""An answer taken over so often without a single frame more is given up: it may kill its pods."""


class Answering:
    """Writes answers in tasks of their own: a closed socket stops none."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._tasks: dict[asyncio.Task[None], Claim] = {}
        self._look = asyncio.Event()
        self._claiming = 0
        self._claimed = asyncio.Event()
        """Set while no claim is under way: each one has its writer in `_tasks`."""
        self._claimed.set()
        services.pods.on(Topic.ANSWERS, self.look)

    async def begin(self, question: Question) -> str:
        """Accept a question; returns its answer's id. Raises `TooFast`, `Unavailable`.

        A question asked before by the same `ref` gets the answer it got then. While draining, the
        question is accepted for another pod.
        """
        if len(self._tasks) + self._claiming >= AT_ONCE:
            raise TooFast("Many questions are being answered, yours must wait", retry_after=2)
        try:
            if self._services.draining:
                return await self._pass_on(question)
            with self._under_way():
                claim = await self._claim(question)
                self._start(claim, partial(self._write, claim, question, Said()))
                return claim.answer_id
        except AlreadyAsked as e:
            return e.answer_id
        except StreamsDown as e:
            raise Unavailable("Answers can't be sent right now", retry_after=5) from e

    async def run(self) -> None:
        """Hold the claims of this pod and take over those of dead ones, until cancelled."""
        while loops.going_on():
            try:
                await self._hold_claims()
                if not self._services.draining:
                    await self._take_over()
            except StreamsDown:
                log.debug("Leases can't be looked at")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PERIOD_S):
                    await self._look.wait()
            self._look.clear()

    async def look(self) -> None:
        """Look for orphans now."""
        self._look.set()

    async def finish(self, within_s: float) -> int:
        """Let running answers end; returns how many did not in time."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        return len(self._tasks)

    async def hand_over(self) -> int:
        """Stop writing and let other pods go on at once; returns how many answers they get."""
        await self._claimed.wait()  # what has no writer yet would else wait for its lease's end
        leaving = {task: claim for task, claim in self._tasks.items() if claim.shared}
        await loops.end(leaving)
        await self._let_go(list(leaving.values()))
        return len(leaving)

    def stop(self) -> None:
        """Cancel what still runs."""
        for task in self._tasks:
            task.cancel()

    async def _claim(self, question: Question) -> Claim:
        return await self._services.streams.claim(
            question.owner.id, _timed_id(), task=question.as_task(), ref=question.ref
        )

    async def _pass_on(self, question: Question) -> str:
        """Accept a question for another pod; returns its answer's id."""
        claim = await self._claim(question)
        if not claim.shared:
            raise Unavailable("This pod is about to stop", code="moving", retry_after=1)
        await self._let_go([claim])
        return claim.answer_id

    @contextlib.contextmanager
    def _under_way(self) -> Iterator[None]:
        """Have `hand_over` wait for a claim that is being made, and for its writer."""
        self._claiming += 1
        self._claimed.clear()
        try:
            yield
        finally:
            self._claiming -= 1
            if not self._claiming:
                self._claimed.set()

    async def _let_go(self, claims: list[Claim]) -> None:
        if not claims:
            return
        try:
            await self._services.streams.release(claims)
        except StreamsDown:
            log.warning("Answers can't be handed over: they wait for the end of their lease")
        else:
            await self._services.pods.tell(Topic.ANSWERS)

    async def _hold_claims(self) -> None:
        lost = await self._services.streams.renew(list(self._tasks.values()))
        for task, claim in self._tasks.items():
            if claim in lost:
                task.cancel()

    async def _take_over(self) -> None:
        with self._under_way():
            room = max(0, AT_ONCE - len(self._tasks))
            for orphan in await self._services.streams.orphans(room):
                why = "handed over" if orphan.handed_over else "died"
                metrics.ANSWERS_TAKEN_OVER.labels(why).inc()
                log.info(
                    "Took over an answer",
                    answer_id=orphan.claim.answer_id,
                    reason=why,
                    next_seq=orphan.claim.next_seq,
                )
                self._start(orphan.claim, partial(self._go_on, orphan))

    async def _go_on(self, orphan: Orphan) -> None:
        """Write what is missing of an answer; its end if nobody can know what that is."""
        claim = orphan.claim
        frames: list[str] = []
        try:
            question = Question.of_task(self._services.signer.of(orphan.session_id), orphan.task)
            async for _, frame in self._services.streams.follow(claim.answer_id, 0, live=False):
                frames.append(frame)
        except (HistoryGone, ValueError, TypeError):
            question = None  # what was said can't be known, nor what was asked: by no version of us
        if question is None or orphan.stuck >= MOST_STUCK:
            end = interrupted()
            log.warning("Gave an answer up", answer_id=claim.answer_id, stuck=orphan.stuck)
            error = Error(code=end.code, message=end.message, retry_after=end.retry_after)
            await Writer(self._services, claim).add(error, last=True)
        else:
            await self._write(claim, question, Said.of(frames))

    def _start(self, claim: Claim, write: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Write in a task of its own: as long as it runs, its claim is renewed."""
        task = asyncio.create_task(self._hold(write))
        self._tasks[task] = claim
        task.add_done_callback(self._tasks.pop)

    async def _hold(self, write: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await write()
        except (Fenced, StreamsDown) as e:
            # Whoever finds its lease over goes on; that may be this pod.
            log.warning("Left an answer to others", reason=type(e).__name__)

    async def _write(self, claim: Claim, question: Question, said: Said) -> None:
        structlog.contextvars.bind_contextvars(
            answer_id=claim.answer_id,
            product_id=question.product_id,
            session_id=question.owner.id,
        )
        with (
            metrics.INFLIGHT.track_inprogress(),
            metrics.BACKGROUND_TASKS.track_inprogress(),
            metrics.ANSWER_GENERATION.time(),
        ):
            await Writing(self._services, claim, question, said).run()


def _timed_id() -> str:
    """Return a fresh id of 32 hexadecimal digits that sorts by when it was made."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
