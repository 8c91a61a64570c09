"""One customer on one socket: reads messages, answers keystrokes, takes questions."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.websockets import WebSocket, WebSocketDisconnect

from hscjit_app import metrics
from hscjit_app.catalog.products import Product
from hscjit_app.deps import Services
from hscjit_app.errors import AppError, BadRequest, TooFast
from hscjit_app.sessions import Session
from hscjit_app.ws import limits
from hscjit_app.ws.answering import Answering
from hscjit_app.ws.following import Following
from hscjit_app.ws.guessing import Guesses
from hscjit_app.ws.protocol import (
    CLIENT_MESSAGE,
    CLOSE_IDLE,
    CLOSE_MOVING,
    CLOSE_POLICY,
    MAX_MESSAGE_BYTES,
    OTHER_VERSION,
    VERSION,
    Error,
    Hello,
    LockAndQuery,
    Query,
    Status,
    Typing,
    Welcome,
)
from hscjit_app.ws.sending import SendQueue
from hscjit_app.ws.writing import Question

log = structlog.get_logger(__name__)
_LEVEL = logging.getLogger(__name__)


class Conversation:
    """Lives as long as its socket; what must outlive it is in the streams and the database."""

    def __init__(
        self,
        socket: WebSocket,
        services: Services,
        answering: Answering,
        questions: limits.Buckets,
        guesses: Guesses,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._socket = socket
        self._services = services
        self._answering = answering
        self._questions = questions
        self._guesses = guesses
        self._clock = clock
        now = clock()
        self._messages = limits.Bucket(limits.MESSAGES_PER_S, limits.MESSAGES_BURST, now)
        self._refusals = limits.Bucket(limits.REFUSALS_PER_S, limits.REFUSALS_BURST, now)
        self._queue = SendQueue(socket.send_text)
        self._session = services.signer.new()
        self._locked: str | None = None
        self._last: str | None = None
        self._typed: tuple[str, float] | None = None
        self._following = Following(services, self._queue, self._stalled, clock)
        self._beside: set[asyncio.Task[None]] = set()
        self._asking = asyncio.Lock()
        self._beginning = 0
        self._greeted = False
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
            self._following.stop()
            for task in self._beside:
                task.cancel()

    def move(self, at_once: asyncio.Event) -> None:
        """Tell the customer to reconnect elsewhere, when the answers under way are out or
        `at_once` is set: then another pod goes on with them."""
        if not self._moving:
            self._moving = True
            self._hold(self._move(at_once))

    async def _move(self, at_once: asyncio.Event) -> None:
        waiting = [asyncio.create_task(at_once.wait()), asyncio.create_task(self._all_sent())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        frame = Status(state="moving", message="This server is being replaced, please reconnect")
        self._queue.offer(frame.model_dump_json(exclude_none=True, exclude={"id", "seq"}))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await self._queue.flush()
        self._end(CLOSE_MOVING, "moving")

    async def _all_sent(self) -> None:
        async with self._asking:
            await self._following.ended()

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
            raise _refusal(e) from e
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
        guess = self._guesses.of(content, self._services.catalog.current.index)
        self._queue.offer_prediction(guess.frame)
        metrics.PREDICTION_LATENCY.observe(time.perf_counter() - heard_at)
        # A record that nobody keeps costs as much as all of the above.
        if guess.product_id is not None and _LEVEL.isEnabledFor(logging.DEBUG):
            log.debug("Predicted product", product_id=guess.product_id, confidence=guess.confidence)

    def _hear_question(self, message: Query | LockAndQuery) -> None:
        if self._following.unfinished + self._beginning >= limits.ANSWERS_AT_ONCE:
            raise TooFast("Wait for the answers under way", code="busy", retry_after=1)
        if wait := self._questions.take(self._session.id, self._heard_at):
            raise TooFast("Too many questions", retry_after=round(wait, 2))
        product, confidence = self._product(message)
        if isinstance(message, LockAndQuery):
            self._locked = product.id
        self._last = product.id
        log.info("Asked", product_id=product.id, confidence=confidence)
        self._greeted = True
        self._beginning += 1
        self._hold(self._ask(Question(self._session, message.query, product.id, message.ref)))

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
                self._refuse(e, counted=False)
            else:
                self._following.add(answer_id)
            finally:
                self._beginning -= 1

    def _hear_hello(self, message: Hello) -> None:
        if self._greeted:
            raise BadRequest("Found a hello in the middle of a conversation")
        self._greeted = True
        resumed = self._services.signer.check(message.session)
        self._session = resumed or self._session
        structlog.contextvars.bind_contextvars(session_id=self._session.id)
        self._queue.offer(
            Welcome(session=self._session.secret, resumed=resumed is not None).encode()
        )
        if resumed is not None:
            self._hold(self._resume(resumed, message.last_id))
        elif message.session is not None:
            self._hold(self._following.resync("session"))

    async def _resume(self, session: Session, last_id: str | None) -> None:
        async with self._asking:
            await self._following.resume(session, last_id)
            with contextlib.suppress(SQLAlchemyError, OSError):
                last = await self._services.conversations.last_product(session)
                self._last = self._last or last

    def _stalled(self) -> None:
        self._end(CLOSE_POLICY, "reading too slowly")

    def _refuse(self, error: AppError, *, counted: bool = True) -> None:
        """Say no; the socket stays open unless there was too much to say no to."""
        frame = Error(
            code=error.code,
            message=error.message,
            retry_after=error.retry_after,
            version=VERSION if error.code == OTHER_VERSION else None,
        )
        self._queue.offer(frame.encode())
        if counted and self._refusals.take(self._heard_at):
            self._end(CLOSE_POLICY, "too many refused messages")

    def _check_idle(self) -> None:
        left = self._heard_at + limits.IDLE_S - self._clock()
        if left <= 0 and not self._following.active:
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


def _refusal(error: ValidationError) -> BadRequest:
    """Say what was found where, without quoting the message back."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    if any(one["loc"] == ("hello", "version") and one["type"] == "literal_error" for one in found):
        # Whatever else is in it: a newer client's hello may hold what we don't know.
        said = f"hello.version: This server speaks version {VERSION} of the protocol"
        return BadRequest(said, code=OTHER_VERSION)
    where = ".".join(str(part) for part in found[0]["loc"])
    return BadRequest(f"{where}: {found[0]['msg']}" if where else found[0]["msg"])
