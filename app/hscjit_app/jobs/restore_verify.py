"""Did everything come back? `python -m hscjit_app.jobs.restore_verify <backups>/<stamp>`.

Counts every table against the manifest. A backup of an older schema is then brought to this
image's: nobody else would, because this image's migration was recorded as done long ago.
"""

import sys
from pathlib import Path

from sqlalchemy import Engine, column, func, inspect, select, table
from sqlalchemy.exc import SQLAlchemyError

from hscjit_app.db import migrate
from hscjit_app.db.session import sync_engine
from hscjit_app.jobs import backups
from hscjit_app.jobs.migrate import WAIT_S
from hscjit_app.jobs.outcome import JobFailed, Outcome, argument, main
from hscjit_app.settings import Settings


def run(settings: Settings, folder: Path) -> Outcome:
    """Compare, then migrate."""
    try:
        manifest = backups.manifest_of(folder)
    except backups.BadBackup as e:
        raise JobFailed("BackupDamaged", str(e)) from e
    engine = sync_engine(settings)
    try:
        found = count(engine, list(manifest["postgres"]["rows"]))
        differences = compare(manifest["postgres"]["rows"], found)
        if differences:
            raise JobFailed("RowsMissing", "; ".join(differences))
        revision = migrate.upgrade(settings, WAIT_S)
    except SQLAlchemyError as e:
        cause = getattr(e, "orig", None) or e
        raise JobFailed("DatabaseError", f"{type(cause).__name__}: {cause}".strip()) from e
    finally:
        engine.dispose()
    rows = sum(n for n in found.values() if n)
    return Outcome(
        True,
        "Restored",
        f"{rows} rows in {len(found)} tables are back from {folder.name}",
        {"stamp": folder.name, "rows": rows, "revision": revision},
    )


def count(engine: Engine, tables: list[str]) -> dict[str, int | None]:
    """Return how many rows each table has; None = there is no such table."""
    with engine.connect() as connection:
        present = set(inspect(connection).get_table_names())
        return {
            name: connection.scalar(select(func.count()).select_from(table(name, column("*"))))
            if name in present
            else None
            for name in tables
        }


def compare(sealed: dict[str, int], found: dict[str, int | None]) -> list[str]:
    """Return a sentence for each table that is not as it was sealed."""
    return [
        f"{name}: {'no such table' if found.get(name) is None else found[name]}, sealed were {rows}"
        for name, rows in sorted(sealed.items())
        if found.get(name) != rows
    ]


if __name__ == "__main__":
    sys.exit(main(lambda settings: run(settings, argument("folder"))))
