"""How does a task declare something outdated? It runs in a worker, or in a thread of the API."""

from functools import cache

import structlog
from redis import Redis
from redis.exceptions import RedisError

from hscjit_app.cache import bus
from hscjit_app.cache.layers import get_cache
from hscjit_app.settings import Settings

log = structlog.get_logger(__name__)

TIMEOUT_S = 2.0


def invalidate(settings: Settings, keys: list[str]) -> None:
    """Tell every pod, after the commit; unheard, keys live on until their time is over."""
    if settings.redis_queue_url is None:
        get_cache().invalidate_soon(keys)
        return
    try:
        bus.say_now(_redis(settings), settings.pod, keys)
    except (RedisError, OSError) as e:
        log.warning("Can't tell pods what is outdated", reason=type(e).__name__)


@cache
def _redis(settings: Settings) -> Redis:
    """Return this process's client; made at first use, so after any fork."""
    return Redis.from_url(
        settings.redis_queue_url or "",
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        **settings.redis_queue_tls,
    )
