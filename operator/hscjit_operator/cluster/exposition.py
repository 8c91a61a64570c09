"""Which numbers does a /metrics page hold that decisions need? A scan for few names, no parser.

The page is searched for some twenty names and the rest is never looked at, which costs a seventh
of parsing it all. What is not a finite number at or above zero is as if it were not there.
"""

import math
import re
from collections.abc import Iterator

from hscjit_operator.model.samples import Metrics

_LABEL = re.compile(rb'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')

Series = tuple[dict[bytes, bytes], float]


class NotMetrics(ValueError):
    """The page holds none of the names a pod of ours exports."""


def scan(page: bytes) -> Metrics:
    """Read the numbers out of a page, or raise NotMetrics."""
    page = b"\n" + page
    errors, requests = 0.0, None
    for labels, value in _series(page, b"http_requests_total"):
        requests = (requests or 0.0) + value
        errors += value if labels.get(b"code") == b"5xx" else 0.0
    found = Metrics(
        connections=_one(page, b"websocket_active_connections"),
        inflight=_one(page, b"inflight_requests"),
        requests=requests,
        errors=errors if requests is not None else None,
        prediction_buckets=_buckets(page, b"prediction_latency_seconds_bucket"),
        loop_lag=_one(page, b"event_loop_lag_seconds"),
        memory=_one(page, b"process_resident_memory_bytes"),
        process_start=_one(page, b"process_start_time_seconds"),
        dependencies={
            labels[b"dependency"].decode(errors="replace"): value > 0
            for labels, value in _series(page, b"dependency_up")
            if b"dependency" in labels
        },
        queue_depth=_one(page, b"task_queue_depth"),
        queue_oldest_age=_one(page, b"task_queue_oldest_age_seconds"),
        heartbeat=_one(page, b"worker_heartbeat_timestamp_seconds"),
        task_started=_one(page, b"worker_task_started_timestamp_seconds"),
    )
    if found == Metrics():
        raise NotMetrics(f"none of the expected names within {len(page) - 1} bytes")
    return found


def _one(page: bytes, name: bytes) -> float | None:
    """Return the value of a name: the highest, should it have several series."""
    return max((value for _, value in _series(page, name)), default=None)


def _buckets(page: bytes, name: bytes) -> tuple[tuple[float, float], ...]:
    """Return a histogram without labels of its own, by rising bound."""
    found: dict[float, float] = {}
    for labels, value in _series(page, name):
        bound = _number(labels.get(b"le", b""), lowest=-math.inf)
        if bound is not None:
            found[bound] = value
    return tuple(sorted(found.items()))


def _series(page: bytes, name: bytes) -> Iterator[Series]:
    """Yield the series of a name: their labels and value."""
    needle = b"\n" + name
    at = page.find(needle)
    while at >= 0:
        end = page.find(b"\n", at + 1)
        line = page[at + 1 + len(name) : end if end >= 0 else None]
        labels: dict[bytes, bytes] = {}
        if line[:1] == b"{":
            within, _, line = line.rpartition(b"}")
            labels = {key: _plain(text) for key, text in _LABEL.findall(within)}
        elif line[:1] not in (b" ", b"\t"):
            line = b""  # a longer name that begins alike
        fields = line.split()
        value = _number(fields[0], lowest=0.0) if fields else None
        if value is not None and not math.isinf(value):
            yield labels, value
        at = page.find(needle, end) if end >= 0 else -1


def _number(text: bytes, lowest: float) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value >= lowest else None  # NaN is not, either


def _plain(text: bytes) -> bytes:
    if b"\\" not in text:
        return text
    return re.sub(rb"\\(.)", lambda m: b"\n" if m[1] == b"n" else m[1], text)
