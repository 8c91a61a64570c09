"""What does one look at? A Grafana dashboard of an HSCJit, or of all with a choice between them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hscjit_operator.manifests.alerts import scoped, within

_WIDTH: Final = 8
_HEIGHT: Final = 7
_A_ROW: Final = 3
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. Queries by legend; `$scope` in them becomes the labels of an HSCJit."""

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    """One of Grafana's units: s, bytes, reqps, percentunit…"""
    kind: str = "timeseries"


def _quantile(share: str, series: str) -> str:
    return f"histogram_quantile({share}, sum by (le) (rate({series}_bucket{{$scope}}[5m])))"


PANELS: Final[Sequence[Panel]] = (
    Panel(
        "Conditions (1 True, 0 False, -1 Unknown)",
        {
            "{{condition}}: {{reason}}": (
                'hscjit_condition{$scope condition=~"Ready|Degraded|Stalled|RemediationAllowed"}'
            )
        },
    ),
    Panel(
        "Pods",
        {
            "{{component}} wanted": "hscjit_component_desired{$scope}",
            "{{component}} ready": "hscjit_component_ready{$scope}",
        },
    ),
    Panel("What the autopilot aims at", {"{{target}}": "hscjit_autopilot_target{$scope}"}),
    Panel(
        "Requests a second",
        {"{{code}}": "sum by (code) (rate(http_requests_total{$scope}[5m]))"},
        "reqps",
    ),
    Panel(
        "Customers",
        {
            "sockets": "sum(websocket_active_connections{$scope})",
            "in flight": "sum(inflight_requests{$scope})",
        },
    ),
    Panel(
        "Predictions",
        {
            "p50": _quantile("0.5", "prediction_latency_seconds"),
            "p95": _quantile("0.95", "prediction_latency_seconds"),
            "p99": _quantile("0.99", "prediction_latency_seconds"),
        },
        "s",
    ),
    Panel(
        "Answers",
        {
            "p50": _quantile("0.5", "answer_generation_seconds"),
            "p95": _quantile("0.95", "answer_generation_seconds"),
        },
        "s",
    ),
    Panel(
        "Answers a second",
        {"answers": "sum(rate(answer_generation_seconds_count{$scope}[5m]))"},
        "reqps",
    ),
    Panel(
        "Age of the oldest task",
        {"{{queue}}": "max by (queue) (task_queue_oldest_age_seconds{$scope})"},
        "s",
    ),
    Panel("Tasks waiting", {"{{queue}}": "max by (queue) (task_queue_depth{$scope})"}),
    Panel(
        "Cache: share of look-ups answered without a load",
        {
            "hits": (
                "sum(rate(cache_hits_total{$scope}[5m])) / (sum(rate(cache_hits_total{$scope}[5m]))"
                " + sum(rate(cache_misses_total{$scope}[5m])))"
            )
        },
        "percentunit",
    ),
    Panel(
        "Dependencies (1 answers)",
        {"{{dependency}}": "min by (dependency) (dependency_up{$scope})"},
    ),
    Panel(
        "What the autopilot did and refused, an hour",
        {
            "{{action}} {{verdict}}": (
                "sum by (action, verdict) (increase(hscjit_autopilot_decisions_total{$scope}[1h]))"
            )
        },
    ),
    Panel(
        "CPU", {"{{pod}}": "sum by (pod) (rate(process_cpu_seconds_total{$scope}[5m]))"}, "short"
    ),
    Panel("Memory", {"{{pod}}": "process_resident_memory_bytes{$scope}"}, "bytes"),
    Panel("Event loop lag", {"{{pod}}": "max by (pod) (event_loop_lag_seconds{$scope})"}, "s"),
    Panel(
        "Age of the newest backup",
        {"age": "time() - max(hscjit_backup_last_success_timestamp_seconds{$scope})"},
        "s",
        "stat",
    ),
    Panel(
        "Size of the newest backup",
        {"size": "max(hscjit_backup_last_size_bytes{$scope})"},
        "bytes",
        "stat",
    ),
)


def of_one(namespace: str, name: str) -> str:
    """Return the dashboard of one HSCJit as JSON."""
    return _text(_whole(f"HSCJit {namespace}/{name}", within(namespace, name), []))


def of_all() -> str:
    """Return the dashboard for all HSCJits as JSON; one chooses among them."""
    choices = [
        _choice("namespace", "label_values(hscjit_condition, namespace)"),
        _choice("name", 'label_values(hscjit_condition{namespace="$namespace"}, name)'),
    ]
    return _text(_whole("HSCJit", within("$namespace", "$name"), choices))


def _text(dashboard: Mapping[str, Any]) -> str:
    return json.dumps(dashboard, indent=1) + "\n"


def _whole(title: str, scope: str, choices: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    source = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Source"}
    return {
        "title": title,
        "tags": ["hscjit"],
        "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [source, *choices]},
        "panels": [_panel(number, panel, scope) for number, panel in enumerate(PANELS)],
    }


def _choice(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
    }


def _panel(number: int, panel: Panel, scope: str) -> dict[str, Any]:
    queries = enumerate(panel.queries.items())
    return {
        "id": number + 1,
        "title": panel.title,
        "type": panel.kind,
        "datasource": _SOURCE,
        "gridPos": {
            "x": number % _A_ROW * _WIDTH,
            "y": number // _A_ROW * _HEIGHT,
            "w": _WIDTH,
            "h": _HEIGHT,
        },
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _SOURCE,
                "expr": scoped(query, scope),
                "legendFormat": legend,
            }
            for place, (legend, query) in queries
        ],
    }
