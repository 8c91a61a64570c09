"""How is a row inserted that may be there already?"""

from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from hscjit_app.db.models import Base

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


def insert(session: Session, table: type[Base]) -> "postgresql.Insert | sqlite.Insert":
    """Return an INSERT that knows `on_conflict_…`; each dialect has its own.

    Only the one in use is loaded, which its engine has done already.
    """
    if session.get_bind().dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415

    return postgresql.insert(table)
