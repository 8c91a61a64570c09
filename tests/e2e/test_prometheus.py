"""The release's own Prometheus reaches everything, and understands every alert."""

from collections import Counter
from functools import partial

import pytest

from hscjit_operator.manifests import alerts, dashboard
from tests.cluster.up import Cluster
from tests.e2e.conftest import NAMESPACE, Support
from tests.e2e.kubectl import eventually
from tests.e2e.prometheus import Prometheus
from tests.metric_names import named_in

SCOPE = alerts.within(NAMESPACE, "support")
FIRST_SCRAPES_S = 60
"""Pods are looked for every few seconds and scraped every 15 s."""

ONLY_AFTER_AN_EVENT = {
    "hscjit_autopilot_decisions_total",
    "hscjit_backup_last_success_timestamp_seconds",
    "hscjit_backup_last_size_bytes",
}
"""Series that a healthy HSCJit without a past does not have."""


@pytest.fixture(scope="module")
def prometheus(cluster: Cluster, support: Support) -> Prometheus:
    """The Prometheus, once it has scraped every pod of the run's HSCJit."""
    found = Prometheus(cluster.prometheus_port)
    wanted = {"api": 2, "worker": 1, "beat": 1}

    def up() -> bool:
        series = found.query(f'up{{namespace="{NAMESPACE}",name="{support.name}"}} == 1')
        counted = Counter(one["metric"]["component"] for one in series)
        return all(counted[component] >= count for component, count in wanted.items())

    eventually("every pod scraped", up, FIRST_SCRAPES_S)
    return found


def test_the_operator_is_scraped_and_tells_of_the_hscjit(prometheus: Prometheus) -> None:
    assert prometheus.query('up{job="hscjit-operator"} == 1')
    told = eventually(
        "Ready as a series",
        lambda: prometheus.query(
            f'hscjit_condition{{namespace="{NAMESPACE}",name="support",condition="Ready"}}'
        ),
        FIRST_SCRAPES_S,
    )
    # Each operator tells of it, the one that stands by too.
    assert all("exported_namespace" not in series["metric"] for series in told)


def test_every_alert_is_judged_without_an_error(prometheus: Prometheus) -> None:
    wanted = {alert.name for alert in (*alerts.OF_AN_HSCJIT, *alerts.OF_THE_OPERATOR)}

    def judged() -> bool:
        rules = prometheus.rules()
        assert {rule["name"] for rule in rules} == wanted
        assert [rule["lastError"] for rule in rules if rule.get("lastError")] == []
        return all(rule["health"] == "ok" for rule in rules)

    eventually("every alert judged", judged, FIRST_SCRAPES_S)


@pytest.mark.parametrize("alert", alerts.OF_AN_HSCJIT, ids=lambda alert: alert.name)
def test_an_alert_can_be_asked_for_one_hscjit(prometheus: Prometheus, alert: alerts.Alert) -> None:
    prometheus.query(alerts.scoped(alert.expr, SCOPE))

    assert without_data(prometheus, alert.expr) == set()


@pytest.mark.parametrize("panel", dashboard.PANELS, ids=lambda panel: panel.title)
def test_a_panel_shows_something(prometheus: Prometheus, panel: dashboard.Panel) -> None:
    for query in panel.queries.values():
        assert without_data(prometheus, query) == set()
        if not named_in(query) & ONLY_AFTER_AN_EVENT:
            # A rate takes two scrapes.
            ask = partial(prometheus.query, alerts.scoped(query, SCOPE))
            eventually(query, ask, FIRST_SCRAPES_S)


def without_data(prometheus: Prometheus, expr: str) -> set[str]:
    """Return the series an expression names and that the run's HSCJit does not have."""
    wanted = named_in(expr) - ONLY_AFTER_AN_EVENT
    return {
        name for name in wanted if not prometheus.query(alerts.scoped(f"{name}{{$scope}}", SCOPE))
    }
