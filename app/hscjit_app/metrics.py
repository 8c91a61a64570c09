"""Every number the app publishes, under the names dashboards and the operator read.

All processes share this list; a process shows the series it fills. Times are Unix seconds,
durations seconds. Nothing here starts a thread or reads a clock at import time.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

disable_created_metrics()  # type: ignore[no-untyped-call]  # when a series began interests nobody here, and doubles the text

REGISTRY = CollectorRegistry(auto_describe=False)
ProcessCollector(registry=REGISTRY)  # process_resident_memory_bytes, process_start_time_seconds, …

WEBSOCKETS = Gauge(
    "websocket_active_connections", "WebSockets open on this process", registry=REGISTRY
)
HTTP_REQUESTS = Counter(
    "http_requests",
    "HTTP requests of users answered, by class of status code; probes and scrapes don't count",
    ["code"],
    registry=REGISTRY,
)
INFLIGHT = Gauge(
    "inflight_requests",
    "HTTP requests of users and questions being worked on right now",
    registry=REGISTRY,
)
PREDICTION_LATENCY = Histogram(
    "prediction_latency_seconds",
    "From a keystroke's arrival to its prediction being handed to the socket",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    registry=REGISTRY,
)
ANSWER_GENERATION = Histogram(
    "answer_generation_seconds",
    "From a question's arrival to its answer's last frame, waiting for the manual included",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    registry=REGISTRY,
)
ANSWERS_TAKEN_OVER = Counter(
    "answers_taken_over",
    "Answers this process went on with for another pod, by why: it died, or handed them over",
    ["why"],
    registry=REGISTRY,
)
PEERS = Gauge(
    "peer_pods", "Other API pods heard of in the last 3.5 s that are not leaving", registry=REGISTRY
)
EVENT_LOOP_LAG = Gauge(
    "event_loop_lag_seconds",
    "Worst delay of a 0.1 s ticker in the last 5 s: how long the loop was kept from its work",
    registry=REGISTRY,
)
DEPENDENCY_UP = Gauge(
    "dependency_up",
    "1 while the dependency answered its last check, else 0; only what is configured is listed",
    ["dependency"],
    registry=REGISTRY,
)
TASK_QUEUE_DEPTH = Gauge(
    "task_queue_depth", "Tasks waiting in the queue", ["queue"], registry=REGISTRY
)
TASK_QUEUE_OLDEST_AGE = Gauge(
    "task_queue_oldest_age_seconds",
    "Age of the task that has waited longest, 0 when the queue is empty",
    ["queue"],
    registry=REGISTRY,
)
WORKER_HEARTBEAT = Gauge(
    "worker_heartbeat_timestamp_seconds",
    "When this worker last consumed a heartbeat from its own queue",
    ["worker"],
    registry=REGISTRY,
)
WORKER_TASK_STARTED = Gauge(
    "worker_task_started_timestamp_seconds",
    "When the oldest task running in this worker was started, 0 when none runs",
    registry=REGISTRY,
)
BACKGROUND_TASKS = Gauge(
    "background_tasks_active",
    "Background jobs running in this process: answers being written, tasks of a worker",
    registry=REGISTRY,
)
CACHE_HITS = Counter(
    "cache_hits",
    "Look-ups answered without a load, by layer: memory, stale (memory, while it is loaded anew), "
    "redis, joined (the load of another who asks), manual_index",
    ["layer"],
    registry=REGISTRY,
)
CACHE_MISSES = Counter("cache_misses", "Look-ups that no layer could answer", registry=REGISTRY)
CACHE_LOAD = Histogram(
    "cache_load_seconds",
    "How long it took to load what no layer had; its count is the number of loads",
    buckets=(0.0001, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
    registry=REGISTRY,
)
CACHE_INVALIDATIONS = Counter(
    "cache_invalidations", "Keys this process was told are outdated", registry=REGISTRY
)
CACHE_EVICTIONS = Counter(
    "cache_evictions", "Entries that left memory for want of room", registry=REGISTRY
)
CACHE_ERRORS = Counter(
    "cache_errors",
    "Failed exchanges with Redis: as the shared cache (redis), about invalidations (bus)",
    ["part"],
    registry=REGISTRY,
)
CACHE_SIZE = Gauge("cache_entries", "Entries in this process's memory", registry=REGISTRY)
CACHE_UP = Gauge(
    "cache_up",
    "1 while this part of the cache works: the shared one (redis), hearing of invalidations",
    ["part"],
    registry=REGISTRY,
)
APP_INFO = Gauge(
    "hscjit_app_info",
    "Always 1; the labels say what runs",
    ["version", "component"],
    registry=REGISTRY,
)

QUEUE = "celery"
"""The one queue whose depth and age are published."""

for _code in ("2xx", "4xx", "5xx"):  # a share can be computed from the first scrape on
    HTTP_REQUESTS.labels(_code)


def render() -> bytes:
    """Return everything as Prometheus text."""
    return generate_latest(REGISTRY)
