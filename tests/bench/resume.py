"""Is any frame lost or doubled while API processes are killed? Beside answers by Pub/Sub alone.

Two API processes, one Redis, one database. Every three seconds one is killed (-9) and started
again, in turns; customers go on at the other. Frames are counted as they arrive at the socket, and
each answer's text is compared with what had to be said.
"""

import asyncio
import contextlib
import json
import random
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from hscjit_app import broker
from hscjit_app.catalog import store
from hscjit_app.client import Client, Frame
from hscjit_app.db.session import Database, prepare
from hscjit_app.manuals.service import ManualRef, ManualService
from hscjit_app.settings import Settings
from hscjit_app.tasks import runner
from tests.bench.live import paced
from tests.bench.live.fleet import Fleet, plagued
from tests.bench.pairs import Pair, report
from tests.cluster.stores import redis_server

PRODUCT = "roland-td17kv"
FRAMES = paced.PIECES + 4
"""Of one answer: accepted, reading, the pieces, context, done."""
KILL_EVERY_S = 3.0
CUSTOMERS = 16
QUESTIONS = 15
RECONNECT_S = 60.0
PEER_QUESTIONS = 5
SESSION_QUESTIONS = 5
"""After so many a customer begins a new conversation: a session has a budget."""
GIVE_UP_S = 2.0
"""How long the peer's customers wait for a frame that won't come."""


@dataclass
class Tally:
    """What arrived."""

    expected: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    """Answers whose text is not what had to be said."""
    reconnects: int = 0
    took_s: float = 0.0
    longest_s: float = 0.0
    """The longest answer: what a customer whose pod died had to wait."""
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)

    def count(self, answers: int) -> None:
        """Work lost and doubled out of what was seen of so many answers."""
        self.expected = answers * FRAMES
        self.lost = self.expected - len(self.seen)
        self.doubled = sum(self.seen.values()) - len(self.seen)


class Counting(Client):
    """The product's client, which notes every frame of an answer that its socket hands it."""

    tally: Tally

    async def _receive(self) -> Frame:
        frame = await super()._receive()
        if "seq" in frame:
            self.tally.seen[frame["id"], frame["seq"]] += 1
        return frame


async def ask(urls: list[str], tally: Tally, name: str, questions: int) -> None:
    """Ask as one customer, some questions a session."""
    for begin in range(0, questions, SESSION_QUESTIONS):
        client = await opened(urls, tally)
        async with client:
            for n in range(begin, min(begin + SESSION_QUESTIONS, questions)):
                question, begun = f"{name} asks {n}", time.monotonic()
                text, _ = await client.answer(question, PRODUCT)
                tally.longest_s = max(tally.longest_s, time.monotonic() - begun)
                tally.wrong += text != "".join(paced.pieces(question))
        tally.reconnects += client.reconnects


async def opened(urls: list[str], tally: Tally) -> Counting:
    """Connect to either; who comes at the wrong moment tries the other."""
    for url in cycle(random.sample(urls, k=len(urls))):
        with contextlib.suppress(OSError, WebSocketException):
            Counting.tally = tally
            others = [u for u in urls if u != url]
            return await Counting.connect([url, *others], reconnect_s=RECONNECT_S)
        await asyncio.sleep(0.1)
    raise AssertionError


async def ours(redis_url: str, folder: Path) -> tuple[Tally, int]:
    """Run the product."""
    env = {
        "HSCJIT_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/app.db",
        "HSCJIT_REDIS_QUEUE_URL": redis_url,
        "HSCJIT_SESSION_KEY": "the same on every pod",
    }
    await have_manual(Settings(database_url=env["HSCJIT_DATABASE_URL"]))
    fleet = Fleet("tests.bench.live.paced", env, "HSCJIT_PORT", folder)
    tally = Tally()
    begun = time.monotonic()
    async with plagued(fleet, KILL_EVERY_S), asyncio.TaskGroup() as customers:
        for n in range(CUSTOMERS):
            customers.create_task(ask(fleet.urls, tally, f"customer {n}", QUESTIONS))
    tally.took_s = time.monotonic() - begun
    tally.count(CUSTOMERS * QUESTIONS)
    return tally, fleet.kills


async def have_manual(settings: Settings) -> None:
    """Have the one manual in the database: fetching it is another bench's question."""
    await prepare(settings)
    broker.configure(settings)
    product = store.load(store.bundled()).get(PRODUCT)
    database = Database(settings)
    ref = ManualRef(product.id, product.name, product.manual_url)
    await ManualService(settings, database.sessions, lambda _: ref).ensure_manual(PRODUCT, 20)
    await database.close()
    runner.engine().dispose()
    runner.engine.cache_clear()


async def ask_peer(urls: list[str], tally: Tally, name: str) -> None:
    """Ask as one customer of the peer; frames that don't come are given up."""
    session, addresses = uuid.uuid4().hex, cycle(random.sample(urls, k=len(urls)))
    for n in range(PEER_QUESTIONS):
        ref, asked = f"{session}-{n}", False
        with contextlib.suppress(TimeoutError):
            while not tally.seen[ref, FRAMES]:
                try:
                    async with connect(next(addresses).replace("http", "ws") + "/ws") as socket:
                        await socket.send(json.dumps({"session": session}))
                        await asyncio.wait_for(socket.recv(), GIVE_UP_S)
                        if not asked:
                            question = {"session": session, "ref": ref, "question": f"{name} {n}"}
                            await socket.send(json.dumps(question))
                            asked = True
                        while not tally.seen[ref, FRAMES]:
                            frame = json.loads(await asyncio.wait_for(socket.recv(), GIVE_UP_S))
                            tally.seen[frame["id"], frame["seq"]] += 1
                except (OSError, WebSocketException) as e:
                    if isinstance(e, TimeoutError):
                        raise
                    tally.reconnects += 1
                    await asyncio.sleep(0.1)


async def peer(redis_url: str, folder: Path) -> tuple[Tally, int]:
    """Run the peer."""
    fleet = Fleet("tests.bench.live.pubsub", {"REDIS_URL": redis_url}, "PORT", folder)
    tally = Tally()
    begun = time.monotonic()
    async with plagued(fleet, KILL_EVERY_S), asyncio.TaskGroup() as customers:
        for n in range(CUSTOMERS):
            customers.create_task(ask_peer(fleet.urls, tally, f"customer {n}"))
    tally.took_s = time.monotonic() - begun
    tally.seen += Counter()  # looking a frame up leaves a zero
    tally.count(CUSTOMERS * PEER_QUESTIONS)
    return tally, fleet.kills


def run() -> bool:
    """Run ours and the peer under the same plague, and compare what was lost."""
    with redis_server() as redis_url, tempfile.TemporaryDirectory() as folder:
        mine, kills = asyncio.run(ours(redis_url, Path(folder)))
        theirs, peer_kills = asyncio.run(peer(redis_url, Path(folder)))
    for name, tally, killed in (("ours", mine, kills), ("Pub/Sub alone", theirs, peer_kills)):
        print(
            f"{name}: {tally.expected} frames, {killed} kills, {tally.reconnects} reconnects, "
            f"{tally.lost} lost, {tally.doubled} doubled, {tally.wrong} wrong answers, "
            f"{tally.took_s:.0f} s, longest answer {tally.longest_s:.1f} s"
        )
    if not theirs.lost:
        print("the peer lost nothing: these kills prove nothing")
        return False
    if mine.wrong or mine.doubled or mine.expected < 10_000:
        return False
    return report(
        bench="resume",
        figure=f"lost of each 10,000 frames, a kill every {KILL_EVERY_S:.0f} s",
        unit="frames",
        peer="Pub/Sub alone",
        pair=Pair(mine.lost * 10_000 / mine.expected, theirs.lost * 10_000 / theirs.expected),
        goal=0,
    )
