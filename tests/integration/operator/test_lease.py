"""Two operators, one acts: whatever happens to the one, the other, the Lease and the way there."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.integration.operator.process import Running, running
from tests.integration.operator.proxy import Proxy, kubeconfig, proxy
from tests.integration.operator.world import World

from hscjit_operator.cluster.kinds import LEASE

START_S = 60.0
"""Two processes begin, perhaps on a busy machine."""
TAKEN_OVER_S = 15.0
"""Promised from the leader's end to the other's first act."""


@dataclass
class Pair:
    """Two operators for one namespace, each with a way of its own to the API server."""

    world: World
    ways: dict[str, Proxy]
    runs: dict[str, Running]

    async def lease(self) -> dict[str, Any]:
        """Return the Lease's spec."""
        body = await self.world.call("GET", LEASE.path(self.world.namespace, "hscjit-operator"))
        return dict(body["spec"])

    async def leader(self) -> str:
        """Wait until one of them holds the Lease; return its name."""

        async def held() -> str:
            with contextlib.suppress(Exception):
                return str((await self.lease()).get("holderIdentity") or "").rpartition("_")[0]
            return ""

        return str(await self.world.until(held, START_S))

    def other(self, name: str) -> str:
        """Return the other one's name."""
        return next(found for found in self.runs if found != name)

    def writes(self, name: str, since: float) -> list[str]:
        """Return what one of them asked to be changed since an instant, but for the Lease."""
        return [f"{c.method} {c.path}" for c in self.ways[name].since(since) if c.writes]

    async def ask(self, name: str, path: str) -> tuple[int, str]:
        """Ask one of them over HTTP."""
        url = f"http://127.0.0.1:{self.runs[name].port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()

    async def acts(self, name: str, within_s: float = TAKEN_OVER_S) -> float:
        """Take a child away until this one has brought it back; return when that was."""
        deleted = await self.world.get("Service", "api")
        await self.world.delete("Service", f"{self.world.name}-api")

        async def back() -> bool:
            found = await self.world.get("Service", "api")
            return found is not None and found["metadata"]["uid"] != deleted["metadata"]["uid"]

        begun = time.monotonic()
        await self.world.until(back, within_s)
        assert self.writes(name, begun)
        return time.monotonic()

    def no_traceback(self) -> None:
        """Fail if one of them logged an exception."""
        for run in self.runs.values():
            assert "Traceback" not in run.told, run.told


@pytest.fixture
async def pair(world: World, tmp_path: Path) -> AsyncIterator[Pair]:
    """Two operators of which one leads, and a settled HSCJit."""
    server = world.user.server
    async with contextlib.AsyncExitStack() as stack:
        made = Pair(world, {}, {})
        for name in ("one", "two"):
            way = made.ways[name] = await stack.enter_async_context(proxy(server))
            made.runs[name] = stack.enter_context(
                running(
                    name,
                    tmp_path,
                    kubeconfig=kubeconfig(tmp_path, way.url, server.token),
                    namespace=world.namespace,
                    door=world.door,
                )
            )
        await made.leader()
        await world.settle()
        for name in made.runs:
            await ready(made, name)
        await world.calm()
        yield made
        made.no_traceback()


async def ready(pair: Pair, name: str) -> None:
    async def said() -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            return (await pair.ask(name, "/readyz"))[0] == 200
        return False

    await pair.world.until(said, START_S)


async def until(what: Callable[[], bool], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_one_acts_and_the_other_is_warm_and_takes_over_when_it_is_killed(pair: Pair):
    leader = await pair.leader()
    other = pair.other(leader)

    await pair.acts(leader)

    assert pair.writes(other, 0.0) == []
    kinds = {call.path.rpartition("/")[2] for call in pair.ways[other].calls if call.watch}
    assert {"hscjits", "deployments", "pods"} <= kinds
    for name, leads in ((leader, "1.0"), (other, "0.0")):
        assert (await pair.ask(name, "/healthz"))[0] == 200
        assert f"hscjit_operator_leader {leads}" in (await pair.ask(name, "/metrics"))[1]
        assert "hscjit_operator_objects 1.0" in (await pair.ask(name, "/metrics"))[1]
    began = time.monotonic()
    await asyncio.sleep(3.0)
    assert {c.method for c in pair.ways[other].since(began) if not c.watch} == {"GET"}

    killed = time.monotonic()
    pair.runs[leader].send(signal.SIGKILL)

    took = await pair.acts(other) - killed

    assert took <= TAKEN_OVER_S
    # Nothing was restarted: the other wrote what was taken away, and what it had to tell of it.
    written = pair.writes(other, killed)
    assert not [call for call in written if "/deployments/" in call or "/statefulsets/" in call]


async def test_a_process_that_was_held_does_not_write_when_it_goes_on(pair: Pair):
    leader = await pair.leader()
    other = pair.other(leader)
    pair.runs[leader].send(signal.SIGSTOP)
    held = time.monotonic()
    await pair.acts(other)
    # Something that both will want to mend.
    await pair.world.change({"network": {"allowedOrigins": ["https://shop.example.com"]}})
    await asyncio.sleep(max(20.0 - (time.monotonic() - held), 0.0))

    gone_on = time.monotonic()
    pair.runs[leader].send(signal.SIGCONT)
    await until(lambda: '"Standing by"' in pair.runs[leader].told, 10.0)
    await asyncio.sleep(3.0)

    assert pair.writes(leader, gone_on) == []
    assert await pair.leader() == other


async def test_eight_seconds_without_an_api_server_and_an_orderly_end(pair: Pair):
    """Longer than the renew deadline: it stops writing; shorter than the Lease: none took over."""
    leader = await pair.leader()
    way = pair.ways[leader]
    await way.down()
    cut = time.monotonic()
    await pair.world.change({"network": {"allowedOrigins": ["https://shop.example.com"]}})
    await asyncio.sleep(8.0)
    assert '"Standing by"' in pair.runs[leader].told
    await way.up()

    # One of them, and it is all the same which one, has the new spec in place soon.
    async def told() -> bool:
        return (await pair.world.condition("SpecValid")).get("observedGeneration") == 2

    await pair.world.until(told, TAKEN_OVER_S)
    await ready(pair, leader)
    acting = await pair.leader()
    assert pair.writes(pair.other(acting), cut) == []

    # A pod that is told to stop lets go at once.
    await pair.runs[acting].end()
    stopped = time.monotonic()

    await pair.acts(pair.other(acting), within_s=5.0)

    assert pair.writes(acting, stopped) == []


async def test_what_hands_do_to_clock_and_lease(pair: Pair):
    leader = await pair.leader()
    for run in pair.runs.values():
        run.send(signal.SIGUSR1)
        await asyncio.sleep(2.5)
        assert await pair.leader() == leader
    renewed = (await pair.lease())["renewTime"]
    assert renewed > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3000))

    path = LEASE.path(pair.world.namespace, "hscjit-operator")
    await pair.world.call("DELETE", path)

    assert await pair.leader() == leader
    await pair.acts(leader)
    assert pair.writes(pair.other(leader), 0.0) == []

    # Given to somebody else, it is respected while it lasts.
    stolen = {"spec": {"holderIdentity": "somebody_else"}}
    await pair.world.call("PATCH", path, stolen, "application/merge-patch+json")
    at = time.monotonic()
    await until(lambda: '"Standing by"' in pair.runs[leader].told, 5.0)
    ceased = time.monotonic()

    await asyncio.sleep(max(9.0 - (time.monotonic() - at), 0.0))
    assert pair.writes("one", ceased) + pair.writes("two", ceased) == []
    assert (await pair.lease())["holderIdentity"] == "somebody_else"

    async def ours() -> bool:
        return (await pair.lease())["holderIdentity"] != "somebody_else"

    await pair.world.until(ours, TAKEN_OVER_S)
    acting = await pair.leader()
    await pair.acts(acting)
