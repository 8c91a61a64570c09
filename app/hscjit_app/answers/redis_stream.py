"""Answer streams in Redis: numbered by the writer, fenced by a script, read by one XREAD a process.

Keys (all expire): `hscjit:answer:{id}` the stream, entry ids `<seq>-0`; `hscjit:answer:{id}:claim`
a hash {token, seq}; `hscjit:session:{id}:answers` a list. Each process also reads a stream of its
own, so that a new follower can wake the one blocking read without a race.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from hscjit_app.answers.stream import (
    MAX_ANSWERS,
    MAX_FRAMES,
    TTL_S,
    Claim,
    Fenced,
    StreamsDown,
)

log = structlog.get_logger(__name__)

T = TypeVar("T")

BLOCK_MS = 5000
"""How long one read waits; the wake-up stream ends it early."""
BUFFER = 256
"""Frames held for one follower; a slower one re-reads the stream instead."""
TIMEOUT_S = 2.0

_CLAIM = """
local token = redis.call('HINCRBY', KEYS[1], 'token', 1)
redis.call('EXPIRE', KEYS[1], ARGV[2])
if token == 1 then
  redis.call('RPUSH', KEYS[2], ARGV[1])
  redis.call('LTRIM', KEYS[2], -tonumber(ARGV[3]), -1)
  redis.call('EXPIRE', KEYS[2], ARGV[2])
end
return {token, tonumber(redis.call('HGET', KEYS[1], 'seq') or 0) + 1}
"""

_APPEND = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -1 end
local last = tonumber(redis.call('HGET', KEYS[1], 'seq') or 0)
local seq = tonumber(ARGV[2])
if seq <= last then return last end
if seq ~= last + 1 then return -2 end
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[4], ARGV[2] .. '-0', 'f', ARGV[3])
redis.call('HSET', KEYS[1], 'seq', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[5])
return seq
"""
_FENCED, _GAP = -1, -2


class RedisStreams:
    """See `stream.Streams`; one instance a process, `run()` must be running for live followers."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._claim = redis.register_script(_CLAIM)
        self._append = redis.register_script(_APPEND)
        self._followers: dict[str, set[_Follower]] = {}
        self._at: dict[str, int] = {}
        self._wake_key = f"hscjit:wake:{uuid.uuid4().hex}"
        self._wake_at = "0-0"

    async def claim(self, session_id: str, answer_id: str) -> Claim:
        """See `Streams`."""
        token, next_seq = await _bounded(
            self._claim(
                keys=[_claim_key(answer_id), _session_key(session_id)],
                args=[answer_id, TTL_S, MAX_ANSWERS],
            )
        )
        return Claim(answer_id, int(token), int(next_seq))

    async def append(self, claim: Claim, seq: int, frame: str) -> None:
        """See `Streams`; safe to repeat when the outcome is not known."""
        result = await _bounded(
            self._append(
                keys=[_claim_key(claim.answer_id), _key(claim.answer_id)],
                args=[claim.token, seq, frame, MAX_FRAMES, TTL_S],
            )
        )
        if result in {_FENCED, _GAP}:
            # A gap can only mean that Redis lost what we wrote: this answer can't be continued.
            raise Fenced(claim.answer_id)

    async def answers_of(self, session_id: str) -> list[str]:
        """See `Streams`."""
        found = await _bounded(self._redis.lrange(_session_key(session_id), 0, -1))
        return [_text(answer_id) for answer_id in found]

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
        while True:
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
    except ResponseError:
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
