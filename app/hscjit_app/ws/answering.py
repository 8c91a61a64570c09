"""How does a question become an answer? Written to its stream, whoever is listening or not."""

import asyncio
import secrets
import time
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from hscjit_app import metrics
from hscjit_app.answers import extractive
from hscjit_app.answers.stream import Claim, Fenced, StreamsDown
from hscjit_app.catalog import views
from hscjit_app.catalog.products import Product
from hscjit_app.conversations.service import Turn
from hscjit_app.deps import Services
from hscjit_app.errors import AppError, ManualUnavailable, TooFast, Unavailable
from hscjit_app.sessions import Session
from hscjit_app.ws.protocol import (
    AnswerChunk,
    AnswerDone,
    AnswerFrame,
    Context,
    Error,
    SourceOut,
    Status,
)

log = structlog.get_logger(__name__)

AT_ONCE = 64
"""Answers written by one process at the same time; more are asked to come back."""
MANUAL_WAIT_S = 30.0
"""How long a question waits for its manual."""
HOPELESS_WAIT_S = 2.0
"""How long it waits while the queue that would fetch it is away."""
APPEND_PATIENCE_S = 5.0
"""How long a frame is tried again while Redis restarts."""
STORE_S = 2.0
"""How long the end of an answer waits for its being stored; it was read already."""
PASSAGES = 5


@dataclass(frozen=True)
class Question:
    """What was asked, by whom, about what."""

    owner: Session
    text: str
    product: Product


class Writer:
    """Numbers the frames of one answer and appends them."""

    def __init__(self, services: Services, claim: Claim) -> None:
        self._streams = services.streams
        self._claim = claim
        self._seq = claim.next_seq

    async def add(self, frame: AnswerFrame) -> None:
        """Append a frame; outlasts a short loss of Redis. Raises Fenced, StreamsDown."""
        numbered = frame.model_copy(update={"id": self._claim.answer_id, "seq": self._seq})
        text = numbered.encode()
        give_up = time.monotonic() + APPEND_PATIENCE_S
        while True:
            try:
                await self._streams.append(self._claim, self._seq, text)
            except StreamsDown:
                if time.monotonic() > give_up:
                    raise
                await asyncio.sleep(0.2)
            else:
                self._seq += 1
                return


class Answering:
    """Writes answers in tasks of their own: a closed socket stops none."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, question: Question) -> str:
        """Accept a question; returns the answer's id. Raises `TooFast`, `Unavailable`."""
        if self._services.draining:
            raise Unavailable("This pod is about to stop, please reconnect", retry_after=1)
        if len(self._tasks) >= AT_ONCE:
            raise TooFast("Many questions are being answered, yours must wait", retry_after=2)
        answer_id = _timed_id()
        try:
            claim = await self._services.streams.claim(question.owner.id, answer_id)
        except StreamsDown as e:
            raise Unavailable("Answers can't be sent right now", retry_after=5) from e
        task = asyncio.create_task(self._write(Writer(self._services, claim), answer_id, question))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return answer_id

    async def finish(self, within_s: float) -> int:
        """Let running answers end; returns how many did not in time."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        return len(self._tasks)

    def stop(self) -> None:
        """Cancel what still runs."""
        for task in self._tasks:
            task.cancel()

    async def _write(self, writer: Writer, answer_id: str, question: Question) -> None:
        structlog.contextvars.bind_contextvars(
            answer_id=answer_id, product_id=question.product.id, session_id=question.owner.id
        )
        with (
            metrics.INFLIGHT.track_inprogress(),
            metrics.BACKGROUND_TASKS.track_inprogress(),
            metrics.ANSWER_GENERATION.time(),
        ):
            try:
                await self._answer(writer, answer_id, question)
            except (Fenced, StreamsDown) as e:
                log.warning("Answer can't be continued", reason=type(e).__name__)

    async def _answer(self, writer: Writer, answer_id: str, question: Question) -> None:
        product = question.product
        await writer.add(
            Status(
                state="accepted",
                message=f"Looking into the manual of the {product.name}",
                query=question.text,
                product=views.product(product),
            )
        )
        try:
            answer = await self._read(writer, question)
        except AppError as e:
            log.info("Could not answer", reason=e.code)
            await writer.add(Error(code=e.code, message=e.message, retry_after=e.retry_after))
            return
        except (SQLAlchemyError, OSError) as e:
            log.warning("Could not answer", reason=type(e).__name__)
            message = "The database is away; predictions go on, answers come back with it"
            await writer.add(Error(code="unavailable", message=message, retry_after=5))
            return
        except (Fenced, StreamsDown):
            raise
        except Exception:  # a bug must not leave a customer waiting for ever
            log.exception("Answering failed")
            await writer.add(Error(code="internal", message="Something went wrong on our side"))
            return
        for chunk in answer.chunks():
            await writer.add(AnswerChunk(content=chunk))
        await writer.add(
            Context(
                brand=views.brand(product),
                related_items=views.related(product, self._services.catalog.current),
                sources=[SourceOut(title=s.title, url=s.url, page=s.page) for s in answer.sources],
            )
        )
        await self._store(answer_id, question, answer)
        await writer.add(AnswerDone())
        log.info("Answered", sources=len(answer.sources), characters=len(answer.text))

    async def _read(self, writer: Writer, question: Question) -> extractive.Answer:
        """Have the manual there, search it, and answer from it."""
        manuals = self._services.manuals
        product = question.product
        state = await manuals.ensure_manual(product.id)
        if state.status == "fetching":
            await writer.add(Status(state="fetching", message="Fetching the manual…"))
            hopeless = not self._services.dependencies.up("redis_queue")
            wait_s = HOPELESS_WAIT_S if hopeless else MANUAL_WAIT_S
            state = await manuals.ensure_manual(product.id, wait_s=wait_s)
        if state.status == "fetching":
            raise ManualUnavailable("The manual is still on its way", retry_after=10)
        if state.status != "ready":
            raise ManualUnavailable(state.message)
        await writer.add(Status(state="reading", message="Reading the manual…"))
        passages = await manuals.search(product.id, question.text, k=PASSAGES)
        return extractive.answer(question.text, passages, product.name)

    async def _store(self, answer_id: str, question: Question, answer: extractive.Answer) -> None:
        turn = Turn(
            question=question.text,
            answer_id=answer_id,
            answer=answer.text,
            product_id=question.product.id,
            sources=[(s.title, s.url, s.page) for s in answer.sources],
        )
        try:
            async with asyncio.timeout(STORE_S):
                await self._services.conversations.store(question.owner, turn)
        except (SQLAlchemyError, OSError, TimeoutError) as e:
            log.warning("Answer was given but can't be stored", reason=type(e).__name__)


def _timed_id() -> str:
    """Return a fresh id of 32 hexadecimal digits that sorts by when it was made."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
