"""How is a piece of work known until it is done, whoever dies on the way?

The row is the truth, Celery the carrier. States and what moves them:

    pending ── claim ──> running ── finish ──> done
       ^                    │ lease ran out, or a failure worth another try: back to pending
       └────────────────────┤
                            └── a permanent failure, or too many attempts ──> failed

A claim takes a lease of `LEASE_S` that its worker renews every `RENEW_S`, and a token. A result is
stored in the same transaction as `finish`, which says no to an outdated token. Functions take the
present as an argument (`clock` asks the database, so that pods need not agree) and leave the commit
to the caller.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import CursorResult, select, text, update
from sqlalchemy.orm import Session

from hscjit_app.db.inserting import insert
from hscjit_app.db.models import OutboxRow

LEASE_S = 3.0
"""A worker that died is noticed after at most this long."""
RENEW_S = 1.0
"""How often a living worker renews: two renewals may fail before the lease is lost."""
RESEND_S = 2.0
"""A pending row whose message is in no queue this long after it was sent was lost on the way."""
MAX_ATTEMPTS = 5
"""Claims of one row before it is given up."""
RETRY_FAILED_S = 60.0
"""A failed row may be asked for again after this: a site that was down may be back."""
REDO_DONE_S = 5.0
"""A row done just now was asked for by somebody who looked a moment before its result was there."""
_BACKOFF_S = 2.0
_BACKOFF_MAX_S = 60.0
_SWEEP_BATCH = 200

Request = Literal["add", "again", "leave"]


@dataclass(frozen=True)
class Claim:
    """The right to work on a row, until its lease runs out or another claim is made."""

    key: str
    token: int
    args: dict[str, Any]
    attempts: int
    """Counts this one."""


@dataclass(frozen=True)
class Outcome:
    """Where a row goes after a failed attempt."""

    state: Literal["pending", "failed"]
    due_at: datetime


def on_request(row: OutboxRow | None, args: dict[str, Any], once: bool, now: datetime) -> Request:
    """Decide what asking for a key means, given the row it has already."""
    if row is None:
        return "add"
    if once or row.state in ("pending", "running"):
        return "leave"
    if row.args != args:
        return "again"
    rest = RETRY_FAILED_S if row.state == "failed" else REDO_DONE_S
    return "again" if now - row.updated_at >= timedelta(seconds=rest) else "leave"


def after_failure(attempts: int, permanent: bool, now: datetime) -> Outcome:
    """Decide where a row goes after its `attempts`-th attempt failed."""
    if permanent or attempts >= MAX_ATTEMPTS:
        return Outcome("failed", now)
    return Outcome("pending", now + timedelta(seconds=backoff_s(attempts)))


def backoff_s(attempts: int) -> float:
    """Return the wait before the next attempt: 2, 4, 8 … seconds, at most 60."""
    return float(min(_BACKOFF_S * 2 ** (attempts - 1), _BACKOFF_MAX_S))


def is_lost(row: OutboxRow, queue_empty: bool, now: datetime) -> bool:
    """Tell whether a row needs to be sent (again).

    While messages wait in the queue ours may be among them: sending it again would only make the
    queue longer. Once the queue is empty a row that nobody claimed has lost its message.
    """
    if row.due_at > now:
        return False
    if row.state == "running":
        return True
    if row.state != "pending":
        return False
    if row.sent_at is None or row.sent_at < row.due_at:
        return True  # never sent for this attempt
    return queue_empty and now - row.sent_at >= timedelta(seconds=RESEND_S)


def clock(session: Session) -> datetime:
    """Return the database's present; SQLite has no clock of its own, so there it is ours."""
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)
    return cast(datetime, session.execute(text("SELECT clock_timestamp()")).scalar_one())


def enqueue(
    session: Session,
    key: str,
    task: str,
    args: dict[str, Any],
    *,
    once: bool = False,
    send_now: bool = True,
) -> bool:
    """Ask for work; True = it is wanted now and was not before.

    `once`: a key that was ever done or failed stays so (keys of schedule slots).
    `send_now`: the caller sends it after its commit; else the next sweep does.
    """
    now = clock(session)
    row = session.get(OutboxRow, key, with_for_update=True, populate_existing=True)
    decision = on_request(row, args, once, now)
    if decision == "leave":
        return False
    fresh = {
        "task": task,
        "args": args,
        "state": "pending",
        "due_at": now,
        "sent_at": now if send_now else None,
        "attempts": 0,
        "result": None,
        "error": None,
        "updated_at": now,
    }
    if row is not None:
        for name, value in fresh.items():
            setattr(row, name, value)
        session.flush()
        return True
    added = session.scalars(
        insert(session, OutboxRow)
        .values(key=key, token=0, **fresh)
        .on_conflict_do_nothing()
        .returning(OutboxRow.key)
    ).first()
    return added is not None  # None: somebody asked in the same moment


def claim(session: Session, key: str) -> Claim | None:
    """Take the row, or None: it is done, not due yet, or somebody works on it."""
    now = clock(session)
    taken = session.execute(
        update(OutboxRow)
        .where(
            OutboxRow.key == key,
            OutboxRow.state.in_(("pending", "running")),
            OutboxRow.due_at <= now,
            OutboxRow.attempts < MAX_ATTEMPTS,
        )
        .values(
            state="running",
            due_at=now + timedelta(seconds=LEASE_S),
            token=OutboxRow.token + 1,
            attempts=OutboxRow.attempts + 1,
            updated_at=now,
        )
        .returning(OutboxRow.token, OutboxRow.args, OutboxRow.attempts)
        .execution_options(synchronize_session=False)
    ).first()
    return None if taken is None else Claim(key, taken.token, taken.args, taken.attempts)


def renew(session: Session, held: Claim) -> bool:
    """Lengthen the lease; False = it is another's now and the work is in vain."""
    due = clock(session) + timedelta(seconds=LEASE_S)
    return _change(session, held, due_at=due)


def finish(session: Session, held: Claim, result: dict[str, Any]) -> bool:
    """Mark the row done; False = outdated token: roll back everything stored with it."""
    now = clock(session)
    return _change(session, held, state="done", due_at=now, result=result, error=None)


def fail(session: Session, held: Claim, error: str, permanent: bool) -> Outcome | None:
    """Note a failed attempt and when the next one is due; None = the lease was another's."""
    outcome = after_failure(held.attempts, permanent, clock(session))
    noted = _change(session, held, state=outcome.state, due_at=outcome.due_at, error=error)
    return outcome if noted else None


def sweep(session: Session, queue_empty: bool) -> list[tuple[str, str]]:
    """Return (task, key) of what must be sent (again), marked as sent; commit, then send.

    Several sweepers may run: a row that one of them holds is skipped by the others.
    """
    now = clock(session)
    due = session.scalars(
        select(OutboxRow)
        .where(OutboxRow.state.in_(("pending", "running")), OutboxRow.due_at <= now)
        .order_by(OutboxRow.due_at)
        .limit(_SWEEP_BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    lost = []
    for row in due:
        if not is_lost(row, queue_empty, now):
            continue
        if row.attempts >= MAX_ATTEMPTS:
            row.state = "failed"
            row.error = row.error or f"Its worker died {row.attempts} times"
            row.updated_at = now
            continue
        if row.state == "running":  # so that it is not sent each second until it is claimed
            row.state, row.due_at = "pending", now
        row.sent_at = now
        lost.append((row.task, row.key))
    return lost


def _change(session: Session, held: Claim, **values: Any) -> bool:
    changed = session.execute(
        update(OutboxRow)
        .where(
            OutboxRow.key == held.key,
            OutboxRow.token == held.token,
            OutboxRow.state == "running",
        )
        .values(updated_at=clock(session), **values)
        .execution_options(synchronize_session=False)
    )
    return _rows(changed) == 1


def _rows(result: Any) -> int:
    return cast("CursorResult[Any]", result).rowcount
