"""The entry of `celery -A hscjit_app.worker worker` and `… beat`.

The parent process watches and publishes (`vigil.py`); its pool's processes only do tasks. They are
forked, so they touch no metric and make their own database connections.

While a process starts it looks for no garbage, and afterwards never among what was there by then:
a pool's process that did, or whose parent did, would have a copy of its own of all they share.
"""

# ruff: noqa: E402  the rest is imported after this
import gc

gc.disable()

import logging
import os
from typing import Any

from celery import bootsteps
from celery.signals import beat_init, setup_logging, worker_process_init
from sqlalchemy import make_url

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


class Watch(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Starts the watch between the pool and the consumer.

    After the pool: what a thread holds at the moment of a fork (a module it imports, say) the
    pool's process would wait for until it is killed. Before the consumer: a worker that can't reach
    Redis yet is alive nevertheless.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        # Before the pool: loaded once, and its memory is shared by all.
        make_url(settings.database_url).get_dialect().import_dbapi()
        gc.freeze()  # the pool looks for garbage before each fork

    def start(self, _parent: Any) -> None:
        """Called once by the worker."""
        _started()
        vigil = Vigil(settings)
        vigil.serve()
        vigil.watch_queue()
        vigil.watch_outbox()


app.steps["worker"].add(Watch)


@worker_process_init.connect
def _started(**_: Any) -> None:
    """Look for garbage from now on, among what comes from now on."""
    gc.freeze()
    gc.enable()


@beat_init.connect
def _watch_beat(**_: Any) -> None:
    _started()
    Vigil(settings).serve()
