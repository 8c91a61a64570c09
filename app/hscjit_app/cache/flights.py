"""One look-up under way, and all who wait for it."""

import asyncio
from typing import Any

AGAIN = object()
"""What waiting callers get when the one who looked for them was cancelled: look again."""


class Flight:
    """Lands once, with a value, an exception or `AGAIN`."""

    __slots__ = ("_future", "outdated")

    def __init__(self) -> None:
        self._future: asyncio.Future[Any] | None = None  # most flights have nobody who waits
        self.outdated = False
        """Invalidated meanwhile: who waits may have it, but nobody keeps it."""

    async def result(self) -> Any:
        """Wait for its end; who is cancelled meanwhile disturbs no other."""
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._future)

    def land(self, result: Any) -> None:
        """Tell all who wait, the first time it is called."""
        if self._future is None or self._future.done():
            return
        if isinstance(result, Exception):
            self._future.set_exception(result)
            self._future.exception()  # it may be that nobody waits any more
        else:
            self._future.set_result(result)
