"""A server newer than the dump's tool: the real tool refuses it, and the seal says why."""

import re
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.cluster import stores
from tests.integration.app.test_jobs import STAMP, run

NEWER = rb"server_version\x00\d\d"
"""How a server of Postgres introduces itself to a client, up to its major version."""


class Middleman(socketserver.BaseRequestHandler):
    """Passes on what client and server say; the server's version as the test wants it."""

    server: "Server"

    def handle(self) -> None:
        with socket.create_connection(self.server.behind) as behind:
            back = threading.Thread(target=self._pass_back, args=(behind,))
            back.start()
            while said := self.request.recv(65536):
                behind.sendall(said)
            behind.shutdown(socket.SHUT_WR)
            back.join()

    def _pass_back(self, behind: socket.socket) -> None:
        while said := behind.recv(65536):
            if self.server.newer:
                said = re.sub(NEWER, b"server_version\x0099", said)
            self.request.sendall(said)


class Server(socketserver.ThreadingTCPServer):
    behind: tuple[str, int]
    newer: bool


@contextmanager
def seen_as(url: str, *, newer: bool) -> Iterator[int]:
    """Serve the Postgres of `url`, as one of a future version if `newer`; yield the port."""
    whole = urlsplit(url)
    with Server(("127.0.0.1", 0), Middleman) as server:
        server.behind, server.newer = (str(whole.hostname), whole.port or 5432), newer
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


DUMP = """
pg_dump --format=custom --file=postgres.dump 2>postgres.dump.log || rm -f postgres.dump
"""
"""As the backup's container does it."""
SIDES = {"the same version": (False, ""), "a newer server": (True, "ServerNewerThanDump")}


@pytest.mark.parametrize(("newer", "reason"), SIDES.values(), ids=SIDES)
def test_a_server_newer_than_the_tool_is_told_from_others(
    postgres_server: str, tmp_path: Path, newer: bool, reason: str
):
    folder = tmp_path / "backups" / f".partial-{STAMP}"
    folder.mkdir(parents=True)
    dump = folder / "postgres.dump"
    user = urlsplit(postgres_server).username or ""
    env = {
        "PATH": stores.postgres_path(), "PGHOST": "127.0.0.1", "PGUSER": user,
        "PGDATABASE": "postgres", "PGSSLMODE": "disable", "PGGSSENCMODE": "disable", "LC_ALL": "C",
    }  # fmt: skip
    with seen_as(postgres_server, newer=newer) as port:
        subprocess.run(
            ["sh", "-c", DUMP], cwd=folder, env={**env, "PGPORT": str(port)}, check=True, timeout=60
        )
    if not newer:
        assert dump.read_bytes()[:5] == b"PGDMP"
        return
    assert not dump.exists()

    code, said = run("backup_seal", str(folder), env={}, log=tmp_path / "log")

    assert (code, said["reason"]) == (1, reason), said
    assert "server version: 99" in said["message"]
