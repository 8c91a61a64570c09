"""What the app's integration tests run beside the stores: workers, a Redis to kill, a slow site."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.cluster import stores
from tests.cluster.ports import free_ports

from hscjit_app.manuals import samples

ROOT = Path(__file__).parents[3]


def eventually(what: Callable[[], object], within_s: float) -> float:
    """Wait until it is true; returns how many seconds that took."""
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < within_s, f"not within {within_s} s"
        time.sleep(0.02)
    return time.monotonic() - begun


def begin(*module: str, log: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Begin a process of the app as its pod does, in the folder of its log."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", *module],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "app"), **env},
        )


class Worker:
    """A real worker: a parent process and its pool."""

    def __init__(self, folder: Path, name: str, env: dict[str, str]) -> None:
        (self.port,) = free_ports(1)
        self.name = name
        self._log = folder / f"{name}.log"
        command = ["celery", "-A", "hscjit_app.worker", "--quiet", "worker"]
        command += ["--concurrency=2", "--without-gossip", "--without-mingle"]
        told = {
            "REMAP_SIGTERM": "SIGQUIT",
            "HSCJIT_COMPONENT": "worker",
            "HSCJIT_POD": name,
            "HSCJIT_METRICS_PORT": str(self.port),
        }
        self._process = begin(*command, log=self._log, env=told | env)

    def page(self, path: str) -> str:
        """Return what it answers at `path`; "" while it does not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as page:
                return page.read().decode()
        except OSError:
            return ""

    def metric(self, series: str) -> float | None:
        """Return a series' value, None while it is not there."""
        for line in self.page("/metrics").splitlines():
            if line.startswith(f"{series} "):
                return float(line.rpartition(" ")[2])
        return None

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def await_ready(self) -> None:
        eventually(lambda: " ready." in self.log, within_s=30)

    def kill(self) -> None:
        """End it as a kernel short of memory would: parent and pool, at once, without a word."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def leave(self) -> None:
        """Tell it to leave, as the kubelet does, and wait until it has."""
        self._process.terminate()
        self._process.wait(timeout=40)


class Site:
    """A site with one manual, which may keep the first who ask waiting."""

    def __init__(self) -> None:
        self.requests = 0
        self.hold_first = 0
        """This many requests are kept waiting until `release`."""
        self._released = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests += 1
                if site.requests <= site.hold_first:
                    site._released.wait()
                body = samples.read("roland-td17kvx2.pdf")
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # who asked may have been killed
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def release(self) -> None:
        self._released.set()

    def close(self) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()


class Redis:
    """A Redis with an append-only file that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        (self.port,) = free_ports(1)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cli(self, *words: str) -> str:
        command = [stores.program("redis-cli"), "-p", str(self.port), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    def start(self) -> None:
        command = [stores.program("redis-server"), "--port", str(self.port)]
        command += ["--dir", str(self._folder), "--bind", "127.0.0.1"]
        command += ["--appendonly", "yes", "--save", ""]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        eventually(lambda: self.cli("ping") == "PONG", within_s=10)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def redis(folder: Path) -> Iterator[Redis]:
    folder.mkdir()
    server = Redis(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
