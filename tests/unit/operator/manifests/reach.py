"""May this end talk to that one? NetworkPolicies, judged as Kubernetes defines them.

A pod that no policy selects in a direction is open in it. A selected one lets pass what at least
one rule of one policy allows. A connection needs the sender's egress and the receiver's ingress.
"""

import ipaddress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod, or (without labels) an address outside of the cluster."""

    namespace: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    address: str = "10.244.0.9"

    @property
    def is_pod(self) -> bool:
        return bool(self.labels)


def may_talk(
    policies: list[dict[str, Any]], client: End, server: End, port: int, protocol: str = "TCP"
) -> bool:
    """Return whether `client` may connect to `port` of `server`."""
    how = {"port": port, "protocol": protocol}
    return _passes(policies, "Egress", own=client, other=server, **how) and _passes(
        policies, "Ingress", own=server, other=client, **how
    )


def _passes(
    policies: list[dict[str, Any]],
    direction: str,
    *,
    own: End,
    other: End,
    port: int,
    protocol: str,
) -> bool:
    if not own.is_pod:
        return True
    specs = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == own.namespace
        and direction in policy["spec"]["policyTypes"]
        and _selects(policy["spec"]["podSelector"], own.labels)
    ]
    if not specs:
        return True
    side, rules = ("from", "ingress") if direction == "Ingress" else ("to", "egress")
    return any(
        _peers_match(rule.get(side), own.namespace, other)
        and _ports_match(rule.get("ports"), port, protocol)
        for spec in specs
        for rule in spec.get(rules, [])
    )


def _peers_match(peers: list[dict[str, Any]] | None, namespace: str, other: End) -> bool:
    """No peers at all means everybody: the trap of an empty list."""
    return not peers or any(_peer_matches(peer, namespace, other) for peer in peers)


def _peer_matches(peer: dict[str, Any], namespace: str, other: End) -> bool:
    if "ipBlock" in peer:
        return _within(peer["ipBlock"], other.address)
    if not other.is_pod:
        return False
    if "namespaceSelector" in peer:
        labels = {"kubernetes.io/metadata.name": other.namespace}
        if not _selects(peer["namespaceSelector"], labels):
            return False
    elif other.namespace != namespace:
        return False
    return _selects(peer.get("podSelector", {}), other.labels)


def _within(block: dict[str, Any], address: str) -> bool:
    found = ipaddress.ip_address(address)
    for network in block.get("except", []):
        # What the API server demands of an exception.
        inner, outer = ipaddress.ip_network(network), ipaddress.ip_network(block["cidr"])
        assert inner.version == outer.version
        assert inner != outer
        assert inner.subnet_of(outer)  # type: ignore[arg-type]
    return found in ipaddress.ip_network(block["cidr"]) and not any(
        found in ipaddress.ip_network(network) for network in block.get("except", [])
    )


def _ports_match(ports: list[dict[str, Any]] | None, port: int, protocol: str) -> bool:
    return not ports or any(
        entry["port"] <= port <= entry.get("endPort", entry["port"])
        and entry.get("protocol", "TCP") == protocol
        for entry in ports
    )


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {})
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return True
