"""A settled HSCJit whose operator can be disturbed on its way to the API server."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.integration.operator.proxy import Proxy, proxy
from tests.integration.operator.world import World, operator

from hscjit_operator.cluster.kinds import WATCHED

KINDS = len(WATCHED) + 1
"""Watched kinds; each is a stream of its own."""
GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}


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
