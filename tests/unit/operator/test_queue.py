"""Which key gets the next pass, and when: one at a time, new specs first, failures back off."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from hscjit_operator.names import Key
from hscjit_operator.queue import (
    DEBOUNCE_S,
    FIRST_BACKOFF_S,
    LONGEST_BACKOFF_S,
    Outcome,
    Queue,
    Trigger,
)

A, B, C = (Key("shop", name) for name in "abc")
OK, FAILED = Outcome(), Outcome(failed=True)


class Played:
    """A queue whose clock a test turns, and whose passes end as the test says."""

    def __init__(self, in_flight: int = 4) -> None:
        self.now = 100.0
        self.passes: list[tuple[Key, Trigger]] = []
        self.at: list[float] = []
        self.outcome: Callable[[Key], Outcome] = lambda _key: OK
        self.gate: asyncio.Event | None = None
        self.running: list[Key] = []
        self.queue = Queue(
            self._pass, in_flight, 30.0, lambda: self.now, spread=lambda low, high: (low + high) / 2
        )

    async def _pass(self, key: Key, trigger: Trigger) -> Outcome:
        assert key not in self.running
        self.running.append(key)
        self.passes.append((key, trigger))
        self.at.append(self.now)
        if self.gate is not None:
            await self.gate.wait()
        self.running.remove(key)
        return self.outcome(key)

    async def turn(self, seconds: float) -> None:
        """Turn the clock in small steps; each lets what became due start and end."""
        for _ in range(100):
            self.now += seconds / 100
            self.queue._wake.set()
            for _ in range(4):
                await asyncio.sleep(0)


@pytest.fixture
async def played() -> AsyncIterator[Played]:
    made = Played()
    running = asyncio.create_task(made.queue.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_burst_makes_one_pass(played: Played):
    for trigger in (Trigger.CHILD, Trigger.CHILD, Trigger.NEWS):
        played.queue.put(A, trigger)
    await played.turn(DEBOUNCE_S * 2)

    assert played.passes == [(A, Trigger.CHILD)]


async def test_what_comes_during_a_pass_makes_one_more(played: Played):
    played.gate = asyncio.Event()
    played.queue.put(A, Trigger.CHILD)
    await played.turn(1)
    for _ in range(3):
        played.queue.put(A, Trigger.CHILD)
    await played.turn(1)
    assert played.running == [A]

    played.gate.set()
    await played.turn(1)
    assert played.passes == [(A, Trigger.CHILD)] * 2


async def test_new_specs_go_before_resyncs():
    played = Played(in_flight=1)
    played.queue.put(C, Trigger.RESYNC)
    played.queue.put(B, Trigger.CHILD)
    played.queue.put(A, Trigger.SPEC)
    played.now += 1
    running = asyncio.create_task(played.queue.run())
    await played.turn(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert [key for key, _ in played.passes] == [A, B, C]


async def test_an_idle_key_is_resynced(played: Played):
    played.queue.put(A, Trigger.SPEC)
    await played.turn(29)
    assert len(played.passes) == 1
    await played.turn(2)
    assert played.passes[1:] == [(A, Trigger.RESYNC)]


async def test_a_pass_may_ask_to_look_again(played: Played):
    played.outcome = lambda _key: Outcome(check_again_in=5.0)
    played.queue.put(A, Trigger.SPEC)
    await played.turn(4.9)
    assert len(played.passes) == 1
    await played.turn(0.3)
    assert played.passes[1] == (A, Trigger.CHECK)


async def test_what_was_begun_is_ended_before_anything_else_begins():
    played = Played(in_flight=1)
    running = asyncio.create_task(played.queue.run())
    ends = iter([Outcome(acted=True)])
    played.outcome = lambda _key: next(ends, OK)
    played.queue.put(A, Trigger.SPEC)
    played.queue.put(B, Trigger.SPEC)
    await played.turn(DEBOUNCE_S * 4)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert played.passes == [(A, Trigger.SPEC), (A, Trigger.FOLLOW), (B, Trigger.SPEC)]


async def test_a_key_that_fails_waits_longer_each_time(played: Played):
    played.outcome = lambda _key: FAILED
    played.queue.put(A, Trigger.SPEC, 0.0)
    for _ in range(12):
        await played.turn(LONGEST_BACKOFF_S / 2)
    waits = [after - before for before, after in zip(played.at, played.at[1:], strict=False)]

    assert waits[0] < FIRST_BACKOFF_S + 1
    assert waits == sorted(waits)
    assert LONGEST_BACKOFF_S <= waits[-1] < LONGEST_BACKOFF_S + 1


async def test_events_do_not_cut_a_backoff_short_but_a_new_spec_does(played: Played):
    played.outcome = lambda _key: FAILED
    played.queue.put(A, Trigger.CHILD, 0.0)
    for _ in range(6):
        await played.turn(LONGEST_BACKOFF_S)
    before = len(played.passes)

    played.queue.put(A, Trigger.CHILD)
    await played.turn(0.5)
    assert len(played.passes) == before

    played.queue.put(A, Trigger.SPEC)
    await played.turn(0.05)
    assert played.passes[before:] == [(A, Trigger.SPEC)]


async def test_those_that_fail_together_come_back_apart(played: Played):
    asked: list[tuple[float, float]] = []

    def spread(low: float, high: float) -> float:
        asked.append((low, high))
        return low if len(asked) == 1 else high

    played.queue.spread = spread
    played.outcome = lambda _key: FAILED
    played.queue.put(A, Trigger.SPEC)
    played.queue.put(B, Trigger.SPEC)
    await played.turn(DEBOUNCE_S * 2)
    assert asked == [(0.75, 1.25)] * 2

    await played.turn(FIRST_BACKOFF_S)  # past the shorter of the two pauses only
    assert played.passes[2:] == [(A, Trigger.RETRY)]
    await played.turn(FIRST_BACKOFF_S / 2)
    assert (B, Trigger.RETRY) in played.passes


@pytest.mark.parametrize(
    ("trigger", "at_once"), [(Trigger.SPEC, True), (Trigger.CHILD, False), (Trigger.NEWS, False)]
)
async def test_what_comes_while_a_pass_fails_waits_unless_it_is_a_new_spec(
    played: Played, trigger: Trigger, at_once: bool
):
    played.outcome = lambda _key: FAILED
    played.queue.put(A, Trigger.CHILD, 0.0)
    for _ in range(6):
        await played.turn(LONGEST_BACKOFF_S)  # its pauses are long by now
    played.gate = asyncio.Event()
    while not played.running:
        await played.turn(1)
    before = len(played.passes)
    played.queue.put(A, trigger)
    played.gate.set()
    await played.turn(DEBOUNCE_S * 2)

    assert played.passes[before:] == ([(A, trigger)] if at_once else [])


async def test_one_that_fails_does_not_delay_the_others(played: Played):
    played.outcome = lambda key: FAILED if key == A else OK
    played.queue.put(A, Trigger.SPEC)
    await played.turn(1)
    played.queue.put(B, Trigger.SPEC)
    await played.turn(DEBOUNCE_S * 2)

    assert (B, Trigger.SPEC) in played.passes


async def test_a_key_that_is_gone_is_forgotten(played: Played):
    played.outcome = lambda _key: Outcome(gone=True)
    played.queue.put(A, Trigger.SPEC)
    for _ in range(3):
        await played.turn(60)

    assert len(played.passes) == 1
    assert played.queue._records == {}


async def test_cancelled_amid_passes_it_ends():
    played = Played()
    played.gate = asyncio.Event()
    running = asyncio.create_task(played.queue.run())
    played.queue.put(A, Trigger.SPEC, 0.0)
    await played.turn(0.1)
    assert played.running == [A]

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 1)
