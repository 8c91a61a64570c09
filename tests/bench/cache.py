"""What does a hit cost, how often is a missing thing loaded, how soon do other pods know?

Peers: the bare library under the first layer, a raw GET under the second, and the caches people
would take instead. All calls are made as the app makes them: awaited, on one event loop.
"""

import asyncio
import logging
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

import cachetools
from aiocache import SimpleMemoryCache
from cachebox import LRUCache
from cashews import Cache
from redis.asyncio import Redis

from hscjit_app.cache import MultiLayerCache, keys
from hscjit_app.cache.bus import Bus
from hscjit_app.cache.shared import Shared
from tests.bench.ahead import ahead
from tests.bench.pairs import Pair, report
from tests.integration.app import servers

PAIRS = 61
"""Many short turns: what neighbours do to a turn, they do to the peer's next to it."""
FEW_PAIRS = 7
KEYS = 500
ROUNDS = 20
REDIS_ROUNDS = 150
INVALIDATIONS = 1000
BODY = b'{"product":"' + b"x" * 1000 + b'"}'
SPACE = keys.Space("bench", ttl_s=3600.0)

Run = Callable[[], Awaitable[None]]


class Bare:
    """A library behind an async method: no loads, no counts, no time to live but its own."""

    def __init__(self, library: Any) -> None:
        self._library = library

    async def get(self, key: str) -> bytes | None:
        """Return what is there."""
        found: bytes | None = self._library.get(key)
        return found


async def body() -> bytes:
    """Load what is not there."""
    return BODY


async def turns(ours: Run, peer: Run, pairs: int) -> Pair:
    """Run both in turns; the median CPU seconds of each."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(pairs):
        for run, kept in zip((ours, peer), times, strict=True):
            started = time.process_time()
            await run()
            kept.append(time.process_time() - started)
    return Pair(median(times[0]), median(times[1]))


def each(get: Callable[[str], Awaitable[object]], names: list[str], rounds: int = ROUNDS) -> Run:
    """Return a run that gets all names some times."""

    async def run() -> None:
        for _ in range(rounds):
            for name in names:
                await get(name)

    return run


async def memory_hits() -> bool:
    """The first layer, beside the library it stands on and three others."""
    cache = MultiLayerCache(l1_max_size=2000)
    lru: LRUCache[str, bytes] = LRUCache(2000)
    timed: cachetools.TTLCache[str, bytes] = cachetools.TTLCache(2000, 3600)
    bare = Bare(lru)
    simple = SimpleMemoryCache()
    cashews = Cache()
    cashews.setup("mem://?size=2000")
    names = [SPACE.key(str(n)) for n in range(KEYS)]
    for name in names:
        await cache.get(name, body, SPACE)
        lru[name] = timed[name] = BODY
        await simple.set(name, BODY, ttl=3600)
        await cashews.set(name, BODY, expire=3600)

    async def ours() -> None:
        for _ in range(ROUNDS):
            for name in names:
                await cache.get(name, body, SPACE)

    async def library() -> None:
        for _ in range(ROUNDS):
            for name in names:
                await bare.get(name)

    peers: list[tuple[str, Run, float, int]] = [
        ("cachebox.LRUCache behind an async method", library, 1.3, PAIRS),
        ("cachetools.TTLCache behind an async method", each(Bare(timed).get, names), 0.5, PAIRS),
        ("aiocache.SimpleMemoryCache.get", each(simple.get, names), 0.5, FEW_PAIRS),
        ("cashews mem://", each(cashews.get, names), 0.5, FEW_PAIRS),
    ]
    met = []
    for peer, run, goal, pairs in peers:
        pair = await turns(ours, run, pairs)
        figure = f"{KEYS * ROUNDS} hits in memory"
        met.append(
            report(bench="cache", figure=figure, unit="cpu_s", peer=peer, pair=pair, goal=goal)
        )
    await cashews.close()
    return all(met)


async def redis_hits(redis: Redis, url: str) -> bool:
    """The second layer, on the connection on which the peer says GET."""
    cache = MultiLayerCache(l1_max_size=1, shared=Shared(redis))
    names = [SPACE.key("l2", str(n)) for n in range(2)]  # memory has room for one: never a hit
    for name in names:
        await cache.get(name, body, SPACE)
        await redis.set(name + ":raw", BODY)

    async def ours() -> None:
        for n in range(REDIS_ROUNDS):
            await cache.get(names[n % 2], body, SPACE)

    async def raw() -> None:
        for n in range(REDIS_ROUNDS):
            await redis.get(names[n % 2] + ":raw")

    hits = cache.get_stats()["l2_hits"]
    pair = await turns(ours, raw, PAIRS)
    assert cache.get_stats()["l2_hits"] - hits == PAIRS * REDIS_ROUNDS
    figure = f"{REDIS_ROUNDS} hits in Redis, {len(BODY)} bytes"
    return report(bench="cache", figure=figure, unit="cpu_s", peer="raw GET", pair=pair, goal=1.2)


async def herd(clients: list[Redis]) -> bool:
    """A hundred ask two pods at once for what nobody has."""
    pods = [MultiLayerCache(shared=Shared(client)) for client in clients]
    loads = 0

    async def slow() -> bytes:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0.05)
        return BODY

    worst = 0
    for turn in range(5):
        loads = 0
        key = SPACE.key("herd", str(turn))
        got = await asyncio.gather(*(pods[n % 2].get(key, slow, SPACE) for n in range(100)))
        assert set(got) == {BODY}
        worst = max(worst, loads)
    return report(
        bench="cache",
        figure="loads for 100 misses on two pods, the worst of 5",
        unit="loads",
        peer="one load",
        pair=Pair(worst, 1),
        goal=1.0,
    )


async def invalidations_heard(clients: list[Redis]) -> bool:
    """As neighbours allow, then with Redis and both pods going before them."""
    server = int((await clients[0].info("server"))["process_id"])
    await invalidations(clients, "among neighbours", None)
    with ahead(os.getpid(), server) as allowed:
        where = "alone" if allowed else "among neighbours again"
        return await invalidations(clients, where, 1.0)


async def invalidations(clients: list[Redis], where: str, goal: float | None) -> bool:
    """One pod invalidates; how long does the other, on connections of its own, go on as before?"""
    pods = [
        MultiLayerCache(shared=Shared(client), bus=Bus(client, f"pod-{n}"))
        for n, client in enumerate(clients)
    ]
    running = [asyncio.create_task(pod.run()) for pod in pods]
    await asyncio.sleep(0.3)
    here, there = pods
    took = []
    forgotten = there._memory.drop
    raw = await raw_messages(clients)
    for turn in range(INVALIDATIONS):
        key = SPACE.key("invalid", where, str(turn))
        await there.get(key, body, SPACE)
        gone = asyncio.Event()

        def drop(dropped: str, gone: asyncio.Event = gone) -> None:
            forgotten(dropped)
            gone.set()

        there._memory.drop = drop  # type: ignore[method-assign]
        begun = time.perf_counter()
        await here.invalidate(key)
        await gone.wait()
        took.append(time.perf_counter() - begun)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return report(
        bench="cache",
        figure=f"an invalidation on the other pod, {where}, P99 of {INVALIDATIONS}, "
        f"median {median(took) * 1000:.2f} ms; a bare PUBLISH is heard after "
        f"{median(raw) * 1000:.2f} ms, P99 {p99(raw) * 1000:.2f} ms",
        unit="s",
        peer="the promise of 5 ms",
        pair=Pair(p99(took), 0.005),
        goal=goal,
    )


async def raw_messages(clients: list[Redis]) -> list[float]:
    """How long Redis itself and redis-py take, without anything of ours."""
    took = []
    async with clients[1].pubsub() as ear:
        await ear.subscribe("bench")
        await ear.get_message(timeout=2)
        for _ in range(INVALIDATIONS):
            begun = time.perf_counter()
            heard = asyncio.ensure_future(ear.get_message(timeout=2))
            await clients[0].publish("bench", "x")
            await heard
            took.append(time.perf_counter() - begun)
    return took


def p99(took: list[float]) -> float:
    """Return what one in a hundred exceeds."""
    return sorted(took)[int(len(took) * 0.99)]


async def measure(url: str) -> bool:
    """Ask all four questions."""
    clients = [Redis.from_url(url) for _ in range(2)]
    try:
        return all(
            [
                await memory_hits(),
                await redis_hits(clients[0], url),
                await herd(clients),
                await invalidations_heard(clients),
            ]
        )
    finally:
        for client in clients:
            await client.aclose()


def run() -> bool:
    """Measure on a Redis of our own."""
    logging.disable(logging.WARNING)  # cashews tells of each set-up
    with tempfile.TemporaryDirectory() as folder, servers.redis(Path(folder) / "redis") as server:
        return asyncio.run(measure(server.url))
