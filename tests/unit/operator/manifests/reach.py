"""May this end talk to that one? Our own reading of NetworkPolicies, in milliseconds.

A pod that no policy selects in a direction is open in it. A selected one lets pass what at least
one rule of one policy allows. A connection needs the sender's egress and the receiver's ingress.
The integration tests hold it against a real engine, question by question.
"""

import ipaddress
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from tests.cluster.judge import End

Door = tuple[int, str]
"""A port and its protocol."""


def open_doors(
    policies: list[dict[str, Any]], client: End, server: End, doors: Collection[Door]
) -> set[Door]:
    """Return to which of the doors of `server` a connection from `client` comes about."""
    let_out = _passed(policies, "Egress", own=client, other=server, doors=doors)
    return _passed(policies, "Ingress", own=server, other=client, doors=let_out)


def _passed(
    policies: list[dict[str, Any]],
    direction: str,
    *,
    own: End,
    other: End,
    doors: Collection[Door],
) -> set[Door]:
    if not own.is_pod or not doors:
        return set(doors)
    specs = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == own.namespace
        and direction in policy["spec"]["policyTypes"]
        and _selects(policy["spec"]["podSelector"], own.labels)
    ]
    if not specs:
        return set(doors)
    side, rules = ("from", "ingress") if direction == "Ingress" else ("to", "egress")
    return {
        door
        for spec in specs
        for rule in spec.get(rules, [])
        if _peers_match(rule.get(side), own.namespace, other)
        for door in doors
        if _ports_match(rule.get("ports"), *door)
    }


def _peers_match(peers: list[dict[str, Any]] | None, namespace: str, other: End) -> bool:
    """No peers at all means everybody: the trap of an empty list."""
    return not peers or any(_peer_matches(peer, namespace, other) for peer in peers)


def _peer_matches(peer: dict[str, Any], namespace: str, other: End) -> bool:
    if "ipBlock" in peer:
        return _within(peer["ipBlock"], other.address)
    if not other.is_pod:
        return False
    if "namespaceSelector" in peer:
        if not _selects(peer["namespaceSelector"], other.all_namespace_labels):
            return False
    elif other.namespace != namespace:
        return False
    return _selects(peer.get("podSelector", {}), other.labels)


def _within(block: dict[str, Any], address: str) -> bool:
    return _in_range(block["cidr"], tuple(block.get("except", [])), address)


@lru_cache(maxsize=1024)
def _in_range(cidr: str, excepted: tuple[str, ...], address: str) -> bool:
    found, outer = ipaddress.ip_address(address), ipaddress.ip_network(cidr)
    inner = [ipaddress.ip_network(network) for network in excepted]
    for network in inner:
        # What the API server demands of an exception.
        assert network.version == outer.version
        assert network != outer
        assert network.subnet_of(outer)  # type: ignore[arg-type]
    return found in outer and not any(found in network for network in inner)


def _ports_match(ports: list[dict[str, Any]] | None, port: int, protocol: str) -> bool:
    return not ports or any(
        entry["port"] <= port <= entry.get("endPort", entry["port"])
        and entry.get("protocol", "TCP") == protocol
        for entry in ports
    )


def _selects(selector: dict[str, Any], labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels", {})
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return True
