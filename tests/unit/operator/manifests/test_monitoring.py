"""Monitoring objects are there where their kinds are, and mean this HSCJit alone."""

import json
from typing import Any

import pytest
from tests.unit.operator.manifests.builders import Children, children

from hscjit_operator import names
from hscjit_operator.cluster import kinds
from hscjit_operator.manifests import alerts

ALL = frozenset(kind.kind for kind in kinds.OPTIONAL) - {"HTTPRoute"}
SWITCHES = {
    "ServiceMonitor": "serviceMonitor",
    "PodMonitor": "serviceMonitor",
    "PrometheusRule": "prometheusRule",
    "GrafanaDashboard": "dashboards",
}


def made(spec: dict[str, Any] | None = None, served: frozenset[str] = ALL) -> Children:
    found = children({"monitoring": spec or {}}, served=served)
    return Children(child for child in found if child["kind"] in ALL)


def test_without_their_kinds_there_is_nothing() -> None:
    assert made(served=frozenset()) == []


@pytest.mark.parametrize("kind", SWITCHES)
def test_each_is_made_where_its_kind_is_served_and_not_switched_off(kind: str) -> None:
    assert [c["kind"] for c in made(served=frozenset({kind}))] == [kind]
    assert kind not in {c["kind"] for c in made({SWITCHES[kind]: "Off"})}


def test_the_api_is_found_by_its_service_and_the_others_by_their_pods() -> None:
    found = children({}, served=ALL)
    monitor = found.get("ServiceMonitor", "support-api")["spec"]
    (endpoint,) = monitor["endpoints"]
    matching = [
        (service["metadata"]["name"], port["name"])
        for service in found
        if service["kind"] == "Service"
        and monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        for port in service["spec"]["ports"]
        if port["name"] == endpoint["port"]
    ]
    assert matching == [("support-api", "http")]

    monitor = found.get("PodMonitor", "support-worker")["spec"]
    (expression,) = monitor["selector"]["matchExpressions"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    for component in expression["values"]:
        ports = found.pod(component).spec["containers"][0]["ports"]
        assert endpoint["port"] in {port["name"] for port in ports}


def test_every_scraped_series_gets_the_name_that_the_alerts_look_for() -> None:
    for kind, list_ in (("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")):
        (monitor,) = (c for c in made() if c["kind"] == kind)
        (endpoint,) = monitor["spec"][list_]
        named = {r["targetLabel"]: r for r in endpoint["relabelings"]}
        assert named["name"]["replacement"] == "support"
        assert endpoint["path"] == "/metrics"


def test_the_rules_are_about_this_hscjit_alone() -> None:
    (group,) = made().get("PrometheusRule", "support-alerts")["spec"]["groups"]

    assert [rule["alert"] for rule in group["rules"]] == [a.name for a in alerts.OF_AN_HSCJIT]
    for rule in group["rules"]:
        assert rule["expr"].count("{") == rule["expr"].count('{namespace="shop",name="support",')


def test_the_dashboard_is_about_this_hscjit_alone() -> None:
    found = made().get("GrafanaDashboard", "support-dashboard")["spec"]
    board = json.loads(found["json"])

    assert board["title"] == "HSCJit shop/support"
    assert found["instanceSelector"] == {"matchLabels": {"dashboards": "grafana"}}
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(queries) > 15
    assert [q for q in queries if "$scope" in q or 'name="support"' not in q] == []
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_panels_do_not_lie_on_one_another() -> None:
    board = json.loads(made().get("GrafanaDashboard", "support-dashboard")["spec"]["json"])
    places = {(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]}

    assert len(places) == len(board["panels"])
    assert max(p["gridPos"]["x"] + p["gridPos"]["w"] for p in board["panels"]) == 24


def test_labels_are_added_and_ours_stay() -> None:
    found = made({"labels": {"release": "prometheus"}, "grafanaLabels": {"team": "support"}})

    for child in found:
        assert child["metadata"]["labels"]["release"] == "prometheus"
        assert child["metadata"]["labels"][names.LABEL_MANAGED_BY] == names.MANAGER
    selector = found.get("GrafanaDashboard", "support-dashboard")["spec"]["instanceSelector"]
    assert selector == {"matchLabels": {"team": "support"}}
