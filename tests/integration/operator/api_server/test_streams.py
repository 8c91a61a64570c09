"""Streams that end, go silent or never begin: what changed meanwhile is followed up all the same.

Each story disturbs a settled HSCJit's operator by way of a proxy, changes something meanwhile, and
then wants that to be followed up. How often the operator asked is bounded.
"""

import asyncio
import time
from typing import Any

import pytest
from tests.cluster import binaries, control_plane
from tests.integration.operator.api_server.story import GONE, KINDS, disturbed
from tests.integration.operator.proxy import proxy, status
from tests.integration.operator.user import User
from tests.integration.operator.world import World, front_door, operator, session

from hscjit_operator import handlers

ENDS: dict[str, dict[str, Any] | None] = {
    "closed": None,
    "410 in mid-stream": GONE,
    "500 in mid-stream": {"type": "ERROR", "object": {"code": 500, "message": "etcd"}},
    "429 in mid-stream": {"type": "ERROR", "object": {"code": 429, "message": "re-initializing"}},
}


async def test_streams_that_end(world: World, subtests: pytest.Subtests):
    async with disturbed(world) as story:
        for case, last_words in ENDS.items():
            with subtests.test(case):
                await story.change()
                story.way.end_streams(last_words)
                await story.until_right()
                assert story.watches <= 3 * KINDS

        with subtests.test("as soon as they begin"):
            await story.change()
            while time.monotonic() - story.began < 6.0:
                story.way.end_streams()
                await asyncio.sleep(0.02)
            assert KINDS < story.watches <= 8 * KINDS
            await story.until_right()


async def test_a_stream_that_goes_silent(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(handlers, "SILENCE_S", 8.0)
    async with disturbed(world) as story:
        story.way.stall()
        await story.change()
        await asyncio.sleep(1.0)
        before = (await story.world.status())["observedGeneration"]
        assert before == 1, "nothing was held back"

        await story.until_right()
        assert story.watches <= 10 * KINDS


async def test_an_api_server_that_restarts():
    """A real one, with the same store: its watches break, its cache is new."""
    found = binaries.control_plane_binaries()
    with control_plane.control_plane(found) as server:
        user = await asyncio.to_thread(User(server).with_schema)
        metadata = {"metadata": {"name": "restarts"}}
        await asyncio.to_thread(user.call, "POST", "/api/v1/namespaces", metadata)
        async with session(user) as connections:
            world = World(user, connections, "restarts")
            async with front_door(world), disturbed(world) as story:
                await asyncio.to_thread(server.restart)

                await story.change()
                await story.until_right()


@pytest.mark.parametrize(("watching", "verb"), [(False, "LIST"), (True, "WATCH")])
async def test_a_kind_that_may_not_be_seen_is_named_and_its_children_left_alone(
    world: World, watching: bool, verb: str
):
    async with proxy(world.user.server) as way:
        way.rule = lambda call: (
            status(403, "Forbidden")
            if call.path.endswith("/deployments") and call.watch is watching
            else None
        )
        async with operator(world, via=way.url):
            await world.create()
            told = await world.until_condition("Degraded", "Forbidden", "True")
            assert f"{verb} Deployment is forbidden: made up" in told["message"]
            assert (await world.condition("Ready"))["status"] == "Unknown"
            assert await world.children() == {}

            way.rule = lambda _call: None
            await world.end_job(await world.job("mig"))
            await world.start()
