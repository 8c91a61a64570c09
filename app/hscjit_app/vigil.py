"""What does a worker's parent process watch, and how does it tell?

Threads of the parent: one answers /health and /metrics, one looks at the queue each second and
sends this worker a heartbeat each 5 s, one sweeps the outbox each second. Any of them outlives what
it watches.
"""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from celery.worker import state
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from hscjit_app import __version__, broker, metrics, queue_metrics
from hscjit_app.db.session import sync_engine
from hscjit_app.settings import Settings
from hscjit_app.tasks.maintenance import HEARTBEAT, sweep_now

_EVERYWHERE = "0.0.0.0"  # noqa: S104  # pods are scraped and probed by their address
_EACH_S = 1.0
_HEARTBEAT_EACH_S = 5.0
_HEARTBEAT_EXPIRES_S = 15.0
_SOCKET_TIMEOUT_S = 2.0

log = structlog.stdlib.get_logger(__name__)


class Vigil:
    """The watch of one process over itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._queue_empty = False
        """What the queue thread saw last; False also while Redis is away."""

    def serve(self) -> None:
        """Answer /health and /metrics on the metrics port from now on."""
        metrics.APP_INFO.labels(__version__, self._settings.component).set(1)
        server = ThreadingHTTPServer((_EVERYWHERE, self._settings.metrics_port), _Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="http", daemon=True).start()

    def watch_queue(self) -> None:
        """Publish the queue's length and age, and prove that this worker consumes."""
        if self._settings.redis_queue_url is None:
            return
        redis = Redis.from_url(
            self._settings.redis_queue_url,
            socket_timeout=_SOCKET_TIMEOUT_S,
            socket_connect_timeout=_SOCKET_TIMEOUT_S,
            **self._settings.redis_queue_tls,
        )
        # Alive until proven otherwise: a worker gets the same time for its first heartbeat.
        metrics.WORKER_HEARTBEAT.labels(self._settings.pod).set_to_current_time()
        next_heartbeat = 0.0

        def look() -> None:
            nonlocal next_heartbeat
            self._sample(redis)
            if time.monotonic() >= next_heartbeat:
                next_heartbeat = time.monotonic() + _HEARTBEAT_EACH_S
                self._send_heartbeat()

        _each_second(look, "queue")

    def watch_outbox(self) -> None:
        """Send again what was lost: see `db/outbox.py`."""
        engine = sync_engine(self._settings)
        up = metrics.DEPENDENCY_UP.labels("database")

        def sweep() -> None:
            try:
                sweep_now(engine, self._queue_empty)
            except SQLAlchemyError as e:
                up.set(0)
                log.warning("Could not sweep the outbox", error=type(e).__name__)
            except broker.QueueDown as e:
                # The rows are marked as sent; once the queue is back and empty they are lost again.
                up.set(1)
                log.warning("Could not send from the outbox", error=type(e).__name__)
            else:
                up.set(1)

        _each_second(sweep, "outbox")

    def _sample(self, redis: Redis) -> None:
        metrics.WORKER_TASK_STARTED.set(_oldest_start())
        metrics.BACKGROUND_TASKS.set(len(state.active_requests))
        up = metrics.DEPENDENCY_UP.labels("redis_queue")
        try:
            seen = queue_metrics.sample_now(redis, time.time())
        except RedisError as e:
            up.set(0)
            self._queue_empty = False
            log.warning("Could not look at the queue", error=type(e).__name__)
            return
        up.set(1)
        self._queue_empty = seen.depth == 0
        metrics.TASK_QUEUE_DEPTH.labels(metrics.QUEUE).set(seen.depth)
        metrics.TASK_QUEUE_OLDEST_AGE.labels(metrics.QUEUE).set(seen.oldest_age_s)

    def _send_heartbeat(self) -> None:
        """Put one heartbeat into our own queue; old ones expire rather than pile up."""
        name = broker.heartbeat_queue(self._settings)
        try:
            broker.celery.send_task(
                HEARTBEAT,
                queue=broker.celery.amqp.queues[name],
                expires=_HEARTBEAT_EXPIRES_S,
                retry=False,
            )
        except (OperationalError, OSError) as e:
            log.warning("Could not send a heartbeat", error=type(e).__name__)


def _oldest_start() -> float:
    """Return when the oldest running task began, 0 = none runs; heartbeats don't count."""
    for _ in range(3):
        try:
            running = list(state.active_requests)
        except RuntimeError:  # the set changed while it was copied
            continue
        starts = [r.time_start for r in running if r.name != HEARTBEAT and r.time_start]
        return min(starts, default=0.0)
    return 0.0


def _each_second(look: Callable[[], None], name: str) -> None:
    def forever() -> None:
        while True:
            try:
                look()
            except Exception:  # the watch's own boundary: it must not end
                log.exception("The watch stumbled", watch=name)
            time.sleep(_EACH_S)

    threading.Thread(target=forever, name=name, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    """Two pages for machines."""

    protocol_version = "HTTP/1.1"  # the operator keeps its connections
    timeout = 60

    def do_GET(self) -> None:  # the standard library's name
        """Answer a scrape or a probe."""
        if self.path == "/health":
            self._answer(200, b'{"status":"ok"}', "application/json")
        elif self.path == "/metrics":
            self._answer(200, metrics.render(), metrics.CONTENT_TYPE)
        else:
            self._answer(404, b"", "text/plain")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a line for each scrape would drown the rest."""
