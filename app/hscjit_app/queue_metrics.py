"""How long is the queue, and how long has its oldest task waited?"""

from dataclasses import dataclass

from redis.asyncio import Redis


@dataclass(frozen=True)
class QueueSample:
    """One look at a queue."""

    depth: int
    oldest_age_s: float
    """0 while the queue is empty."""


async def sample(redis: Redis, now: float, queue: str = "celery") -> QueueSample:
    """Look at the queue once (one round trip); `now` in seconds since the epoch."""
    raise NotImplementedError
