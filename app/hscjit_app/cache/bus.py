"""How does one process tell all others that something is outdated? Pub/Sub in redis-queue.

Messages are JSON: `{"from": <who>, "keys": [...], "deleted": <are they gone from Redis already?>}`.
Nothing is kept for those who don't listen; whoever begins to listen (again) forgets all it has.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from hscjit_app import metrics
from hscjit_app.cache.keys import CHANNEL
from hscjit_app.loops import going_on

log = structlog.get_logger(__name__)

PING_S = 2.0
"""A silent connection is asked this often whether it still lives."""
_PAUSE_S, _PAUSE_MAX_S = 0.1, 2.0


class Listener(Protocol):
    """What the bus tells."""

    def hearing(self, well: bool) -> None:
        """Invalidations arrive from now on, or no longer."""

    async def heard(self, keys: list[str], deleted: bool) -> None:
        """Keys are outdated."""


class Bus:
    """This process's ear and voice."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis = redis
        self._name = name

    async def say(self, keys: list[str], *, deleted: bool) -> None:
        """Tell all others; raises what redis-py raises."""
        await self._redis.publish(CHANNEL, _message(self._name, keys, deleted))

    async def listen(self, listener: Listener) -> None:
        """Hand on what others say until cancelled; reconnects by itself."""
        pause = _PAUSE_S
        while going_on():
            try:
                async with self._redis.pubsub() as ear:
                    await ear.subscribe(CHANNEL)
                    while going_on():
                        message = await _next(ear.get_message, ear.ping)
                        if message["type"] == "subscribe":
                            listener.hearing(True)
                            pause = _PAUSE_S
                        elif message["type"] == "message":
                            await self._hand_on(message["data"], listener)
            except (RedisError, OSError, TimeoutError) as e:
                log.warning("Can't hear invalidations, trying again", reason=type(e).__name__)
                metrics.CACHE_ERRORS.labels("bus").inc()
            finally:
                listener.hearing(False)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _PAUSE_MAX_S)

    async def _hand_on(self, data: bytes, listener: Listener) -> None:
        said = None
        with contextlib.suppress(ValueError):
            said = json.loads(data)
        if not isinstance(said, dict) or not isinstance(said.get("keys"), list):
            log.warning("Heard something that is no invalidation")
            return
        if said.get("from") != self._name:
            keys = [key for key in said["keys"] if isinstance(key, str)]
            await listener.heard(keys, said.get("deleted") is True)


def say_now(redis: SyncRedis, name: str, keys: list[str]) -> None:
    """Tell everybody, for plain functions that can't reach the cache itself."""
    redis.publish(CHANNEL, _message(name, keys, False))


async def _next(
    get: Callable[..., Awaitable[Any]], ping: Callable[[], Awaitable[object]]
) -> dict[str, Any]:
    """Return the next message; raises TimeoutError when a ping isn't answered."""
    asked = False
    while True:
        message = await get(timeout=PING_S)
        if message is not None:
            found: dict[str, Any] = message
            return found
        if asked:
            raise TimeoutError("no answer to a ping")
        asked = True
        await ping()


def _message(name: str, keys: list[str], deleted: bool) -> str:
    return json.dumps({"from": name, "keys": keys, "deleted": deleted})
