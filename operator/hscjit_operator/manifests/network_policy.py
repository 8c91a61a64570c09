"""Who may talk to whom? Nobody, but for one opening per edge that exists.

Policies are judged after a Service's address was translated, so ports are those of the pods. The
kubelet's probes need no opening, and nothing here needs the API server.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hscjit_operator import names
from hscjit_operator.manifests import credentials
from hscjit_operator.manifests.meta import Manifest, match, metadata
from hscjit_operator.manifests.pods import API_PORT, METRICS_PORT, POSTGRES_PORT, REDIS_PORT
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit

DENY = "deny"
DNS = "dns"

_PORTS: Final = {
    names.API: API_PORT,
    names.POSTGRES: POSTGRES_PORT,
    names.REDIS_CACHE: REDIS_PORT,
    names.REDIS_QUEUE: REDIS_PORT,
}
_EDGES: Final[Mapping[str, Sequence[str]]] = {
    names.API: (names.POSTGRES, names.REDIS_CACHE, names.REDIS_QUEUE),
    names.WORKER: (names.API, names.POSTGRES, names.REDIS_QUEUE),  # the API serves sample manuals
    names.BEAT: (names.REDIS_QUEUE,),
    names.MIGRATE: (names.POSTGRES,),
    names.BACKUP: (names.POSTGRES, names.REDIS_QUEUE),
    names.CLEANUP: (names.POSTGRES,),
    names.RESTORE: (names.POSTGRES,),  # the queue's files it reaches through their claim
}
"""Who asks whom, within one HSCJit. Each edge opens both ends: egress here, ingress there."""

_SCRAPED: Final = {
    names.API: API_PORT,
    names.WORKER: METRICS_PORT,
    names.BEAT: METRICS_PORT,
}
_WEB: Final = (80, 443)
_DNS_PORTS: Final = (53, 5353)
"""5353 too: where some clusters' DNS pods listen behind port 53 of their Service."""

# Everything that is not the internet: private, shared, link-local (cloud metadata), loopback,
# test, benchmark, multicast and reserved ranges.
_NOT_PUBLIC_V4: Final = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
_NOT_PUBLIC_V6: Final = ("::/127", "2001:db8::/32", "fc00::/7", "fe80::/10", "ff00::/8")


def network_policies(app: HSCJit, inputs: Inputs) -> list[Manifest]:
    """Return the policies: deny all, DNS, then one for each component."""
    if not app.network.policies:
        return []
    components = sorted(
        component
        for component in {*_EDGES, *_PORTS} - app.outside.keys()
        # Where one of its stores is, is not known: it keeps the openings it has.
        if credentials.reachable(app, inputs, _EDGES.get(component, ()))
    )
    return [
        _deny(app),
        *_dns(app),
        *(_component(app, inputs, component) for component in components),
    ]


def _deny(app: HSCJit) -> Manifest:
    """Return the policy that closes every pod of the HSCJit in both directions."""
    everything = {"matchLabels": {names.LABEL_NAME: "hscjit", names.LABEL_INSTANCE: app.name}}
    return _policy(app, DENY, everything, ingress=[], egress=[])


def _dns(app: HSCJit) -> list[Manifest]:
    """Return the policy that lets those ask for names who have somebody to talk to."""
    if not app.network.dns:
        return []  # a rule with no peers would let them reach port 53 of the whole world
    askers = {
        "matchLabels": {names.LABEL_NAME: "hscjit", names.LABEL_INSTANCE: app.name},
        "matchExpressions": [
            {"key": names.LABEL_COMPONENT, "operator": "In", "values": sorted(_EDGES)}
        ],
    }
    ports = [
        {"port": port, "protocol": protocol} for port in _DNS_PORTS for protocol in ("TCP", "UDP")
    ]
    egress = [{"to": _plain(app.network.dns), "ports": ports}]
    return [_policy(app, DNS, askers, egress=egress)]


def _component(app: HSCJit, inputs: Inputs, component: str) -> Manifest:
    ingress = _ingress(app, inputs, component)
    egress = [_way(app, inputs, server) for server in _EDGES.get(component, ())]
    if component == names.WORKER:
        egress += _manuals(app)
    if component in (names.API, names.WORKER):
        egress += _plain(app.network.extra_egress)
    return _policy(app, component, match(app, component), ingress=ingress, egress=egress)


def _way(app: HSCJit, inputs: Inputs, server: str) -> Manifest:
    """Return the way to one server: to its pods, or to the one place where an external store is.

    A name may lead to any address, pods included, so only its port can be the border.
    """
    if server not in app.outside:
        return _rule("to", [_pods(app, server)], [_PORTS[server]])
    place = inputs.places[server]
    if place.address is None:
        return {"ports": [{"port": place.port, "protocol": "TCP"}]}
    length = 128 if ":" in place.address else 32
    return _rule("to", [_range(f"{place.address}/{length}")], [place.port])


def _ingress(app: HSCJit, inputs: Inputs, component: str) -> list[Manifest]:
    rules = []
    clients = [client for client, servers in _EDGES.items() if component in servers]
    if clients:
        peers = [_pods(app, client) for client in clients]
        rules.append(_rule("from", peers, [_PORTS[component]]))
    if component == names.API:
        peers = _plain(app.network.clients_from)
        for way_in in (app.network.ingress, app.network.gateway_ref):
            peers += _plain(way_in.controllers) if way_in is not None else []
        if app.network.service.type != "ClusterIP":
            # Through a node's port a client comes with its own address or, translated, with a
            # node's: neither is known here, so the port itself is the border.
            peers += [_range("0.0.0.0/0"), _range("::/0")]
        if peers:  # a rule with no peers would let everybody in
            rules.append(_rule("from", peers, [API_PORT]))
    if component in _SCRAPED:
        scrapers = [_operator(inputs, names.OPERATOR), *_plain(app.network.metrics_from)]
        if inputs.prometheus:
            scrapers.append(_operator(inputs, names.PROMETHEUS))
        rules.append(_rule("from", scrapers, [_SCRAPED[component]]))
    return rules


def _manuals(app: HSCJit) -> list[Manifest]:
    """Return the ways to the manuals: the internet, and the private networks named for a host."""
    public = set(_WEB)
    rules = []
    for entry in app.catalog.manuals.allowed_hosts:
        _, _, port = entry.host.partition(":")
        ports = [int(port)] if port else list(_WEB)
        if entry.private_cidr is None:
            public.update(ports)
        else:
            rules.append(_rule("to", [_range(entry.private_cidr)], ports))
    internet = [_range("0.0.0.0/0", _NOT_PUBLIC_V4), _range("::/0", _NOT_PUBLIC_V6)]
    return [_rule("to", internet, sorted(public)), *rules]


def _operator(inputs: Inputs, labels: Mapping[str, str]) -> Manifest:
    """Return pods of the operator's release as a peer: the operator scrapes, and asks `/ready`."""
    namespace = {"kubernetes.io/metadata.name": inputs.operator_namespace}
    return {
        "namespaceSelector": {"matchLabels": namespace},
        "podSelector": {"matchLabels": dict(labels)},
    }


def _pods(app: HSCJit, component: str) -> Manifest:
    return {"podSelector": match(app, component)}


def _range(cidr: str, but: Sequence[str] = ()) -> Manifest:
    return {"ipBlock": {"cidr": cidr, "except": list(but)} if but else {"cidr": cidr}}


def _rule(side: str, peers: list[Manifest], ports: Sequence[int]) -> Manifest:
    return {side: peers, "ports": [{"port": port, "protocol": "TCP"} for port in ports]}


def _plain(given: Sequence[Mapping[str, Any]]) -> list[Manifest]:
    return [dict(one) for one in given]


def _policy(app: HSCJit, suffix: str, pods: Manifest, **rules: list[Manifest]) -> Manifest:
    """Return a policy of the directions named; an empty list opens nothing in its direction.

    Empty lists are not written: the API server drops them, and we would look for them for ever.
    """
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(app, suffix),
        "spec": {
            "podSelector": pods,
            "policyTypes": [direction.capitalize() for direction in rules],
            **{direction: found for direction, found in rules.items() if found},
        },
    }
