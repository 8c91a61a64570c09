"""What may the rest of the app ask about manuals?"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Literal

import structlog
from kombu.exceptions import OperationalError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from hscjit_app import broker
from hscjit_app.db import outbox
from hscjit_app.db.models import Chunk, Manual, OutboxRow, utc_now
from hscjit_app.manuals.ingest import TASK, Wanted
from hscjit_app.manuals.search import Entry, Index, Indexes
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


class ManualService:
    """Manuals just in time, for the API."""

    def __init__(
        self,
        settings: Settings,
        sessions: async_sessionmaker[AsyncSession],
        find: Callable[[str], ManualRef | None],
    ) -> None:
        """`find` asks the catalogue; it is called on the event loop and must not block."""
        self._settings = settings
        self._sessions = sessions
        self._find = find
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
        async with self._sessions() as session:
            manual = await session.get(Manual, product_id)
            if manual is None:
                return []
            index = self._indexes.get(manual.content_hash)
            if index is not None:
                CACHE_HITS.labels("manual_index").inc()
            else:
                index = await self._index(session, manual.content_hash)
        found = await asyncio.to_thread(index.search, question[:_QUESTION_MAX], k)
        return [
            Passage(entry.text, entry.page, manual.title, manual.url, score)
            for entry, score in found
        ]

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
        async with self._sessions() as session:
            manual = await session.get(Manual, wanted.product_id)
            present = manual is not None and manual.url == wanted.url
            queued = False
            if ask and not (present and manual is not None and self._is_fresh(manual)):
                queued = await session.run_sync(_enqueue, wanted)
                await session.commit()
            row = None if present else await session.get(OutboxRow, wanted.key)
        if queued:
            await self._send(wanted.key)
        if present and manual is not None:
            return ManualState("ready", "The manual is here", manual.title, manual.pages)
        if row is not None and row.state == "failed":
            return ManualState("failed", row.error or "The manual could not be fetched")
        return ManualState("fetching", "The manual is on its way")

    def _is_fresh(self, manual: Manual) -> bool:
        age = utc_now() - manual.fetched_at
        return age < timedelta(seconds=self._settings.manuals_cache_ttl_s)

    async def _send(self, key: str) -> None:
        try:
            await broker.send(TASK, key=key)
        except (OperationalError, OSError) as e:
            # The row is stored: it is sent as soon as the queue is back.
            log.warning("Could not send a task; the outbox will", key=key, error=type(e).__name__)


def _enqueue(session: Session, wanted: Wanted) -> bool:
    return outbox.enqueue(session, wanted.key, TASK, asdict(wanted))
