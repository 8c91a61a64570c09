"""The autopilot in real time, over real connections: one of three pods hangs and is replaced."""

import asyncio
import time
from contextlib import AsyncExitStack

from aiohttp import web
from tests.integration.operator.test_probe import free_port

from hscjit_operator import names
from hscjit_operator.autopilot import Pilot
from hscjit_operator.cluster.probe import Probe
from hscjit_operator.model.autopilot import Eviction, PodRef, Subject
from hscjit_operator.model.spec import parse
from hscjit_operator.names import Key

KEY = Key("shop", "x")
PAGE = b"inflight_requests 1\nwebsocket_active_connections 2\nevent_loop_lag_seconds 0.001\n"


class Recorder:
    """An Actuator that notes evictions and when they were asked for."""

    def __init__(self) -> None:
        self.evicted: list[tuple[float, str]] = []
        self.ledger: str | None = None

    async def evict(self, _key: Key, pod: PodRef) -> Eviction:
        self.evicted.append((time.monotonic(), pod.name))
        return Eviction.DONE

    async def tail_logs(self, _key: Key, _pod: PodRef, _lines: int) -> str:
        return "the last words"

    async def scale_api(self, _key: Key, _replicas: int) -> None: ...

    async def mark_costs(self, _key: Key, _costs: object) -> None: ...

    async def event(self, _key: Key, _kind: str, _reason: str, _message: str) -> None: ...

    async def read_ledger(self, _key: Key) -> str | None:
        return self.ledger

    async def write_ledger(self, _key: Key, text: str) -> None:
        self.ledger = text


async def test_a_pod_that_hangs_is_evicted_within_ten_seconds() -> None:
    port, hung = free_port(), asyncio.Event()

    async def serve(stack: AsyncExitStack, number: int) -> None:
        async def answer(request: web.Request) -> web.Response:
            if number == 3 and hung.is_set():
                await asyncio.sleep(3600)  # the connection stands, nothing comes
            return web.Response(body=PAGE if request.path == "/metrics" else b"{}")

        app = web.Application()
        app.router.add_get("/{path}", answer)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.01
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, f"127.0.0.{number}", port).start()

    up = {"ready": True, "started": time.time() - 60, "ready_changed": time.time() - 50}
    pods = tuple(
        PodRef(f"x-api-{n}", f"uid-{n}", names.API, ip=f"127.0.0.{n}", **up) for n in (1, 2, 3)
    )
    metadata = {"name": "x", "namespace": "shop", "uid": "u", "generation": 1}
    hands = Recorder()
    pilot = Pilot(hands, lambda _key: None, probe=Probe({names.API: port}))
    pilot.set_subject(KEY, Subject(parse({"metadata": metadata}), pods))
    async with AsyncExitStack() as stack:
        for number in (1, 2, 3):
            await serve(stack, number)
        flying = asyncio.create_task(pilot.run())
        stack.callback(flying.cancel)
        await asyncio.sleep(2.5)
        assert hands.evicted == []

        hung.set()
        begun = time.monotonic()
        while not hands.ledger and time.monotonic() - begun < 15:
            await asyncio.sleep(0.1)

    [(at, name)] = hands.evicted
    assert name == "x-api-3"
    assert at - begun <= 10
    assert "the last words" in (hands.ledger or "")
