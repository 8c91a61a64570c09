"""The entry of `celery -A hscjit_app.worker worker` and `… beat`.

The parent process watches and publishes (`vigil.py`); its pool's processes only do tasks. They are
forked, so they touch no metric and make their own database connections.
"""

import logging
import os
from typing import Any

from celery.signals import beat_init, setup_logging, worker_init

from hscjit_app import broker, logs
from hscjit_app.beat import SCHEDULE
from hscjit_app.settings import Settings
from hscjit_app.vigil import Vigil

_QUIET = ("celery.worker.strategy", "celery.app.trace")
"""They say "received" and "succeeded" of every heartbeat; what a task did, the task says."""

settings = Settings.from_env(os.environ)
broker.configure(settings)
app = broker.celery
app.conf.beat_schedule = SCHEDULE
app.conf.beat_scheduler = "hscjit_app.beat:LockedScheduler"


@setup_logging.connect
def _log(**_: Any) -> None:
    """Being connected here keeps Celery's own set-up away."""
    logs.configure(settings)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


@worker_init.connect
def _watch_worker(**_: Any) -> None:
    """Start before the pool does: a worker that can't reach Redis yet is alive nevertheless."""
    vigil = Vigil(settings)
    vigil.serve()
    vigil.watch_queue()
    vigil.watch_outbox()


@beat_init.connect
def _watch_beat(**_: Any) -> None:
    Vigil(settings).serve()
