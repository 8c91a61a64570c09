"""Every alert names series that exist, has its place in the runbook, and is in the chart."""

import re

import pytest
from prometheus_client import CollectorRegistry

from hscjit_app import metrics as app_metrics
from hscjit_operator import metrics as operator_metrics
from hscjit_operator.cluster.observe import Apps
from hscjit_operator.manifests import alerts, dashboard
from hscjit_operator.standing import Standing
from tests.meta import reference
from tests.metric_names import named_in

ALERTS = {alert.name: alert for alert in (*alerts.OF_AN_HSCJIT, *alerts.OF_THE_OPERATOR)}
RUNBOOK = (reference.ROOT / alerts.RUNBOOK).read_text()


def exported() -> set[str]:
    """Return the names under which our code publishes, with the suffixes of their types."""
    standing = CollectorRegistry()
    standing.register(Standing(Apps(lost=lambda _: None)))
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    return {
        f"{family.name}{suffix}"
        for registry in (operator_metrics.REGISTRY, app_metrics.REGISTRY, standing)
        for family in registry.collect()
        for suffix in suffixes.get(family.type, ("",))
    }


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_an_alert_names_only_what_is_exported(alert: alerts.Alert) -> None:
    assert named_in(alert.expr)
    assert named_in(alert.expr) <= exported()


QUERIES = {
    f"{panel.title}, {legend}": query
    for panel in dashboard.PANELS
    for legend, query in panel.queries.items()
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_panel_names_only_what_is_exported_and_can_be_about_one_hscjit(query: str) -> None:
    assert named_in(query)
    assert named_in(query) <= exported()
    assert query.count("{") == query.count("{$scope")


def test_the_dashboard_in_the_docs_is_the_one_that_is_made() -> None:
    written = reference.DASHBOARD.read_text()
    assert written == dashboard.of_all(), "run python -m tests.meta.reference"
    assert "$scope" not in written


@pytest.mark.parametrize("name", ALERTS)
def test_the_runbook_has_a_section_for_each_alert(name: str) -> None:
    section = re.search(rf"^### {name}\n(.+?)(?=^#|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert len(section[1].split()) > 15, "it says what it means and what to do"


def test_only_what_keeps_customers_from_an_answer_is_critical() -> None:
    assert [name for name, a in ALERTS.items() if a.severity == "critical"] == ["HSCJitDown"]


def test_every_alert_of_an_hscjit_can_be_asked_for_one_alone() -> None:
    whole = alerts.scoped('a{$scope} / a{$scope b="c"}', alerts.within("shop", "support"))
    assert whole == (
        'a{namespace="shop",name="support",} / a{namespace="shop",name="support",b="c"}'
    )
    for alert in alerts.OF_AN_HSCJIT:
        assert alert.expr.count("{") == alert.expr.count("{$scope")


def test_the_chart_has_the_alerts() -> None:
    written = reference.ALERTS.read_text()
    assert written == reference.render_alerts(), "run python -m tests.meta.reference"
