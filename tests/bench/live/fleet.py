"""Two processes of a server, of which one at a time is killed without a word and started again."""

import asyncio
import contextlib
import os
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

from tests.cluster.ports import free_ports

ROOT = Path(__file__).parents[3]
READY_S = 60.0


class Fleet:
    """The processes and how often one of them was killed."""

    def __init__(self, module: str, env: dict[str, str], port_name: str, folder: Path) -> None:
        self._module = module
        self._env = env
        self._port_name = port_name
        self._folder = folder
        self.ports = free_ports(2)
        self.kills = 0
        self._processes = [self._start(port) for port in self.ports]

    @property
    def urls(self) -> list[str]:
        """Where they listen."""
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        with (self._folder / f"{port}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", self._module],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "app"))),
                    self._port_name: str(port),
                    **self._env,
                },
            )

    async def await_ready(self) -> None:
        """Wait until all answer; one that ended by itself is started again, as in a cluster."""
        async with asyncio.timeout(READY_S):
            for n, url in enumerate(self.urls):
                while not await asyncio.to_thread(_answers, f"{url}/ready"):
                    if self._processes[n].poll() is not None:
                        self._processes[n] = self._start(self.ports[n])
                    await asyncio.sleep(0.1)

    async def plague(self, every_s: float) -> None:
        """Kill one after the other, starting each again at once, until cancelled.

        Never both at a time: on a busy machine the next kill waits until both are ready.
        """
        while True:
            await asyncio.gather(asyncio.sleep(every_s), self.await_ready())
            n = self.kills % len(self._processes)
            self._processes[n].kill()
            self._processes[n].wait()
            self.kills += 1
            self._processes[n] = self._start(self.ports[n])

    def stop(self) -> None:
        """End them all."""
        for process in self._processes:
            process.kill()
            process.wait()


@contextlib.asynccontextmanager
async def plagued(fleet: Fleet, every_s: float) -> AsyncIterator[None]:
    """Have the fleet's processes killed in turns while the body runs."""
    try:
        await fleet.await_ready()
        killing = asyncio.create_task(fleet.plague(every_s))
        try:
            yield
        finally:
            killing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await killing
    finally:
        fleet.stop()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 our own address
            return answer.status == 200
    except OSError:
        return False
