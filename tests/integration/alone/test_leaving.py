"""A pod told to leave in the middle of getting an answer to write: it gives that one away too."""

import asyncio
from dataclasses import replace

import pytest

from hscjit_app.answers.stream import MemoryStreams, Orphan
from hscjit_app.ws.answering import Answering
from hscjit_app.ws.writing import Question

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRODUCT = "roland-td17kv"


class Held(MemoryStreams):
    """Claims that others may take over; one call waits until it is told to go on."""

    def __init__(self, held):
        super().__init__()
        self._held = held
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.orphaned = []
        self.released = []

    async def _wait(self, call):
        if call == self._held:
            self.begun.set()
            await self.go_on.wait()

    async def claim(self, *args, **more):
        claim = await super().claim(*args, **more)
        await self._wait("claim")
        return replace(claim, shared=True)

    async def orphans(self, most):
        found, self.orphaned = self.orphaned[:most], self.orphaned[most:]
        await self._wait("orphans")
        return found

    async def follow(self, answer_id, after, *, live):
        await self._wait("follow")
        async for found in super().follow(answer_id, after, live=live):
            yield found

    async def release(self, claims):
        self.released += claims


class NoManual:
    """A manual that does not come."""

    async def ensure_manual(self, *_, **__):
        await asyncio.Event().wait()


@pytest.fixture
def pod(own_app):
    """Return a pod's services and what writes its answers; one call to its streams is held."""

    def make(held):
        services = replace(own_app.state["services"], streams=Held(held), manuals=NoManual())
        return services, Answering(services)

    return make


async def leave(services, answering):
    """Have it leave while the call is held, then let the call go on; returns what was let go."""
    streams = services.streams
    async with asyncio.timeout(5):
        await streams.begun.wait()
        services.draining = True
        leaving = asyncio.create_task(answering.hand_over())
        await asyncio.sleep(0.01)
        streams.go_on.set()
        handed_over = await leaving
    assert handed_over == len(streams.released)
    return [claim.answer_id for claim in streams.released]


@pytest.mark.parametrize("held", ["orphans", "follow"])
async def test_an_answer_that_it_was_taking_over(pod, held):
    services, answering = pod(held)
    session = services.signer.new()
    task = Question(session, "how?", PRODUCT).as_task()
    claim = await services.streams.claim(session.id, "a1", task=task)
    services.streams.orphaned = [Orphan(claim, session.id, task, False, 0)]
    running = asyncio.create_task(answering.run())

    assert await leave(services, answering) == ["a1"]
    running.cancel()
    await asyncio.wait([running])


async def test_an_answer_that_it_was_asked_for(pod):
    services, answering = pod("claim")
    question = Question(services.signer.new(), "how?", PRODUCT)
    begun = asyncio.create_task(answering.begin(question))

    released = await leave(services, answering)
    assert released == [await begun]


async def test_an_answer_that_it_is_asked_for_while_it_leaves(pod):
    services, answering = pod("nothing")
    services.draining = True
    answer_id = await answering.begin(Question(services.signer.new(), "how?", PRODUCT))

    assert [claim.answer_id for claim in services.streams.released] == [answer_id]
    assert await answering.hand_over() == 0


async def test_only_the_writer_whose_claim_is_lost_stops(pod):
    """A pod that hung longer than its lease may take its own answer over."""
    services, answering = pod("follow")
    session = services.signer.new()
    task = Question(session, "how?", PRODUCT).as_task()
    for _ in range(2):
        claim = await services.streams.claim(session.id, "a1", task=task)
        services.streams.orphaned = [Orphan(claim, session.id, task, False, 0)]
        await answering._take_over()
    await answering._hold_claims()

    await asyncio.sleep(0.01)
    assert [held.token for held in answering._tasks.values()] == [claim.token]
    await answering.hand_over()
