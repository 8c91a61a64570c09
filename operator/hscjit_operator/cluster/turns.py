"""Who writes next, when more want to than may at once? Whoever's pass began first.

Else a hundred new HSCJits would all be half made for as long as it takes to make them all.
"""

import asyncio
import heapq
import itertools
from contextvars import ContextVar
from typing import Final

_passes = itertools.count(1)
_turn: Final = ContextVar("turn", default=0)
"""Number of the pass that runs in this context; what belongs to none goes first: it is little, and
an eviction or a raised floor should not wait for others' children."""


def begin() -> None:
    """Let what is written in this context from now on, and in tasks it starts, be one pass's."""
    _turn.set(next(_passes))


class Turns:
    """Lets so many through at once, and the others in order of their passes."""

    def __init__(self, at_once: int) -> None:
        """Let `at_once` through."""
        self._free = at_once
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._serials = itertools.count()

    async def __aenter__(self) -> None:
        """Wait for one's turn."""
        if self._free:
            self._free -= 1
            return
        waiting = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (_turn.get(), next(self._serials), waiting))
        try:
            await waiting
        except asyncio.CancelledError:
            if not waiting.cancelled():
                self._leave()  # its turn had come at that very moment
            raise

    async def __aexit__(self, *_: object) -> None:
        """Let the next one through."""
        self._leave()

    def _leave(self) -> None:
        while self._waiting:
            _, _, waiting = heapq.heappop(self._waiting)
            if not waiting.done():
                waiting.set_result(None)
                return
        self._free += 1
