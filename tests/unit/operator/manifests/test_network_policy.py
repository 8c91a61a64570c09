"""Who may talk to whom, computed from the policies and compared with what is meant."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.operator.manifests.builders import FULL, UID, children, hscjit
from tests.unit.operator.manifests.reach import End, may_talk

from hscjit_operator import names

INSIDE = [
    *("api", "worker", "beat", "postgres", "redis-cache", "redis-queue"),
    *("mig", "backup", "cleanup", "restore"),
]
PORTS = (53, 80, 443, 5432, 6379, 8000, 8001, 10250)

MEANT = {
    "api": {"postgres:5432", "redis-cache:6379", "redis-queue:6379"},
    "worker": {"api:8000", "postgres:5432", "redis-queue:6379"},
    "beat": {"redis-queue:6379"},
    "mig": {"postgres:5432"},
    "backup": {"postgres:5432", "redis-queue:6379"},
    "cleanup": {"postgres:5432"},
    "restore": {"postgres:5432"},
    "postgres": set(),
    "redis-cache": set(),
    "redis-queue": set(),
    "operator": {"api:8000", "worker:8001", "beat:8001"},
    "neighbour": {"api:8000"},
    "stranger": set(),
    "prometheus": set(),
    "other operator": set(),
    "second HSCJit": {"api:8000"},  # by default the pods of the namespace are clients
}
"""Whom each end reaches under an empty spec: nothing that is not written here is open."""


def pod(component: str, name: str = "support") -> End:
    return End("shop", names.labels(name, component, UID))


ENDS = {
    **{component: pod(component) for component in INSIDE},
    "operator": End("hscjit-system", {names.LABEL_NAME: "hscjit-operator"}),
    "neighbour": End("shop", {"app": "storefront"}),
    "stranger": End("other", {"app": "storefront"}),
    "prometheus": End("monitoring", {"app": "prometheus"}),
    "other operator": End("other", {names.LABEL_NAME: "hscjit-operator"}),
    "second HSCJit": pod("api", "second"),
}


def policies(spec: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [child for child in children(spec) if child["kind"] == "NetworkPolicy"]


def reached(found: list[dict[str, Any]], client: End) -> Iterator[str]:
    for name in INSIDE:
        for port in PORTS:
            if may_talk(found, client, ENDS[name], port):
                yield f"{name}:{port}"


@pytest.mark.parametrize("client", MEANT)
def test_only_the_edges_that_are_meant_are_open(client: str) -> None:
    assert set(reached(policies(), ENDS[client])) == MEANT[client]


def test_the_releases_own_prometheus_may_scrape_where_there_is_one() -> None:
    own = End("hscjit-system", dict(names.PROMETHEUS))
    same_labels_elsewhere = End("other", dict(names.PROMETHEUS))
    beside_one = [c for c in children(prometheus=True) if c["kind"] == "NetworkPolicy"]

    assert set(reached(policies(), own)) == set()
    assert set(reached(beside_one, own)) == MEANT["operator"]
    assert set(reached(beside_one, same_labels_elsewhere)) == set()


def test_a_pod_that_is_in_no_table_is_closed_both_ways() -> None:
    """Whatever component a later version adds, it starts with no opening at all."""
    newcomer = pod("newcomer")

    assert not set(reached(policies(), newcomer))
    assert not may_talk(policies(), newcomer, End(address="93.184.216.34"), 443)
    assert not may_talk(policies(), ENDS["neighbour"], newcomer, 8000)


def test_nothing_reaches_the_api_server() -> None:
    server = End(address="10.96.0.1")

    assert not [c for c in INSIDE if may_talk(policies(), pod(c), server, 443)]


WORLD = {
    "the web": ("93.184.216.34", 443, True),
    "the web, unencrypted": ("93.184.216.34", 80, True),
    "the web over IPv6": ("2606:2800:220:1::1", 443, True),
    "the web, another port": ("93.184.216.34", 22, False),
    "a private address": ("10.0.0.1", 443, False),
    "another private address": ("192.168.1.1", 80, False),
    "a third private address": ("172.31.255.255", 80, False),
    "beside the private range": ("172.32.0.1", 80, True),
    "a shared address": ("100.64.0.1", 80, False),
    "the cloud's metadata": ("169.254.169.254", 80, False),
    "loopback": ("127.0.0.1", 80, False),
    "a unique local address": ("fd00::1", 443, False),
    "a link-local address": ("fe80::1", 443, False),
    "loopback over IPv6": ("::1", 443, False),
}


@pytest.mark.parametrize(("address", "port", "open_"), WORLD.values(), ids=WORLD)
def test_workers_reach_the_public_web_and_nothing_private(
    address: str, port: int, open_: bool
) -> None:
    outside = End(address=address)
    found = policies()

    assert may_talk(found, pod("worker"), outside, port) is open_
    assert not any(
        may_talk(found, pod(component), outside, port)
        for component in INSIDE
        if component != "worker"
    )


PRIVATE = {
    "the named network": ("10.20.0.5", 8080, True),
    "the named network, another port": ("10.20.0.5", 443, False),
    "beside the named network": ("10.20.1.5", 8080, False),
    "a named address, web port": ("192.168.7.7", 443, True),
    "beside the named address": ("192.168.7.8", 443, False),
    "a public host's own port": ("93.184.216.34", 8443, True),
    "extra egress": ("10.9.9.9", 8080, True),
    "extra egress, another port": ("10.9.9.9", 8081, False),
}


@pytest.mark.parametrize(("address", "port", "open_"), PRIVATE.values(), ids=PRIVATE)
def test_workers_reach_what_the_spec_names(address: str, port: int, open_: bool) -> None:
    assert may_talk(policies(FULL), pod("worker"), End(address=address), port) is open_


def test_extra_egress_is_the_apis_too_and_nobody_elses() -> None:
    outside = End(address="10.9.9.9")
    reaching = {c for c in INSIDE if may_talk(policies(FULL), pod(c), outside, 8080)}

    assert reaching == {"api", "worker"}


CLIENTS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "by default the namespace": ({}, {"neighbour"}),
    "nobody": ({"clientsFrom": []}, set()),
    "another namespace": (
        {"clientsFrom": [{"namespaceSelector": {"matchLabels": {
            "kubernetes.io/metadata.name": "other"}}}]},
        {"stranger"},
    ),
    "a node's port": (
        {"service": {"type": "NodePort"}, "clientsFrom": []},
        {"neighbour", "stranger", "prometheus", "internet"},
    ),
    "Prometheus": (
        {"metricsFrom": FULL["network"]["metricsFrom"], "clientsFrom": []},
        {"prometheus"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("network", "meant"), CLIENTS.values(), ids=CLIENTS)
def test_clients_of_the_api(network: dict[str, Any], meant: set[str]) -> None:
    found = policies({"network": network})
    asked = {
        **{name: ENDS[name] for name in ("neighbour", "stranger", "prometheus")},
        "internet": End(address="93.184.216.34"),
    }

    assert {name for name, end in asked.items() if may_talk(found, end, pod("api"), 8000)} == meant
    # Whoever the clients are, the stores and the workers stay closed to them.
    for end in asked.values():
        assert not {edge for edge in reached(found, end) if edge.split(":")[0] in
                    ("postgres", "redis-cache", "redis-queue")}  # fmt: skip


def test_prometheus_reads_the_metrics_of_all_three() -> None:
    found = policies({"network": {"metricsFrom": FULL["network"]["metricsFrom"]}})

    assert set(reached(found, ENDS["prometheus"])) == {"api:8000", "worker:8001", "beat:8001"}


KUBE_DNS = End("kube-system", {"k8s-app": "kube-dns"}, "10.244.0.2")
NODE_LOCAL = End(address="169.254.20.10")


@pytest.mark.parametrize("server", [KUBE_DNS, NODE_LOCAL], ids=["kube-dns", "NodeLocal"])
@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
@pytest.mark.parametrize("port", [53, 5353])
def test_names_are_resolved_by_those_who_have_somebody_to_talk_to(
    server: End, protocol: str, port: int
) -> None:
    found = policies()
    asking = {c for c in INSIDE if may_talk(found, pod(c), server, port, protocol)}

    assert asking == set(INSIDE) - {"postgres", "redis-cache", "redis-queue"}


def test_no_name_servers_opens_nothing() -> None:
    found = policies({"network": {"dns": []}})

    assert not may_talk(found, pod("api"), KUBE_DNS, 53, "UDP")
    assert not may_talk(found, pod("api"), End(address="8.8.8.8"), 53, "UDP")


def test_no_rule_is_open_to_everybody_by_an_empty_list() -> None:
    for spec in ({}, FULL, {"network": {"clientsFrom": [], "dns": [], "metricsFrom": []}}):
        for policy in policies(spec):
            for rule in policy["spec"].get("ingress", []):
                assert rule["from"]
                assert rule["ports"]
            for rule in policy["spec"].get("egress", []):
                assert rule["to"]
                assert rule["ports"]


def test_a_policy_that_opens_nothing_says_so_by_its_types_alone() -> None:
    """The API server drops empty lists; writing them would look like a drift for ever."""
    for policy in policies():
        assert policy["spec"].get("ingress") != []
        assert policy["spec"].get("egress") != []


def test_every_policy_selects_pods_that_exist() -> None:
    spec = hscjit().name
    components = {p.component for p in children(stopped=True, restore="s").pods()}
    for policy in policies():
        selector = policy["spec"]["podSelector"]
        named = {selector["matchLabels"].get(names.LABEL_COMPONENT)} - {None}
        assert selector["matchLabels"][names.LABEL_INSTANCE] == spec
        assert named <= components
