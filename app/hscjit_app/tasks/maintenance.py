"""Tasks nobody asks for: proof that a worker consumes, and manuals read again in time."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import structlog
from celery.worker.request import Request
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from hscjit_app import broker
from hscjit_app.broker import celery
from hscjit_app.db import outbox
from hscjit_app.db.models import Manual
from hscjit_app.manuals.wanted import TASK, Wanted
from hscjit_app.metrics import WORKER_HEARTBEAT
from hscjit_app.tasks import runner

HEARTBEAT = "maintenance.heartbeat"
REFRESH = "maintenance.refresh_manuals"
_REFRESH_BATCH = 100

log = structlog.stdlib.get_logger(__name__)


class HeartbeatRequest(Request):  # type: ignore[misc]  # Celery has no types
    """Notes in the worker's parent process that a heartbeat came through the queue to the pool."""

    def on_accepted(self, pid: int, time_accepted: float) -> None:
        """Called by Celery in the parent when a process of the pool has taken it, on any pool."""
        WORKER_HEARTBEAT.labels(broker.settings().pod).set_to_current_time()
        super().on_accepted(pid, time_accepted)


@celery.task(name=HEARTBEAT, Request=HeartbeatRequest, acks_late=False)
def heartbeat() -> None:
    """Do nothing: being consumed is the message."""


@celery.task(name=REFRESH)
def refresh_manuals(slot: str) -> None:
    """Ask again for manuals older than their time to live; a slot of the schedule counts once."""
    key = f"{REFRESH}/{slot}"
    with Session(runner.engine()) as session, session.begin():
        outbox.enqueue(session, key, REFRESH, {"slot": slot}, once=True)
    runner.run(key, _refresh)


def _refresh(_args: dict[str, Any]) -> runner.Done:
    """Leave a pending row for each; the sweeper sends them."""

    def store(session: Session) -> None:
        oldest = outbox.clock(session) - timedelta(seconds=broker.settings().manuals_cache_ttl_s)
        stale = select(Manual).where(Manual.fetched_at < oldest).limit(_REFRESH_BATCH)
        for manual in session.scalars(stale).all():
            wanted = Wanted(manual.product_id, manual.url, manual.title)
            outbox.enqueue(session, wanted.key, TASK, asdict(wanted), send_now=False)

    return runner.Done(result={}, store=store)


@celery.task(name=broker.SWEEP)
def sweep() -> None:
    """Send what was lost or is due again; for a process that is its own queue."""
    sweep_now(runner.engine(), queue_empty=True)


def sweep_now(engine: Engine, queue_empty: bool) -> None:
    """Sweep once: mark, commit, then send."""
    with Session(engine) as session, session.begin():
        lost = outbox.sweep(session, queue_empty)
    for task, key in lost:
        log.info("Sending what was lost or is due again", task=task, key=key)
        broker.send_now(task, key=key)
