"""What does the operator answer over HTTP? Is it alive, is it ready, and what has it counted?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import prometheus_client
from aiohttp import web

from hscjit_operator import metrics

PASSES_END_WITHIN_S: Final = 120.0
"""An idle HSCJit gets a pass every half minute, and so does the operator without any."""


@dataclass(frozen=True)
class Vitals:
    """Where the answers come from."""

    clock: Callable[[], float]
    """Monotonic seconds."""
    last_pass: Callable[[], float]
    """When a pass last ended, on that clock."""
    dead_watches: Callable[[], list[str]]
    """Kinds whose watch ended for good: only a new process watches them again."""
    missing_watches: Callable[[], list[str]]
    """Kinds that are not watched at the moment."""


def application(vitals: Vitals) -> web.Application:
    """Return the web application."""

    async def healthz(_request: web.Request) -> web.Response:
        silent = vitals.clock() - vitals.last_pass()
        if silent > PASSES_END_WITHIN_S:
            return _no(f"No pass ended for {silent:.0f} s")
        dead = vitals.dead_watches()
        return _no(f"Dead watches: {', '.join(dead)}") if dead else web.Response(text="ok")

    async def readyz(_request: web.Request) -> web.Response:
        missing = vitals.missing_watches()
        return _no(f"Not watching: {', '.join(missing)}") if missing else web.Response(text="ok")

    async def numbers(_request: web.Request) -> web.Response:
        vitals.missing_watches()  # sets its gauge
        text = prometheus_client.generate_latest(metrics.REGISTRY)
        return web.Response(
            body=text, headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST}
        )

    app = web.Application()
    app.add_routes(
        [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", numbers)]
    )
    return app


def _no(why: str) -> web.Response:
    return web.Response(status=503, text=why)
