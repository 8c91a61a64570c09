"""Has anybody looked this up already? Memory, then Redis, then one load for all who ask.

`await get(key, load, space)`: `load()` returns bytes, or None for "there is nothing". However many
ask for a key at once, here or on other pods, it is loaded once (bounded: see `keys`). Without Redis
it goes on with memory alone. `run()` must be running: it takes out what is too old and hears what
other processes declare outdated.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from redis.exceptions import RedisError

from hscjit_app import metrics
from hscjit_app.cache.bus import Bus
from hscjit_app.cache.flights import AGAIN, Flight
from hscjit_app.cache.keys import UNHEARD_S, Space
from hscjit_app.cache.loading import Load, Loader
from hscjit_app.cache.memory import NOTHING, SWEEP_S, Memory
from hscjit_app.cache.shared import Away, Found, Shared

log = structlog.get_logger(__name__)

_HITS_MEMORY = metrics.CACHE_HITS.labels("memory")
_HITS_REDIS = metrics.CACHE_HITS.labels("redis")
_HITS_STALE = metrics.CACHE_HITS.labels("stale")
_JOINED = metrics.CACHE_HITS.labels("joined")


class MultiLayerCache:
    """One process's cache; on one event loop, except for `invalidate_soon`."""

    def __init__(
        self,
        l1_max_size: int = 2000,
        shared: Shared | None = None,
        bus: Bus | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._memory = Memory(l1_max_size, clock)
        self._fresh = self._memory.fresh
        self._shared = shared
        self._loader = Loader(shared, lambda: self._count("misses", metrics.CACHE_MISSES))
        self._bus = bus
        self._hearing = bus is None
        self._flights: dict[str, Flight] = {}
        self._loading: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hits = self._hits_told = self._evictions_told = 0
        self._counts = dict.fromkeys(
            ("redis_hits", "stale_hits", "joined", "misses", "loads", "invalidations"), 0
        )

    async def get(self, key: str, load: Load, space: Space) -> bytes | None:
        """Return the value of a key, loaded if need be; raises what `load` raises."""
        try:
            found = self._fresh[key]  # quicker than `get`; a miss is 0.5 us slower, before its load
        except KeyError:
            pass  # and no part of what `load` may raise
        else:
            self._hits += 1
            return found or None
        return await self._look(key, load, space)

    async def invalidate(self, *keys: str) -> None:
        """Forget keys here, in Redis and on every other pod; nobody sees the old value later."""
        deleted = await self._forget(keys, delete=True)
        if self._bus is not None:
            try:
                await self._bus.say(list(keys), deleted=deleted)
            except (RedisError, OSError, TimeoutError) as e:
                metrics.CACHE_ERRORS.labels("bus").inc()
                log.warning("Can't tell other pods what is outdated", reason=type(e).__name__)

    def invalidate_soon(self, keys: Iterable[str]) -> None:
        """Have keys invalidated, asked from another thread of this process."""
        if self._loop is not None and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self.invalidate(*keys), self._loop)

    def forget_here(self, space: Space) -> None:
        """Forget a whole space in this process, at once: for what only this process changes."""
        prefix = space.key()
        for key, flight in self._flights.items():
            flight.outdated = flight.outdated or key.startswith(prefix)
        self._count("invalidations", metrics.CACHE_INVALIDATIONS, self._memory.drop_prefix(prefix))

    def get_stats(self) -> dict[str, float]:
        """Return what happened since this process began, and how full memory is."""
        by_layer = ("redis_hits", "stale_hits", "joined")
        hits = self._hits + sum(self._counts[layer] for layer in by_layer)
        asked = hits + self._counts["misses"]
        return {
            "l1_size": len(self._memory),
            "l1_max_size": self._memory.max_size,
            "l1_hits": self._hits,
            "l1_evictions": self._memory.evictions,
            "l2_up": int(self._shared is not None and self._shared.up),
            "l2_hits": self._counts["redis_hits"],
            "stale_hits": self._counts["stale_hits"],
            "joined": self._counts["joined"],
            "misses": self._counts["misses"],
            "loads": self._counts["loads"],
            "invalidations": self._counts["invalidations"],
            "errors": self._shared.errors if self._shared is not None else 0,
            "hit_rate": round(hits / asked, 4) if asked else 0.0,
        }

    async def run(self) -> None:
        """Sweep and listen until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._sweep())
                if self._bus is not None:
                    group.create_task(self._bus.listen(self))
        finally:
            self._loop = None
            for task in self._loading:
                task.cancel()

    def hearing(self, well: bool) -> None:
        """See `bus.Listener`: what was said while nobody listened is not known."""
        if well:
            self._outdate(list(self._flights))
            self._memory.clear()
        elif self._hearing:
            self._memory.shorten(UNHEARD_S)
        self._hearing = well
        metrics.CACHE_UP.labels("invalidations").set(well)

    async def heard(self, keys: list[str], deleted: bool) -> None:
        """See `bus.Listener`."""
        await self._forget(keys, delete=not deleted)

    async def _look(self, key: str, load: Load, space: Space) -> bytes | None:
        """Answer what memory has not fresh."""
        while True:
            stale = self._memory.stale(key)
            flight = self._flights.get(key)
            if stale is not None:
                self._count("stale_hits", _HITS_STALE)
                if flight is None:
                    self._refresh(key, load, space)
                return stale
            if flight is None:
                return await self._lead(key, load, space)
            result = await flight.result()
            if result is not AGAIN:
                self._count("joined", _JOINED)
                value: bytes | None = result
                return value

    async def _lead(self, key: str, load: Load, space: Space) -> bytes | None:
        """Look into Redis for all who ask meanwhile; what must be loaded outlives this caller."""
        flight = self._flights[key] = Flight()
        task: asyncio.Task[bytes | None] | None = None
        try:
            if space.shared and self._shared is not None:
                found = await self._shared.peek(key)
                if found is not None:
                    self._count("redis_hits", _HITS_REDIS)
                    self._land(key, flight, found.value)
                    self._keep_found(key, flight, found, load, space)
                    return found.value
            task = self._start(key, flight, load, space)
            return await asyncio.shield(task)
        except BaseException:
            if task is None:
                self._land(key, flight, AGAIN)
            raise

    def _keep_found(self, key: str, flight: Flight, found: Found, load: Load, space: Space) -> None:
        if found.fresh_s > 0:
            stale_s = space.stale_s if found.value is not None else 0.0
            self._keep(key, flight, found.value, found.fresh_s, stale_s)
        elif not flight.outdated:
            self._refresh(key, load, space)

    def _refresh(self, key: str, load: Load, space: Space) -> None:
        """Load anew behind the scenes; nobody waits, so a failure is only said."""
        flight = self._flights[key] = Flight()
        self._start(key, flight, load, space).add_done_callback(_report)

    def _start(
        self, key: str, flight: Flight, load: Load, space: Space
    ) -> asyncio.Task[bytes | None]:
        task = asyncio.create_task(self._fill(key, flight, load, space))
        self._loading.add(task)
        task.add_done_callback(self._loaded)
        return task

    def _loaded(self, task: asyncio.Task[Any]) -> None:
        self._loading.discard(task)
        if not task.cancelled():
            task.exception()  # it may be that nobody waits any more

    async def _fill(self, key: str, flight: Flight, load: Load, space: Space) -> bytes | None:
        """Load for this process and, with the lease, for all; lands the flight in any case."""
        try:
            value = await self._load_once(key, flight, load, space)
        except BaseException as e:
            failed = isinstance(e, Exception)
            self._land(key, flight, e if failed else AGAIN)
            raise
        self._land(key, flight, value)
        return value

    async def _load_once(self, key: str, flight: Flight, load: Load, space: Space) -> bytes | None:
        loaded = await self._loader.load(key, load, space)
        if loaded.by_another:
            self._count("redis_hits", _HITS_REDIS)
        else:
            self._count("loads")
        flight.outdated = flight.outdated or loaded.outdated
        if loaded.ttl_s:
            self._keep(key, flight, loaded.value, loaded.ttl_s, loaded.stale_s)
        return loaded.value

    def _keep(
        self, key: str, flight: Flight, value: bytes | None, ttl_s: float, stale_s: float
    ) -> None:
        if flight.outdated:
            return
        if not self._hearing:
            ttl_s, stale_s = min(ttl_s, UNHEARD_S), 0.0
        self._memory.put(key, NOTHING if value is None else value, ttl_s, stale_s)

    def _land(self, key: str, flight: Flight, result: Any) -> None:
        """End a flight: who waits gets the result, who comes now looks for himself."""
        if self._flights.get(key) is flight:
            del self._flights[key]
        flight.land(result)

    async def _forget(self, keys: Iterable[str], *, delete: bool) -> bool:
        """Delete from Redis first: what memory loads after it was emptied must not be the old."""
        wanted, deleted = list(keys), False
        if delete and self._shared is not None and wanted:
            try:
                await self._shared.delete(wanted)
                deleted = True
            except Away:
                log.debug("Outdated keys are left to expire in Redis")
        self._outdate(wanted)
        for key in wanted:
            self._memory.drop(key)
        self._count("invalidations", metrics.CACHE_INVALIDATIONS, len(wanted))
        return deleted

    def _outdate(self, keys: Iterable[str]) -> None:
        """Let look-ups under way be kept by nobody, and those who ask from now on look anew."""
        for key in keys:
            flight = self._flights.pop(key, None)
            if flight is not None:
                flight.outdated = True

    def _count(self, what: str, metric: Any = None, by: int = 1) -> None:
        self._counts[what] += by
        if metric is not None:
            metric.inc(by)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self._memory.sweep()
            self._tell()

    def _tell(self) -> None:
        """Publish what is too frequent to be published one by one."""
        _HITS_MEMORY.inc(self._hits - self._hits_told)
        metrics.CACHE_EVICTIONS.inc(self._memory.evictions - self._evictions_told)
        metrics.CACHE_SIZE.set(len(self._memory))
        self._hits_told, self._evictions_told = self._hits, self._memory.evictions


def _report(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("Can't load a cached value anew", reason=type(error).__name__)


class _State:
    """The one thing this module remembers, for those who can't be handed it."""

    cache: MultiLayerCache | None = None


def get_cache() -> MultiLayerCache:
    """Return this process's cache; one of memory alone where none was set."""
    if _State.cache is None:
        _State.cache = MultiLayerCache()
    return _State.cache


def set_cache(cache: MultiLayerCache | None) -> None:
    """Make it the process's cache; None forgets."""
    _State.cache = cache


def new_name(pod: str) -> str:
    """Return a name for this process that no other has, restarts included."""
    return f"{pod}-{uuid.uuid4().hex[:8]}"
