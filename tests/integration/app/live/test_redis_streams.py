"""Answer streams in a real Redis: fenced, resumed by anybody, and back after its death."""

import asyncio

import pytest
from redis.asyncio import Redis
from tests.integration.app import servers

from hscjit_app.answers.redis_stream import RedisStreams
from hscjit_app.answers.stream import (
    MAX_ANSWERS,
    MAX_FRAMES,
    TTL_S,
    AlreadyAsked,
    Fenced,
    HistoryGone,
    StreamsDown,
)


@pytest.fixture
async def pods(queue: servers.Redis):
    """Two processes' worth of streams on one Redis, both reading."""
    clients = [Redis.from_url(queue.url, socket_timeout=7) for _ in range(2)]
    both = [RedisStreams(client) for client in clients]
    readers = [asyncio.create_task(one.run()) for one in both]
    yield both
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    for client in clients:
        await client.aclose()


async def take(follower, count):
    """Return the next frames of a follower."""
    async with asyncio.timeout(10):
        return [await anext(follower) for _ in range(count)]


async def test_frames_written_by_one_pod_are_followed_on_another(pods):
    writer, reader = pods
    claim = await writer.claim("s", "a1")
    await writer.append(claim, 1, "f1")
    follower = reader.follow("a1", 0, live=True)

    assert await take(follower, 1) == [(1, "f1")]
    for seq in (2, 3):
        await writer.append(claim, seq, f"f{seq}")
    assert await take(follower, 2) == [(2, "f2"), (3, "f3")]
    await follower.aclose()


async def test_many_followers_of_many_answers_share_one_read(pods, queue):
    writer, reader = pods
    claims = [await writer.claim("s", f"a{n}") for n in range(20)]
    followers = [reader.follow(f"a{n}", 0, live=True) for n in range(20) for _ in range(3)]
    waiting = [asyncio.create_task(take(follower, 2)) for follower in followers]
    await asyncio.sleep(0.2)
    blocked = [line for line in queue.cli("client", "list").splitlines() if "cmd=xread" in line]
    for seq in (1, 2):
        for claim in claims:
            await writer.append(claim, seq, f"{claim.answer_id}.{seq}")
    found = await asyncio.gather(*waiting)

    assert len(blocked) == 2  # one a process, however many follow
    expected = [[(1, f"a{n}.1"), (2, f"a{n}.2")] for n in range(20) for _ in range(3)]
    assert found == expected
    for follower in followers:
        await follower.aclose()


async def test_who_comes_late_gets_the_rest_and_disturbs_nobody(pods):
    writer, reader = pods
    claim = await writer.claim("s", "a1")
    early = reader.follow("a1", 0, live=True)
    for seq in range(1, 6):
        await writer.append(claim, seq, f"f{seq}")
    assert [seq for seq, _ in await take(early, 5)] == [1, 2, 3, 4, 5]
    late = reader.follow("a1", 3, live=True)
    assert [seq for seq, _ in await take(late, 2)] == [4, 5]
    await writer.append(claim, 6, "f6")

    assert await take(early, 1) == await take(late, 1) == [(6, "f6")]
    await early.aclose()
    await late.aclose()


async def test_a_follower_that_slept_reads_again_what_did_not_fit(pods):
    writer, reader = pods
    claim = await writer.claim("s", "a1")
    follower = reader.follow("a1", 0, live=True)
    await writer.append(claim, 1, "f1")
    assert await take(follower, 1) == [(1, "f1")]
    for seq in range(2, 802):
        await writer.append(claim, seq, f"f{seq}")
    await asyncio.sleep(0.3)

    assert [seq for seq, _ in await take(follower, 800)] == list(range(2, 802))
    await follower.aclose()


async def test_only_the_newest_claim_may_write_and_a_repeat_changes_nothing(pods):
    first, second = pods
    old = await first.claim("s", "a1")
    await first.append(old, 1, "f1")
    await first.append(old, 1, "f1 again")
    new = await second.claim("s", "a1")

    assert (new.token, new.next_seq) == (old.token + 1, 2)
    with pytest.raises(Fenced):
        await first.append(old, 2, "late")
    with pytest.raises(Fenced):
        await second.append(new, 4, "with a gap")
    await second.append(new, 2, "f2")
    assert [f async for f in first.follow("a1", 0, live=False)] == [(1, "f1"), (2, "f2")]


async def test_a_session_keeps_its_newest_answers_in_order_and_all_of_it_expires(pods, queue):
    streams, _ = pods
    for n in range(MAX_ANSWERS + 2):
        claim = await streams.claim("s", f"a{n:03}")
    await streams.append(claim, 1, "f1")

    assert await streams.answers_of("s") == [f"a{n:03}" for n in range(2, MAX_ANSWERS + 2)]
    assert await streams.answers_of("stranger") == []
    for key in queue.cli("keys", "hscjit:*").splitlines():
        assert 0 < int(queue.cli("ttl", key)) <= TTL_S, key


async def test_a_redis_that_died_is_said_to_be_down_and_found_again(pods, queue):
    writer, reader = pods
    claim = await writer.claim("s", "a1")
    await writer.append(claim, 1, "f1")
    follower = reader.follow("a1", 0, live=True)
    assert await take(follower, 1) == [(1, "f1")]
    waiting = asyncio.create_task(take(follower, 1))

    queue.kill()
    with pytest.raises(StreamsDown):
        await writer.append(claim, 2, "f2")
    with pytest.raises(StreamsDown):
        await writer.claim("s", "a2")
    with pytest.raises(StreamsDown):
        await waiting
    await asyncio.to_thread(queue.start)
    follower = reader.follow("a1", 1, live=True)
    await writer.append(claim, 2, "f2")
    await writer.append(claim, 3, "f3")

    assert await take(follower, 2) == [(2, "f2"), (3, "f3")]
    await follower.aclose()


async def test_an_answer_without_its_pod_is_taken_over_once_when_its_lease_is_over(pods, queue):
    dead, living = pods
    claim = await dead.claim("s", "a1", task="what was asked")
    await dead.append(claim, 1, "f1")
    assert await living.orphans(10) == []
    assert await dead.renew([claim]) == set()

    queue.cli("zadd", "hscjit:answers:leases", "1", "a1")  # time passes
    (orphan,) = await living.orphans(10)
    assert (orphan.claim.next_seq, orphan.session_id, orphan.task) == (2, "s", "what was asked")
    assert (orphan.handed_over, orphan.stuck) == (False, 0)
    assert await dead.orphans(10) == []
    assert await dead.renew([claim]) == {claim}
    with pytest.raises(Fenced):
        await dead.append(claim, 2, "late")

    await living.append(orphan.claim, 2, "f2", last=True)
    assert await living.newest("a1") == (2, True)
    assert queue.cli("zcard", "hscjit:answers:leases") == "0"


async def test_an_answer_let_go_is_taken_over_at_once_and_one_that_ended_never(pods):
    leaving, staying = pods
    ended, open_ = await leaving.claim("s", "a1"), await leaving.claim("s", "a2")
    await leaving.append(ended, 1, "f1", last=True)
    await leaving.release([ended, open_])
    (orphan,) = await staying.orphans(10)

    assert (orphan.claim.answer_id, orphan.handed_over) == ("a2", True)


async def test_what_was_let_go_stays_so_when_its_renewal_comes_late(pods):
    """Another connection carries it: who sends first need not be heard first."""
    leaving, staying = pods
    claim, kept = await leaving.claim("s", "a1"), await leaving.claim("s", "a2")
    await leaving.release([claim])

    assert await leaving.renew([claim, kept]) == {claim}
    (orphan,) = await staying.orphans(10)
    assert (orphan.claim.answer_id, orphan.handed_over) == ("a1", True)


async def test_who_lost_a_claim_and_took_it_over_again_loses_the_old_one_only(pods, queue):
    pod, _ = pods
    old = await pod.claim("s", "a1")
    queue.cli("zadd", "hscjit:answers:leases", "1", "a1")  # time passes
    (orphan,) = await pod.orphans(10)

    assert await pod.renew([old, orphan.claim]) == {old}


async def test_an_answer_that_kills_its_pods_is_seen_to_be_stuck(pods):
    one, other = pods
    claim = await one.claim("s", "a1")
    stuck = []
    for _ in range(3):
        await one.release([claim])
        (orphan,) = await other.orphans(10)
        claim = orphan.claim
        stuck.append(orphan.stuck)
    await other.append(claim, 1, "f1")
    await other.release([claim])
    (orphan,) = await one.orphans(10)

    assert stuck == [0, 1, 2]
    assert orphan.stuck == 0


async def test_no_more_are_taken_over_than_there_is_room_for(pods):
    one, other = pods
    await one.release([await one.claim("s", f"a{n}") for n in range(5)])

    assert [len(await other.orphans(3)) for _ in range(3)] == [3, 2, 0]


async def test_a_question_named_twice_is_one_whichever_pod_hears_it(pods):
    one, other = pods
    await one.claim("s", "a1", ref="q1")
    with pytest.raises(AlreadyAsked) as known:
        await other.claim("s", "a2", ref="q1")
    await other.claim("stranger", "a3", ref="q1")

    assert known.value.answer_id == "a1"
    assert await one.answers_of("s") == ["a1"]


async def test_frames_cut_off_are_history_and_an_answer_that_expired_is_not_listed(pods, queue):
    streams, _ = pods
    claim = await streams.claim("s", "a1")
    for seq in range(1, MAX_FRAMES + 3):
        await streams.append(claim, seq, "f")
    with pytest.raises(HistoryGone):
        await take(streams.follow("a1", 1, live=False), 1)
    assert await take(streams.follow("a1", 2, live=False), 1) == [(3, "f")]

    await streams.claim("s", "a2")
    queue.cli("del", "hscjit:answer:a1", "hscjit:answer:a1:claim")  # its time is over
    assert await streams.answers_of("s") == ["a2"]


async def test_a_full_redis_is_one_that_is_away(pods, queue):
    streams, _ = pods
    claim = await streams.claim("s", "a1")
    queue.cli("config", "set", "maxmemory", "1")
    with pytest.raises(StreamsDown):
        await streams.append(claim, 1, "f1")
    queue.cli("config", "set", "maxmemory", "0")
    await streams.append(claim, 1, "f1")
