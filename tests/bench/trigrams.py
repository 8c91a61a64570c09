"""The peer that many would take: a table in Postgres with an index of pg_trgm."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

BIN = Path("/usr/lib/postgresql/15/bin")


@contextmanager
def trigram_search(names: Sequence[str]) -> Iterator[Callable[[str], object]]:
    """Yield a search for the five most similar names; the server is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pgtrgm-"))
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # Postgres refuses to be root
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
    options = {"user": user.pw_uid, "group": user.pw_gid} if user else {}
    data = folder / "data"
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
    subprocess.run(
        [BIN / "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True,
        **quiet,
    )
    server = subprocess.Popen(
        [BIN / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-F"], **quiet
    )
    try:
        yield _filled(folder, names)
    finally:
        server.send_signal(signal.SIGINT)  # a fast stop: our own session doesn't hold it up
        server.wait(20)
        shutil.rmtree(folder)


def _filled(folder: Path, names: Sequence[str]) -> Callable[[str], object]:
    database = _connected(folder)
    database.execute("CREATE EXTENSION pg_trgm")
    database.execute("CREATE TABLE product (name text)")
    with database.cursor().copy("COPY product FROM STDIN") as copy:
        for name in names:
            copy.write_row([name])
    database.execute("CREATE INDEX ON product USING gist (name gist_trgm_ops(siglen=64))")
    database.execute("ANALYZE product")

    def search(text: str) -> object:
        order = "SELECT name FROM product ORDER BY name <-> %s LIMIT 5"
        return database.execute(order, [text]).fetchall()

    return search


def _connected(folder: Path) -> psycopg.Connection:
    address = f"host={folder} user=bench dbname=postgres"
    for _ in range(200):
        try:
            return psycopg.connect(address, autocommit=True)
        except psycopg.OperationalError:
            subprocess.run(["sleep", "0.05"], check=True)
    return psycopg.connect(address, autocommit=True)
