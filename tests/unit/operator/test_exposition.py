"""The scan of a /metrics page: the numbers that the library's own parser finds, and no others."""

import math

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from hscjit_operator.cluster.exposition import NotMetrics, scan
from hscjit_operator.model.samples import Metrics


def page() -> bytes:
    """Return a page as a pod of ours serves it, with neighbours that begin alike."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    Gauge("websocket_active_connections", "Open.", registry=registry).set(12)
    Gauge("inflight_requests", "Now.", registry=registry).set(3)
    Gauge("inflight_requests_limit", "Another.", registry=registry).set(999)
    requests = Counter("http_requests", "By class.", ["code"], registry=registry)
    for code, count in (("2xx", 1000), ("4xx", 20), ("5xx", 7)):
        requests.labels(code).inc(count)
    latency = Histogram("prediction_latency_seconds", "Time.", registry=registry)
    other = Histogram("answer_generation_seconds", "Time.", registry=registry)
    for n in range(100):
        latency.observe(n / 50)
        other.observe(n)
    Gauge("event_loop_lag_seconds", "Worst.", registry=registry).set(0.00123)
    up = Gauge("dependency_up", "1 or 0.", ["dependency"], registry=registry)
    for name, value in (("database", 1), ("redis_cache", 0), ("redis_queue", 1)):
        up.labels(name).set(value)
    for name, value in (("task_queue_depth", 42), ("task_queue_oldest_age_seconds", 1.5)):
        Gauge(name, "Queue.", ["queue"], registry=registry).labels("celery").set(value)
    beat = Gauge("worker_heartbeat_timestamp_seconds", "When.", ["worker"], registry=registry)
    beat.labels('odd"name\\with}brace').set(1.78e9)
    Gauge("worker_task_started_timestamp_seconds", "When.", registry=registry).set(0)
    Counter("cache_hits", "Hits.", ["layer"], registry=registry).labels("memory").inc(5)
    return generate_latest(registry)


def parsed(text: bytes) -> Metrics:
    """Return the same by the library's parser."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value

    def one(name):
        return max((v for (n, _), v in found.items() if n == name), default=None)

    codes = {dict(k)["code"]: v for (n, k), v in found.items() if n == "http_requests_total"}
    buckets = {
        float(dict(k)["le"]): v
        for (n, k), v in found.items()
        if n == "prediction_latency_seconds_bucket"
    }
    return Metrics(
        connections=one("websocket_active_connections"),
        inflight=one("inflight_requests"),
        requests=sum(codes.values()),
        errors=codes["5xx"],
        prediction_buckets=tuple(sorted(buckets.items())),
        loop_lag=one("event_loop_lag_seconds"),
        memory=one("process_resident_memory_bytes"),
        process_start=one("process_start_time_seconds"),
        dependencies={
            dict(k)["dependency"]: v > 0 for (n, k), v in found.items() if n == "dependency_up"
        },
        queue_depth=one("task_queue_depth"),
        queue_oldest_age=one("task_queue_oldest_age_seconds"),
        heartbeat=one("worker_heartbeat_timestamp_seconds"),
        task_started=one("worker_task_started_timestamp_seconds"),
    )


def test_the_scan_finds_what_the_parser_finds():
    text = page()

    assert scan(text) == parsed(text)
    assert scan(text).errors == 7
    assert scan(text).dependencies == {"database": True, "redis_cache": False, "redis_queue": True}


LINES = {
    "plain": (b"inflight_requests 3\n", 3.0),
    "no newline at the end": (b"inflight_requests 3", 3.0),
    "with a timestamp": (b"inflight_requests 3 1718000000000\n", 3.0),
    "exponent": (b"inflight_requests 3e2\n", 300.0),
    "labels nobody asked for": (b'inflight_requests{a="b",c="}"} 3\n', 3.0),
    "the highest of several": (b'inflight_requests{a="1"} 3\ninflight_requests{a="2"} 5\n', 5.0),
    "not a number": (b"inflight_requests NaN\n", None),
    "infinite": (b"inflight_requests +Inf\n", None),
    "negative": (b"inflight_requests -1\n", None),
    "words": (b"inflight_requests many\n", None),
    "no value": (b"inflight_requests\n", None),
    "no value, with labels": (b'inflight_requests{a="b"}\n', None),
    "labels that never close": (b'inflight_requests{a="b\n', None),
    "a longer name": (b"inflight_requests_limit 3\n", None),
    "in a comment": (b"# HELP inflight_requests 3\n", None),
    "in the middle of a line": (b"x inflight_requests 3\n", None),
}


@pytest.mark.parametrize(("line", "expected"), LINES.values(), ids=LINES)
def test_one_line(line, expected):
    found = scan(b"event_loop_lag_seconds 0\n" + line)

    assert found.inflight == expected


GARBAGE = {
    "empty": b"",
    "HTML": b"<html><body>502 Bad Gateway</body></html>",
    "binary": bytes(range(256)) * 40,
    "metrics of something else": b"go_goroutines 12\n",
    "zeros": b"\0" * 10_000,
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_page_of_ours_is_refused(text):
    with pytest.raises(NotMetrics):
        scan(text)


def test_a_histogram_ends_with_all_there_is():
    buckets = scan(page()).prediction_buckets

    assert buckets[-1] == (math.inf, 100.0)
