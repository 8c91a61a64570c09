"""Is a Docker engine running? Where it is not, install it, start it, and wait until it answers."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Set
from pathlib import Path

from tests.cluster import cache, capabilities, debian
from tests.cluster.shell import CommandFailed, Unavailable, output, succeeds

_START_TIMEOUT_S = 60
_SOCKET = Path("/var/run/docker.sock")
KEPT = {"dockerd.log", "runc-bounded"}
"""Files in the cache that an engine we started goes on using."""

_ENGINES = {"dockerd", "containerd"}
_PID_FILES = (
    Path("/var/run/docker.pid"),
    Path("/var/run/docker/containerd/containerd.pid"),
)


def check() -> None:
    """Raise `Unavailable` at once where no engine answers and we may not start one."""
    if _version() is None:
        reason = _refusal()
        if reason:
            raise Unavailable(reason)


def ensure(note: Callable[[str], None]) -> str:
    """Return the version of a Docker engine that answers, after starting one if need be."""
    check()
    if _version() is None and shutil.which("dockerd") is None:
        debian.install("docker.io", "iptables", note=note)
    if _version() is None:
        _start(note)
    version = _version()
    if version is None:
        raise Unavailable("Docker does not answer: start its engine, then run this again")
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
    """Why an engine that does not answer can't be started by us; empty when it can."""
    host = os.environ.get("DOCKER_HOST")
    if host:
        return (
            f"Docker does not answer at DOCKER_HOST={host}: start it there, or unset the variable"
        )
    root = os.geteuid() == 0
    if root and (shutil.which("dockerd") or debian.may_install()):
        return ""
    if shutil.which("docker") is None:
        return "Docker is missing: install Docker Engine 20.10 or newer and start it"
    if _is_of_others(_SOCKET):
        return "Docker runs, but not for this user: add it to the group `docker`, or be root"
    return "Docker does not run" + (": start it" if root else ", and only root may start it")


def _is_of_others(socket: Path) -> bool:
    return socket.exists() and not os.access(socket, os.W_OK)


def _start(note: Callable[[str], None]) -> None:
    if Path("/run/systemd/system").exists() and succeeds("systemctl", "start", "docker"):
        return
    for file in _PID_FILES:
        remove_stale(file, _ENGINES)
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


def remove_stale(file: Path, names: Set[str]) -> None:
    """Remove a pid file unless it names a living process of one of these programs."""
    try:
        name = Path(f"/proc/{int(file.read_text())}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        name = ""
    if name not in names:
        file.unlink(missing_ok=True)


def _runtime_options() -> list[str]:
    if not capabilities.host_is_bounded():
        return []
    runc = shutil.which("runc") or "/usr/sbin/runc"
    path = cache.root() / "runc-bounded"
    path.write_text(capabilities.wrapper(runc))
    path.chmod(0o755)
    return ["--add-runtime", f"bounded={path}", "--default-runtime", "bounded"]
