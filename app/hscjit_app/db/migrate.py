"""How does the schema become the one this code expects?"""

import time

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from hscjit_app.db.session import SCRIPTS, sync_engine
from hscjit_app.settings import Settings

_LOCK = 0x48534A49  # "HSJI": any number, as long as all migrations of a database use the same
_RETRY_S = 0.5

log = structlog.stdlib.get_logger(__name__)


def upgrade(settings: Settings, wait_s: float) -> str | None:
    """Bring the database to the newest revision and return it; two at once do it one by one.

    Waits at most `wait_s` for a database that does not answer, then raises OperationalError.
    """
    engine = sync_engine(settings)
    try:
        with _connection(engine, wait_s) as connection:
            if connection.dialect.name == "postgresql":
                # No statement limit here: the other migration may take its time, and so may ours.
                connection.execute(text("SET statement_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_lock(:id)"), {"id": _LOCK})
                connection.commit()
            config = Config()
            config.set_main_option("script_location", str(SCRIPTS))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
            return revision(connection)  # closing the connection gives the lock back
    finally:
        engine.dispose()


def revision(connection: Connection) -> str | None:
    """Return the revision a database is at; None = it has never been migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def _connection(engine: Engine, wait_s: float) -> Connection:
    ends = time.monotonic() + wait_s
    while True:
        try:
            return engine.connect()
        except OperationalError as e:
            if time.monotonic() >= ends:
                raise
            log.info("Waiting for the database", error=str(e.orig).strip()[:200])
            time.sleep(_RETRY_S)
