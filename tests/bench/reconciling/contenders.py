"""Who makes the children, as a process of its own, and what it takes of CPU and memory."""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp

from tests.cluster import cache, gomodules
from tests.cluster.ports import free_ports
from tests.cluster.processes import process
from tests.cluster.shell import run
from tests.integration.operator import process as operator

_SOURCES = Path(__file__).parents[1] / "peers" / "controller-runtime"
OURS = "ours"
BARE = "bare asyncio writer"
NAIVE = "naive kopf + sync client"
TWIN = "controller-runtime twin"


@dataclass(frozen=True)
class Running:
    """A contender at work."""

    pid: int
    log: Path
    port: int
    """Where ours answers /readyz."""

    async def ready(self, within_s: float = 300.0) -> None:
        """Wait until ours has seen everything that there is."""
        async with aiohttp.ClientSession() as session, asyncio.timeout(within_s):
            while not await self._is_ready(session):
                await asyncio.sleep(0.2)

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get(f"http://127.0.0.1:{self.port}/readyz") as answer:
                return answer.status == 200
        return False

    def cpu_s(self) -> float:
        """Return the CPU seconds of all its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Return the bytes of memory that are resident now."""
        return self._status("VmRSS")

    def peak(self) -> int:
        """Return the most that ever was."""
        return self._status("VmHWM")

    def _status(self, field: str) -> int:
        text = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
        if found is None:
            raise RuntimeError(f"process {self.pid} has ended; its output is in {self.log}")
        return int(found[1]) * 1024


def twin() -> Path:
    """Return the Go program, built once for its sources and pins."""
    key = cache.digest(_SOURCES, gomodules.go_version(_SOURCES))
    return cache.ensure("bench-twin", key, _build) / "twin"


def _build(folder: Path) -> None:
    print(f"building {_SOURCES.name} with Go {gomodules.go_version(_SOURCES)}", flush=True)
    run(
        *("go", "build", "-o", folder / "twin", "."),
        note=partial(print, flush=True),
        doing="compiling",
        env={"GOFLAGS": "-buildvcs=false", "GOWORK": "off"},
        cwd=_SOURCES,
    )


@contextlib.contextmanager
def running(
    who: str,
    *,
    folder: Path,
    kubeconfig: Path,
    namespace: str,
    bodies: Path,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Run one contender on a namespace."""
    (port,) = free_ports(1)
    env = {
        **operator.environment(kubeconfig, namespace, port),
        "HOME": str(folder),
        "BENCH_NAMESPACE": namespace,
        "BENCH_BODIES": str(bodies),
        **(settings or {}),
    }
    title = f"{re.sub('[^a-z]+', '-', who)}-{namespace}"
    with process(title, _command(who, namespace, bodies), folder, env=env) as started:
        yield Running(started.pid, folder / f"{title}.log", port)


def _command(who: str, namespace: str, bodies: Path) -> list[str]:
    if who == TWIN:
        return [str(twin()), "-template", str(bodies), "-namespace", namespace]
    if who == OURS:
        return [*operator.COMMAND]
    modules = {
        BARE: ("tests.bench.peers.bare",),
        NAIVE: ("kopf", "run", "-m", "tests.bench.peers.naive", "-n", namespace, "--standalone"),
    }
    return [sys.executable, "-m", *modules[who]]
