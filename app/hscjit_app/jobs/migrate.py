"""Bring the database to this image's schema: `python -m hscjit_app.jobs.migrate`."""

import sys

from alembic.util import CommandError
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from hscjit_app.db import migrate
from hscjit_app.jobs.outcome import JobFailed, Outcome, main
from hscjit_app.settings import Settings

WAIT_S = 60.0
"""How long a database may take to answer for the first time."""


def run(settings: Settings) -> Outcome:
    """Migrate; two jobs at once do it one by one, the second finds nothing to do."""
    try:
        revision = migrate.upgrade(settings, WAIT_S)
    except OperationalError as e:
        raise JobFailed("DatabaseUnreachable", _words(e)) from e
    except SQLAlchemyError as e:
        raise JobFailed("MigrationFailed", _words(e)) from e
    except CommandError as e:
        raise JobFailed(
            "UnknownRevision", f"This image does not know the database's schema: {e}"
        ) from e
    return Outcome(
        True, "Migrated", f"The schema is at revision {revision}", {"revision": revision}
    )


def _words(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {cause}".strip()


if __name__ == "__main__":
    sys.exit(main(run))
