"""Clients that flood, stuff and never read: each gets a clear end, and nobody else notices."""

import asyncio
import contextlib
import json
import re
import time
from statistics import quantiles

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from hscjit_app.client import Client

KEYSTROKE = json.dumps({"type": "typing", "content": "roland td"})
MIB = 1024 * 1024


def resident(pod) -> float:
    """Return the pod's memory in MiB."""
    text = pod.get("/metrics")[1].decode()
    return float(re.search(r"^process_resident_memory_bytes (\S+)", text, re.MULTILINE)[1]) / MIB


async def flood(url: str, frames: int, *, reading: bool) -> int | None:
    """Send keystrokes as fast as the socket takes them; returns the closing code."""
    queue = {} if reading else {"max_queue": 1}
    async with connect(f"{url.replace('http', 'ws')}/ws", compression=None, **queue) as socket:
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            # Who reads is told soon, even by a busy machine; who does not may never hear of it.
            async with asyncio.timeout(60 if reading else 5):
                for _ in range(frames):
                    await socket.send(KEYSTROKE)
                    await asyncio.sleep(0)  # who measures sits in this process too
                while reading:
                    await socket.recv()
                await socket.wait_closed()
        return socket.close_code


async def p95_ms(client: Client, rounds: int) -> float:
    """Return how long predictions take, at a speed somebody types with."""
    took = []
    for n in range(rounds):
        begun = time.monotonic()
        await client.predict(f"moog{n % 5}")
        took.append((time.monotonic() - begun) * 1000)
        await asyncio.sleep(0.05)
    return quantiles(took, n=20)[-1]


async def test_floods_end_and_neither_memory_nor_others_feel_them(pod):
    one = pod("pod-1")
    async with await Client.connect(one.url) as client:
        await p95_ms(client, 10)
        quiet = await p95_ms(client, 40)
        before = resident(one)
        floods = [asyncio.create_task(flood(one.url, 10_000, reading=n % 2 == 0)) for n in range(6)]
        loud = await p95_ms(client, 40)
        codes = await asyncio.gather(*floods)
        after = resident(one)

    assert set(codes[::2]) == {1008}
    assert set(codes[1::2]) <= {1008, 1006, None}  # who never reads never reads the reason either
    assert after - before < 20
    assert loud < quiet + 800  # a stall would be seconds
    assert "Traceback" not in one.log


async def test_frames_of_a_mebibyte_end_their_socket_only(pod):
    one = pod("pod-1")
    async with await Client.connect(one.url) as client:
        before = resident(one)
        for _ in range(20):
            async with connect(f"{one.url.replace('http', 'ws')}/ws", compression=None) as socket:
                await socket.send("x" * MIB)
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
                assert socket.close_code == 1009
        assert await client.predict("moog")
        assert resident(one) - before < 20
    assert "Traceback" not in one.log
