"""Is a Docker engine running? Where it is not, install it, start it, and wait until it answers."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster import cache, capabilities, debian
from tests.cluster.shell import CommandFailed, Unavailable, output, succeeds

_START_TIMEOUT_S = 60
KEPT = {"dockerd.log", "runc-bounded"}
"""Files in the cache that an engine we started goes on using."""

_PID_FILES = (
    Path("/var/run/docker.pid"),
    Path("/var/run/docker/containerd/containerd.pid"),
)
os.environ.setdefault("DOCKER_CLI_HINTS", "false")


def ensure(note: Callable[[str], None]) -> str:
    """Return the version of a Docker engine that answers, after starting one if need be."""
    version = _version()
    if version is not None:
        return version
    if shutil.which("dockerd") is None:
        _install(note)
    if _version() is None:
        _start(note)
    version = _version()
    if version is None:
        raise Unavailable(_refusal())
    return version


def running() -> bool:
    """Whether an engine answers this user."""
    return _version() is not None


def _version() -> str | None:
    try:
        return output("docker", "info", "--format", "{{.ServerVersion}}", timeout_s=20) or None
    except (CommandFailed, OSError):
        return None


def _refusal() -> str:
    socket = Path("/var/run/docker.sock")
    if socket.exists() and not os.access(socket, os.W_OK):
        return "Docker runs, but not for this user: add it to the group `docker`, or run as root"
    return "Docker does not answer: start its engine, then run this again"


def _install(note: Callable[[str], None]) -> None:
    if os.environ.get("DOCKER_HOST") or not debian.may_install():
        raise Unavailable(
            "Docker is missing: install Docker Engine 20.10 or newer and start it"
            if shutil.which("docker") is None
            else _refusal()
        )
    debian.install("docker.io", "iptables", note=note)


def _start(note: Callable[[str], None]) -> None:
    if os.geteuid() != 0:
        raise Unavailable(_refusal())
    if Path("/run/systemd/system").exists() and succeeds("systemctl", "start", "docker"):
        return
    for file in _PID_FILES:
        _remove_stale(file)
    log = cache.root() / "dockerd.log"
    note(f"starting dockerd, output in {log}")
    with log.open("ab") as written:
        process = subprocess.Popen(
            ["dockerd", *_runtime_options()],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,  # it outlives us and the terminal
        )
    deadline = time.monotonic() + _START_TIMEOUT_S
    while _version() is None:
        if process.poll() is not None or time.monotonic() > deadline:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise Unavailable(f"dockerd does not start, see {log}: {''.join(last)}")
        time.sleep(0.3)


def _remove_stale(file: Path) -> None:
    """Remove a pid file whose process is gone, or is by now some other program."""
    try:
        pid = int(file.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except FileNotFoundError:
        name = ""
    except ValueError:
        name = ""
    if name not in {"dockerd", "containerd", "docker-containe"}:
        file.unlink(missing_ok=True)


def _runtime_options() -> list[str]:
    if not capabilities.host_is_bounded():
        return []
    runc = shutil.which("runc") or "/usr/sbin/runc"
    path = cache.root() / "runc-bounded"
    path.write_text(capabilities.wrapper(runc))
    path.chmod(0o755)
    return ["--add-runtime", f"bounded={path}", "--default-runtime", "bounded"]
