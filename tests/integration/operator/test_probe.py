"""The probe against real servers: healthy, slow, hung, garbled, endless; always in time."""

import asyncio
import gzip
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, closing, suppress

import pytest
from aiohttp import web

from hscjit_operator import names
from hscjit_operator.cluster.probe import LATE_S, MAX_PAGE, Probe
from hscjit_operator.model.autopilot import PodRef

PAGE = b"# HELP inflight_requests Now.\ninflight_requests 3.0\n"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pod(number: int, component: str = names.API) -> PodRef:
    """Return a pod whose address is one of this machine's own."""
    return PodRef(f"p{number}", f"u{number}", component, ip=f"127.0.0.{number}", ready=True)


async def fine(_request: web.Request) -> web.Response:
    return web.Response(body=PAGE)


async def ok(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def never(_request: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    return web.Response()


def after(seconds: float) -> Handler:
    async def late(request: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return await ok(request)

    return late


def answering(status: int = 200, body: bytes = PAGE, **headers: str) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    return answer


async def chunked(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    for at in range(0, len(PAGE), 7):
        await response.write(PAGE[at : at + 7])
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    with suppress(ConnectionResetError):  # whoever asked has hung up
        while True:
            await response.write(PAGE * 1000)
    return response


class Street:
    """Servers on one port of many loopback addresses, as pods are."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.port = free_port()
        self.callers: set[object] = set()
        """Addresses that requests came from: one a connection."""
        self._stack = stack

    async def open(self, number: int, metrics: Handler = fine, health: Handler = ok) -> PodRef:
        """Start a pod's server."""

        @web.middleware
        async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
            assert request.transport is not None
            self.callers.add(request.transport.get_extra_info("peername"))
            return await handler(request)

        app = web.Application(middlewares=[note])
        app.router.add_get("/metrics", metrics)
        app.router.add_get("/health", health)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.01
        )
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, f"127.0.0.{number}", self.port).start()
        return pod(number)

    def listen(self, number: int) -> PodRef:
        """Open a door behind which nobody lives: connections are made, nothing is answered."""
        door = socket.create_server((f"127.0.0.{number}", self.port), backlog=64)
        self._stack.callback(door.close)
        return pod(number)

    async def say(self, number: int, text: bytes) -> PodRef:
        """Answer every connection with the same bytes, whatever it asks."""

        async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(text)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, f"127.0.0.{number}", self.port)
        self._stack.callback(server.close)
        return pod(number)

    def probe(self, budget_s: float = 0.4) -> Probe:
        return Probe({names.API: self.port}, budget_s)


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    async with AsyncExitStack() as stack:
        yield Street(stack)


async def test_a_healthy_pod_is_heard_over_two_connections_however_often(street: Street) -> None:
    healthy = await street.open(1)
    async with street.probe() as probe:
        for _ in range(20):
            heard = await probe.ask([healthy])
            sample = heard.samples[healthy.uid]
            assert sample.alive
            assert sample.metrics is not None
            assert sample.metrics.inflight == 3

    assert heard.trusted
    assert len(street.callers) == 2


ANSWERS = {
    # what /metrics and /health do: whether numbers and life are heard
    "both answer": (fine, ok, True, True),
    "in chunks": (chunked, ok, True, True),
    "metrics never": (never, ok, False, True),
    "metrics fail": (answering(500), ok, False, True),
    "metrics elsewhere": (answering(302, Location="/health"), ok, False, True),
    "garbage": (answering(body=bytes(range(256)) * 40), ok, False, True),
    "an empty page": (answering(body=b""), ok, False, True),
    "an endless page": (endless, ok, False, True),
    "a page too long": (answering(body=PAGE + b"#" * MAX_PAGE), ok, False, True),
    "packed": (
        answering(body=gzip.compress(PAGE), **{"Content-Encoding": "gzip"}),
        ok,
        False,
        True,
    ),
    "health fails": (fine, answering(503), True, False),
    "health endless": (fine, endless, True, False),
    "neither": (never, never, False, False),
}


@pytest.mark.parametrize(("metrics", "health", "numbers", "life"), ANSWERS.values(), ids=ANSWERS)
async def test_what_a_pod_answers(
    street: Street, metrics: Handler, health: Handler, numbers: bool, life: bool
) -> None:
    asked = await street.open(1, metrics, health)
    async with street.probe() as probe:
        for _ in range(5):  # ticks: on a busy machine an answer may miss one
            sample = (await probe.ask([asked])).samples[asked.uid]
            found = (sample.metrics is not None, sample.alive)
            if found == (numbers, life):
                break
    assert found == (numbers, life)


async def test_one_that_hangs_and_one_that_is_gone_hold_nobody_up(street: Street) -> None:
    healthy = await street.open(1)
    hung, gone = street.listen(2), pod(3)
    babbling = await street.say(4, b"\x00\xff not HTTP at all\r\n\r\n")
    async with street.probe() as probe:
        took = []
        for _ in range(3):
            begun = time.monotonic()
            heard = await probe.ask([hung, gone, babbling, healthy])
            took.append(time.monotonic() - begun)
            assert heard.samples[healthy.uid].metrics is not None
            assert all(heard.samples[p.uid].silent for p in (hung, gone, babbling))
    assert min(took) < 0.4 + 0.3  # the budget; the quickest, as the machine may be busy


async def test_a_late_answer_is_a_sign_of_life_for_the_tick_it_comes_in(street: Street) -> None:
    asked = []

    async def late(request: web.Request) -> web.Response:
        asked.append(request)
        return await after(0.7)(request)

    busy = await street.open(1, never, late)
    alive = []
    async with street.probe(budget_s=0.2) as probe:
        while not any(alive) and len(alive) < 20:
            heard = await probe.ask([busy])
            alive.append(heard.samples[busy.uid].alive)
            await asyncio.sleep(0.1)

    assert len(asked) == 1  # heard on its first request, some ticks after it was made
    assert alive[0] is False
    assert alive[-1] is True


async def test_an_answer_that_never_comes_is_given_up_and_asked_anew(street: Street) -> None:
    asked = []

    async def counting(request: web.Request) -> web.Response:
        asked.append(time.monotonic())
        return await never(request)

    hung = await street.open(1, never, counting)
    async with street.probe(budget_s=0.1) as probe:
        deadline = time.monotonic() + LATE_S + 1
        while time.monotonic() < deadline and len(asked) < 2:
            await probe.ask([hung])
            await asyncio.sleep(0.2)

    assert len(asked) == 2
    assert asked[1] - asked[0] >= LATE_S


async def test_a_pod_that_goes_takes_its_pending_request_with_it(street: Street) -> None:
    hung, healthy = street.listen(1), await street.open(2)
    async with street.probe(budget_s=0.1) as probe:
        await probe.ask([hung, healthy])
        heard = await probe.ask([healthy])

    assert heard.samples.keys() == {healthy.uid}


NOT_ASKED = {
    "no address": PodRef("p", "u", names.API),
    "on its way out": PodRef("p", "u", names.API, ip="127.0.0.1", deleting=True),
    "not ours to ask": PodRef("p", "u", names.POSTGRES, ip="127.0.0.1"),
}


@pytest.mark.parametrize("ref", NOT_ASKED.values(), ids=NOT_ASKED)
async def test_who_is_not_asked(street: Street, ref: PodRef) -> None:
    await street.open(1)
    async with street.probe() as probe:
        heard = await probe.ask([ref])

    assert heard.samples == {}
    assert street.callers == set()


async def test_a_loop_that_slept_through_the_round_does_not_trust_it(street: Street) -> None:
    hung = street.listen(1)
    async with street.probe(budget_s=0.1) as probe:
        round_ = asyncio.create_task(probe.ask([hung]))
        await asyncio.sleep(0)
        time.sleep(0.4)  # the operator's own loop is held up
        heard = await round_

    assert not heard.trusted


async def test_a_probe_that_is_not_entered_says_so() -> None:
    with pytest.raises(RuntimeError, match="not entered"):
        await Probe().ask([pod(1)])
