"""The second layer: Redis, which all pods share. Values are stored ready to send.

In front of each value stand 13 digits, the Unix milliseconds until which it is fresh, and one
letter: `v` a value, `n` the knowledge that there is none. Nothing is pickled, nothing is encoded.

One pod loads for all: it holds `<key>:lease` with a token of its own, and only who still holds it
may store. An invalidation takes the lease away too, so that a value read before it is never kept.
"""

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from hscjit_app import metrics
from hscjit_app.cache.keys import LEASE_S

log = structlog.get_logger(__name__)

T = TypeVar("T")

REST_S = 1.0
"""After a failure Redis is left alone for this long; then one call tries it again."""
HEADER = 14
_VALUE, _NOTHING = b"v", b"n"
_FAILURES = (RedisError, OSError, TimeoutError)

_ACQUIRE = """
local found = redis.call('GET', KEYS[1])
if found and tonumber(string.sub(found, 1, 13)) > tonumber(ARGV[3]) then return found end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0
"""
_STORE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class Away(Exception):
    """Redis does not answer, or is being left alone."""


@dataclass(frozen=True, slots=True)
class Found:
    """What Redis has under a key."""

    value: bytes | None
    """None = it is known that there is nothing."""
    fresh_s: float
    """How much longer it is fresh; negative = it is stale."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to load a key for everybody."""

    key: str
    token: str


class Shared:
    """One Redis as a cache. All but `peek` raise `Away`, and nothing else, when Redis fails."""

    def __init__(
        self,
        redis: Redis,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._wall = wall
        self._acquire = redis.register_script(_ACQUIRE)
        self._store = redis.register_script(_STORE)
        self._release = redis.register_script(_RELEASE)
        self._rest_until = 0.0
        self.errors = 0
        self.up = True
        metrics.CACHE_UP.labels("redis").set(1)

    async def peek(self, key: str) -> Found | None:
        """Return what is stored, stale or not; None = nothing is, or Redis is away."""
        if not (self.up or self._may()):
            return None
        try:
            raw = await self._redis.get(key)
        except _FAILURES as e:
            self._failed(e)
            return None
        if not self.up:
            self._worked()
        return None if raw is None else self._read(raw)

    async def acquire(self, key: str) -> Found | Lease | None:
        """Return a fresh value, or the lease to load one; None = another pod is at it."""
        token = secrets.token_hex(8)
        now_ms = int(self._wall() * 1000)
        got = await self._script(
            self._acquire, [key, _lease(key)], [token, int(LEASE_S * 1000), now_ms]
        )
        if isinstance(got, bytes):
            return self._read(got)
        return Lease(key, token) if got == 1 else None

    async def store(self, lease: Lease, value: bytes | None, ttl_s: float, stale_s: float) -> bool:
        """Store what was loaded and give the lease back; False = the lease was lost meanwhile."""
        until = f"{int((self._wall() + ttl_s) * 1000):013d}".encode()
        body = until + (_NOTHING if value is None else _VALUE + value)
        stored = await self._script(
            self._store,
            [lease.key, _lease(lease.key)],
            [lease.token, body, max(1, int((ttl_s + stale_s) * 1000))],
        )
        return bool(stored)

    async def release(self, lease: Lease) -> None:
        """Give a lease back without a value."""
        await self._script(self._release, [_lease(lease.key)], [lease.token])

    async def delete(self, keys: list[str]) -> None:
        """Forget values, and whatever is being loaded under their keys."""
        every = [*keys, *map(_lease, keys)]
        if not self._may():
            self._away()
        await self._try(self._redis.delete(*every))

    def _read(self, raw: bytes) -> Found:
        fresh_s = int(raw[:13]) / 1000 - self._wall()
        return Found(raw[HEADER:] if raw[13:HEADER] == _VALUE else None, fresh_s)

    async def _script(self, script: Any, keys: list[str], args: list[Any]) -> Any:
        if not self._may():
            self._away()
        return await self._try(script(keys=keys, args=args))

    def _may(self) -> bool:
        """True unless Redis is being left alone; one call at a time finds out if it is back."""
        if self.up:
            return True
        now = self._clock()
        if now < self._rest_until:
            return False
        self._rest_until = now + REST_S
        return True

    def _away(self) -> Any:
        raise Away

    async def _try(self, work: Awaitable[T]) -> T:
        try:
            result = await work
        except _FAILURES as e:
            self._failed(e)
            raise Away from e
        if not self.up:
            self._worked()
        return result

    def _failed(self, error: Exception) -> None:
        self.errors += 1
        metrics.CACHE_ERRORS.labels("redis").inc()
        self._rest_until = self._clock() + REST_S
        if self.up:
            self.up = False
            metrics.CACHE_UP.labels("redis").set(0)
            log.warning("Going on without the shared cache", reason=type(error).__name__)

    def _worked(self) -> None:
        self.up = True
        metrics.CACHE_UP.labels("redis").set(1)
        log.info("The shared cache is back")


def _lease(key: str) -> str:
    return f"{key}:lease"
