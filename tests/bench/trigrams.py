"""The peer that many would take: a table in Postgres with an index of pg_trgm."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import psycopg

from tests.cluster import stores


@contextmanager
def trigram_search(names: Sequence[str]) -> Iterator[Callable[[str], object]]:
    """Yield a search for the five most similar names; the server is gone afterwards."""
    with stores.postgres_server() as url, _beside(url) as database:
        _fill(database, names)

        def search(text: str) -> object:
            order = "SELECT name FROM product ORDER BY name <-> %s LIMIT 5"
            return database.execute(order, [text]).fetchall()

        yield search


def _beside(url: str) -> psycopg.Connection:
    """Connect by the server's socket file, the quickest way to it."""
    with psycopg.connect(url) as found:
        (folder,) = found.execute("SHOW unix_socket_directories").fetchone()
    return psycopg.connect(url, host=folder, autocommit=True)


def _fill(database: psycopg.Connection, names: Sequence[str]) -> None:
    database.execute("CREATE EXTENSION pg_trgm")
    database.execute("CREATE TABLE product (name text)")
    with database.cursor().copy("COPY product FROM STDIN") as copy:
        for name in names:
            copy.write_row([name])
    database.execute("CREATE INDEX ON product USING gist (name gist_trgm_ops(siglen=64))")
    database.execute("ANALYZE product")
