"""The app without a network: its lifespan, requests and sockets as plain calls of its ASGI side."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from hscjit_app.main import create_app
from hscjit_app.settings import Settings
from hscjit_app.tasks import runner

HOST = b"support.example"
HELLO = {"type": "hello", "version": 1}
ASK = {
    "type": "query",
    "query": "how do I set the kick sensitivity?",
    "product_id": "roland-td17kv",
}


@dataclass
class Answer:
    """What a request was answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Refused(Exception):
    """The handshake was answered with something else than a socket."""


class Socket:
    """The client's end of a socket."""

    def __init__(self) -> None:
        self.to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.closed: int | None = None

    def send(self, message: Any) -> None:
        """Send a message as JSON, or text as it is."""
        text = message if isinstance(message, str) else json.dumps(message)
        self.to_app.put_nowait({"type": "websocket.receive", "text": text})

    def send_bytes(self, content: bytes) -> None:
        """Send a binary frame."""
        self.to_app.put_nowait({"type": "websocket.receive", "bytes": content})

    async def receive(self, kind: str | None = None) -> dict[str, Any]:
        """Return the next frame (of this type); a closed socket raises ConnectionError."""
        async with asyncio.timeout(10):
            while True:
                message = await self.from_app.get()
                if message["type"] == "websocket.close":
                    self.closed = message.get("code", 1000)
                    raise ConnectionError(self.closed)
                frame: dict[str, Any] = json.loads(message["text"])
                if kind is None or frame["type"] == kind:
                    return frame

    async def until(self, *kinds: str) -> list[dict[str, Any]]:
        """Return all frames up to the first of these types."""
        frames = [await self.receive()]
        while frames[-1]["type"] not in kinds:
            frames.append(await self.receive())
        return frames

    async def rest(self) -> list[dict[str, Any]]:
        """Return all frames up to the close, whose code is then in `closed`."""
        frames = []
        while self.closed is None:
            with contextlib.suppress(ConnectionError):
                frames.append(await self.receive())
        return frames


class App:
    """A running app."""

    def __init__(self, app: Any, state: dict[str, Any]) -> None:
        self.app = app
        self.state = state

    async def request(
        self, method: str, path: str, *, bearer: str | None = None, body: Any = None
    ) -> Answer:
        """Send one request and return its answer."""
        path, _, query = path.partition("?")
        headers = [(b"host", HOST)]
        if bearer is not None:
            headers.append((b"authorization", f"Bearer {bearer}".encode()))
        content = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            headers.append((b"content-type", b"application/json"))
        sent: list[dict[str, Any]] = []
        waiting = [{"type": "http.request", "body": content}]

        async def receive() -> dict[str, Any]:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(self._scope("http", path, headers, query, method=method), receive, send)
        return Answer(
            sent[0]["status"],
            {k.decode(): v.decode() for k, v in sent[0]["headers"]},
            b"".join(m.get("body", b"") for m in sent[1:]),
        )

    @contextlib.asynccontextmanager
    async def socket(
        self, *, origin: str | None = None, forwarded: str | None = None
    ) -> AsyncIterator[Socket]:
        """Open /ws; leaving closes it as a customer does."""
        headers = [(b"host", HOST)]
        if origin is not None:
            headers.append((b"origin", origin.encode()))
        if forwarded is not None:
            headers.append((b"x-forwarded-for", forwarded.encode()))
        socket = Socket()
        socket.to_app.put_nowait({"type": "websocket.connect"})
        scope = self._scope("websocket", "/ws", headers, subprotocols=[])

        async def send(message: dict[str, Any]) -> None:
            socket.from_app.put_nowait(message)

        task = asyncio.create_task(self.app(scope, socket.to_app.get, send))
        first = await socket.from_app.get()
        if first["type"] != "websocket.accept":
            await task
            raise Refused(first)
        try:
            yield socket
        finally:
            socket.to_app.put_nowait({"type": "websocket.disconnect", "code": 1001})
            await task

    async def conversation(self, *questions: str) -> tuple[str, list[list[dict[str, Any]]]]:
        """Ask one question, or these one by one; return the session and each answer's frames."""
        answers = []
        async with self.socket() as socket:
            socket.send(HELLO)
            session = (await socket.receive("welcome"))["session"]
            for question in questions or (ASK["query"],):
                socket.send({**ASK, "query": question})
                answers.append(await socket.until("answer_done", "error"))
        return session, answers

    def _scope(
        self,
        kind: str,
        path: str,
        headers: list[tuple[bytes, bytes]],
        query: str = "",
        **more: Any,
    ) -> dict[str, Any]:
        return {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "http" if kind == "http" else "ws",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers,
            "client": ("10.1.0.9", 40000),
            "server": ("10.1.0.1", 8000),
            "state": dict(self.state),
            **more,
        }


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[App]:
    """Start the app, wait until it is up, and stop it."""
    app = create_app(settings)
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    state: dict[str, Any] = {}
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}
    task = asyncio.create_task(app(scope, to_app.get, from_app.put))
    to_app.put_nowait({"type": "lifespan.startup"})
    assert (await from_app.get())["type"] == "lifespan.startup.complete"
    forget_engine()  # a task of the app before may have been late
    try:
        yield App(app, state)
    finally:
        to_app.put_nowait({"type": "lifespan.shutdown"})
        assert (await from_app.get())["type"] == "lifespan.shutdown.complete"
        await task
        forget_engine()


def forget_engine() -> None:
    """Tasks keep one engine a process, and each app here has a database of its own."""
    if runner.engine.cache_info().currsize:
        runner.engine().dispose()
        runner.engine.cache_clear()
