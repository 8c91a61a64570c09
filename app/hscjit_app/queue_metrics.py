"""How long is the queue, and how long has its oldest task waited?"""

import json
from dataclasses import dataclass
from typing import Any

from redis import Redis as SyncRedis
from redis.asyncio import Redis

from hscjit_app import broker
from hscjit_app.metrics import QUEUE


@dataclass(frozen=True)
class QueueSample:
    """One look at a queue."""

    depth: int
    oldest_age_s: float
    """0 while the queue is empty."""


async def sample(redis: "Redis[Any]", now: float, queue: str = QUEUE) -> QueueSample:
    """Look at the queue once (one round trip); `now` in Unix seconds."""
    async with redis.pipeline(transaction=True) as look:
        depth, oldest = await look.llen(queue).lindex(queue, -1).execute()
    return read(depth, oldest, now)


def sample_now(redis: "SyncRedis[Any]", now: float, queue: str = QUEUE) -> QueueSample:
    """Do what `sample` does, for code without an event loop."""
    with redis.pipeline(transaction=True) as look:
        depth, oldest = look.llen(queue).lindex(queue, -1).execute()
    return read(depth, oldest, now)


def read(depth: int, oldest: bytes | str | None, now: float) -> QueueSample:
    """Understand what Redis said: its list grows at the left, so the last message is the oldest.

    A message without our stamp (none of ours) counts as new.
    """
    if oldest is None:
        return QueueSample(depth, 0.0)
    try:
        published_at = float(json.loads(oldest)["headers"][broker.PUBLISHED_AT])
    except (ValueError, KeyError, TypeError):
        published_at = now
    return QueueSample(depth, max(0.0, now - published_at))
