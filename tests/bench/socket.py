"""What does a keystroke cost over a socket, and what does a socket cost that says nothing?

Beside a bare uvicorn echo with equal frames on each engine uvicorn has. Round trips are counted
by the CPU second of the server's process, so that neither client nor neighbours are in the figure.
"""

import asyncio
import gc
import json
import os
import socket as _socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from tests.bench import catalogue
from tests.bench.ahead import ahead, network_waited_s, waited_s
from tests.bench.sockets import burst, crowd, steady, typing
from tests.cluster.ports import free_ports

ROOT = Path(__file__).parents[2]
SOCKETS = 200
EACH = 20
PAIRS = 5
NAMES = 3_000
"""So many names typed letter by letter hold enough different texts for turns of new ones."""
OPEN = 1_000
KEYSTROKES_PER_S = 500.0
FOR_S = 6.0
ENGINES = ("websockets-sansio", "websockets", "wsproto")


def run() -> bool:
    """Measure everything; about a minute."""
    met = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, frames = _files(folder / "small", 300)
        large, large_frames = _files(folder / "large", 100_000)
        with _ours(folder, small) as ours, _echo(ENGINES[0]) as echo:
            met += _round_trips(ours, echo, frames)
            with _echo(ENGINES[0], "stack") as same:
                met.append(_idle(ours, same))
            met.append(_paced("300 products", ours, frames))
        for engine in ENGINES[1:]:
            with _echo(engine) as other:
                rate = asyncio.run(_rate(other, frames))
                _figure(f"bare echo on {engine}", "round_trips/cpu_s", rate)
        with _ours(folder, large) as ours:
            met.append(_paced("100,000 products", ours, large_frames, memory=True))
    return all(met)


class Server:
    """A process that listens."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    def cpu_s(self) -> float:
        """CPU seconds it used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, which: str) -> int:
        """Bytes of `Pss` or `Rss`."""
        lines = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()
        (line,) = [line for line in lines if line.startswith(f"{which}:")]
        return int(line.split()[1]) * 1024


def _round_trips(ours: Server, echo: Server, frames: list[bytes]) -> list[bool]:
    """Take turns with the echo: each turn of ours texts nobody typed before, then the last again.

    The first turn warms up, whichever server it is.
    """
    a_turn = SOCKETS * EACH
    turns = [frames[n * a_turn : (n + 1) * a_turn] for n in range(PAIRS + 1)]
    assert len(turns[-1]) == a_turn, "too few texts for turns of their own"
    new, again, bare = [], [], []
    for turn in turns:
        new.append(asyncio.run(_rate(ours, turn)))
        again.append(asyncio.run(_rate(ours, turn)))
        bare.append(asyncio.run(_rate(echo, turn)))
    peer = ("bare echo, equal frames", median(bare[1:]))
    return [
        _figure(
            f"typing -> prediction, 300 products, {what}",
            "round_trips/cpu_s",
            median(rates[1:]),
            5_000,
            least=True,
            peer=peer,
        )
        for what, rates in (("texts nobody typed before", new), ("texts typed before", again))
    ]


async def _rate(server: Server, frames: list[bytes]) -> float:
    customers = await crowd(server.port, SOCKETS)
    before = server.cpu_s()
    done = await burst(customers, frames, EACH)
    spent = server.cpu_s() - before
    for customer in customers:
        customer.close()
    await asyncio.sleep(0.2)
    return done / spent


def _idle(ours: Server, echo: Server) -> bool:
    """Take the second thousand: the first fills what the allocator had not given back."""
    mine, bare = (asyncio.run(_grown(server)) for server in (ours, echo))
    return _figure(
        "a further idle socket",
        "kB",
        mine / 1e3,
        1.2 * bare / 1e3,
        peer=("FastAPI echo", bare / 1e3),
    )


async def _grown(server: Server) -> float:
    first = await crowd(server.port, OPEN)
    await asyncio.sleep(0.5)
    before = server.memory("Rss")
    second = await crowd(server.port, OPEN)
    await asyncio.sleep(0.5)
    grown = server.memory("Rss") - before
    for customer in first + second:
        customer.close()
    await asyncio.sleep(0.5)
    return grown / OPEN


def _paced(what: str, server: Server, frames: list[bytes], *, memory: bool = False) -> bool:
    """Type as neighbours allow, then new texts with client and server going before them."""
    count = int(KEYSTROKES_PER_S * FOR_S)
    asyncio.run(_crowded(server, frames[:count], f"{what}, among neighbours", None))
    with ahead(os.getpid(), server.process.pid) as allowed:
        what = what if allowed else f"{what}, among neighbours"
        pss, fast = asyncio.run(_crowded(server, frames[count : 2 * count], what, 10))
    met = [fast]
    if memory:
        met.append(_figure(f"memory with {OPEN} sockets, {what}", "MB PSS", pss / 1e6, 220))
    return all(met)


async def _crowded(
    server: Server, frames: list[bytes], what: str, goal: float | None
) -> tuple[int, bool]:
    customers = await crowd(server.port, OPEN)
    gc.collect()
    gc.freeze()  # the client's own collections are no delay of the server's
    before, network = waited_s(server.process.pid), network_waited_s()
    paced = await steady(customers, frames, KEYSTROKES_PER_S, FOR_S)
    waited = (waited_s(server.process.pid) - before) / FOR_S
    network = (network_waited_s() - network) / FOR_S
    pss = server.memory("Pss")
    for customer in customers:
        customer.close()
    what = f"{OPEN} sockets, {KEYSTROKES_PER_S:.0f} keystrokes/s, {what}"
    _figure(f"median of {what}", "ms", median(paced.delays) * 1000)
    _figure("  so late was the client itself, p95", "ms", _p95(paced.late) * 1000)
    _figure("  so much of the time the server waited for a core", "share", waited)
    _figure("  and the kernel's threads that deliver packets", "share", network)
    return pss, _figure(f"p95 of {what}", "ms", _p95(paced.delays) * 1000, goal)


def _p95(some: list[float]) -> float:
    return quantiles(some, n=20)[-1]


def _files(folder: Path, size: int) -> tuple[Path, list[bytes]]:
    """Write a catalogue of many brands; return its folder and what is typed, letter by letter."""
    folder.mkdir()
    products = catalogue.products(size)
    brands: dict[str, dict[str, object]] = {}
    for p in products:
        brand = {"id": p.brand.id, "name": p.brand.name}
        body = brands.setdefault(p.brand.id, {"brand_identity": brand, "products": []})
        body["products"].append({"id": p.id, "name": p.name, "category": p.category})
    for brand_id, body in brands.items():
        (folder / f"{brand_id}.json").write_text(json.dumps(body))
    asked = catalogue.typed([p.name for p in products], NAMES)
    texts = dict.fromkeys(q.text[:n] for q in asked for n in range(1, len(q.text) + 1))
    return folder, [typing(text) for text in texts]


@contextmanager
def _ours(folder: Path, files: Path) -> Iterator[Server]:
    env = {"HSCJIT_CATALOG_DIR": str(files), "HSCJIT_LOG_LEVEL": "WARNING", "TMPDIR": str(folder)}
    with _listening([sys.executable, "-m", "hscjit_app.serve"], "/ready", folder, env) as server:
        yield server


@contextmanager
def _echo(engine: str, app: str = "app") -> Iterator[Server]:
    command = [sys.executable, "-m", "uvicorn", f"tests.bench.echo:{app}", "--loop", "uvloop"]
    command += ["--ws", engine, "--ws-per-message-deflate", "false", "--log-level", "error"]
    with _listening(command, None, ROOT, {}) as server:
        yield server


@contextmanager
def _listening(
    command: list[str], ready: str | None, folder: Path, env: dict[str, str]
) -> Iterator[Server]:
    (port,) = free_ports(1)
    if ready is None:
        command = [*command, "--port", str(port)]
    path = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{ROOT / 'app'}"}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**path, "HSCJIT_PORT": str(port), **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(port, ready)
        yield Server(process, port)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(port: int, ready: str | None) -> None:
    for _ in range(600):
        time.sleep(0.1)
        try:
            if ready is None:
                _socket.create_connection(("127.0.0.1", port), timeout=2).close()
            else:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}", timeout=2).close()
        except OSError:
            continue
        return
    raise TimeoutError(f"nobody listens on {port}")


def _figure(
    figure: str,
    unit: str,
    value: float,
    goal: float | None = None,
    *,
    least: bool = False,
    peer: tuple[str, float] | None = None,
) -> bool:
    met = goal is None or (value >= goal if least else value <= goal)
    line = {"bench": "socket", "figure": figure, "unit": unit, "ours": value}
    if peer:
        line |= {"peer": peer[0], "peer_value": peer[1], "ratio": value / peer[1]}
    line |= {"goal": goal, "met": met}
    rounded = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in line.items()}
    print(json.dumps(rounded), flush=True)
    return met
