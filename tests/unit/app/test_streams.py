"""Frames in memory: numbered, fenced, followed; and what happens while Redis is away."""

import asyncio

import pytest

from hscjit_app.answers.stream import (
    MAX_ANSWERS,
    Claim,
    Fenced,
    MemoryStreams,
    SafeStreams,
    StreamsDown,
)


async def frames_of(streams, answer_id, after=0):
    """Return all frames that are there now."""
    return [frame async for frame in streams.follow(answer_id, after, live=False)]


async def test_frames_come_back_in_order_after_any_number():
    streams = MemoryStreams()
    claim = await streams.claim("s", "a")
    for seq in (1, 2, 3):
        await streams.append(claim, seq, f"f{seq}")

    assert await frames_of(streams, "a") == [(1, "f1"), (2, "f2"), (3, "f3")]
    assert await frames_of(streams, "a", after=2) == [(3, "f3")]
    assert await frames_of(streams, "unknown") == []


async def test_an_append_that_is_repeated_changes_nothing():
    streams = MemoryStreams()
    claim = await streams.claim("s", "a")
    await streams.append(claim, 1, "f1")
    await streams.append(claim, 1, "f1")

    assert await frames_of(streams, "a") == [(1, "f1")]


async def test_a_new_claim_goes_on_where_the_old_one_stopped_and_fences_it():
    streams = MemoryStreams()
    old = await streams.claim("s", "a")
    await streams.append(old, 1, "f1")
    new = await streams.claim("s", "a")

    assert new.next_seq == 2
    with pytest.raises(Fenced):
        await streams.append(old, 2, "late")
    await streams.append(new, 2, "f2")
    assert await frames_of(streams, "a") == [(1, "f1"), (2, "f2")]


async def test_a_live_follower_waits_for_what_is_to_come():
    streams = MemoryStreams()
    claim = await streams.claim("s", "a")
    await streams.append(claim, 1, "f1")
    follower = streams.follow("a", 0, live=True)

    assert await anext(follower) == (1, "f1")
    waiting = asyncio.create_task(anext(follower))
    await asyncio.sleep(0)
    assert not waiting.done()
    await streams.append(claim, 2, "f2")
    assert await waiting == (2, "f2")
    await follower.aclose()


async def test_a_session_keeps_its_newest_answers_in_order():
    streams = MemoryStreams()
    for n in range(MAX_ANSWERS + 2):
        await streams.claim("s", f"a{n}")
    await streams.claim("s", "a5")

    kept = await streams.answers_of("s")
    assert kept == [f"a{n}" for n in range(2, MAX_ANSWERS + 2)]
    assert await streams.answers_of("stranger") == []


class Away:
    """Redis while it does not answer."""

    async def claim(self, *_, **__):
        raise StreamsDown

    append = answers_of = claim


async def test_while_redis_is_away_answers_live_in_this_process():
    streams = SafeStreams(Away(), MemoryStreams())
    claim = await streams.claim("s", "a")
    await streams.append(claim, 1, "f1")

    assert await frames_of(streams, "a") == [(1, "f1")]
    assert await streams.answers_of("s") == ["a"]


async def test_an_answer_begun_in_redis_is_not_continued_elsewhere():
    streams = SafeStreams(Away(), MemoryStreams())

    with pytest.raises(StreamsDown):
        await streams.append(Claim("begun-before", 1, 2), 2, "f2")
