"""What does the operator count about itself? Every series in one place, with its help text."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from hscjit_operator.names import Key

REGISTRY = CollectorRegistry()
"""Our own registry: what is served is what is listed here."""

PASSES = Counter(
    "hscjit_operator_passes",
    "Reconcile passes that ended, by what woke them and how they ended.",
    ["trigger", "outcome"],
    registry=REGISTRY,
)
PASS_SECONDS = Histogram(
    "hscjit_operator_pass_seconds",
    "How long reconcile passes took.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
    registry=REGISTRY,
)
LAST_PASS = Gauge(
    "hscjit_operator_last_pass_timestamp_seconds",
    "When a pass last ended, well or badly.",
    registry=REGISTRY,
)
QUEUE_DEPTH = Gauge(
    "hscjit_operator_queue_depth",
    "Objects that wait for a pass which is due.",
    registry=REGISTRY,
)
BACKING_OFF = Gauge(
    "hscjit_operator_backing_off",
    "Objects whose last pass failed and which wait before the next one.",
    registry=REGISTRY,
)
WRITES = Counter(
    "hscjit_operator_writes",
    "Changes asked of the API server, by kind, verb and why.",
    ["kind", "verb", "reason"],
    registry=REGISTRY,
)
WRITES_REFUSED = Counter(
    "hscjit_operator_writes_refused",
    "Changes that were not asked for, because the Lease is not held.",
    registry=REGISTRY,
)
LEADER = Gauge(
    "hscjit_operator_leader",
    "1 while this process holds the Lease and acts, 0 while it stands by.",
    registry=REGISTRY,
)
REQUESTS = Counter(
    "hscjit_operator_api_requests",
    "Calls of the API server outside the watches, by verb, kind and status code (0: no answer).",
    ["verb", "kind", "code"],
    registry=REGISTRY,
)
DRIFT = Counter(
    "hscjit_operator_drift",
    "Children found changed or gone and restored, by kind and the first field that differed.",
    ["kind", "field"],
    registry=REGISTRY,
)
OBJECTS = Gauge(
    "hscjit_operator_objects", "HSCJit resources that are looked after.", registry=REGISTRY
)
CHILDREN = Gauge("hscjit_operator_children", "Children that the watches show.", registry=REGISTRY)
WATCHES_SYNCED = Gauge(
    "hscjit_operator_watches_synced",
    "1 while every watch has listed its kind and is alive, else 0.",
    registry=REGISTRY,
)
EVENTS = Counter(
    "hscjit_operator_events",
    "Events posted on resources, by reason.",
    ["reason"],
    registry=REGISTRY,
)
AUTOPILOT_DECISIONS = Counter(
    "hscjit_autopilot_decisions",
    "Decisions of each tick, repeats included; reason is what refused it where verdict is refused.",
    ["namespace", "name", "action", "reason", "verdict"],
    registry=REGISTRY,
)
AUTOPILOT_OUTCOMES = Counter(
    "hscjit_autopilot_outcomes",
    "Acts judged at their deadline: Helped, HelpedNothing or NoData.",
    ["namespace", "name", "action", "outcome"],
    registry=REGISTRY,
)
AUTOPILOT_SCRAPES = Counter(
    "hscjit_autopilot_scrapes",
    "Pods asked, by what was heard: metrics, health alone, or nothing in time.",
    ["component", "heard"],
    registry=REGISTRY,
)
AUTOPILOT_TICK_SECONDS = Histogram(
    "hscjit_autopilot_tick_seconds",
    "How long the autopilot's ticks took; one is due each second.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
    registry=REGISTRY,
)


def forget(key: Key) -> None:
    """Drop the series of an HSCJit that is gone: else they gather for as long as we run."""
    for series in (AUTOPILOT_DECISIONS, AUTOPILOT_OUTCOMES):
        series.remove_by_labels({"namespace": key.namespace, "name": key.name})
