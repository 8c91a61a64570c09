"""What a cluster gets beside what kind gives it."""

from tests.cluster import addons, images
from tests.cluster.node import Node
from tests.cluster.shell import Unavailable


def test_where_policies_cannot_be_enforced_it_is_said_and_not_claimed(monkeypatch):
    def lacks(_note):
        raise Unavailable("Go can't fetch the modules of netpol: no such host")

    said = []
    monkeypatch.setattr(images, "network_policies", lacks)
    monkeypatch.setattr(addons, "_metrics_server", lambda *_: None)
    built = Node("hscjit-node:1", built=True, source="built")

    assert addons.ensure(None, built, said.append) is False
    assert said == [
        "NetworkPolicies will have no effect: Go can't fetch the modules of netpol: no such host"
    ]


def test_a_published_node_enforces_them_itself(monkeypatch):
    monkeypatch.setattr(addons, "_metrics_server", lambda *_: None)
    monkeypatch.delattr(images, "network_policies")

    assert addons.ensure(None, Node("kindest/node:v1", built=False, source="pulled"), print)
