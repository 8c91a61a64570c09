"""What does the operator answer over HTTP? Is it alive, is it ready, and what has it counted?"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import prometheus_client
from aiohttp import web
from prometheus_client.registry import Collector

from hscjit_operator import metrics

PASSES_END_WITHIN_S: Final = 120.0
"""An idle HSCJit gets a pass every half minute, and so does the operator without any."""
ANSWERS_WITHIN_S: Final = 10.0
"""The API server is asked for the Lease every second and a half: its silence is soon heard."""


@dataclass(frozen=True)
class Vitals:
    """Where the answers come from."""

    clock: Callable[[], float]
    """Monotonic seconds."""
    last_pass: Callable[[], float]
    """When a pass last ended, on that clock."""
    answered: Callable[[], float]
    """When the API server last answered, on that clock."""
    refused: Callable[[], str]
    """Why the Lease may not be had, empty while it may."""
    dead_watches: Callable[[], list[str]]
    """Kinds whose watch ended for good: only a new process watches them again."""
    missing_watches: Callable[[], list[str]]
    """Kinds that are not watched at the moment."""
    refused_watches: Callable[[], list[str]]
    """What of it may not be watched: verb, kind and the API server's words."""
    standing: Collector
    """How the HSCJits stand."""
    targets: Callable[[], list[dict[str, Any]]]
    """Whom a Prometheus may scrape."""


def application(vitals: Vitals) -> web.Application:
    """Return the web application."""

    async def healthz(_request: web.Request) -> web.Response:
        silent = vitals.clock() - vitals.last_pass()
        if silent > PASSES_END_WITHIN_S:
            return _no(f"No pass ended for {silent:.0f} s")
        dead = vitals.dead_watches()
        return _no(f"Dead watches: {', '.join(dead)}") if dead else web.Response(text="ok")

    async def readyz(_request: web.Request) -> web.Response:
        # Who stands by is ready, too: a rollout goes on, and the other may go.
        missing = vitals.missing_watches()
        if missing:
            why = "".join(f"; {said}" for said in vitals.refused_watches())
            return _no(f"Not watching: {', '.join(missing)}{why}")
        silent = vitals.clock() - vitals.answered()
        if silent > ANSWERS_WITHIN_S:
            return _no(f"No answer from the API server for {silent:.0f} s")
        refused = vitals.refused()
        return _no(f"May not use its Lease: {refused}") if refused else web.Response(text="ok")

    async def numbers(_request: web.Request) -> web.Response:
        vitals.missing_watches()  # sets its gauge
        # A thousand HSCJits have megabytes of series: the loop has better things to do meanwhile.
        text = await asyncio.to_thread(_render, vitals.standing)
        return web.Response(
            body=text, headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST}
        )

    async def targets(_request: web.Request) -> web.Response:
        return web.json_response(vitals.targets())

    app = web.Application()
    app.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", numbers),
            web.get("/targets", targets),
        ]
    )
    return app


def _render(standing: Collector) -> bytes:
    registry = prometheus_client.CollectorRegistry()
    registry.register(standing)
    found = (prometheus_client.generate_latest(part) for part in (metrics.REGISTRY, registry))
    return b"".join(found)


def _no(why: str) -> web.Response:
    return web.Response(status=503, text=why)
