"""Answer streams in Redis: numbered by the writer, fenced by scripts, read by one XREAD a process.

Keys (all expire): `hscjit:answer:{id}` the stream, entry ids `<seq>-0`; `hscjit:answer:{id}:claim`
a hash {token, seq, session, task, …}; `hscjit:answers:leases` a sorted set of the answers being
written, by the millisecond their lease ends; `hscjit:session:{id}:answers` a list and
`hscjit:session:{id}:ref:{ref}` the answer to a named question. Each process also reads a stream of
its own, so that a new follower can wake the one blocking read without a race. The scripts are in
`scripts.py`; time is Redis's own, whatever the pods' clocks say.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Sequence
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError

from hscjit_app.answers import scripts
from hscjit_app.answers.stream import (
    LEASE_S,
    MAX_ANSWERS,
    MAX_FRAMES,
    TTL_S,
    AlreadyAsked,
    Claim,
    Fenced,
    HistoryGone,
    Orphan,
    StreamsDown,
)
from hscjit_app.loops import going_on

log = structlog.get_logger(__name__)

T = TypeVar("T")

BLOCK_MS = 5000
"""How long one read waits; the wake-up stream ends it early."""
BUFFER = 256
"""Frames held for one follower; a slower one re-reads the stream instead."""
TIMEOUT_S = 2.0

_LEASES = "hscjit:answers:leases"
_LEASE_MS = int(LEASE_S * 1000)
_REFUSING = ("MISCONF", "MASTERDOWN", "BUSY ")
"""How a Redis that can't take anything now begins, where redis-py has no class for it."""


class RedisStreams:
    """See `stream.Streams`; one instance a process, `run()` must be running for live followers."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._claim = redis.register_script(scripts.CLAIM)
        self._append = redis.register_script(scripts.APPEND)
        self._lease = redis.register_script(scripts.LEASE)
        self._take = redis.register_script(scripts.TAKE)
        self._followers: dict[str, set[_Follower]] = {}
        self._at: dict[str, int] = {}
        self._wake_key = f"hscjit:wake:{uuid.uuid4().hex}"
        self._wake_at = "0-0"

    async def claim(
        self, session_id: str, answer_id: str, *, task: str = "", ref: str | None = None
    ) -> Claim:
        """See `Streams`."""
        keys = [_claim_key(answer_id), _session_key(session_id), _LEASES]
        if ref is not None:
            keys.append(f"hscjit:session:{session_id}:ref:{ref}")
        token, found = await _bounded(
            self._claim(
                keys=keys, args=[answer_id, TTL_S, MAX_ANSWERS, session_id, task, _LEASE_MS]
            )
        )
        if not token:
            raise AlreadyAsked(_text(found))
        return Claim(answer_id, int(token), int(found))

    async def append(self, claim: Claim, seq: int, frame: str, *, last: bool = False) -> None:
        """See `Streams`; safe to repeat when the outcome is not known."""
        result = await _bounded(
            self._append(
                keys=[_claim_key(claim.answer_id), _key(claim.answer_id), _LEASES],
                args=[claim.token, seq, frame, MAX_FRAMES, TTL_S, claim.answer_id, int(last)],
            )
        )
        if result in {scripts.FENCED, scripts.GAP}:
            # A gap can only mean that Redis lost what we wrote: whoever takes over goes on there.
            raise Fenced(claim.answer_id)

    async def renew(self, claims: Sequence[Claim]) -> set[Claim]:
        """See `Streams`."""
        return await self._until(claims, _LEASE_MS)

    async def release(self, claims: Sequence[Claim]) -> None:
        """See `Streams`."""
        await self._until(claims, 0)

    async def orphans(self, most: int) -> list[Orphan]:
        """See `Streams`."""
        taken = await _bounded(self._take(keys=[_LEASES], args=[_LEASE_MS, TTL_S, most, _key("")]))
        return [
            Orphan(
                claim=Claim(_text(answer_id), int(token), int(next_seq)),
                session_id=_text(session_id),
                task=_text(task),
                handed_over=bool(handed_over),
                stuck=int(stuck),
            )
            for answer_id, session_id, task, token, next_seq, handed_over, stuck in taken
        ]

    async def newest(self, answer_id: str) -> tuple[int, bool]:
        """See `Streams`."""
        seq, ended = await _bounded(self._redis.hmget(_claim_key(answer_id), "seq", "ended"))
        return int(seq or 0), bool(ended)

    async def _until(self, claims: Sequence[Claim], lease_ms: int) -> set[Claim]:
        """Set how long claims hold from now; returns those that hold no more."""
        if not claims:
            return set()
        held = [part for claim in claims for part in (claim.answer_id, claim.token)]
        lost = await _bounded(self._lease(keys=[_LEASES], args=[lease_ms, TTL_S, _key(""), *held]))
        return {claims[at] for at in lost}

    async def answers_of(self, session_id: str) -> list[str]:
        """See `Streams`."""
        listed = await _bounded(self._redis.lrange(_session_key(session_id), 0, -1))
        ids = [_text(answer_id) for answer_id in listed]
        pipe = self._redis.pipeline(transaction=False)
        for answer_id in ids:  # the list lives as long as the session is used, its answers don't
            pipe.exists(_claim_key(answer_id))
        there = await _bounded(pipe.execute()) if ids else ()
        return [answer_id for answer_id, kept in zip(ids, there, strict=True) if kept]

    async def follow(
        self, answer_id: str, after: int, *, live: bool
    ) -> AsyncGenerator[tuple[int, str], None]:
        """See `Streams`."""
        follower = _Follower()
        if live:
            self._followers.setdefault(answer_id, set()).add(follower)
            self._at.setdefault(answer_id, after)
            self._at[answer_id] = min(self._at[answer_id], after)
        try:
            if live:
                await self._wake()
            else:
                follower.behind = True
            while True:
                if follower.behind:
                    follower.behind = False
                    for seq, frame in await self._range(answer_id, after):
                        if seq != after + 1:
                            raise HistoryGone(answer_id)
                        yield seq, frame
                        after = seq
                    if not live:
                        return
                seq, frame = await follower.next()
                if seq == after + 1:
                    yield seq, frame
                    after = seq
                elif seq > after:
                    follower.behind = True
        finally:
            self._leave(answer_id, follower)

    async def run(self) -> None:
        """Read for all followers until cancelled; reconnects by itself."""
        pause = 0.1
        while going_on():
            try:
                await self._pump()
                pause = 0.1
            except (RedisError, OSError) as e:
                log.warning("Streams can't be read, trying again", reason=type(e).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
                self._resync()

    async def _pump(self) -> None:
        """One blocking read of every followed stream, handed out in memory."""
        streams: dict[Any, Any] = {_key(a): f"{seq}-0" for a, seq in self._at.items()}
        streams[self._wake_key] = self._wake_at
        for raw_key, entries in await self._redis.xread(streams, block=BLOCK_MS, count=500) or ():
            key = _text(raw_key)
            if key == self._wake_key:
                self._wake_at = _text(entries[-1][0])
                continue
            answer_id = key.rpartition(":")[2]
            for entry_id, fields in entries:
                seq = int(_text(entry_id).partition("-")[0])
                if answer_id in self._at:
                    self._at[answer_id] = seq
                for follower in self._followers.get(answer_id, ()):
                    follower.put(seq, _text(fields[b"f"]))

    def _resync(self) -> None:
        """After a broken connection followers look for themselves: nothing is taken for granted."""
        for followers in self._followers.values():
            for follower in followers:
                follower.miss()

    async def _wake(self) -> None:
        """Make the blocking read start again with the streams followed now."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.xadd(self._wake_key, {"w": 1}, maxlen=1, approximate=False)
        pipe.expire(self._wake_key, TTL_S)
        await _bounded(pipe.execute())

    async def _range(self, answer_id: str, after: int) -> list[tuple[int, str]]:
        entries = await _bounded(self._redis.xrange(_key(answer_id), f"({after}-0", "+"))
        return [(int(_text(i).partition("-")[0]), _text(f[b"f"])) for i, f in entries]

    def _leave(self, answer_id: str, follower: "_Follower") -> None:
        followers = self._followers.get(answer_id)
        if followers is not None:
            followers.discard(follower)
            if not followers:
                del self._followers[answer_id]
                self._at.pop(answer_id, None)


class _Follower:
    """What one reader has not taken yet: a bounded queue, or the news that it fell behind."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[tuple[int, str]] = asyncio.Queue(BUFFER)
        self.behind = False

    def put(self, seq: int, frame: str) -> None:
        try:
            self._frames.put_nowait((seq, frame))
        except asyncio.QueueFull:
            self.behind = True  # it finds out when it has emptied the queue

    def miss(self) -> None:
        """Make it look for itself: no frame has this number, so it is seen as a gap."""
        self.put(2**53, "")

    async def next(self) -> tuple[int, str]:
        return await self._frames.get()


async def _bounded(work: Awaitable[T]) -> T:
    """Await one exchange with Redis for at most `TIMEOUT_S`; any failure is `StreamsDown`."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await work
    except (OutOfMemoryError, ReadOnlyError) as e:
        raise StreamsDown(f"redis-queue refuses ({type(e).__name__})") from e
    except ResponseError as e:
        if str(e).startswith(_REFUSING):
            raise StreamsDown(f"redis-queue refuses ({e})") from e
        raise
    except (RedisError, OSError, TimeoutError) as e:
        raise StreamsDown(f"redis-queue does not answer ({type(e).__name__})") from e


def _key(answer_id: str) -> str:
    return f"hscjit:answer:{answer_id}"


def _claim_key(answer_id: str) -> str:
    return f"hscjit:answer:{answer_id}:claim"


def _session_key(session_id: str) -> str:
    return f"hscjit:session:{session_id}:answers"


def _text(raw: Any) -> str:
    return raw.decode() if isinstance(raw, bytes) else str(raw)
