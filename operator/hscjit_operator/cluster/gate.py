"""May this process write to the API server at this moment? One gate that every write passes."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable

from hscjit_operator import metrics


class Shut(Exception):
    """The gate is shut, or was shut while the write was under way."""


class Gate:
    """Open until an instant, or shut. Whoever holds the Lease moves that instant on."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is monotonic seconds: a clock that somebody sets must not open anything."""
        self._clock = clock
        self._until = -math.inf
        self._passing: set[asyncio.Timeout] = set()

    @property
    def is_open(self) -> bool:
        """Tell whether a write may begin now."""
        return self._clock() < self._until

    def open_until(self, instant: float) -> None:
        """Let writes through until that instant of the clock."""
        self._until = instant

    def shut(self) -> None:
        """Let nothing through any more; what is under way is broken off."""
        self._until = -math.inf
        now = asyncio.get_running_loop().time()
        for passing in self._passing:
            passing.reschedule(now)
        self._passing.clear()

    @contextlib.asynccontextmanager
    async def passage(self) -> AsyncIterator[None]:
        """Hold one write. Raises Shut if it may not begin, or may not go on."""
        if not self.is_open:
            metrics.WRITES_REFUSED.inc()
            raise Shut("another operator acts, or may act by now")
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._passing.add(limit)
                try:
                    yield
                finally:
                    self._passing.discard(limit)
        except TimeoutError as over:
            if not limit.expired():
                raise
            raise Shut("the Lease was lost while the write was under way") from over
