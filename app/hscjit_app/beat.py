"""Who keeps time? One beat, even while two run.

Only the holder of a lock in the queue's Redis sends; it is renewed at each tick and forgotten after
`LOCK_TTL_S`. Should two ever send at once, both name the same slot of the schedule and the outbox
knows that a slot counts once.
"""

import time
from typing import Any

import structlog
from celery.beat import ScheduleEntry, Scheduler
from redis import Redis
from redis.exceptions import RedisError

from hscjit_app import broker
from hscjit_app.db.models import new_id
from hscjit_app.tasks.maintenance import REFRESH

LOCK_TTL_S = 15
_TICK_S = 5
_REFRESH_EACH_S = 300
SCHEDULE: dict[str, dict[str, Any]] = {
    "refresh-manuals": {"task": REFRESH, "schedule": float(_REFRESH_EACH_S)},
}

log = structlog.stdlib.get_logger(__name__)

# Takes the lock when it is free, renews it when it is ours; the token tells which.
_TAKE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_GIVE_BACK = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class Lock:
    """A lock with a time to live and a token; losing Redis is losing it."""

    def __init__(self, redis: Redis, name: str, ttl_s: float) -> None:
        self._name = name
        self._ttl_ms = int(ttl_s * 1000)
        self._token = new_id()
        self._take = redis.register_script(_TAKE)
        self._give_back = redis.register_script(_GIVE_BACK)

    def hold(self) -> bool:
        """Take or renew it; False = another holds it, or Redis does not answer."""
        try:
            return bool(self._take(keys=[self._name], args=[self._token, self._ttl_ms]) == 1)
        except RedisError as e:
            log.warning("Could not reach the lock", lock=self._name, error=type(e).__name__)
            return False

    def release(self) -> None:
        """Let the next one in at once."""
        try:
            self._give_back(keys=[self._name], args=[self._token])
        except RedisError as e:
            log.warning("Could not give the lock back", lock=self._name, error=type(e).__name__)


def slot(now: float, each_s: int) -> str:
    """Name the slot of the schedule that a moment lies in: the same for every beat."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now // each_s * each_s))


class LockedScheduler(Scheduler):  # type: ignore[misc]  # Celery has no types
    """Celery's scheduler, silent unless it holds the lock; it keeps nothing on disk."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings = broker.settings()
        if settings.redis_queue_url is None:
            raise RuntimeError("HSCJIT_REDIS_QUEUE_URL_FILE is not set: beat needs the queue")
        redis = Redis.from_url(
            settings.redis_queue_url,
            socket_timeout=2.0,
            socket_connect_timeout=2.0,
            **settings.redis_queue_tls,
        )
        self._lock = Lock(redis, f"{settings.name}:beat", LOCK_TTL_S)
        self.max_interval = _TICK_S

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due if we hold the lock; return how long to sleep."""
        held = self._lock.hold()
        if not held:
            return float(_TICK_S)
        return min(float(super().tick(*args, **kwargs)), _TICK_S)

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:  # noqa: ARG002  # Celery hands it over
        """Send one task with the name of its slot; a queue that is away costs only this slot."""
        each_s = int(entry.schedule.run_every.total_seconds())
        try:
            broker.send_now(entry.task, slot=slot(time.time(), each_s))
        except broker.QueueDown as e:
            log.warning("Could not send", task=entry.task, error=type(e).__name__)

    def close(self) -> None:
        """End: the next beat need not wait for the lock to run out."""
        super().close()
        self._lock.release()
