"""Many pods' cache on a real Redis: one load for all, one word to all, and life without it."""

import asyncio
import time

import pytest
from redis.asyncio import Redis
from tests.integration.app import servers

from hscjit_app import metrics
from hscjit_app.cache import MultiLayerCache, keys, outside
from hscjit_app.cache.bus import Bus
from hscjit_app.cache.keys import CHANNEL
from hscjit_app.cache.shared import HEADER, Shared
from hscjit_app.settings import Settings

SPACE = keys.Space("space", ttl_s=60)
NEGATIVE = keys.Space("negative", ttl_s=60, negative_s=30)
KEY = SPACE.key("k")


class Source:
    """What is loaded, and how often it was."""

    def __init__(self, value=b"value", takes_s=0.0):
        self.value = value
        self.takes_s = takes_s
        self.loads = 0

    async def __call__(self):
        self.loads += 1
        value = self.value
        await asyncio.sleep(self.takes_s)
        return value


@pytest.fixture
async def pods(queue: servers.Redis):
    """Two pods' caches on one Redis, both listening."""
    clients = [Redis.from_url(queue.url, socket_timeout=2) for _ in range(4)]
    both = [
        MultiLayerCache(shared=Shared(data), bus=Bus(words, f"pod-{n}"))
        for n, (data, words) in enumerate(zip(clients[::2], clients[1::2], strict=True))
    ]
    running = [asyncio.create_task(one.run()) for one in both]
    await until(lambda: all(one._hearing for one in both))
    yield both
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    for client in clients:
        await client.aclose()


async def until(what, within_s=5.0):
    """Wait until it is true, and let the loop work meanwhile."""
    async with asyncio.timeout(within_s):
        while not what():
            await asyncio.sleep(0.005)


async def test_what_one_pod_loaded_another_finds(pods, queue):
    here, there = pods
    source = Source()
    assert [await pod.get(KEY, source, SPACE) for pod in (here, there)] == [b"value"] * 2

    assert source.loads == 1
    assert there.get_stats()["l2_hits"] == 1
    stored = queue.cli("get", KEY)
    assert stored[HEADER:] == "value"  # as it is sent, nothing to decode
    assert 54_000 <= int(queue.cli("pttl", KEY)) <= 60_000
    assert queue.cli("exists", f"{KEY}:lease") == "0"


async def test_all_pods_together_load_once(pods):
    source = Source(takes_s=0.2)
    found = await asyncio.gather(*(pods[n % 2].get(KEY, source, SPACE) for n in range(100)))

    assert found == [b"value"] * 100
    assert source.loads == 1


async def test_that_there_is_nothing_is_shared_too(pods):
    source = Source(None)
    key = NEGATIVE.key("k")
    assert [await pod.get(key, source, NEGATIVE) for pod in pods] == [None, None]
    assert source.loads == 1


async def test_the_word_of_one_pod_reaches_the_other(pods):
    here, there = pods
    source = Source(b"old")
    for pod in pods:
        await pod.get(KEY, source, SPACE)
    source.value = b"new"
    await here.invalidate(KEY)
    await until(lambda: there.get_stats()["invalidations"] == 1)

    assert [await pod.get(KEY, source, SPACE) for pod in (there, here)] == [b"new"] * 2
    assert source.loads == 2


async def test_a_task_in_a_worker_is_heard_by_every_pod(pods, queue):
    source = Source(b"old")
    for pod in pods:
        await pod.get(KEY, source, SPACE)
    source.value = b"new"
    settings = Settings(redis_queue_url=queue.url, pod="worker-1")
    await asyncio.to_thread(outside.invalidate, settings, [KEY])
    await until(lambda: all(pod.get_stats()["invalidations"] for pod in pods))

    assert [await pod.get(KEY, source, SPACE) for pod in pods] == [b"new"] * 2


async def test_a_value_from_before_an_invalidation_is_kept_nowhere(pods, queue):
    here, there = pods
    slow = Source(b"old", takes_s=0.3)
    early = asyncio.create_task(here.get(KEY, slow, SPACE))
    await until(lambda: slow.loads == 1)
    await there.invalidate(KEY)

    assert await early == b"old"
    assert queue.cli("exists", KEY) == "0"
    fresh = Source(b"new")
    assert [await pod.get(KEY, fresh, SPACE) for pod in pods] == [b"new"] * 2


async def test_an_outdated_value_in_redis_is_renewed_by_one_pod(pods):
    space = keys.Space("old", ttl_s=0.2, stale_s=60)
    source = Source(b"old")
    here, there = pods
    await here.get(KEY, source, space)
    await asyncio.sleep(0.25)
    source.value, source.takes_s = b"new", 0.1

    assert await there.get(KEY, source, space) == b"old"
    await until(lambda: not there._flights)
    assert await there.get(KEY, source, space) == b"new"
    assert source.loads == 2


async def test_a_pod_that_died_while_loading_holds_nobody_up_for_long(pods, queue):
    queue.cli("set", f"{KEY}:lease", "of a dead one", "px", "300")
    source = Source()
    begun = time.monotonic()

    assert await pods[0].get(KEY, source, SPACE) == b"value"
    assert 0.2 < time.monotonic() - begun < 1.5


async def test_a_failed_load_leaves_no_lease(pods, queue):
    async def fails():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await pods[0].get(KEY, fails, SPACE)
    assert queue.cli("keys", "*") == ""


NONSENSE = {
    "no JSON": "\xff{",
    "a list": "[]",
    "no keys": '{"from": "x"}',
    "keys of numbers": '{"keys": [1, null]}',
}


@pytest.mark.parametrize("said", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense_on_the_channel_is_passed_over(pods, queue, said):
    queue.cli("publish", CHANNEL, said)
    source = Source()
    await pods[0].get(KEY, source, SPACE)
    await pods[1].invalidate(KEY)
    await until(lambda: pods[0].get_stats()["invalidations"] == 1)


async def test_without_redis_it_goes_on_alone_and_finds_it_again(pods, queue):
    here, there = pods
    source = Source(b"old")
    for pod in pods:
        await pod.get(KEY, source, SPACE)
    await asyncio.to_thread(queue.kill)
    await until(lambda: not here._hearing)
    begun = time.monotonic()
    assert await here.get(KEY, source, SPACE) == b"old"
    for n in range(20):
        assert await here.get(SPACE.key(str(n)), Source(b"alone"), SPACE) == b"alone"
    await here.invalidate(KEY)
    source.value = b"new"
    assert await here.get(KEY, source, SPACE) == b"new"
    assert time.monotonic() - begun < 2
    assert here.get_stats()["l2_up"] == 0
    assert here.get_stats()["errors"] < 10  # it is left alone, not asked each time
    assert metrics.REGISTRY.get_sample_value("cache_up", {"part": "redis"}) == 0

    await asyncio.to_thread(queue.start)
    await until(lambda: here._hearing and there._hearing)

    async def probed():
        await here.get(SPACE.key(str(time.time())), Source(), SPACE)
        return here.get_stats()["l2_up"]

    async with asyncio.timeout(5):
        while not await probed():
            await asyncio.sleep(0.05)
    assert metrics.REGISTRY.get_sample_value("cache_up", {"part": "redis"}) == 1
    # What was in memory is gone on both: nobody knows what was said meanwhile.
    await here.invalidate(KEY)
    assert await there.get(KEY, source, SPACE) == b"new"
