"""Debian's Postgres in our image starts as the official one does, cut-short starts included."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.cluster import images, stores
from tests.cluster.ports import free_ports
from tests.cluster.processes import group_of, humble_user

SCRIPT = images.ROOT / "tests/cluster/images/postgres/docker-entrypoint.sh"
PASSWORD = "one of this test"  # noqa: S105


class Server:
    """The entry point with a data folder of its own, run as a user that is not root."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "volume" / "pgdata"
        (self.port,) = free_ports(1)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it in a process group of its own, as a container is one."""
        user = humble_user()
        # The machine itself is not going to crash: no need to wait for its disk.
        settings = {"port": self.port, "unix_socket_directories": self._folder, "fsync": "off"}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        self._process = subprocess.Popen(
            [SCRIPT, *options],
            env={
                "PATH": stores.postgres_path(),
                "LANG": "C.UTF-8",
                "PGDATA": str(self.data),
                "POSTGRES_INITDB_ARGS": "--no-sync",
                "POSTGRES_USER": "hscjit",
                "POSTGRES_DB": "questions",
                "POSTGRES_PASSWORD_FILE": str(self._folder / "password"),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=user,
            group=group_of(user),
            extra_groups=[] if user else None,
            start_new_session=True,
        )

    def kill(self) -> None:
        """End all of it at once, as a lost node does."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def connect(self, password: str) -> psycopg.Connection:
        """Log in over TCP, waiting until the server takes connections."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return psycopg.connect(
                    host="127.0.0.1",
                    port=self.port,
                    user="hscjit",
                    dbname="questions",
                    password=password,
                )
            except psycopg.OperationalError as error:
                refused = "authentication failed" in str(error)
                if refused or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
                self._restart_if_ended()

    def _restart_if_ended(self) -> None:
        """As the kubelet does: a server does not start beside the orphans of a killed one."""
        if self._process is not None and self._process.poll() is not None:
            self.start()


@pytest.fixture
def server() -> Iterator[Server]:
    with stores.humble_folder() as folder:
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        running = Server(folder)
        yield running
        running.kill()


def test_role_database_and_password_are_as_asked_for(server: Server) -> None:
    server.start()
    with server.connect(PASSWORD) as connection:
        found = connection.execute("SELECT current_user, current_database()").fetchone()
    assert found == ("hscjit", "questions")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        server.connect("another")


def test_data_survives_a_lost_node(server: Server) -> None:
    server.start()
    with server.connect(PASSWORD) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    server.kill()
    server.start()
    with server.connect(PASSWORD) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


@pytest.mark.parametrize("moment", [".new", ".new/base", ".new/global/pg_control", "base"])
def test_a_first_start_that_was_cut_short_begins_again(moment: str, server: Server) -> None:
    server.start()
    deadline = time.monotonic() + 30
    while not (server.data / moment).exists():
        assert time.monotonic() < deadline, f"{moment} never appeared"
        time.sleep(0.002)
    server.kill()

    server.start()

    with server.connect(PASSWORD) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
