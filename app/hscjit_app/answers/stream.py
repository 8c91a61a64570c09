"""How does every frame of an answer reach its customer once, whatever pod either is on?

Each answer is a stream of numbered frames. Whoever writes it holds a *claim*, whose token grows
with each new claim: an append with an older token is refused, so two writers can't mix. Readers
follow from any number. `MemoryStreams` is one process without Redis; `RedisStreams` is for pods.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol

MAX_FRAMES = 2000
"""Frames kept of one answer (the stream's MAXLEN)."""
TTL_S = 3600
"""How long an answer can be resumed after its last frame."""
MAX_ANSWERS = 50
"""Answers remembered of one session."""


class Fenced(Exception):
    """Somebody else claimed this answer: stop writing it."""


class StreamsDown(Exception):
    """The streams can't be reached; nothing was promised."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to append to one answer."""

    answer_id: str
    token: int
    next_seq: int
    """The number the next frame gets: 1 for a new answer."""


class Streams(Protocol):
    """What the API asks of a stream of frames, in memory or in Redis."""

    async def claim(self, session_id: str, answer_id: str) -> Claim:
        """Take the answer over, or begin it; remembers it as one of the session's."""

    async def append(self, claim: Claim, seq: int, frame: str) -> None:
        """Add one frame; the same number again changes nothing. Raises Fenced, StreamsDown."""

    async def answers_of(self, session_id: str) -> list[str]:
        """Return the session's answers that are still kept, oldest first."""

    def follow(
        self, answer_id: str, after: int, *, live: bool
    ) -> AsyncGenerator[tuple[int, str], None]:
        """Yield (number, frame) after a number, in order; `live` = go on until cancelled.

        Raises StreamsDown when they can't be read: follow again from the last number seen.
        """

    async def run(self) -> None:
        """Serve followers until cancelled."""


@dataclass
class _Answer:
    token: int = 0
    frames: list[str] = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)


class MemoryStreams:
    """All in this process: `make dev`, unit tests, and a refuge while Redis is away."""

    def __init__(self, max_answers: int = 1000) -> None:
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self._sessions: OrderedDict[str, list[str]] = OrderedDict()
        self._max = max_answers

    async def claim(self, session_id: str, answer_id: str) -> Claim:
        """See `Streams`."""
        found = self._answers.setdefault(answer_id, _Answer())
        found.token += 1
        mine = self._sessions.setdefault(session_id, [])
        if answer_id not in mine:
            mine.append(answer_id)
            del mine[:-MAX_ANSWERS]
        for oldest in (self._answers, self._sessions):
            while len(oldest) > self._max:
                oldest.popitem(last=False)
        return Claim(answer_id, found.token, len(found.frames) + 1)

    async def append(self, claim: Claim, seq: int, frame: str) -> None:
        """See `Streams`."""
        found = self._answers.get(claim.answer_id)
        if found is None or found.token != claim.token:
            raise Fenced(claim.answer_id)
        if seq <= len(found.frames):
            return
        found.frames.append(frame)
        found.grown.set()
        found.grown = asyncio.Event()

    async def answers_of(self, session_id: str) -> list[str]:
        """See `Streams`."""
        return [a for a in self._sessions.get(session_id, ()) if a in self._answers]

    async def follow(
        self, answer_id: str, after: int, *, live: bool
    ) -> AsyncGenerator[tuple[int, str], None]:
        """See `Streams`."""
        found = self._answers.get(answer_id)
        while found is not None:
            grown = found.grown
            while after < len(found.frames):
                after += 1
                yield after, found.frames[after - 1]
            if not live:
                return
            await grown.wait()

    async def run(self) -> None:
        """See `Streams`: there is nothing to pump."""

    def holds(self, answer_id: str) -> bool:
        """True if this answer lives here."""
        return answer_id in self._answers


class SafeStreams:
    """Redis while it answers; while it is away new answers live in this process only.

    An answer stays where it began: one begun in Redis is never continued elsewhere.
    """

    def __init__(self, primary: Streams, refuge: MemoryStreams) -> None:
        self._primary = primary
        self._refuge = refuge

    async def claim(self, session_id: str, answer_id: str) -> Claim:
        """See `Streams`; never raises StreamsDown."""
        try:
            return await self._primary.claim(session_id, answer_id)
        except StreamsDown:
            return await self._refuge.claim(session_id, answer_id)

    async def append(self, claim: Claim, seq: int, frame: str) -> None:
        """See `Streams`."""
        await self._home(claim.answer_id).append(claim, seq, frame)

    async def answers_of(self, session_id: str) -> list[str]:
        """See `Streams`: what can be reached of both."""
        here = await self._refuge.answers_of(session_id)
        try:
            return [*await self._primary.answers_of(session_id), *here]
        except StreamsDown:
            return here

    def follow(
        self, answer_id: str, after: int, *, live: bool
    ) -> AsyncGenerator[tuple[int, str], None]:
        """See `Streams`."""
        return self._home(answer_id).follow(answer_id, after, live=live)

    async def run(self) -> None:
        """See `Streams`."""
        await self._primary.run()

    def _home(self, answer_id: str) -> Streams:
        return self._refuge if self._refuge.holds(answer_id) else self._primary
