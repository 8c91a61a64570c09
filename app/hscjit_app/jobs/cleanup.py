"""Remove what is too old: `python -m hscjit_app.jobs.cleanup`. The only place where this is done.

Conversations go a quarter of a year after their last message, and their messages, sources and
feedback with them; finished work leaves the outbox after a week; passages that no manual refers to
go at once; backups as `backups.retain` says, and never the newest complete one.
"""

import sys
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from hscjit_app.db.models import Conversation, OutboxRow
from hscjit_app.db.session import sync_engine
from hscjit_app.jobs import backups
from hscjit_app.jobs.outcome import JobFailed, Outcome, main
from hscjit_app.manuals import ingest
from hscjit_app.settings import Settings

CONVERSATIONS_KEPT = timedelta(days=90)
OUTBOX_KEPT = timedelta(days=7)
_BATCH = 1000


def clean(settings: Settings, now: datetime) -> dict[str, int]:
    """Remove what is too old at `now`; returns how much of each kind went."""
    engine = sync_engine(settings)
    try:
        gone = {
            "conversations": _conversations(Session(engine), now - CONVERSATIONS_KEPT),
            "outbox": _outbox(Session(engine), now - OUTBOX_KEPT),
        }
        with Session(engine) as session, session.begin():
            gone["chunks"] = ingest.forget_orphans(session)
    finally:
        engine.dispose()
    retention = backups.Retention(settings.backup_keep_last, settings.backup_keep_daily)
    gone["backups"] = len(backups.retain(settings.backup_dir, retention, now))
    return gone


def _conversations(session: Session, before: datetime) -> int:
    """Delete in batches, each its own transaction, so that customers wait for none."""
    total = 0
    old = select(Conversation.id).where(Conversation.updated_at < before).limit(_BATCH)
    with session:
        while ids := session.scalars(old).all():
            session.execute(delete(Conversation).where(Conversation.id.in_(ids)))
            session.commit()
            total += len(ids)
    return total


def _outbox(session: Session, before: datetime) -> int:
    total = 0
    old = (
        select(OutboxRow.key)
        .where(OutboxRow.state.in_(("done", "failed")), OutboxRow.updated_at < before)
        .limit(_BATCH)
    )
    with session:
        while keys := session.scalars(old).all():
            session.execute(delete(OutboxRow).where(OutboxRow.key.in_(keys)))
            session.commit()
            total += len(keys)
    return total


def run(settings: Settings) -> Outcome:
    """Clean up as of now."""
    try:
        gone = clean(settings, datetime.now(UTC))
    except (SQLAlchemyError, OSError) as e:
        raise JobFailed("CleanupFailed", f"{type(e).__name__}: {e}") from e
    words = ", ".join(f"{count} {kind}" for kind, count in gone.items())
    return Outcome(True, "CleanedUp", f"Removed {words}", dict(gone))


if __name__ == "__main__":
    sys.exit(main(run))
