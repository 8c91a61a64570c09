"""Every trouble between the operator and the API server: survived, without a hot loop, and right.

Each story disturbs a settled HSCJit's operator by way of a proxy, changes something meanwhile, and
then wants that to be followed up. How often the operator asked is bounded.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.cluster import binaries, control_plane
from tests.integration.operator.proxy import Answer, Proxy, Rule, Silence, proxy, status
from tests.integration.operator.user import User
from tests.integration.operator.world import World, front_door, operator, session

from hscjit_operator import handlers
from hscjit_operator.cluster.kinds import WATCHED

KINDS = len(WATCHED) + 1
"""Watched kinds; each is a stream of its own."""
GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}


@pytest.fixture(autouse=True)
def no_traceback(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing that a network does is worth a traceback."""
    yield
    found = [r for r in caplog.get_records("call") if r.exc_info or r.levelno >= logging.CRITICAL]
    assert [r.getMessage() for r in found if r.name != "aiohttp.server"] == []  # the proxy's own


class Story:
    """A settled HSCJit whose operator reaches the API server through a proxy."""

    def __init__(self, world: World, way: Proxy) -> None:
        self.world = world
        self.way = way
        self._origin = ""
        self._service = ""
        self.began = time.monotonic()

    async def change(self) -> None:
        """Take a child away, ask for something else, and count from now on."""
        self.began = time.monotonic()
        self._origin = f"https://shop-{self.began:.0f}.example.com"
        found = await self.world.get("Service", "api")
        assert found is not None
        self._service = found["metadata"]["uid"]
        await self.world.delete("Service", f"{self.world.name}-api")
        await self.world.change({"network": {"allowedOrigins": [self._origin]}})

    async def until_right(self, within_s: float = 60.0) -> None:
        """Wait until what `change` did is followed up; the way is clear."""
        self.way.rule = lambda _call: None

        async def right() -> bool:
            app = await self.world.app()
            service = await self.world.get("Service", "api")
            config = await self.world.get("ConfigMap", "config")
            return bool(
                app["status"]["observedGeneration"] == app["metadata"]["generation"]
                and service
                and service["metadata"]["uid"] != self._service
                and config
                and self._origin in str(config["data"])
            )

        await self.world.until(right, within_s)

    @property
    def watches(self) -> int:
        """Return how many watches were asked for since the change."""
        return self.way.counted(self.began)["watch"]

    @property
    def reads(self) -> int:
        """Return how many lists and other reads were asked for since the change."""
        return self.way.counted(self.began)["GET"]


@asynccontextmanager
async def disturbed(world: World) -> AsyncIterator[Story]:
    """Run the operator of a settled HSCJit behind a proxy."""
    async with proxy(world.user.server) as way, operator(world, via=way.url):
        await world.settle()
        await world.calm()
        yield Story(world, way)


def to_watches(answer: Answer | Silence) -> Rule:
    return lambda call: answer if call.watch else None


def to_lists(answer: Answer | Silence) -> Rule:
    listed = ("/hscjits", "/deployments", "/services", "/configmaps", "/pods")
    return lambda call: (
        answer if call.method == "GET" and not call.watch and call.path.endswith(listed) else None
    )


def to_writes(answer: Answer) -> Rule:
    return lambda call: answer if call.writes else None


LOGIN = Answer(200, {"Content-Type": "text/html"}, "<html>please log in")


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


REFUSALS: dict[str, Rule] = {
    "410 instead of a stream": to_watches(status(410, "Expired")),
    "404 instead of a stream": to_watches(status(404, "NotFound")),
    "429 with Retry-After": to_watches(status(429, "TooManyRequests", **{"Retry-After": "1"})),
    "429 with a date": to_watches(
        status(429, "TooManyRequests", **{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    ),
    "429 without a pause": to_watches(status(429, "TooManyRequests", **{"Retry-After": "0"})),
    "500": to_watches(status(500, "InternalError")),
    "401": to_watches(status(401, "Unauthorized")),
    "a page to log in": lambda call: LOGIN if call.watch else None,
    "no list: 404, as while the CRD is replaced": to_lists(status(404, "NotFound")),
    "no list: 429": to_lists(status(429, "TooManyRequests", **{"Retry-After": "1"})),
    "no list: 500": to_lists(status(500, "InternalError")),
    "no list: a page to log in": to_lists(LOGIN),
}


async def test_watches_and_lists_that_are_refused(world: World, subtests: pytest.Subtests):
    async with disturbed(world) as story:
        for case, rule in REFUSALS.items():
            with subtests.test(case):
                story.way.rule = rule
                await story.change()
                story.way.end_streams(GONE if "no list" in case else None)
                await asyncio.sleep(3.0)
                assert story.watches + story.reads > 0
                assert story.watches <= 7 * KINDS
                assert story.reads <= 7 * KINDS
                await story.until_right()


WRITES: dict[str, Answer] = {
    "409": status(409, "Conflict"),
    "429 with Retry-After": status(429, "TooManyRequests", **{"Retry-After": "1"}),
    "500": status(500, "InternalError"),
}


async def test_writes_that_are_refused(world: World, subtests: pytest.Subtests):
    async with disturbed(world) as story:
        for case, answer in WRITES.items():
            with subtests.test(case):
                story.way.rule = to_writes(answer)
                await story.change()
                await asyncio.sleep(4.0)
                writes = [call for call in story.way.since(story.began) if call.writes]
                assert 0 < len(writes) <= 60, "a few children, tried again a few times"
                await story.until_right()


async def test_twenty_seconds_of_refused_connections(world: World):
    async with disturbed(world) as story:
        await story.way.down()
        await story.change()
        await asyncio.sleep(20.0)
        back = time.monotonic()
        await story.way.up()

        await story.until_right()
        assert story.way.counted(back)["watch"] <= 3 * KINDS


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
