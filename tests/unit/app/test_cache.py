"""One process's cache: what is kept, how long, how often it is loaded, what is forgotten."""

import asyncio

import pytest

from hscjit_app.cache import MultiLayerCache, get_cache, keys, set_cache
from hscjit_app.cache.memory import NOTHING, Memory

PLAIN = keys.Space("plain", ttl_s=10)
STALE = keys.Space("stale", ttl_s=10, stale_s=5)
NEGATIVE = keys.Space("negative", ttl_s=10, negative_s=2)


class Clock:
    """A time that moves when told to."""

    now = 100.0

    def __call__(self):
        return self.now


class Source:
    """What is loaded, and how often it was."""

    def __init__(self, value=b"value"):
        self.value = value
        self.loads = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self):
        self.loads += 1
        await self.gate.wait()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cache(clock):
    return MultiLayerCache(l1_max_size=3, clock=clock)


def later(cache, clock, seconds):
    clock.now += seconds
    cache._memory.sweep()


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_second_look_loads_nothing(cache):
    source = Source()
    assert [await cache.get("k", source, PLAIN) for _ in range(2)] == [b"value"] * 2
    assert source.loads == 1
    stats = cache.get_stats()
    assert (stats["l1_hits"], stats["misses"], stats["loads"]) == (1, 1, 1)
    assert (stats["hit_rate"], stats["l1_size"], stats["l1_max_size"]) == (0.5, 1, 3)


AGES = {"young": (8.9, 1), "too old": (10.1, 2)}


@pytest.mark.parametrize(("age", "loads"), AGES.values(), ids=AGES)
async def test_a_value_lives_as_long_as_its_space_says(cache, clock, age, loads):
    source = Source()
    await cache.get("k", source, PLAIN)
    later(cache, clock, age)
    await cache.get("k", source, PLAIN)
    assert source.loads == loads


async def test_values_stored_together_expire_apart(clock):
    cache = MultiLayerCache(l1_max_size=200, clock=clock)
    for n in range(200):
        await cache.get(str(n), Source(), PLAIN)
    until = [fresh - clock.now for fresh, _ in cache._memory._until.values()]

    assert 9.0 <= min(until) < 9.2
    assert 9.8 < max(until) <= 10.0


async def test_the_least_recently_used_goes_first_and_is_counted(cache):
    for key in "abc":
        await cache.get(key, Source(), PLAIN)
    await cache.get("a", Source(), PLAIN)
    await cache.get("d", Source(), PLAIN)
    again, kept = Source(), Source()
    await cache.get("a", kept, PLAIN)
    await cache.get("b", again, PLAIN)

    assert (kept.loads, again.loads) == (0, 1)
    assert cache.get_stats()["l1_evictions"] == 2
    assert cache.get_stats()["l1_size"] == 3


async def test_a_hundred_who_ask_at_once_cause_one_load(cache):
    source = Source()
    source.gate.clear()
    asking = [asyncio.create_task(cache.get("k", source, PLAIN)) for _ in range(100)]
    await settled()
    source.gate.set()

    assert await asyncio.gather(*asking) == [b"value"] * 100
    assert source.loads == 1
    assert cache.get_stats()["joined"] == 99


async def test_who_leaves_takes_the_answer_from_nobody(cache):
    source = Source()
    source.gate.clear()
    first, second, third = (asyncio.create_task(cache.get("k", source, PLAIN)) for _ in range(3))
    await settled()
    first.cancel()
    second.cancel()
    await settled()
    source.gate.set()

    assert await third == b"value"
    assert source.loads == 1


async def test_a_failed_load_is_told_to_all_who_wait_and_kept_by_nobody(cache):
    source = Source(ValueError("no"))
    found = await asyncio.gather(
        *(cache.get("k", source, PLAIN) for _ in range(3)), return_exceptions=True
    )
    assert [str(e) for e in found] == ["no"] * 3
    assert source.loads == 1
    source.value = b"better"
    assert await cache.get("k", source, PLAIN) == b"better"


NOTHINGS = {
    "remembered": (NEGATIVE, 1.5, 1),
    "forgotten in time": (NEGATIVE, 2.1, 2),
    "not remembered at all": (PLAIN, 0.0, 2),
}


@pytest.mark.parametrize(("space", "age", "loads"), NOTHINGS.values(), ids=NOTHINGS)
async def test_that_there_is_nothing_may_be_remembered(cache, clock, space, age, loads):
    source = Source(None)
    assert await cache.get("k", source, space) is None
    later(cache, clock, age)
    assert await cache.get("k", source, space) is None
    assert source.loads == loads


async def test_an_old_value_is_served_while_one_load_renews_it(cache, clock):
    source = Source(b"old")
    await cache.get("k", source, STALE)
    later(cache, clock, 11)
    source.value = b"new"
    source.gate.clear()

    assert [await cache.get("k", source, STALE) for _ in range(3)] == [b"old"] * 3
    await settled()
    assert source.loads == 2
    source.gate.set()
    await settled()
    assert await cache.get("k", source, STALE) == b"new"
    assert cache.get_stats()["stale_hits"] == 3


async def test_an_old_value_outlives_a_source_that_is_away_but_not_for_ever(cache, clock):
    source = Source(b"old")
    await cache.get("k", source, STALE)
    later(cache, clock, 11)
    source.value = ConnectionError("away")

    assert await cache.get("k", source, STALE) == b"old"
    await settled()
    assert await cache.get("k", source, STALE) == b"old"
    later(cache, clock, 5)
    await settled()
    with pytest.raises(ConnectionError) as raised:
        await cache.get("k", source, STALE)
    assert raised.value.__context__ is None  # not "during handling of" our own look


async def test_what_is_invalidated_is_loaded_anew(cache, clock):
    source = Source()
    for key in "ab":
        await cache.get(key, source, STALE)
    later(cache, clock, 11)
    await cache.invalidate("a")
    source.value = b"new"

    assert await cache.get("a", source, STALE) == b"new"
    assert await cache.get("b", source, STALE) == b"value"
    assert cache.get_stats()["invalidations"] == 1


async def test_what_is_invalidated_while_it_is_loaded_is_kept_by_nobody(cache):
    source = Source(b"old")
    source.gate.clear()
    early = asyncio.create_task(cache.get("k", source, PLAIN))
    await settled()
    await cache.invalidate("k")
    fresh = Source(b"new")

    assert await cache.get("k", fresh, PLAIN) == b"new"
    source.gate.set()
    assert await early == b"old"
    assert await cache.get("k", fresh, PLAIN) == b"new"


async def test_a_space_is_forgotten_with_all_that_is_on_its_way(cache):
    product, other = keys.PRODUCT.key("one", "x"), keys.MANUAL.key("x")
    source, slow = Source(), Source(b"old")
    await cache.get(product, source, keys.PRODUCT)
    await cache.get(other, source, PLAIN)
    slow.gate.clear()
    early = asyncio.create_task(cache.get(keys.PRODUCT.key("two"), slow, keys.PRODUCT))
    await settled()
    cache.forget_here(keys.PRODUCT)
    slow.gate.set()
    await early

    assert cache.get_stats()["l1_size"] == 1
    await cache.get(other, source, PLAIN)
    assert source.loads == 2


async def test_deaf_memory_keeps_nothing_for_long_and_forgets_all_when_it_hears_again(cache, clock):
    source = Source()
    cache.hearing(True)
    await cache.get("before", source, STALE)
    cache.hearing(False)
    later(cache, clock, 9.9)
    await cache.get("before", source, STALE)
    assert source.loads == 1
    later(cache, clock, 0.2)
    await cache.get("before", source, STALE)
    assert source.loads == 2
    cache.hearing(True)
    await cache.get("before", source, STALE)
    assert source.loads == 3


async def test_a_thread_of_this_process_can_invalidate():
    cache = MultiLayerCache()
    source = Source()
    running = asyncio.create_task(cache.run())
    await settled()
    await cache.get("k", source, PLAIN)
    await asyncio.to_thread(cache.invalidate_soon, ["k"])
    async with asyncio.timeout(2):
        while cache.get_stats()["l1_size"]:
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    cache.invalidate_soon(["k"])  # after its end this is no error


def test_the_process_has_one_cache():
    set_cache(None)
    assert get_cache() is get_cache()
    assert get_cache().get_stats()["l1_max_size"] == 2000
    set_cache(None)


def test_memory_tells_nothing_from_unknown(clock):
    memory = Memory(2, clock)
    memory.put("k", NOTHING, 5)
    assert (memory.fresh.get("k"), memory.fresh.get("other")) == (NOTHING, None)


def test_dead_keys_leave_no_trace(clock):
    memory = Memory(2, clock)
    for n in range(100):
        memory.put(str(n), b"x", 5, 5)
    memory.sweep()
    assert len(memory._until) == 2
    clock.now += 6
    memory.sweep()
    assert (len(memory), len(memory._until), len(memory._stale)) == (0, 0, 2)
    clock.now += 5
    memory.sweep()
    assert len(memory._stale) == 0


SAME = {
    "order": (["kick", "set"], ["set", "kick"], True),
    "repeats": (["kick", "kick"], ["kick"], True),
    "another word": (["kick"], ["snare"], False),
    "joined words": (["a", "b"], ["ab"], False),
}


@pytest.mark.parametrize(("left", "right", "same"), SAME.values(), ids=SAME)
def test_equal_questions_share_a_key(left, right, same):
    assert (keys.passages("h", left, 4) == keys.passages("h", right, 4)) is same
    assert keys.passages("h", left, 4) != keys.passages("h", left, 5)
