"""Runs migrations on the connection it is handed, or on the database of the environment."""

import os

from alembic import context
from sqlalchemy import Connection

from hscjit_app.db.models import Base
from hscjit_app.db.session import sync_engine
from hscjit_app.settings import Settings


def run(connection: Connection) -> None:
    """Migrate in one transaction; SQLite alters tables by copying them."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with sync_engine(Settings.from_env(os.environ)).connect() as own:
        run(own)
        own.commit()
