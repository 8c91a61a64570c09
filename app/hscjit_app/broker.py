"""How does work leave this process?

`configure(settings)` once per process, then `await send("manuals.fetch", key=…)`. The Celery app
lives here, so that senders need not import the tasks, and is made at first use: a process is ready
before it has sent anything. Messages are JSON and carry the time they
were published, stamped in one place: the age of a queue is read from it.
"""

import asyncio
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog

from hscjit_app.metrics import QUEUE
from hscjit_app.settings import Settings

PUBLISHED_AT = "published_at"
"""Message header: Unix seconds of its publishing."""
SOFT_TIME_LIMIT_S = 100
HARD_TIME_LIMIT_S = 120
"""No task runs longer; a worker whose oldest task is older than this is stuck."""
SOFT_SHUTDOWN_S = 10.0
"""A worker told to leave while tasks run waits exactly this long (Celery sleeps it out), then goes;
what was not done by then is taken over through the outbox."""
_VISIBILITY_TIMEOUT_S = 900
"""Far above the hard limit: a shorter one hands a healthy task to a second worker. Taking over
from the dead is the outbox's business, not Redis's."""
_HEARTBEAT_QUEUE_TTL_S = 60.0
_SWEEP_EACH_S = 1.0
SWEEP = "maintenance.sweep"
"""The task that sends what was lost; without Redis the thread runs it when it is idle."""

if TYPE_CHECKING:
    from celery import Celery
    from kombu import Queue

    celery: Celery

log = structlog.stdlib.get_logger(__name__)


class _InProcess:
    """The queue of a process without Redis: one thread does what is sent, in order."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, name: str, args: dict[str, Any]) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="tasks", daemon=True)
                self._thread.start()
        self._queue.put((name, args))

    def _work(self) -> None:
        celery = _carrier()
        celery.loader.import_default_modules()  # registers the tasks
        while _State.in_process is self:  # until `close`, or another took its place
            try:
                name, args = self._queue.get(timeout=_SWEEP_EACH_S)
            except queue.Empty:
                name, args = SWEEP, {}
            try:
                celery.tasks[name](**args)
            except Exception:  # one bad task must not end the thread of all others
                log.exception("Task failed", task=name)


class _State:
    """What `configure` was told; the one thing this module remembers."""

    settings: Settings | None = None
    in_process: _InProcess | None = None
    celery: "Celery | None" = None
    lock = threading.Lock()


class QueueDown(Exception):
    """The queue can't be reached right now."""


def __getattr__(name: str) -> Any:
    """Make `celery` when somebody first asks this module for it."""
    if name == "celery":
        return _carrier()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _carrier() -> "Celery":
    with _State.lock:
        if _State.celery is None:
            from celery import Celery  # noqa: PLC0415
            from celery.signals import before_task_publish  # noqa: PLC0415

            include = ["hscjit_app.tasks.manuals", "hscjit_app.tasks.maintenance"]
            _State.celery = Celery("hscjit", include=include)
            before_task_publish.connect(_stamp, dispatch_uid="hscjit.published_at", weak=False)
            if _State.settings is not None:
                _set_up(_State.celery, _State.settings)
        return _State.celery


def heartbeat_queue(settings: Settings) -> str:
    """Return the name of a worker's own queue, through which it proves that it consumes."""
    return f"heartbeat.{settings.pod}"


def close() -> None:
    """End the thread of a process without Redis, once it has done what it is at."""
    _State.in_process = None


def configure(settings: Settings) -> None:
    """Tell the broker where its queue is; no Redis = a thread of this process does the work."""
    _State.settings = settings
    _State.in_process = None if settings.redis_queue_url else _InProcess()
    with _State.lock:
        if _State.celery is not None:
            _set_up(_State.celery, settings)


def _set_up(celery: "Celery", settings: Settings) -> None:
    transport = {
        "visibility_timeout": _VISIBILITY_TIMEOUT_S,
        "socket_timeout": 5.0,
        "socket_connect_timeout": 2.0,
        "socket_keepalive": True,
        "health_check_interval": 5,
        "retry_on_timeout": True,
    }
    celery.conf.update(
        broker_url=settings.redis_queue_url or "memory://",
        broker_transport_options=transport,
        broker_use_ssl=_tls(settings),
        result_backend_transport_options={"visibility_timeout": _VISIBILITY_TIMEOUT_S},
        visibility_timeout=_VISIBILITY_TIMEOUT_S,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker outlives any outage of Redis
        broker_pool_limit=4,
        task_serializer="json",
        accept_content=["json"],
        result_expires=None,  # beat would clean up a result store that is not there
        task_ignore_result=True,  # results are rows, stored with their token
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_soft_time_limit=SOFT_TIME_LIMIT_S,
        task_time_limit=HARD_TIME_LIMIT_S,
        task_publish_retry_policy={
            "max_retries": 1,
            "interval_start": 0.1,
            "interval_step": 0,
            "interval_max": 0.1,
        },
        task_default_queue=QUEUE,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_soft_shutdown_timeout=SOFT_SHUTDOWN_S,
        worker_enable_remote_control=False,  # nothing here talks to it
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        task_queues=_queues(settings),
        timezone="UTC",
    )


def _tls(settings: Settings) -> "dict[str, Any] | None":
    """Return how the carrier checks a server it speaks TLS with; None = it does not."""
    if not (settings.redis_queue_url or "").startswith("rediss://"):
        return None
    import ssl  # noqa: PLC0415  # not for those without TLS

    return {"ssl_cert_reqs": ssl.CERT_REQUIRED, **settings.redis_queue_tls}


def _queues(settings: Settings) -> "list[Queue]":
    from kombu import Exchange, Queue  # noqa: PLC0415

    queues = [Queue(QUEUE)]
    if settings.component == "worker":
        # A dead worker's heartbeats vanish by themselves.
        # On an exchange of its own: on the common one it would be sent every task.
        name = heartbeat_queue(settings)
        queues.append(Queue(name, Exchange(name), routing_key=name, expires=_HEARTBEAT_QUEUE_TTL_S))
    return queues


def settings() -> Settings:
    """Return what `configure` was told; tasks run in processes that can't be handed it."""
    if _State.settings is None:
        raise RuntimeError("broker.configure(settings) was not called in this process")
    return _State.settings


async def send(name: str, **args: Any) -> None:
    """Hand one task to the queue, after the commit that made it necessary; never blocks the loop.

    Raises `QueueDown` when the queue can't be reached. Work that must not
    be lost has its row in the outbox, whose sweeper sends it again.
    """
    await asyncio.to_thread(send_now, name, **args)


def send_now(name: str, **args: Any) -> None:
    """Do what `send` does, for code without an event loop."""
    settings()
    if _State.in_process is not None:
        _State.in_process.put(name, args)
        return
    celery = _carrier()
    from kombu.exceptions import OperationalError  # noqa: PLC0415

    try:
        celery.send_task(name, kwargs=args, queue=QUEUE)
    except (OperationalError, OSError) as e:
        raise QueueDown(type(e).__name__) from e


def _stamp(headers: dict[str, Any] | None = None, **_: Any) -> None:
    if headers is not None:
        headers[PUBLISHED_AT] = time.time()
