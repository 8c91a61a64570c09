"""How does a process talk to the database?

The API uses `Database` (async). Worker processes use `sync_engine`, because a Celery task is a
plain function. Both speak to Postgres with psycopg 3, and to one SQLite file in development.
"""

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from hscjit_app.settings import Settings

SCRIPTS = Path(__file__).parents[2] / "migrations"
"""Beside the package: in the source tree, and in the image's /app. Files are `<revision>_….py`."""

_CONNECT_TIMEOUT_S = 5
_STATEMENT_TIMEOUT_MS = 30_000


class Database:
    """This pod's share of the database: one pool, and the sessions drawn from it."""

    def __init__(self, settings: Settings) -> None:
        pool = {} if settings.sqlite else _pool(settings.db_pool_size, settings.db_max_overflow)
        self.engine = create_async_engine(
            settings.database_url, connect_args=_connect_args(settings), **pool
        )
        if settings.sqlite:
            event.listen(self.engine.sync_engine, "connect", _sqlite_manners)
        self.sessions: async_sessionmaker[AsyncSession] = async_sessionmaker(
            self.engine, expire_on_commit=False
        )

    async def ping(self) -> None:
        """Ask the database anything; raises what SQLAlchemy raises when it can't answer."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Give every connection back."""
        await self.engine.dispose()


async def prepare(settings: Settings) -> None:
    """Make the SQLite file's tables; with a server the migration Job has done it already."""
    if settings.sqlite:
        if await asyncio.to_thread(_is_current, settings):
            return
        from hscjit_app.db import migrate  # noqa: PLC0415  # Alembic is needed here alone

        await asyncio.to_thread(migrate.upgrade, settings, wait_s=0)


def _is_current(settings: Settings) -> bool:
    """Is the SQLite file at the newest revision? Alembic would know, but is slow to load."""
    path = make_url(settings.database_url).database or ""
    newest = max(path.name for path in SCRIPTS.joinpath("versions").glob("[0-9]*.py"))
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        return False
    return found == [(newest.partition("_")[0],)]


def sync_engine(settings: Settings, pool_size: int = 1, max_overflow: int = 1) -> Engine:
    """Return an engine for plain functions; a task and the renewal of its lease need two."""
    url = make_url(settings.database_url)
    if settings.sqlite:
        engine = create_engine(url.set(drivername="sqlite"), connect_args=_connect_args(settings))
        event.listen(engine, "connect", _sqlite_manners)
        return engine
    return create_engine(
        url, connect_args=_connect_args(settings), **_pool(pool_size, max_overflow)
    )


def _pool(size: int, overflow: int) -> dict[str, Any]:
    return {
        "pool_size": size,
        "max_overflow": overflow,
        "pool_timeout": _CONNECT_TIMEOUT_S,
        # A connection that a restarted Postgres has closed is found before it is used, not by it.
        "pool_pre_ping": True,
    }


def _connect_args(settings: Settings) -> dict[str, Any]:
    if settings.sqlite:
        return {"timeout": _CONNECT_TIMEOUT_S}
    return {
        **tls(settings),
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "application_name": f"{settings.name}-{settings.component}",
        "options": f"-c statement_timeout={_STATEMENT_TIMEOUT_MS} -c timezone=UTC",
        # Keepalives notice a peer that vanished without a word within about 10 s.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
    }


def tls(settings: Settings) -> dict[str, str]:
    """Return libpq's words for whom to believe; nothing where only the URL says it."""
    if settings.database_ca is None:
        return {}
    asked = make_url(settings.database_url).query.get("sslmode")
    mode = "verify-ca" if asked == "verify-ca" else "verify-full"
    return {"sslmode": mode, "sslrootcert": str(settings.database_ca)}


def _sqlite_manners(connection: Any, _: Any) -> None:
    """Make SQLite keep foreign keys, and let readers and one writer work at once."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()
