"""Everything that can go wrong between an operator and its API server, on demand.

An HTTP proxy on 127.0.0.1 in front of a real API server. It notes each call, and does to it what
the test says: answers in the server's place, says nothing, breaks off. Streams are passed on piece
by piece, so that they can be held back, closed, or end with something else.
"""

import asyncio
import contextlib
import json
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from tests.cluster.control_plane import ControlPlane
from tests.cluster.ports import free_ports

_HOP_BY_HOP = {"host", "connection", "transfer-encoding", "content-length", "content-encoding"}


@dataclass(frozen=True)
class Call:
    """One call that came in."""

    at: float
    """Monotonic seconds."""
    method: str
    path: str
    watch: bool

    @property
    def writes(self) -> bool:
        """Tell whether it changes something other than a Lease."""
        return self.method != "GET" and "/leases" not in self.path


@dataclass(frozen=True)
class Answer:
    """What the proxy says in the server's place."""

    code: int
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True)
class Silence:
    """The call is taken and never answered."""


Rule = Callable[[Call], "Answer | Silence | None"]
"""What happens to a call; None: it is passed on."""


def status(code: int, reason: str, **headers: str) -> Answer:
    """Return an answer as the API server would give it."""
    said = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    text = json.dumps({**said, "code": code, "reason": reason, "message": "made up"})
    return Answer(code, {"Content-Type": "application/json", **headers}, text)


@dataclass
class Proxy:
    """A way to the API server that can be disturbed."""

    target: ControlPlane
    url: str = ""
    rule: Rule = lambda _call: None
    impersonate: str = ""
    """Whose rights count in place of who calls."""
    calls: list[Call] = field(default_factory=list)
    _session: aiohttp.ClientSession | None = None
    _runner: web.AppRunner | None = None
    _port: int = 0
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _streams: set[web.StreamResponse] = field(default_factory=set)
    _last_words: bytes = b""
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def up(self) -> None:
        """Listen (again)."""
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._serve)
        # Nobody is waited for at the end: calls that are under way are broken off.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        self._gone = asyncio.Event()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()

    async def down(self) -> None:
        """Break everything off, and refuse connections."""
        self._gone.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def stall(self) -> None:
        """Hold back for good what the present streams would bring; they stay open."""
        self._flowing.clear()
        self._flowing = asyncio.Event()
        self._flowing.set()

    def end_streams(self, last_words: dict[str, Any] | None = None) -> None:
        """End every stream that is open now, after one more event if there is one."""
        self._last_words = b"" if last_words is None else json.dumps(last_words).encode() + b"\n"
        gone, self._gone = self._gone, asyncio.Event()
        gone.set()

    def since(self, at: float) -> list[Call]:
        """Return the calls from an instant on."""
        return [call for call in self.calls if call.at >= at]

    def counted(self, at: float) -> Counter[str]:
        """Return how many watches, lists and other calls there were from an instant on."""
        found: Counter[str] = Counter()
        for call in self.since(at):
            if "/leases" not in call.path:
                found["watch" if call.watch else call.method] += 1
        return found

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        call = Call(
            time.monotonic(), request.method, request.path, request.query.get("watch") == "true"
        )
        self.calls.append(call)
        match self.rule(call):
            case Answer(code, headers, text):
                return web.Response(status=code, headers=headers, text=text)
            case Silence():
                await self._gone.wait()
        return await self._forward(request, call)

    async def _forward(self, request: web.Request, call: Call) -> web.StreamResponse:
        assert self._session is not None
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        if self.impersonate:
            headers["Impersonate-User"] = self.impersonate
        async with self._session.request(
            request.method, self.target.url + request.path_qs, headers=headers,
            data=await request.read() or None,
        ) as answer:  # fmt: skip
            passed = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP}
            if not call.watch:
                text = await answer.read()
                return web.Response(status=answer.status, headers=passed, body=text)
            stream = web.StreamResponse(status=answer.status, headers=passed)
            with contextlib.suppress(ConnectionError):  # who asked has gone already
                await stream.prepare(request)
                await self._pump(answer, stream)
            return stream

    async def _pump(self, answer: aiohttp.ClientResponse, stream: web.StreamResponse) -> None:
        gone = asyncio.ensure_future(self._gone.wait())
        may_flow, whole = self._flowing, True
        try:
            while True:
                piece = asyncio.ensure_future(answer.content.readany())
                await asyncio.wait({piece, gone}, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    piece.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await piece
                    break
                flowing = asyncio.ensure_future(may_flow.wait())
                await asyncio.wait({flowing, gone}, return_when=asyncio.FIRST_COMPLETED)
                flowing.cancel()
                if gone.done() or not piece.result():
                    break
                await stream.write(piece.result())
                whole = piece.result().endswith(b"\n")
            if self._last_words and whole and gone.done():
                await stream.write(self._last_words)
        except (ConnectionError, aiohttp.ClientError):
            pass  # who listened has gone
        finally:
            gone.cancel()


@asynccontextmanager
async def proxy(target: ControlPlane) -> AsyncIterator[Proxy]:
    """Run a proxy in front of an API server, undisturbing at first."""
    made = Proxy(target)
    (made._port,) = free_ports(1)
    made.url = f"http://127.0.0.1:{made._port}"
    made._flowing.set()
    trust = ssl.create_default_context(cafile=str(target.ca_file))
    connector = aiohttp.TCPConnector(limit=0, ssl=trust)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, auto_decompress=False
    ) as made._session:
        await made.up()
        try:
            yield made
        finally:
            await made.down()
    await asyncio.sleep(0.1)  # TLS connections take a moment to say goodbye


def kubeconfig(folder: Path, url: str, token: str) -> Path:
    """Write a kubeconfig that leads through a proxy."""
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
    path = folder / f"kubeconfig-{url.rpartition(':')[2]}"
    path.write_text(json.dumps(whole))
    return path
