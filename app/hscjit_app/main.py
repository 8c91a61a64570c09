"""The API as one ASGI app: `create_app()` wires it, its lifespan starts and ends what runs beside.

uvicorn --factory hscjit_app.main:create_app      (in pods: python -m hscjit_app.serve)
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypedDict

import structlog
from fastapi import FastAPI
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from hscjit_app import broker, logs, metrics, queue_metrics
from hscjit_app.answers.engine import Engine, Extractive
from hscjit_app.answers.redis_stream import BLOCK_MS, RedisStreams
from hscjit_app.answers.stream import MemoryStreams, SafeStreams, Streams
from hscjit_app.api import admin, conversations, health, page, problems, products, samples
from hscjit_app.cache import MultiLayerCache, keys, set_cache
from hscjit_app.cache.bus import Bus
from hscjit_app.cache.layers import new_name
from hscjit_app.cache.shared import Shared
from hscjit_app.catalog.store import CatalogStore
from hscjit_app.conversations.service import Conversations
from hscjit_app.db.session import Database, prepare
from hscjit_app.dependencies import Dependencies
from hscjit_app.deps import Services
from hscjit_app.loop_lag import LoopLag
from hscjit_app.loops import going_on
from hscjit_app.manuals.service import ManualRef, ManualService
from hscjit_app.middleware import Observed
from hscjit_app.pods import Pods, Topic
from hscjit_app.sessions import SessionSigner
from hscjit_app.settings import Settings
from hscjit_app.version import VERSION
from hscjit_app.ws import schema
from hscjit_app.ws import session as ws_session

log = structlog.get_logger(__name__)

QUEUE_PERIOD_S = 1.0
CACHE_TIMEOUT_S = 0.5
"""Who waits longer for the cache is quicker without it."""


class State(TypedDict):
    """What every request and socket finds as its `state`."""

    services: Services
    lobby: ws_session.Lobby


def create_app(settings: Settings | None = None, engine: Engine | None = None) -> FastAPI:
    """Return the app; without settings they come from the environment."""
    settings = settings or Settings.from_env(os.environ)
    logs.configure(settings)
    app = FastAPI(
        title="HSC-JIT",
        version=VERSION,
        docs_url=None,  # its page loads scripts from elsewhere, which our policy forbids
        redoc_url=None,
        responses=problems.DESCRIBED,
        lifespan=lambda app: lifespan(app, settings, engine or Extractive()),
    )
    app.add_middleware(Observed)
    problems.install(app)
    for module in (health, products, conversations, admin, samples, page, schema, ws_session):
        app.include_router(module.router)
    return app


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI, settings: Settings, engine: Engine) -> AsyncIterator[State]:
    """Start what answers need; the API serves before it is reached, and says so on /ready."""
    metrics.APP_INFO.labels(VERSION, settings.component).set(1)
    broker.configure(settings)
    database = Database(settings)
    queue = _redis(settings.redis_queue_url, settings.redis_queue_tls)
    cache_redis = _redis(
        settings.redis_cache_url, settings.redis_cache_tls, timeout_s=CACHE_TIMEOUT_S
    )
    cache = MultiLayerCache(
        shared=Shared(cache_redis) if cache_redis else None,
        bus=Bus(queue, new_name(settings.pod)) if queue else None,
    )
    set_cache(cache)
    catalog = CatalogStore(settings.catalog_dir, swapped=lambda: cache.forget_here(keys.PRODUCT))
    streams: Streams = (
        SafeStreams(RedisStreams(queue), MemoryStreams()) if queue else MemoryStreams()
    )
    services = Services(
        settings=settings,
        catalog=catalog,
        manuals=ManualService(settings, database.sessions, _manuals_of(catalog), cache),
        conversations=Conversations(database.sessions),
        engine=engine,
        streams=streams,
        pods=Pods(queue, settings.pod),
        dependencies=Dependencies(_checks(database, queue, cache_redis)),
        cache=cache,
        signer=SessionSigner(settings.session_key),
    )
    services.pods.on(Topic.CATALOG, lambda: catalog.refresh(always=True))
    lobby = ws_session.Lobby(services)
    app.state.lobby = lobby  # for the server's drain, which has no request to find it by
    lag = LoopLag(time.monotonic)
    metrics.EVENT_LOOP_LAG.set_function(lag.worst)
    await prepare(settings)
    await catalog.refresh()
    await services.dependencies.check_once()  # a probe that comes too early comes again much later
    beside = [lag.run(), services.dependencies.run(), catalog.follow(), streams.run(), cache.run()]
    beside += [services.pods.run(), lobby.answering.run()]
    if queue is not None:
        beside.append(_sample_queue(queue))
    async with _running(beside):
        log.info("Started", products=len(catalog.current.products), database=_kind(settings))
        yield {"services": services, "lobby": lobby}
        await lobby.drain(within_s=1.0)  # done already unless a test client owns this app
    set_cache(None)
    for client in (queue, cache_redis):
        if client is not None:
            await client.aclose()
    broker.close()
    await database.close()
    log.info("Stopped")


@contextlib.asynccontextmanager
async def _running(work: list[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run coroutines beside the body and cancel them after it; one that fails is reported."""
    tasks = [asyncio.create_task(one) for one in work]
    for task in tasks:
        task.add_done_callback(_report)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("A background loop ended", loop=task.get_name(), exc_info=error)


async def _sample_queue(redis: Redis) -> None:
    """Publish the queue's depth and age each second; while Redis is away the last look stands."""
    while going_on():
        with contextlib.suppress(OSError, TimeoutError, RedisError):
            async with asyncio.timeout(QUEUE_PERIOD_S):
                look = await queue_metrics.sample(redis, time.time())
            metrics.TASK_QUEUE_DEPTH.labels(metrics.QUEUE).set(look.depth)
            metrics.TASK_QUEUE_OLDEST_AGE.labels(metrics.QUEUE).set(look.oldest_age_s)
        await asyncio.sleep(QUEUE_PERIOD_S)


def _redis(
    url: str | None, tls: Mapping[str, str], timeout_s: float = BLOCK_MS / 1000 + 2.0
) -> "Redis | None":
    """Return a client; by default a blocking read is no failure."""
    if url is None:
        return None
    return Redis.from_url(
        url,
        socket_connect_timeout=min(1.0, timeout_s),
        socket_timeout=timeout_s,
        # A pooled connection may be one that a restarted Redis has closed: once more, at once.
        retry=Retry(NoBackoff(), 1),
        socket_keepalive=True,
        health_check_interval=0,
        **tls,
    )


def _checks(
    database: Database, queue: "Redis | None", cache: "Redis | None"
) -> dict[str, Callable[[], Awaitable[object]]]:
    checks: dict[str, Callable[[], Awaitable[object]]] = {"database": database.ping}
    if queue is not None:
        checks["redis_queue"] = queue.ping
    if cache is not None:
        checks["redis_cache"] = cache.ping
    return checks


def _manuals_of(catalog: CatalogStore) -> Callable[[str], ManualRef | None]:
    """Tell the manuals' side what the catalogue says at this moment."""

    def find(product_id: str) -> ManualRef | None:
        product = catalog.current.products.get(product_id)
        if product is None:
            return None
        return ManualRef(product.id, product.name, product.manual_url)

    return find


def _kind(settings: Settings) -> str:
    return "sqlite" if settings.sqlite else "postgres"
