"""How is a row of the outbox worked on?

`run(key, work)` claims the row, keeps its lease alive while `work` runs, and stores what it made in
one transaction with the claim's token. Whoever is killed here simply stops renewing.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from hscjit_app import broker
from hscjit_app.db import outbox
from hscjit_app.db.session import sync_engine

log = structlog.stdlib.get_logger(__name__)


class PermanentFailure(Exception):
    """Trying again would fail in the same way; the message is kept for people."""


class TryAgain(Exception):
    """It did not work now but may later; the message is kept for people."""


@dataclass(frozen=True)
class Done:
    """What work made: a small summary, and how to store the rest in the closing transaction."""

    result: dict[str, Any]
    store: Callable[[Session], None]
    after: Callable[[], None] | None = None
    """Called once that is committed; it must not raise what it can't help."""


@cache
def engine() -> Engine:
    """Return this process's engine; made at first use, so after any fork."""
    return sync_engine(broker.settings())


def run(key: str, work: Callable[[dict[str, Any]], Done]) -> None:
    """Do the work of one row, if it is ours to do."""
    with Session(engine()) as session, session.begin():
        held = outbox.claim(session, key)
    if held is None:
        log.info("Leaving a task that is done, not due or another's", key=key)
        return
    with structlog.contextvars.bound_contextvars(key=key, attempt=held.attempts):
        stop = threading.Event()
        keeper = threading.Thread(target=_keep_lease, args=(held, stop), daemon=True)
        keeper.start()
        try:
            _attempt(held, work)
        finally:
            stop.set()
            keeper.join()


def _attempt(held: outbox.Claim, work: Callable[[dict[str, Any]], Done]) -> None:
    try:
        done = work(held.args)
    except PermanentFailure as e:
        _fail(held, str(e), permanent=True)
    except TryAgain as e:
        _fail(held, str(e), permanent=False)
    except SoftTimeLimitExceeded:
        _fail(held, f"It took longer than {broker.SOFT_TIME_LIMIT_S} s", permanent=False)
    except Exception as e:
        # The attempt's own boundary: a mistake of ours must not leave the row running for ever.
        _fail(held, f"{type(e).__name__}: {e}"[:500], permanent=False)
        raise
    else:
        _finish(held, done)


def _finish(held: outbox.Claim, done: Done) -> None:
    with Session(engine()) as session:
        done.store(session)
        if not outbox.finish(session, held, done.result):
            session.rollback()
            log.warning("Dropping a result whose lease was lost")
            return
        session.commit()
    if done.after is not None:
        done.after()
    log.info("Task done", **done.result)


def _fail(held: outbox.Claim, error: str, permanent: bool) -> None:
    with Session(engine()) as session, session.begin():
        outcome = outbox.fail(session, held, error, permanent)
    state = outcome.state if outcome else "another's by now"
    log.warning("Task attempt failed", error=error, state=state)


def _keep_lease(held: outbox.Claim, stop: threading.Event) -> None:
    while not stop.wait(outbox.RENEW_S):
        try:
            with Session(engine()) as session, session.begin():
                if not outbox.renew(session, held):
                    log.warning("Lost the lease; another worker takes over")
                    return
        except SQLAlchemyError as e:
            log.warning("Could not renew the lease", error=type(e).__name__)
