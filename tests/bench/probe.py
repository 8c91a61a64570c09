"""What does reading a pod's /metrics page cost, beside the library's parser over the same page?"""

from prometheus_client.parser import text_string_to_metric_families

from hscjit_operator.cluster.exposition import scan
from tests.bench.pairs import interleaved, report

PAGES = 200


def page() -> bytes:
    """Return the page that an API pod of ours serves, with every series filled."""
    from hscjit_app import metrics  # noqa: PLC0415  both sides meet here, and not at import

    for name in ("database", "redis_cache", "redis_queue"):
        metrics.DEPENDENCY_UP.labels(name).set(1)
    metrics.TASK_QUEUE_DEPTH.labels(metrics.QUEUE).set(3)
    metrics.TASK_QUEUE_OLDEST_AGE.labels(metrics.QUEUE).set(0.4)
    for layer in ("memory", "redis"):
        metrics.CACHE_HITS.labels(layer).inc(100)
    for n in range(100):
        metrics.PREDICTION_LATENCY.observe(n / 100)
        metrics.ANSWER_GENERATION.observe(n / 10)
    return metrics.render()


def run() -> bool:
    """Read the same page many times in turns."""
    text = page()
    told = text.decode()
    pair = interleaved(
        lambda: [scan(text) for _ in range(PAGES)],
        lambda: [list(text_string_to_metric_families(told)) for _ in range(PAGES)],
    )
    return report(
        bench="probe",
        figure=f"{PAGES} pages of {len(text)} bytes",
        unit="cpu_s",
        peer="prometheus_client.parser",
        pair=pair,
        goal=0.2,
    )
