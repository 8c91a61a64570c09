"""Customers come in from outside by what is listed, and by nothing else."""

from typing import Any

import pytest
from tests.unit.operator.manifests.builders import children, hscjit

from hscjit_operator.decisions import outside
from hscjit_operator.manifests import edge

HOST = "support.example.com"
INGRESS: dict[str, Any] = {"network": {"ingress": {"host": HOST}}}
GATEWAY: dict[str, Any] = {"network": {"gatewayRef": {"name": "edge", "host": HOST}}}
SERVED = {"served": frozenset({"HTTPRoute"})}


def of_kind(kind: str, spec: dict[str, Any], **changes: Any) -> dict[str, Any] | None:
    return next((c for c in children(spec, **changes) if c["kind"] == kind), None)


def paths_of(ingress: dict[str, Any]) -> set[tuple[str, str]]:
    (rule,) = ingress["spec"]["rules"]
    return {(one["pathType"], one["path"]) for one in rule["http"]["paths"]}


ROUTED = {
    *(("Exact", path) for path in edge.PAGES),
    *(("Prefix", path) for path in (*edge.BELOW, edge.SOCKET)),
}


def test_an_ingress_lists_what_is_let_through() -> None:
    found = of_kind("Ingress", INGRESS)

    assert found is not None
    assert paths_of(found) == ROUTED
    assert found["spec"]["rules"][0]["host"] == HOST
    assert "tls" not in found["spec"]
    assert "ingressClassName" not in found["spec"]
    backends = {str(p["backend"]) for p in found["spec"]["rules"][0]["http"]["paths"]}
    assert backends == {"{'service': {'name': 'support-api', 'port': {'number': 80}}}"}


def test_class_certificate_and_annotations_are_the_users() -> None:
    timeout = "nginx.ingress.kubernetes.io/proxy-read-timeout"
    more = {
        "className": "nginx",
        "tlsSecretRef": {"name": "support-tls"},
        "annotations": {timeout: "60", "example.com/a": "b"},
    }
    found = of_kind("Ingress", {"network": {"ingress": {"host": HOST, **more}}})

    assert found is not None
    assert found["spec"]["ingressClassName"] == "nginx"
    assert found["spec"]["tls"] == [{"hosts": [HOST], "secretName": "support-tls"}]
    assert found["metadata"]["annotations"][timeout] == "60"
    assert found["metadata"]["annotations"]["example.com/a"] == "b"


def test_a_socket_may_last_behind_an_ingress() -> None:
    found = of_kind("Ingress", INGRESS)

    assert found is not None
    patience = {v for k, v in found["metadata"]["annotations"].items() if k.endswith("-timeout")}
    assert patience == {"3600"}


def test_a_route_lists_what_is_let_through_and_lets_sockets_last() -> None:
    found = of_kind("HTTPRoute", GATEWAY, **SERVED)

    assert found is not None
    pages, socket = found["spec"]["rules"]
    matches = [match["path"] for rule in (pages, socket) for match in rule["matches"]]
    kinds = {"Exact": "Exact", "PathPrefix": "Prefix"}
    assert {(kinds[path["type"]], path["value"]) for path in matches} == ROUTED
    assert socket["matches"] == [{"path": {"type": "PathPrefix", "value": "/ws"}}]
    assert socket["timeouts"] == {"request": "0s"}
    assert found["spec"]["hostnames"] == [HOST]
    assert found["spec"]["parentRefs"] == [
        {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "name": "edge",
            "namespace": "shop",
        }
    ]


def test_a_route_names_gateway_namespace_and_listener() -> None:
    where = {"name": "edge", "host": HOST, "namespace": "gateways", "sectionName": "https"}
    found = of_kind("HTTPRoute", {"network": {"gatewayRef": where}}, **SERVED)

    assert found is not None
    (parent,) = found["spec"]["parentRefs"]
    assert (parent["namespace"], parent["sectionName"]) == ("gateways", "https")


def test_there_is_no_way_in_that_nobody_asked_for() -> None:
    assert of_kind("Ingress", {}) is None
    assert of_kind("HTTPRoute", {}, **SERVED) is None
    assert of_kind("HTTPRoute", GATEWAY) is None, "its kind is not served"


ENDPOINTS: dict[str, tuple[dict[str, Any], set[str], str]] = {
    "inside": ({}, {"HTTPRoute"}, "http://support-api.shop.svc"),
    "an Ingress": ({"ingress": {"host": HOST}}, set(), f"http://{HOST}"),
    "an Ingress with TLS": (
        {"ingress": {"host": HOST, "tlsSecretRef": {"name": "t"}}},
        set(),
        f"https://{HOST}",
    ),
    "a Gateway": ({"gatewayRef": {"name": "e", "host": HOST}}, {"HTTPRoute"}, f"https://{HOST}"),
    "a Gateway without TLS": (
        {"gatewayRef": {"name": "e", "host": HOST, "tls": False}},
        {"HTTPRoute"},
        f"http://{HOST}",
    ),
    "a Gateway nobody serves": (
        {"gatewayRef": {"name": "e", "host": HOST}},
        {"ServiceMonitor"},
        "http://support-api.shop.svc",
    ),
}


@pytest.mark.parametrize(("network", "served", "address"), ENDPOINTS.values(), ids=ENDPOINTS)
def test_the_endpoint_is_the_outermost_address(
    network: dict[str, Any], served: set[str], address: str
) -> None:
    assert outside.endpoint(hscjit({"network": network}), served) == address


def test_a_gateway_that_nobody_serves_is_said() -> None:
    app = hscjit(GATEWAY)
    (told,) = outside.problems(app, set(), ())

    assert (told.reason, told.retry) == ("KindNotServed", False)
    assert "spec.network.gatewayRef" in told.message
    assert outside.problems(app, {"HTTPRoute"}, ()) == []
    assert outside.problems(hscjit(), set(), ()) == []


LACKING: dict[str, tuple[dict[str, Any], str, bool]] = {
    "a route that is asked for": (GATEWAY, "HTTPRoute", True),
    "a route that is not": ({}, "HTTPRoute", False),
    "monitors": ({}, "PodMonitor", True),
    "monitors that are off": ({"monitoring": {"serviceMonitor": "Off"}}, "PodMonitor", False),
    "alerts that are off": ({"monitoring": {"prometheusRule": "Off"}}, "PrometheusRule", False),
    "other monitors": ({"monitoring": {"prometheusRule": "Off"}}, "ServiceMonitor", True),
    "dashboards that are off": ({"monitoring": {"dashboards": "Off"}}, "GrafanaDashboard", False),
    "pods": ({"monitoring": {"dashboards": "Off"}}, "Pod", True),
}


@pytest.mark.parametrize(("spec", "kind", "told"), LACKING.values(), ids=LACKING)
def test_a_right_that_is_missing_is_told_to_those_who_need_it(
    spec: dict[str, Any], kind: str, told: bool
) -> None:
    found = outside.problems(hscjit(spec), set(), [(kind, "LIST is forbidden")])

    assert [(p.reason, p.message) for p in found] == [("Forbidden", "LIST is forbidden")] * told
