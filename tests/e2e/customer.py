"""What customers do, run inside a pod: predict, ask, raw, history, shop; one JSON object a line.

Read by the pod's `python -` from standard input, so it stands on the app's own client library.
"""

import argparse
import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import connect

from hscjit_app.client import Client


async def predict(url: str, text: str) -> AsyncIterator[dict[str, Any]]:
    """Type once."""
    async with await Client.connect(url) as client:
        yield {"type": "prediction", "data": await client.predict(text)}


async def ask(url: str, product: str, question: str) -> AsyncIterator[dict[str, Any]]:
    """Ask once; the conversation's secret comes first, for `history`."""
    async with await Client.connect(url) as client:
        yield {"type": "session", "session": client.session}
        async for frame in client.ask(question, product):
            yield frame


async def raw(url: str, *texts: str) -> AsyncIterator[dict[str, Any]]:
    """Send frames as they are on one socket and yield the answer to each."""
    async with connect(f"ws{url.removeprefix('http')}/ws", open_timeout=5) as socket:
        for text in texts:
            await socket.send(text)
            while (answer := json.loads(await socket.recv()))["type"] in ("welcome", "status"):
                pass
            yield answer


async def history(url: str, session: str) -> AsyncIterator[dict[str, Any]]:
    """Yield the messages of a conversation; nothing when the server does not know it."""
    request = urllib.request.Request(  # noqa: S310  our own Service
        f"{url}/api/conversation", headers={"Authorization": f"Bearer {session}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            for message in json.load(answer)["messages"]:
                yield message
    except urllib.error.HTTPError as refusal:
        if refusal.code not in (401, 404):
            raise


class Counting(Client):
    """The app's client, which notes every frame of an answer that its sockets hand it."""

    async def _receive(self) -> dict[str, Any]:
        frame = await super()._receive()
        if "seq" in frame:
            self.seen.setdefault(frame["id"], []).append(frame["seq"])
        return frame


async def shop(
    url: str, seconds: str, product: str, question: str
) -> AsyncIterator[dict[str, Any]]:
    """Be a few customers for so long: search, type and ask without a pause; yield what went wrong.

    Every request comes by a connection of its own, as from many browsers.
    """
    over = asyncio.get_running_loop().time() + float(seconds)
    told: dict[str, Any] = {"requests": 0, "failed": [], "answers": 0, "frames": 0}
    told |= {"lost": 0, "doubled": 0, "wrong": 0, "reconnects": 0}
    async with await Client.connect(url) as client:
        expected, _ = await client.answer(question, product)

    def search() -> None:
        with urllib.request.urlopen(f"{url}/api/products/search?q=td17", timeout=5) as answer:  # noqa: S310
            answer.read()

    async def browse() -> None:
        while asyncio.get_running_loop().time() < over:
            told["requests"] += 1
            try:
                await asyncio.to_thread(search)
            except OSError as error:
                told["failed"].append(repr(error))

    async def talk() -> None:
        while asyncio.get_running_loop().time() < over:
            client = await Counting.connect(url)
            client.seen = {}
            async with client:
                if not await client.predict("rolnd td17"):
                    told["wrong"] += 1
                text, _ = await client.answer(question, product)
            told["answers"] += 1
            told["wrong"] += text != expected
            told["reconnects"] += client.reconnects
            for seqs in client.seen.values():
                told["frames"] += len(seqs)
                told["lost"] += max(seqs) - len(set(seqs))
                told["doubled"] += len(seqs) - len(set(seqs))

    async with asyncio.TaskGroup() as customers:
        for _ in range(2):
            customers.create_task(browse())
        for _ in range(4):
            customers.create_task(talk())
    yield told


async def main() -> None:
    """Run one deed and print what it yields."""
    deeds = {deed.__name__: deed for deed in (predict, ask, raw, history, shop)}
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("deed", choices=deeds)
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    async for frame in deeds[given.deed](given.url, *given.words):
        print(json.dumps(frame), flush=True)  # noqa: T201


asyncio.run(main())
