"""One pod loads for all: it takes the lease, loads, and stores what only the holder may store.

Who doesn't get the lease waits for what its holder stores; without Redis, or when that takes too
long, everybody loads for himself.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from hscjit_app import metrics
from hscjit_app.cache.keys import JITTER, WAIT_S, Space
from hscjit_app.cache.shared import Away, Found, Lease, Shared

log = structlog.get_logger(__name__)

Load = Callable[[], Awaitable[bytes | None]]

_POLL_S, _POLL_MAX_S = 0.005, 0.05


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of it, and how long it may be kept."""

    value: bytes | None
    ttl_s: float
    """0 = not at all."""
    stale_s: float
    outdated: bool = False
    """It was invalidated while it was loaded."""
    by_another: bool = False
    """Another pod loaded and stored it."""


class Loader:
    """Loads for this process and, with the lease, for all."""

    def __init__(self, shared: Shared | None, missed: Callable[[], None]) -> None:
        self._shared = shared
        self._missed = missed
        """Called when nobody has it and a load begins."""

    async def load(self, key: str, load: Load, space: Space) -> Loaded:
        """Return what another pod stored, or what `load` returns; raises what it raises."""
        got = await self._lease(key) if space.shared else None
        if isinstance(got, Found):
            return Loaded(got.value, got.fresh_s, space.stale_s, by_another=True)
        self._missed()
        try:
            with metrics.CACHE_LOAD.time():
                value = await load() or None
        except BaseException:
            if got is not None:
                await self._give_back(got)
            raise
        ttl_s = (space.ttl_s if value is not None else space.negative_s) * _jitter()
        stale_s = space.stale_s if value is not None else 0.0
        outdated = False
        if ttl_s and got is not None:
            outdated = not await self._put(got, value, ttl_s, stale_s)
        elif got is not None:
            await self._give_back(got)
        return Loaded(value, ttl_s, stale_s, outdated)

    async def _lease(self, key: str) -> Found | Lease | None:
        """Return the lease, or what another pod stored meanwhile; None = load for yourself."""
        if self._shared is None:
            return None
        ends, pause = time.monotonic() + WAIT_S, _POLL_S
        try:
            while (got := await self._shared.acquire(key)) is None:
                if time.monotonic() >= ends:
                    return None
                await asyncio.sleep(pause)
                pause = min(pause * 2, _POLL_MAX_S)
        except Away:
            return None
        return got

    async def _put(self, lease: Lease, value: bytes | None, ttl_s: float, stale_s: float) -> bool:
        """Store in Redis; False = it was invalidated while it was loaded."""
        assert self._shared is not None  # noqa: S101  a lease came from it
        try:
            return await self._shared.store(lease, value, ttl_s, stale_s)
        except Away:
            return True

    async def _give_back(self, lease: Lease) -> None:
        assert self._shared is not None  # noqa: S101  a lease came from it
        try:
            await self._shared.release(lease)
        except Away:
            log.debug("A lease is left to expire")


def _jitter() -> float:
    return 1.0 - JITTER * random.random()  # noqa: S311  spreads load, guards nothing
