"""What may the rest of the app ask about manuals?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from hscjit_app.settings import Settings


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
        self._settings = settings
        self._sessions = sessions
        self._find = find

    async def ensure_manual(self, product_id: str, wait_s: float = 0.0) -> ManualState:
        """Have the product's manual fetched unless it is there; wait for it at most `wait_s`."""
        raise NotImplementedError

    async def search(self, product_id: str, question: str, k: int = 4) -> list[Passage]:
        """Return at most `k` passages about the question, best first; [] = nothing speaks of it."""
        raise NotImplementedError
