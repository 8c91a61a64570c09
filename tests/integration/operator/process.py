"""An operator in a process of its own, which a test may kill, hold and let go on, or a bench time.

`python -m tests.integration.operator.process`: settings come by the environment as in a pod, and
TEST_DOOR says where /ready is answered. SIGUSR1 sets its clock, the time of day, an hour ahead.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.ports import free_ports

from hscjit_operator import assembly, logs
from hscjit_operator.assembly import Operator
from hscjit_operator.cluster import client
from hscjit_operator.settings import Settings

ROOT = Path(__file__).parents[3]
HOUR_S = 3600.0
COMMAND: Final = (sys.executable, "-m", "tests.integration.operator.process")
IMAGES: Final = {"app": "app:1", "redis": "redis:1", "postgres": "postgres:1"}
NO_DOOR: Final = "http://127.0.0.1:9"
"""Where nobody answers."""


@dataclass
class Running:
    """One operator process."""

    name: str
    port: int
    log: Path
    child: subprocess.Popen[bytes]

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.child.send_signal(number)

    async def end(self) -> None:
        """Ask it to stop, and wait until it has."""
        self.send(signal.SIGTERM)
        await asyncio.to_thread(self.child.wait, 20)

    @property
    def told(self) -> str:
        """Return its log."""
        return self.log.read_text()


def environment(kubeconfig: Path, namespace: str, port: int, door: str = NO_DOOR) -> dict[str, str]:
    """Return the whole environment of an operator for one namespace, which has its Lease too."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "operator"), str(ROOT / "app")]),
        "KUBECONFIG": str(kubeconfig),
        **{f"HSCJIT_IMAGE_{name.upper()}": image for name, image in IMAGES.items()},
        "HSCJIT_OPERATOR_NAMESPACE": namespace,
        "HSCJIT_WATCH_NAMESPACES": namespace,
        "HSCJIT_HOST": "127.0.0.1",
        "HSCJIT_PORT": str(port),
        "TEST_DOOR": door,
    }


@contextlib.contextmanager
def running(
    name: str, folder: Path, *, kubeconfig: Path, namespace: str, door: str
) -> Iterator[Running]:
    """Run an operator for one namespace until the block ends."""
    (port,) = free_ports(1)
    log = folder / f"{name}.log"
    env = {
        **environment(kubeconfig, namespace, port, door),
        "HOSTNAME": name,
        "HSCJIT_RESYNC_S": "0.5",
        "HSCJIT_POLL_S": "0.5",
        "HSCJIT_FRONT_DOOR_S": "0.5",
    }
    with log.open("wb") as out:
        child = subprocess.Popen(COMMAND, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield Running(name, port, log, child)
    finally:
        child.kill()
        child.wait()


async def serve() -> None:
    """Serve until SIGTERM, as `hscjit_operator.__main__` does."""
    ahead = 0.0
    today = assembly._now

    def set_clock() -> None:
        nonlocal ahead
        ahead = HOUR_S

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def take_signals() -> None:
        loop.add_signal_handler(signal.SIGTERM, stop.set)

    take_signals()
    loop.add_signal_handler(signal.SIGUSR1, set_clock)
    real = time.time
    time.time = lambda: real() + ahead
    assembly._now = lambda: today().fromtimestamp(time.time(), today().tzinfo)
    configuration = await client.configuration(os.environ["KUBECONFIG"])
    door = os.environ["TEST_DOOR"]
    settings = Settings.from_env(os.environ)
    operator = Operator(
        settings,
        configuration,
        door_url=lambda _ip: f"{door}/ready",
        take_signals=take_signals,
    )
    await operator.run(stop)


if __name__ == "__main__":
    logs.configure("INFO", "json")
    asyncio.run(serve())
