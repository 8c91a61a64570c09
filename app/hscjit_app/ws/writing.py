"""What does an answer consist of? Its frames from the first to the last, or from where another
pod left off."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

import structlog
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from hscjit_app.answers.engine import Continuation
from hscjit_app.answers.extractive import Cited
from hscjit_app.answers.stream import Claim, Fenced, StreamsDown
from hscjit_app.catalog import views
from hscjit_app.catalog.products import Product
from hscjit_app.conversations.service import Turn
from hscjit_app.deps import Services
from hscjit_app.errors import AppError, ManualUnavailable, Unavailable
from hscjit_app.manuals.service import Passage
from hscjit_app.sessions import Session
from hscjit_app.ws.protocol import (
    AnswerChunk,
    AnswerDone,
    AnswerFrame,
    AnswerRestart,
    Context,
    Error,
    SourceOut,
    Status,
)

log = structlog.get_logger(__name__)

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
    product_id: str
    ref: str | None = None

    def as_task(self) -> str:
        """Return what another pod needs to answer it; whose it is, is kept beside."""
        return json.dumps({"text": self.text, "product_id": self.product_id, "ref": self.ref})

    @classmethod
    def of_task(cls, owner: Session, task: str) -> Self:
        """Read what `as_task` wrote."""
        return cls(owner, **json.loads(task))


@dataclass
class Said:
    """What an answer's frames so far have told the customer."""

    states: set[str] = field(default_factory=set)
    text: str = ""
    context: bool = False

    @classmethod
    def of(cls, frames: Sequence[str]) -> Self:
        """Read the frames."""
        said = cls()
        for frame in map(json.loads, frames):
            match frame["type"]:
                case "status":
                    said.states.add(frame["state"])
                case "answer_chunk":
                    said.text += frame["content"]
                case "answer_restart":
                    said.text, said.context = "", False
                case "context":
                    said.context = True
        return said


class Writer:
    """Numbers the frames of one answer and appends them."""

    def __init__(self, services: Services, claim: Claim) -> None:
        self._streams = services.streams
        self._claim = claim
        self._seq = claim.next_seq

    async def add(self, frame: AnswerFrame, *, last: bool = False) -> None:
        """Append a frame; outlasts a short loss of Redis. Raises Fenced, StreamsDown."""
        numbered = frame.model_copy(update={"id": self._claim.answer_id, "seq": self._seq})
        text = numbered.encode()
        give_up = time.monotonic() + APPEND_PATIENCE_S
        while True:
            try:
                await self._streams.append(self._claim, self._seq, text, last=last)
            except StreamsDown:
                if time.monotonic() > give_up:
                    raise
                await asyncio.sleep(0.2)
            else:
                self._seq += 1
                return


class Writing:
    """One answer on its way into its stream."""

    def __init__(self, services: Services, claim: Claim, question: Question, said: Said) -> None:
        self._services = services
        self._writer = Writer(services, claim)
        self._answer_id = claim.answer_id
        self._question = question
        self._said = said

    async def run(self) -> None:
        """Append all that is missing, an end in any case. Raises Fenced, StreamsDown."""
        try:
            await self._answer()
        except AppError as e:
            log.info("Could not answer", reason=e.code)
            error = Error(code=e.code, message=e.message, retry_after=e.retry_after)
        except (SQLAlchemyError, OSError) as e:
            log.warning("Could not answer", reason=type(e).__name__)
            message = "The database is away; predictions go on, answers come back with it"
            error = Error(code="unavailable", message=message, retry_after=5)
        except (Fenced, StreamsDown):
            raise
        except Exception:  # a bug must not leave a customer waiting for ever
            log.exception("Answering failed")
            error = Error(code="internal", message="Something went wrong on our side")
        else:
            return
        await self._writer.add(error, last=True)

    async def _answer(self) -> None:
        catalogue = self._services.catalog.current
        product = catalogue.get(self._question.product_id)
        if "accepted" not in self._said.states:
            await self._writer.add(
                Status(
                    state="accepted",
                    message=f"Looking into the manual of the {product.name}",
                    query=self._question.text,
                    ref=self._question.ref,
                    product=views.product(product),
                )
            )
        text, sources = await self._tell(product, await self._read())
        if not self._said.context:
            await self._writer.add(
                Context(
                    brand=views.brand(product),
                    related_items=views.related(product, catalogue),
                    sources=[SourceOut(title=s.title, url=s.url, page=s.page) for s in sources],
                )
            )
        await self._store(text, sources)
        await self._writer.add(AnswerDone(), last=True)
        log.info("Answered", sources=len(sources), characters=len(text))

    async def _read(self) -> list[Passage]:
        """Have the manual there and search it."""
        manuals = self._services.manuals
        product_id = self._question.product_id
        state = await manuals.ensure_manual(product_id)
        if state.status == "fetching":
            await self._state("fetching", "Fetching the manual…")
            hopeless = not self._services.dependencies.up("redis_queue")
            wait_s = HOPELESS_WAIT_S if hopeless else MANUAL_WAIT_S
            state = await manuals.ensure_manual(product_id, wait_s=wait_s)
        if state.status == "fetching":
            raise ManualUnavailable("The manual is still on its way", retry_after=10)
        if state.status != "ready":
            raise ManualUnavailable(state.message)
        await self._state("reading", "Reading the manual…")
        return await manuals.search(product_id, self._question.text, k=PASSAGES)

    async def _tell(self, product: Product, passages: Sequence[Passage]) -> tuple[str, list[Cited]]:
        """Say the answer, or what is missing of it; returns its whole text and its sources."""
        engine = self._services.engine
        sources: list[Cited] = []
        if self._said.text and not engine.resumable:
            await self._say(anew=True, piece="")
        told = Continuation(self._said.text if engine.resumable else "")
        async for part in engine.write(self._question.text, passages, product.name):
            if isinstance(part, Cited):
                sources.append(part)
            else:
                await self._say(*told.add(part))
        await self._say(*told.end())
        return told.text, sources

    async def _say(self, anew: bool, piece: str) -> None:
        if anew:
            self._said.context = False
            await self._writer.add(AnswerRestart())
        if piece:
            await self._writer.add(AnswerChunk(content=piece))

    async def _state(self, state: Literal["fetching", "reading"], message: str) -> None:
        if state not in self._said.states:
            await self._writer.add(Status(state=state, message=message))

    async def _store(self, text: str, sources: Sequence[Cited]) -> None:
        turn = Turn(
            question=self._question.text,
            answer_id=self._answer_id,
            answer=text,
            product_id=self._question.product_id,
            sources=[(s.title, s.url, s.page) for s in sources],
        )
        try:
            async with asyncio.timeout(STORE_S):
                await self._services.conversations.store(self._question.owner, turn)
        except IntegrityError:
            log.info("Answer was stored already, by the pod that had begun it")
        except (SQLAlchemyError, OSError, TimeoutError) as e:
            log.warning("Answer was given but can't be stored", reason=type(e).__name__)


def interrupted() -> Unavailable:
    """The end of an answer that nobody can finish."""
    return Unavailable(
        "The answer was interrupted, please ask again", code="interrupted", retry_after=1
    )
