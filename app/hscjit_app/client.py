"""A small client of the protocol, for programs: predictions, and answers as they are written.

    async with await Client.connect("http://localhost:8000") as client:
        found = await client.predict("rolnd td17")
        async for frame in client.ask("how do I set the kick?", found[0]["product"]["id"]):
            print(frame.get("content", ""), end="")

An answer survives the loss of its socket: the client connects again (to any pod) and goes on after
the last frame it saw; a question that may not have arrived is asked again under the same name, and
answered once. One question at a time; predictions may be asked for in between answers.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from itertools import cycle
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException

from hscjit_app.ws.protocol import LAST_FRAMES, MAX_MESSAGE_BYTES, VERSION

Frame = dict[str, Any]

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


class Refused(Exception):
    """The server said no; `code`, `retry_after` as in its `error` frame.

    `resync_required`: the rest of this answer can't be had any more; it may be asked again.
    """

    def __init__(self, frame: Frame) -> None:
        self.code: str = frame["code"] if "code" in frame else frame["type"]
        super().__init__(f"{self.code}: {frame['message']}")
        self.retry_after: float | None = frame.get("retry_after")


class Client:
    """One conversation."""

    def __init__(self, urls: Sequence[str], reconnect_s: float) -> None:
        self._urls = cycle(urls)
        self._reconnect_s = reconnect_s
        self._socket: ClientConnection | None = None
        self.session: str | None = None
        """The conversation's secret, once connected."""
        self.last_id: str | None = None
        """The last durable frame seen: where a new connection goes on."""
        self.reconnects = 0

    @classmethod
    async def connect(
        cls,
        url: str | Sequence[str],
        *,
        session: str | None = None,
        last_id: str | None = None,
        reconnect_s: float = 30.0,
    ) -> Self:
        """Open a conversation; `url` is the page's address, or several that are tried in turns.

        With the `session` and `last_id` of an earlier client its conversation goes on, and
        `follow` gives the frames it had not seen. Raises OSError or WebSocketException when the
        server can't be reached, and `Refused` (`unknown_version`) when it speaks another version of
        the protocol.
        """
        urls = [url] if isinstance(url, str) else url
        client = cls([_socket_url(one) for one in urls], reconnect_s)
        client.session, client.last_id = session, last_id
        await client._open()
        return client

    async def predict(self, text: str, timeout_s: float = 5.0) -> list[Frame]:
        """Return the candidates for unfinished text, best first."""
        async with asyncio.timeout(timeout_s):
            while True:
                await self._send({"type": "typing", "content": text})
                try:
                    while True:
                        frame = await self._receive()
                        if frame["type"] == "prediction" and frame["content"] == text:
                            data: list[Frame] = frame["data"]
                            return data
                        _raise_refusal(frame)
                except ConnectionClosed:
                    await self._reopen()

    async def ask(
        self, question: str, product_id: str | None = None, timeout_s: float = 60.0
    ) -> AsyncIterator[Frame]:
        """Yield every frame of the answer, each once, up to `answer_done` or its error."""
        message: Frame = {"type": "query", "query": question, "ref": uuid.uuid4().hex}
        if product_id is not None:
            message["product_id"] = product_id
        async with asyncio.timeout(timeout_s):
            await self._send(message)
            async for frame in self._answer_frames(message):
                yield frame

    async def follow(self, timeout_s: float = 60.0) -> AsyncIterator[Frame]:
        """Yield the rest of an answer begun by an earlier client of this session."""
        async with asyncio.timeout(timeout_s):
            async for frame in self._answer_frames(None):
                yield frame

    async def _answer_frames(self, question: Frame | None) -> AsyncIterator[Frame]:
        """Yield one answer's frames: the one to this question, else whichever comes first."""
        answer_id: str | None = None
        while True:
            try:
                frame = await self._receive()
            except ConnectionClosed:
                await self._reopen()
                if answer_id is None and question is not None:  # it may never have arrived
                    await self._send(question)
                continue
            if frame["type"] == "resync_required":
                if answer_id is not None and frame.get("id", answer_id) == answer_id:
                    raise Refused(frame)
                continue
            if "id" not in frame:
                if frame.get("code") == "moving":  # the socket closes, and another pod is asked
                    continue
                _raise_refusal(frame)
                continue
            if answer_id is None and (question is None or frame.get("ref") == question["ref"]):
                answer_id = frame["id"]
            if frame["id"] == answer_id:
                yield frame
                if frame["type"] in LAST_FRAMES:
                    return

    async def answer(self, question: str, product_id: str | None = None) -> tuple[str, list[Frame]]:
        """Return an answer's whole text and its sources; raises `Refused` if there is none."""
        text, sources = "", []
        async for frame in self.ask(question, product_id):
            match frame["type"]:
                case "answer_chunk":
                    text += frame["content"]
                case "answer_restart":
                    text = ""
                case "context":
                    sources = frame["sources"]
                case "error":
                    raise Refused(frame)
        return text, sources

    async def close(self) -> None:
        """Close the socket; the conversation stays."""
        if self._socket is not None:
            await self._socket.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _open(self) -> None:
        socket = await connect(
            next(self._urls), compression=None, max_size=4 * MAX_MESSAGE_BYTES, open_timeout=5
        )
        self._socket = socket
        hello: Frame = {"type": "hello", "version": VERSION}
        if self.session is not None:
            hello["session"] = self.session
        if self.last_id is not None:
            hello["last_id"] = self.last_id
        try:
            await socket.send(json.dumps(hello))  # here a loss is the caller's to mend
            frame = await self._receive()
            while frame["type"] != "welcome":
                _raise_refusal(frame)
                frame = await self._receive()
            _raise_other_version(frame)
        except Refused:
            await socket.close()
            raise
        self.session = frame["session"]

    async def _reopen(self) -> None:
        """Connect again until it works; gives up after `reconnect_s` with the last error."""
        self.reconnects += 1
        pause = _FIRST_PAUSE_S
        give_up = asyncio.get_running_loop().time() + self._reconnect_s
        while True:
            try:
                await self._open()
            except (OSError, WebSocketException, InvalidHandshake, TimeoutError):
                if asyncio.get_running_loop().time() > give_up:
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            else:
                return

    async def _send(self, message: Frame) -> None:
        if self._socket is None:
            raise RuntimeError("Client.connect was not awaited")
        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed:
            await self._reopen()
            await self._socket.send(json.dumps(message))

    async def _receive(self) -> Frame:
        if self._socket is None:
            raise RuntimeError("Client.connect was not awaited")
        frame: Frame = json.loads(await self._socket.recv())
        if "seq" in frame:
            self.last_id = f"{frame['id']}.{frame['seq']}"
        return frame


def _socket_url(url: str) -> str:
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    return f"{scheme}://{parts.netloc}/ws"


def _raise_refusal(frame: Frame) -> None:
    if frame["type"] == "error" and "id" not in frame:
        raise Refused(frame)


def _raise_other_version(welcome: Frame) -> None:
    spoken = welcome.get("version", 1)
    if spoken != VERSION:
        message = f"The server speaks version {spoken} of the protocol, this client {VERSION}"
        raise Refused({"code": "unknown_version", "message": message})
