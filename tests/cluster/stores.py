"""How does a test get a real Redis or Postgres? Debian's programs, run as a humble user."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from tests.cluster import debian
from tests.cluster.ports import free_ports
from tests.cluster.processes import Failed, group_of, humble_user, process
from tests.cluster.progress import say
from tests.cluster.shell import Unavailable

_START_TIMEOUT_S = 30
_POSTGRES = "/usr/lib/postgresql/*/bin"
_PACKAGES = {
    "redis-server": "redis-server",
    "redis-cli": "redis-server",
    "initdb": "postgresql-15",
    "psql": "postgresql-15",
}
"""Which package brings a program; a server's package brings its client along."""


@cache
def program(name: str) -> str:
    """Return where a server or client is; where it is missing it is installed first."""
    return debian.program(name, _PACKAGES[name], say, _POSTGRES)


@contextmanager
def redis_server() -> Iterator[str]:
    """A Redis without persistence; gives its URL, database 0."""
    (port,) = free_ports(1)
    with humble_folder() as folder:
        command = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--save", ""]
        with process("redis", command, folder, user=humble_user()) as server:
            _wait(server, "redis", folder, lambda: _redis_answers(port))
            yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def postgres_server(port: int | None = None) -> Iterator[str]:
    """A Postgres with one empty database, on a free port unless told which; gives its URL,
    without a driver's name in the scheme."""
    initdb = program("initdb")
    programs = Path(initdb).parent
    port = port or free_ports(1)[0]
    user = humble_user()
    with humble_folder() as folder:
        data = folder / "data"
        subprocess.run(
            [initdb, "-D", data, "-U", "hscjit", "-A", "trust", "-E", "UTF8", "--no-sync"],
            user=user,
            group=group_of(user),
            extra_groups=[] if user else None,
            cwd=folder,
            check=True,
            capture_output=True,
        )
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": folder,
            "fsync": "off",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        command = [str(programs / "postgres"), "-D", str(data), *options]
        ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        with process("postgres", command, folder, user=user) as server:
            _wait(
                server,
                "postgres",
                folder,
                lambda: subprocess.run(ready, check=False).returncode == 0,
            )
            yield f"postgresql://hscjit@127.0.0.1:{port}/postgres"


@contextmanager
def humble_folder() -> Iterator[Path]:
    """A folder that the humble user owns and can reach."""
    folder = Path(tempfile.mkdtemp(prefix="hscjit-store-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        user = humble_user()
        if user:
            shutil.chown(folder, user, group_of(user))
        yield folder


def programs() -> None:
    """Have all of them for scripts that call them by name, where this process may install them."""
    for name in _PACKAGES:
        with suppress(Unavailable):
            program(name)


def postgres_path() -> str:
    """A search path on which Postgres' programs are found; installs them where they are not."""
    program("initdb")
    return debian.places(_POSTGRES)


def _redis_answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _wait(
    server: subprocess.Popen[bytes], name: str, folder: Path, answers: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not answers():
        if server.poll() is not None or time.monotonic() > deadline:
            raise Failed(name, folder)
        time.sleep(0.05)
