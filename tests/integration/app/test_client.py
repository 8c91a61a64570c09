"""The Python client beside a server of another time: it says so, or talks as before."""

import json

import pytest
from websockets.asyncio.server import serve

from hscjit_app.client import Client, Refused

WELCOME = {"type": "welcome", "session": "s", "resumed": False}


@pytest.fixture
async def server():
    """Start servers that answer every hello alike; returns the address, and who is connected."""
    started = []

    async def start(answer):
        async def talk(socket):
            async for _ in socket:
                await socket.send(json.dumps(answer))

        started.append(await serve(talk, "127.0.0.1", 0))
        host, port = started[-1].sockets[0].getsockname()
        return f"http://{host}:{port}", started[-1]

    yield start
    for one in started:
        one.close()
        await one.wait_closed()


@pytest.mark.parametrize("said", [{}, {"version": 1}], ids=["says none", "says 1"])
async def test_a_server_of_our_version_is_talked_to(server, said):
    url, _ = await server(WELCOME | said)
    async with await Client.connect(url) as client:
        assert client.session == "s"


ANSWERS = {
    "newer and polite": WELCOME | {"version": 2},
    "refuses": {
        "type": "error",
        "code": "unknown_version",
        "message": "hello.version: This server speaks version 2 of the protocol",
    },
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_a_server_of_another_version_is_named_and_left(server, answer):
    url, running = await server(answer)
    with pytest.raises(Refused, match="speaks version 2") as refused:
        await Client.connect(url)

    assert refused.value.code == "unknown_version"
    assert refused.value.retry_after is None
    assert not running.connections
