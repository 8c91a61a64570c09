"""What may the rest of the app ask about manuals?"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from hscjit_app import broker
from hscjit_app.cache import MultiLayerCache, keys
from hscjit_app.db import outbox
from hscjit_app.db.models import Chunk, Manual, OutboxRow, utc_now
from hscjit_app.manuals import search
from hscjit_app.manuals.search import Entry, Index, Indexes
from hscjit_app.manuals.wanted import TASK, Wanted
from hscjit_app.metrics import CACHE_HITS
from hscjit_app.settings import Settings

_FIRST_LOOK_S = 0.02
_SLOWEST_LOOK_S = 0.25
_QUESTION_MAX = 2000

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class ManualRef:
    """What the catalogue says about one product's manual."""

    product_id: str
    name: str
    """The product's name, for the title where the document has none."""
    url: str | None
    """`documentation.url` as written (relative or absolute); None = there is no PDF."""


@dataclass(frozen=True)
class ManualState:
    """Where a product's manual is on its way."""

    status: Literal["ready", "fetching", "failed", "none"]
    """ready: `search` finds passages; none: the product is unknown or has no PDF."""
    message: str
    """The same in words a customer may read."""
    title: str | None = None
    pages: int | None = None


@dataclass(frozen=True)
class Passage:
    """A piece of a manual that speaks about a question."""

    text: str
    page: int
    """Counted from 1."""
    title: str
    url: str
    score: float
    """BM25, larger is better; comparable within one search only."""


@dataclass(frozen=True)
class _Head:
    """What the database knows about a product's manual; travels through the cache as JSON."""

    url: str
    content_hash: str
    title: str
    pages: int
    fetched_at: float
    """Unix seconds."""


class ManualService:
    """Manuals just in time, for the API."""

    def __init__(
        self,
        settings: Settings,
        sessions: async_sessionmaker[AsyncSession],
        find: Callable[[str], ManualRef | None],
        cache: MultiLayerCache | None = None,
    ) -> None:
        """`find` asks the catalogue; it is called on the event loop and must not block."""
        self._settings = settings
        self._sessions = sessions
        self._find = find
        self._cache = cache or MultiLayerCache()
        self._indexes = Indexes()

    async def ensure_manual(self, product_id: str, wait_s: float = 0.0) -> ManualState:
        """Have the product's manual fetched unless it is there; wait for it at most `wait_s`.

        However many ask at once, it is fetched once. A manual past its time to live is used while
        it is read again.
        """
        ref = self._find(product_id)
        if ref is None or ref.url is None:
            return ManualState("none", "There is no manual for this product")
        wanted = Wanted(ref.product_id, ref.url, f"{ref.name} manual")
        state = await self._look(wanted, ask=True)
        ends, pause = time.monotonic() + wait_s, _FIRST_LOOK_S
        while state.status == "fetching" and (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, _SLOWEST_LOOK_S)
            state = await self._look(wanted, ask=False)
        return state

    async def search(self, product_id: str, question: str, k: int = 4) -> list[Passage]:
        """Return at most `k` passages about the question, best first; [] = nothing speaks of it."""
        head = await self._head(product_id)
        if head is None:
            return []
        asked = question[:_QUESTION_MAX]

        async def load() -> bytes | None:
            found = await self._search(head.content_hash, asked, k)
            return json.dumps(found, ensure_ascii=False).encode() if found else None

        key = keys.passages(head.content_hash, search.words(asked), k)
        stored = await self._cache.get(key, load, keys.PASSAGES)
        return [
            Passage(text, page, head.title, head.url, score)
            for text, page, score in json.loads(stored or b"[]")
        ]

    async def _search(
        self, content_hash: str, question: str, k: int
    ) -> list[tuple[str, int, float]]:
        """Search a document; no index is built where another pod has answered this before."""
        index = self._indexes.get(content_hash)
        if index is not None:
            CACHE_HITS.labels("manual_index").inc()
        else:
            async with self._sessions() as session:
                index = await self._index(session, content_hash)
        found = await asyncio.to_thread(index.search, question, k)
        return [(entry.text, entry.page, score) for entry, score in found]

    async def _head(self, product_id: str) -> _Head | None:
        """Return what is stored of a product's manual, from the cache if it is known there."""

        async def load() -> bytes | None:
            async with self._sessions() as session:
                manual = await session.get(Manual, product_id)
            if manual is None:
                return None
            head = _Head(
                manual.url,
                manual.content_hash,
                manual.title,
                manual.pages,
                manual.fetched_at.timestamp(),
            )
            return json.dumps(asdict(head), ensure_ascii=False).encode()

        stored = await self._cache.get(keys.manual(product_id), load, keys.MANUAL)
        return _Head(**json.loads(stored)) if stored is not None else None

    async def _index(self, session: AsyncSession, content_hash: str) -> Index:
        rows = await session.execute(
            select(Chunk.page, Chunk.text)
            .where(Chunk.content_hash == content_hash)
            .order_by(Chunk.ordinal)
        )
        entries = [Entry(page, text) for page, text in rows]
        return await asyncio.to_thread(self._indexes.build, content_hash, entries)

    async def _look(self, wanted: Wanted, ask: bool) -> ManualState:
        """See how far the manual is; `ask` for it where it is missing or old."""
        head = await self._head(wanted.product_id)
        if head is not None and head.url != wanted.url:
            # The catalogue names another document: what is cached may be of before it was fetched.
            await self._cache.invalidate(keys.manual(wanted.product_id))
            head = await self._head(wanted.product_id)
        here = head if head is not None and head.url == wanted.url else None
        if here is not None and (not ask or self._is_fresh(here)):
            return _ready(here)
        async with self._sessions() as session:
            queued = False
            if ask:
                queued = await session.run_sync(_enqueue, wanted)
                await session.commit()
            row = None if here is not None else await session.get(OutboxRow, wanted.key)
        if queued:
            await self._send(wanted.key)
        if here is not None:
            return _ready(here)
        if row is not None and row.state == "failed":
            return ManualState("failed", row.error or "The manual could not be fetched")
        return ManualState("fetching", "The manual is on its way")

    def _is_fresh(self, head: _Head) -> bool:
        return utc_now().timestamp() - head.fetched_at < self._settings.manuals_cache_ttl_s

    async def _send(self, key: str) -> None:
        try:
            await broker.send(TASK, key=key)
        except broker.QueueDown as e:
            # The row is stored: it is sent as soon as the queue is back.
            log.warning("Could not send a task; the outbox will", key=key, error=str(e))


def _ready(head: _Head) -> ManualState:
    return ManualState("ready", "The manual is here", head.title, head.pages)


def _enqueue(session: Session, wanted: Wanted) -> bool:
    return outbox.enqueue(session, wanted.key, TASK, asdict(wanted))
