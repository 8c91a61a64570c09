"""What do the Prometheus operator and the Grafana operator get, where they are installed?

Defaults of their schemas are written out: what stands there is what we applied.
"""

from typing import Any, Final

from hscjit_operator import names
from hscjit_operator.manifests import alerts, dashboard
from hscjit_operator.manifests.meta import Manifest, metadata
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit

_PROMETHEUS: Final = "monitoring.coreos.com/v1"
_INTERVAL: Final = "15s"
_COMPONENT: Final = "__meta_kubernetes_pod_label_app_kubernetes_io_component"


def monitoring(app: HSCJit, inputs: Inputs) -> list[Manifest | None]:
    """Return those whose kinds are served and that the spec does not switch off."""
    wanted = app.monitoring
    made = {
        "ServiceMonitor": (wanted.service_monitor, _service_monitor),
        "PodMonitor": (wanted.service_monitor, _pod_monitor),
        "PrometheusRule": (wanted.prometheus_rule, _rule),
        "GrafanaDashboard": (wanted.dashboards, _dashboard),
    }
    return [
        build(app)
        for kind, (when, build) in made.items()
        if when == "auto" and kind in inputs.served
    ]


def _service_monitor(app: HSCJit) -> Manifest:
    """Return how the API's pods are found: by their Service."""
    return {
        "apiVersion": _PROMETHEUS,
        "kind": "ServiceMonitor",
        "metadata": _metadata(app, names.API),
        "spec": {
            "selector": {"matchLabels": names.selector(app.name, names.API)},
            # Another Service of the same pods has a port of another name.
            "endpoints": [_scraped(app, "http")],
        },
    }


def _pod_monitor(app: HSCJit) -> Manifest:
    """Return how workers and beat are found, which no Service leads to."""
    selects = {names.LABEL_NAME: "hscjit", names.LABEL_INSTANCE: app.name}
    others = [names.BEAT, names.WORKER]
    return {
        "apiVersion": _PROMETHEUS,
        "kind": "PodMonitor",
        "metadata": _metadata(app, names.WORKER),
        "spec": {
            "selector": {
                "matchLabels": selects,
                "matchExpressions": [
                    {"key": names.LABEL_COMPONENT, "operator": "In", "values": others}
                ],
            },
            "podMetricsEndpoints": [_scraped(app, "metrics")],
        },
    }


def _scraped(app: HSCJit, port: str) -> dict[str, Any]:
    return {
        "port": port,
        "path": "/metrics",
        "interval": _INTERVAL,
        # The alerts know an HSCJit by its namespace, which is set anyhow, and its name.
        "relabelings": [
            {"action": "replace", "targetLabel": "name", "replacement": app.name},
            {"action": "replace", "sourceLabels": [_COMPONENT], "targetLabel": "component"},
        ],
    }


def _rule(app: HSCJit) -> Manifest:
    scope = alerts.within(app.namespace, app.name)
    return {
        "apiVersion": _PROMETHEUS,
        "kind": "PrometheusRule",
        "metadata": _metadata(app, ALERTS),
        "spec": {"groups": [alerts.group("hscjit", alerts.OF_AN_HSCJIT, scope)]},
    }


def _dashboard(app: HSCJit) -> Manifest:
    return {
        "apiVersion": "grafana.integreatly.org/v1beta1",
        "kind": "GrafanaDashboard",
        "metadata": _metadata(app, DASHBOARD),
        "spec": {
            "instanceSelector": {"matchLabels": dict(app.monitoring.grafana_labels)},
            "allowCrossNamespaceImport": True,
            "json": dashboard.of_one(app.namespace, app.name),
        },
    }


ALERTS: Final = "alerts"
DASHBOARD: Final = "dashboard"


def _metadata(app: HSCJit, component: str) -> Manifest:
    found = metadata(app, component)
    # Ours last: by them the object is known.
    return {**found, "labels": {**app.monitoring.labels, **found["labels"]}}
