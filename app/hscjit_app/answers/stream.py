"""How does every frame of an answer reach its customer once, whatever pod either is on?

Each answer is a stream of numbered frames. Whoever writes it holds a *claim*, whose token grows
with each new claim: an append with an older token is refused, so two writers can't mix. A claim is
on *lease*: who does not renew it is taken for dead, and any other pod may take the answer over and
go on at the next number. Readers follow from any number. `MemoryStreams` is one process without
Redis; `RedisStreams` is for pods.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

MAX_FRAMES = 2000
"""Frames kept of one answer (the stream's MAXLEN)."""
TTL_S = 3600
"""How long an answer can be resumed after its last frame."""
MAX_ANSWERS = 50
"""Answers remembered of one session."""
LEASE_S = 2.0
"""How long a claim holds without being renewed: a pod that hangs longer is as good as dead."""


class Fenced(Exception):
    """Somebody else claimed this answer: stop writing it."""


class StreamsDown(Exception):
    """The streams can't be reached; nothing was promised."""


class HistoryGone(Exception):
    """Frames between the number asked for and the first one kept are not there any more."""


class AlreadyAsked(Exception):
    """This session asked this very question before; `answer_id` is the answer it got."""

    def __init__(self, answer_id: str) -> None:
        super().__init__(answer_id)
        self.answer_id = answer_id


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to append to one answer."""

    answer_id: str
    token: int
    next_seq: int
    """The number the next frame gets: 1 for a new answer."""
    shared: bool = True
    """False = it lives in this process only: nobody else can take it over."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """An answer taken over from a pod that died or handed it over."""

    claim: Claim
    session_id: str
    task: str
    """What its first owner said is needed to go on."""
    handed_over: bool
    stuck: int
    """How often it was taken over since its last frame: a high number means it kills its pods."""


class Streams(Protocol):
    """What the API asks of a stream of frames, in memory or in Redis. All may raise StreamsDown."""

    async def claim(
        self, session_id: str, answer_id: str, *, task: str = "", ref: str | None = None
    ) -> Claim:
        """Begin an answer, or take it over; remembers it as one of the session's.

        `task` is handed to whoever takes over. `ref` is the client's own name for its question: a
        second question of the same name raises `AlreadyAsked`.
        """

    async def append(self, claim: Claim, seq: int, frame: str, *, last: bool = False) -> None:
        """Add one frame; the same number again changes nothing. Raises Fenced.

        The `last` frame ends the claim with it.
        """

    async def renew(self, claims: Sequence[Claim]) -> set[Claim]:
        """Hold the claims for another lease; returns those that are somebody else's, or let go."""

    async def release(self, claims: Sequence[Claim]) -> None:
        """Let go of the claims, so that another pod goes on at once."""

    async def orphans(self, most: int) -> list[Orphan]:
        """Take over answers whose lease is over, at most so many."""

    async def answers_of(self, session_id: str) -> list[str]:
        """Return the session's answers that are still kept, oldest first."""

    async def newest(self, answer_id: str) -> tuple[int, bool]:
        """Return the newest frame's number (0 = there is none), and if it is the last."""

    def follow(
        self, answer_id: str, after: int, *, live: bool
    ) -> AsyncGenerator[tuple[int, str], None]:
        """Yield (number, frame) after a number, in order; `live` = go on until cancelled.

        Raises StreamsDown when they can't be read (follow again from the last number seen) and
        HistoryGone when the next one is not kept any more.
        """

    async def run(self) -> None:
        """Serve followers until cancelled."""


@dataclass
class _Answer:
    token: int = 0
    frames: list[str] = field(default_factory=list)
    ended: bool = False
    grown: asyncio.Event = field(default_factory=asyncio.Event)


class MemoryStreams:
    """All in this process: `make dev`, unit tests, and a refuge while Redis is away."""

    def __init__(self, max_answers: int = 1000) -> None:
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self._sessions: OrderedDict[str, list[str]] = OrderedDict()
        self._refs: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._max = max_answers

    async def claim(
        self,
        session_id: str,
        answer_id: str,
        *,
        task: str = "",  # noqa: ARG002 there is nobody to hand it to
        ref: str | None = None,
    ) -> Claim:
        """See `Streams`."""
        if ref is not None:
            known = self._refs.setdefault((session_id, ref), answer_id)
            if known != answer_id:
                raise AlreadyAsked(known)
        found = self._answers.setdefault(answer_id, _Answer())
        found.token += 1
        mine = self._sessions.setdefault(session_id, [])
        if answer_id not in mine:
            mine.append(answer_id)
            del mine[:-MAX_ANSWERS]
        for oldest in (self._answers, self._sessions, self._refs):
            while len(oldest) > self._max:
                oldest.popitem(last=False)
        return Claim(answer_id, found.token, len(found.frames) + 1, shared=False)

    async def append(self, claim: Claim, seq: int, frame: str, *, last: bool = False) -> None:
        """See `Streams`."""
        found = self._answers.get(claim.answer_id)
        if found is None or found.token != claim.token:
            raise Fenced(claim.answer_id)
        if seq <= len(found.frames):
            return
        found.frames.append(frame)
        found.ended = last
        found.grown.set()
        found.grown = asyncio.Event()

    async def renew(self, claims: Sequence[Claim]) -> set[Claim]:
        """See `Streams`."""
        held = ((claim, self._answers.get(claim.answer_id)) for claim in claims)
        return {c for c, found in held if found is None or found.token != c.token}

    async def release(self, claims: Sequence[Claim]) -> None:
        """See `Streams`: nobody else could go on."""

    async def orphans(self, most: int) -> list[Orphan]:  # noqa: ARG002
        """See `Streams`: an answer here dies with its process."""
        return []

    async def newest(self, answer_id: str) -> tuple[int, bool]:
        """See `Streams`."""
        found = self._answers.get(answer_id, _Answer())
        return len(found.frames), found.ended

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

    async def claim(
        self, session_id: str, answer_id: str, *, task: str = "", ref: str | None = None
    ) -> Claim:
        """See `Streams`; never raises StreamsDown."""
        try:
            return await self._primary.claim(session_id, answer_id, task=task, ref=ref)
        except StreamsDown:
            return await self._refuge.claim(session_id, answer_id, task=task, ref=ref)

    async def append(self, claim: Claim, seq: int, frame: str, *, last: bool = False) -> None:
        """See `Streams`."""
        await self._home(claim.answer_id).append(claim, seq, frame, last=last)

    async def renew(self, claims: Sequence[Claim]) -> set[Claim]:
        """See `Streams`."""
        here = await self._refuge.renew([claim for claim in claims if not claim.shared])
        return here | await self._primary.renew([claim for claim in claims if claim.shared])

    async def release(self, claims: Sequence[Claim]) -> None:
        """See `Streams`."""
        await self._primary.release([claim for claim in claims if claim.shared])

    async def orphans(self, most: int) -> list[Orphan]:
        """See `Streams`."""
        return await self._primary.orphans(most)

    async def newest(self, answer_id: str) -> tuple[int, bool]:
        """See `Streams`."""
        return await self._home(answer_id).newest(answer_id)

    async def answers_of(self, session_id: str) -> list[str]:
        """See `Streams`: what can be reached of both; StreamsDown if that is nothing."""
        here = await self._refuge.answers_of(session_id)
        try:
            return [*await self._primary.answers_of(session_id), *here]
        except StreamsDown:
            if not here:
                raise
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
