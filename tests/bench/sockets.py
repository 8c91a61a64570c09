"""Many customers in one cheap loop: WebSockets by hand, bounded in number and time."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import NamedTuple, Self

_UPGRADE = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_TEXT, _PING, _PONG = 0x81, 0x89, 0x8A
_MEDIUM, _LARGE = 126, 127


def typing(text: str) -> bytes:
    """Return a keystroke's frame; its mask is zero, which leaves the bytes as they are."""
    body = json.dumps({"type": "typing", "content": text}, ensure_ascii=False).encode()
    size = (
        bytes([0x80 | len(body)])
        if len(body) < _MEDIUM
        else bytes([0x80 | _MEDIUM]) + len(body).to_bytes(2, "big")
    )
    return bytes([_TEXT]) + size + b"\0\0\0\0" + body


class Customer:
    """One open socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> Self:
        """Open a socket."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_UPGRADE.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head:
            raise ConnectionError(head.decode())
        return cls(reader, writer)

    async def round_trip(self, frame: bytes) -> bytes:
        """Send a frame and return the next text frame's body."""
        self._writer.write(frame)
        while True:
            kind, size = await self._reader.readexactly(2)
            if size == _MEDIUM:
                size = int.from_bytes(await self._reader.readexactly(2), "big")
            elif size == _LARGE:
                size = int.from_bytes(await self._reader.readexactly(8), "big")
            body = await self._reader.readexactly(size)
            if kind == _TEXT:
                return body
            if kind == _PING:
                self._writer.write(bytes([_PONG, 0x80 | len(body)]) + b"\0\0\0\0" + body)

    def close(self) -> None:
        """Let go."""
        self._writer.close()


async def crowd(port: int, count: int) -> list[Customer]:
    """Open so many sockets."""
    found: list[Customer] = []
    while len(found) < count:
        some = min(50, count - len(found))
        found += await asyncio.gather(*(Customer.connect(port) for _ in range(some)))
    return found


async def burst(customers: Sequence[Customer], frames: Sequence[bytes], each: int) -> int:
    """Let every customer make `each` round trips, as fast as they go; return how many in all."""

    async def type_on(n: int, customer: Customer) -> None:
        for step in range(each):
            answer = await customer.round_trip(frames[(n * each + step) % len(frames)])
            if answer.startswith(b'{"type":"error"'):
                raise ConnectionError(answer.decode())

    async with asyncio.timeout(60):
        await asyncio.gather(*(type_on(n, customer) for n, customer in enumerate(customers)))
    return len(customers) * each


class Paced(NamedTuple):
    """What typing at an even pace was like, in seconds, keystroke by keystroke."""

    delays: list[float]
    """From when a keystroke was due until its answer was read: whatever waited, counts."""
    late: list[float]
    """How much later than due it was written: what of the delay is this client's own."""


async def steady(
    customers: Sequence[Customer], frames: Sequence[bytes], per_s: float, for_s: float
) -> Paced:
    """Type at an even pace over all sockets in turns."""
    paced = Paced([], [])

    async def one(n: int, due: float) -> None:
        paced.late.append(time.perf_counter() - due)
        await customers[n % len(customers)].round_trip(frames[n % len(frames)])
        paced.delays.append(time.perf_counter() - due)

    async with asyncio.timeout(for_s + 30), asyncio.TaskGroup() as group:
        begun = time.perf_counter()
        for n in range(int(per_s * for_s)):
            due = begun + n / per_s
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            group.create_task(one(n, due))
    return paced
