"""One customer on one socket: reads messages, answers keystrokes, follows answers."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.websockets import WebSocket, WebSocketDisconnect

from hscjit_app import metrics
from hscjit_app.answers.stream import StreamsDown
from hscjit_app.catalog import views
from hscjit_app.catalog.products import Product
from hscjit_app.deps import Services
from hscjit_app.errors import AppError, BadRequest, TooFast
from hscjit_app.sessions import Session
from hscjit_app.ws import limits
from hscjit_app.ws.answering import MANUAL_WAIT_S, Answering, Question
from hscjit_app.ws.protocol import (
    CLIENT_MESSAGE,
    CLOSE_IDLE,
    CLOSE_MOVING,
    CLOSE_POLICY,
    LAST_FRAMES,
    MAX_MESSAGE_BYTES,
    Error,
    Hello,
    LockAndQuery,
    Prediction,
    Query,
    Status,
    Typing,
    Welcome,
)
from hscjit_app.ws.sending import SendQueue, Stalled

log = structlog.get_logger(__name__)

SILENCE_S = MANUAL_WAIT_S + 10.0
"""No writer is silent for so long: its process died, or Redis lost its frames."""
FOLLOW_PATIENCE_S = 15.0
"""How long a broken stream is tried again before the customer is told."""


class Conversation:
    """Lives as long as its socket; what must outlive it is in the streams and the database."""

    def __init__(
        self,
        socket: WebSocket,
        services: Services,
        answering: Answering,
        questions: limits.Buckets,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._socket = socket
        self._services = services
        self._answering = answering
        self._questions = questions
        self._clock = clock
        now = clock()
        self._messages = limits.Bucket(limits.MESSAGES_PER_S, limits.MESSAGES_BURST, now)
        self._refusals = limits.Bucket(limits.REFUSALS_PER_S, limits.REFUSALS_BURST, now)
        self._queue = SendQueue(socket.send_text)
        self._session = services.signer.new()
        self._locked: str | None = None
        self._last: str | None = None
        self._typed: tuple[str, float] | None = None
        # Answers are sent one after the other, so that one `last_id` says how far a client got.
        self._to_follow: deque[tuple[str, int]] = deque()
        self._follower: asyncio.Task[None] | None = None
        self._beside: set[asyncio.Task[None]] = set()
        self._asking = asyncio.Lock()
        self._unanswered = 0
        self._heard_at = now
        self._reader: asyncio.Task[object] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._ending: tuple[int, str] | None = None
        self._moving = False

    async def run(self) -> None:
        """Serve the accepted socket until it closes or is closed."""
        self._reader = asyncio.current_task()
        self._check_idle()
        try:
            await self._read()
        except asyncio.CancelledError:
            if self._ending is None or self._reader is None:
                raise
            self._reader.uncancel()
            await self._close(*self._ending)
        finally:
            if self._idle is not None:
                self._idle.cancel()
            self._queue.stop()
            for task in self._beside:
                task.cancel()

    def move(self) -> None:
        """Tell the customer to reconnect elsewhere, once the answers under way are out."""
        if not self._moving:
            self._moving = True
            self._hold(self._move())

    async def _move(self) -> None:
        async with self._asking:
            if self._follower is not None:
                await asyncio.wait([self._follower])
        frame = Status(state="moving", message="This server is being replaced, please reconnect")
        self._queue.offer(frame.model_dump_json(exclude_none=True, exclude={"id", "seq"}))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await self._queue.flush()
        self._end(CLOSE_MOVING, "moving")

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            self._heard_at = self._clock()
            try:
                self._hear(message.get("text"))
            except AppError as e:
                self._refuse(e)

    def _hear(self, text: str | None) -> None:
        """Act on one message; raises an `AppError` for one that is refused. Never waits."""
        if wait := self._messages.take(self._heard_at):
            raise TooFast("Too many messages", retry_after=round(wait, 2))
        if text is None:
            raise BadRequest("Found a binary frame, expected JSON text")
        if len(text) > MAX_MESSAGE_BYTES or len(text.encode()) > MAX_MESSAGE_BYTES:
            raise BadRequest(f"Expected at most {MAX_MESSAGE_BYTES} bytes", code="too_large")
        try:
            message = CLIENT_MESSAGE.validate_json(text)
        except ValidationError as e:
            raise BadRequest(_explain(e)) from e
        match message:
            case Typing():
                self._hear_typing(message)
            case Hello():
                self._hear_hello(message)
            case LockAndQuery() | Query():
                self._hear_question(message)

    def _hear_typing(self, message: Typing) -> None:
        # Frames that wait are all read before a callback runs: the newest wins.
        if self._typed is None:
            asyncio.get_running_loop().call_soon(self._predict)
        self._typed = (message.content, time.perf_counter())

    def _predict(self) -> None:
        if self._typed is None:
            return
        content, heard_at = self._typed
        self._typed = None
        index = self._services.catalog.current.index
        matches = index.predict(content) if index is not None else []
        frame = Prediction(content=content, data=[views.candidate(match) for match in matches])
        self._queue.offer_prediction(frame.encode())
        metrics.PREDICTION_LATENCY.observe(time.perf_counter() - heard_at)
        if matches:
            log.debug(
                "Predicted product",
                product_id=matches[0].product.id,
                confidence=matches[0].confidence,
            )

    def _hear_question(self, message: Query | LockAndQuery) -> None:
        if self._unanswered >= limits.ANSWERS_AT_ONCE:
            raise TooFast("Wait for the answers under way", code="busy", retry_after=1)
        if wait := self._questions.take(self._session.id, self._heard_at):
            raise TooFast("Too many questions", retry_after=round(wait, 2))
        product, confidence = self._product(message)
        if isinstance(message, LockAndQuery):
            self._locked = product.id
        self._last = product.id
        log.info("Asked", product_id=product.id, confidence=confidence)
        self._unanswered += 1
        self._hold(self._ask(Question(self._session, message.query, product)))

    def _product(self, message: Query | LockAndQuery) -> tuple[Product, float]:
        """Return what the question is about, and how sure we are of that."""
        catalogue = self._services.catalog.current
        if message.product_id is not None:
            return catalogue.get(message.product_id), 1.0
        if self._locked is not None:
            return catalogue.get(self._locked), 1.0
        named = catalogue.index.identify(message.query) if catalogue.index is not None else None
        if named is not None:
            return named.product, named.confidence
        if self._last is not None:
            return catalogue.get(self._last), 1.0
        raise BadRequest("Say which product you mean: send product_id", code="which_product")

    async def _ask(self, question: Question) -> None:
        async with self._asking:  # in the order asked: a resume relies on it
            try:
                answer_id = await self._answering.begin(question)
            except AppError as e:
                self._unanswered -= 1
                self._refuse(e, counted=False)
            else:
                self._follow(answer_id, after=0)

    def _hear_hello(self, message: Hello) -> None:
        resumed = self._services.signer.check(message.session)
        if resumed is not None:
            self._session = resumed
            self._hold(self._resume(resumed, message.last_id))
        structlog.contextvars.bind_contextvars(session_id=self._session.id)
        self._queue.offer(
            Welcome(session=self._session.secret, resumed=resumed is not None).encode()
        )

    async def _resume(self, session: Session, last_id: str | None) -> None:
        """Send everything after `last_id` again, in order; an unfinished answer is followed."""
        async with self._asking:
            try:
                kept = await self._services.streams.answers_of(session.id)
            except StreamsDown:
                kept = []
            last_answer, _, seq = (last_id or "").partition(".")
            if last_answer in kept:
                kept = kept[kept.index(last_answer) :]
            else:  # it is not kept any more; ids begin with their time
                kept = [answer_id for answer_id in kept if answer_id > last_answer]
            for answer_id in kept:
                self._unanswered += 1
                self._follow(answer_id, after=int(seq) if answer_id == last_answer else 0)
            with contextlib.suppress(SQLAlchemyError, OSError):
                last = await self._services.conversations.last_product(session)
                self._last = self._last or last

    def _follow(self, answer_id: str, after: int) -> None:
        self._to_follow.append((answer_id, after))
        if self._follower is None:
            self._follower = self._hold(self._follow_all())

    async def _follow_all(self) -> None:
        try:
            while self._to_follow:
                await self._pump(*self._to_follow.popleft())
                self._unanswered -= 1
        except Stalled:
            self._end(CLOSE_POLICY, "reading too slowly")
        finally:
            self._follower = None

    async def _pump(self, answer_id: str, after: int) -> None:
        """Send an answer's frames up to its last one; raises `Stalled`."""
        broken_at: float | None = None
        while True:
            try:
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
                await asyncio.sleep(0.3)
            except TimeoutError:
                break
            else:
                return  # the stream is gone
        message = "The answer was interrupted, please ask again"
        error = Error(code="interrupted", message=message, retry_after=1, id=answer_id)
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

    def _refuse(self, error: AppError, *, counted: bool = True) -> None:
        """Say no; the socket stays open unless there was too much to say no to."""
        frame = Error(code=error.code, message=error.message, retry_after=error.retry_after)
        self._queue.offer(frame.encode())
        if counted and self._refusals.take(self._heard_at):
            self._end(CLOSE_POLICY, "too many refused messages")

    def _check_idle(self) -> None:
        left = self._heard_at + limits.IDLE_S - self._clock()
        if left <= 0 and self._follower is None:
            self._end(CLOSE_IDLE, "idle")
            return
        # One timer, looked at rarely: moving it with each keystroke would cost more than this.
        self._idle = asyncio.get_running_loop().call_later(max(left, 1.0), self._check_idle)

    def _end(self, code: int, reason: str) -> None:
        if self._ending is None and self._reader is not None:
            self._ending = (code, reason)
            self._reader.cancel()

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(TimeoutError, RuntimeError, OSError, WebSocketDisconnect):
            async with asyncio.timeout(1.0):
                await self._queue.flush()
                await self._socket.close(code, reason)

    def _hold(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the reader, and keep it from being collected."""
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        return task


def is_last(frame: str) -> bool:
    """True for the frame that ends an answer; quotes inside its text are escaped, so this is it."""
    return any(f'"type":"{name}"' in frame for name in LAST_FRAMES)


def _explain(error: ValidationError) -> str:
    """Say what was found where, without quoting the message back."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
