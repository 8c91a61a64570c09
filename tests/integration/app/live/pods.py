"""API processes as pods run them, on ports of this machine."""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.cluster.ports import free_ports
from tests.integration.app.servers import begin, eventually


class Pod:
    """One `python -m hscjit_app.serve`."""

    def __init__(self, folder: Path, name: str, env: dict[str, str], port: int = 0) -> None:
        self.port = port or free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / f"{name}.log"
        self.begun = time.monotonic()
        told = {"HSCJIT_POD": name, "HSCJIT_PORT": str(self.port)}
        self.process = begin("hscjit_app.serve", log=self._log, env=told | env)

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body; status 0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()
        except OSError:
            return 0, b""

    def ready(self) -> dict[str, Any]:
        """Return the body of /ready."""
        return json.loads(self.get("/ready")[1] or b"{}")

    def await_ready(self) -> float:
        """Wait until it is ready; returns the seconds since its exec."""
        eventually(lambda: self.get("/ready")[0] == 200, within_s=30)
        return time.monotonic() - self.begun

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def terminate(self) -> None:
        """What the kubelet does first."""
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """What it does last."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()
