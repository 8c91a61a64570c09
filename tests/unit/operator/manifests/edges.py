"""Who may talk to whom? The one table of what is meant, and all that could be tried beside it.

A row names a client and what it reaches, as `server:port,port` and `server:port/UDP`. Whatever is
not in a row is closed, from every end that is ours to every end that is not, and the other way.
`anybody` is each end that is neither the HSCJit's nor the operator's release's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final

import yaml
from tests.cluster.judge import End, Question
from tests.unit.operator.manifests.builders import (
    EXTERNAL,
    FULL,
    RESTORING,
    UID,
    VARIANTS,
    Children,
)
from tests.unit.operator.manifests.builders import children as made

from hscjit_operator import names
from hscjit_operator.model.addresses import Place

EXAMPLES: Final = Path(__file__).parents[4] / "docs" / "examples"

# --- Names for several doors at once ------------------------------------------------------------
WEB: Final = "web:80,443 web-by-IPv6:80,443 beside-private-range:80,443"
DNS: Final = "53,5353,53/UDP,5353/UDP"
NAMES: Final = f"kube-dns:{DNS} node-local-dns:{DNS}"
METRICS: Final = "api:8000 worker:8001 beat:8001"
ASKERS: Final = ("api", "worker", "beat", "mig", "backup", "cleanup", "restore")
"""Those who have somebody to talk to, and so ask for names."""

# --- The table: an empty spec -------------------------------------------------------------------
MEANT: Final = {
    "api": f"postgres:5432 redis-cache:6379 redis-queue:6379 {NAMES}",
    "worker": f"api:8000 postgres:5432 redis-queue:6379 {NAMES} {WEB}",
    "beat": f"redis-queue:6379 {NAMES}",
    "mig": f"postgres:5432 {NAMES}",
    "backup": f"postgres:5432 redis-queue:6379 {NAMES}",
    "cleanup": f"postgres:5432 {NAMES}",
    "restore": f"postgres:5432 {NAMES}",
    "operator": "api:8000 worker:8001 beat:8001",
    "neighbour": "api:8000",  # by default the pods of the namespace are clients
    "second-HSCJit": "api:8000",
}


@dataclass(frozen=True)
class Row:
    """One spec, or values of the chart, and what that opens and closes."""

    spec: Mapping[str, Any]
    opened: Mapping[str, str] = field(default_factory=dict)
    closed: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Of `desired`, where a state beside the spec is meant."""


def network(**fields: Any) -> dict[str, Any]:
    """Return a spec with these fields of its network."""
    return {"network": fields}


def namespace(name: str, **pods: str) -> dict[str, Any]:
    """Return a peer: pods with these labels in a namespace, or all of them."""
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
    return peer | ({"podSelector": {"matchLabels": pods}} if pods else {})


NEIGHBOURS: Final = {"neighbour": "api:8000", "second-HSCJit": "api:8000"}

PODS_ELSEWHERE: Final = (
    *("stranger", "prometheus", "ingress", "other-operator", "kube-dns", "openshift-dns"),
    "own-prometheus",
)
ANYWHERE: Final = "anybody:22 own-prometheus:22 operator:22"
EMBEDDED: Final = {
    "api": "postgres:5432 redis-cache:6379 redis-queue:6379",
    "worker": "postgres:5432 redis-queue:6379",
    "beat": "redis-queue:6379",
    "mig": "postgres:5432",
    "backup": "postgres:5432 redis-queue:6379",
    "cleanup": "postgres:5432",
    "restore": "postgres:5432",
}

# --- The table: what else a spec may say --------------------------------------------------------
ROWS: Final[Mapping[str, Row]] = {
    "empty spec": Row({}),
    "production example": Row(
        yaml.safe_load((EXAMPLES / "production.yaml").read_text())["spec"],
        opened={
            "ingress": "api:8000",
            "prometheus": METRICS,
            "worker": "archive:8443 beside-archive:8443",  # the range named is larger than one
        },
        closed=NEIGHBOURS,
    ),
    "clients of another namespace": Row(
        network(clientsFrom=[namespace("other")]),
        opened={"stranger": "api:8000", "other-operator": "api:8000"},
        closed=NEIGHBOURS,
    ),
    "some pods of another namespace": Row(
        network(clientsFrom=[namespace("other", app="storefront")]),
        opened={"stranger": "api:8000"},
        closed=NEIGHBOURS,
    ),
    "no clients": Row(network(clientsFrom=[]), closed=NEIGHBOURS),
    "a node's port": Row(
        network(service={"type": "NodePort"}, clientsFrom=[]),
        opened={"anybody": "api:8000", "own-prometheus": "api:8000"},
    ),
    "an Ingress": Row(
        network(ingress={"host": "support.example.com"}),
        opened=dict.fromkeys(PODS_ELSEWHERE, "api:8000"),
    ),
    "a Gateway whose pods are named": Row(
        network(
            gatewayRef={
                "name": "edge",
                "host": "support.example.com",
                "controllers": [namespace("ingress-nginx")],
            }
        ),
        opened={"ingress": "api:8000"},
    ),
    "trusted proxies": Row(network(trustedProxies=["10.0.0.0/8"])),
    "Prometheus": Row(
        network(metricsFrom=[namespace("monitoring", app="prometheus")]),
        opened={"prometheus": METRICS},
    ),
    "the release's own Prometheus": Row(
        {}, opened={"own-prometheus": METRICS}, inputs={"prometheus": True}
    ),
    "extra egress": Row(
        network(
            extraEgress=[{"to": [{"ipBlock": {"cidr": "10.9.9.9/32"}}], "ports": [{"port": 8080}]}]
        ),
        opened={"api": "extra:8080", "worker": "extra:8080"},
    ),
    "hosts of manuals": Row(
        {
            "catalog": {
                "manuals": {
                    "allowedHosts": [
                        {"host": "manuals.example.com:8443"},
                        {"host": "archive.example.com:8080", "privateCIDR": "10.20.0.0/24"},
                        {"host": "intranet.example.com", "privateCIDR": "192.168.7.7/32"},
                    ]
                }
            }
        },
        opened={
            "worker": "web:8443 web-by-IPv6:8443 beside-private-range:8443 "
            "archive:8080 intranet:80,443"
        },
    ),
    "name servers elsewhere": Row(
        network(dns=[namespace("openshift-dns")]),
        opened=dict.fromkeys(ASKERS, f"openshift-dns:{DNS}"),
        closed=dict.fromkeys(ASKERS, NAMES),
    ),
    "no name servers": Row(network(dns=[]), closed=dict.fromkeys(ASKERS, NAMES)),
    "external stores": Row(
        EXTERNAL,
        opened={
            "api": f"extra:6379 intranet:5432 {ANYWHERE}",
            "worker": f"intranet:5432 {ANYWHERE}",
            "beat": ANYWHERE,
            "mig": "intranet:5432",
            "backup": f"intranet:5432 {ANYWHERE}",
            "cleanup": "intranet:5432",
            "restore": "intranet:5432",
        },
        closed=EMBEDDED,
        inputs={
            "places": {
                "redis-cache": Place(6379, "10.9.9.9", ""),
                "redis-queue": Place(22, None, ""),  # a name may lead to any address
                "postgres": Place(5432, "192.168.7.7", ""),
            }
        },
    ),
    "backup off": Row({"backup": {"enabled": False}}),
    "a restore runs": Row({}, inputs=RESTORING),
    "everything set": Row(
        FULL,
        opened={
            "anybody": "api:8000",
            "own-prometheus": "api:8000",
            "prometheus": METRICS,
            "api": "extra:8080",
            "worker": "extra:8080 web:8443 web-by-IPv6:8443 beside-private-range:8443 "
            "archive:8080 intranet:80,443",
        },
    ),
}

# --- The table: the operator's release, closed by its chart -------------------------------------
ANSWERING: Final = "operator:8080"
RELEASE: Final = {
    # The API server's address can't be known, so its ports are the border; so are those of names.
    "operator": f"{METRICS} second-HSCJit:8000,8001 "
    f"anybody:443,6443,{DNS} own-prometheus:443,6443,{DNS}",
}
CHARTS: Final[Mapping[str, Row]] = {
    "as it comes": Row({}),
    "scraped by Prometheus": Row(
        {"networkPolicy": {"metricsFrom": [namespace("monitoring")]}},
        opened={"prometheus": ANSWERING},
    ),
    "its own Prometheus": Row(
        {"prometheus": {"enabled": True}},
        opened={"own-prometheus": f"{METRICS} {ANSWERING} second-HSCJit:8000,8001 anybody:{DNS}"},
        closed={"operator": f"own-prometheus:443,6443,{DNS}"},
        inputs={"prometheus": True},
    ),
    "its own Prometheus, asked by some": Row(
        {"prometheus": {"enabled": True, "clientsFrom": [namespace("monitoring")]}},
        opened={
            "own-prometheus": f"{METRICS} {ANSWERING} second-HSCJit:8000,8001 anybody:{DNS}",
            "prometheus": "own-prometheus:9090",
        },
        closed={"operator": f"own-prometheus:443,6443,{DNS}"},
        inputs={"prometheus": True},
    ),
}

# --- The ends ------------------------------------------------------------------------------------
DOORS: Final = (
    *((port, "TCP") for port in (22, 53, 80, 443, 5353, 5432, 6379, 6443)),
    *((port, "TCP") for port in (8000, 8001, 8080, 8443, 9090, 10250)),
    *((port, "UDP") for port in (53, 443, 5353, 8000)),
)
OPERATOR_POD: Final = End("hscjit-system", {names.LABEL_NAME: "hscjit-operator"}, "10.244.0.3")
OWN_PROMETHEUS: Final = End("hscjit-system", dict(names.PROMETHEUS), "10.244.0.4")
OTHERS: Final[Mapping[str, End]] = {
    "neighbour": End("shop", {"app": "storefront"}),
    "second-HSCJit": End("shop", names.labels("second", "api", UID)),
    "stranger": End("other", {"app": "storefront"}),
    "prometheus": End("monitoring", {"app": "prometheus"}),
    "ingress": End("ingress-nginx", {"app.kubernetes.io/name": "ingress-nginx"}),
    "other-operator": End("other", dict(OPERATOR_POD.labels)),
    "kube-dns": End("kube-system", {"k8s-app": "kube-dns"}),
    "openshift-dns": End("openshift-dns", {"dns.operator.openshift.io/daemonset-dns": "default"}),
    **{
        name: End(address=address)
        for name, address in {
            "api-server": "172.18.0.2",
            "api-server-service": "10.96.0.1",
            "node-local-dns": "169.254.20.10",
            "web": "93.184.216.34",
            "web-by-IPv6": "2606:2800:220:1::1",
            "beside-private-range": "172.32.0.1",
            "archive": "10.20.0.5",
            "intranet": "192.168.7.7",
            "extra": "10.9.9.9",
            "beside-archive": "10.20.1.5",
            "private-10": "10.0.0.1",
            "private-172": "172.31.255.255",
            "private-192": "192.168.7.8",
            "shared": "100.64.0.1",
            "metadata": "169.254.169.254",
            "loopback": "127.0.0.1",
            "loopback-by-IPv6": "::1",
            "link-local-by-IPv6": "fe80::1",
            "unique-local-by-IPv6": "fd00::1",
        }.items()
    },
}
"""Whoever else there is, each for one thing that a policy could get wrong."""


@cache
def ours() -> dict[str, End]:
    """Return a pod of each component, labelled as its own template says, and one of none.

    The newcomer is of a component that some later version may add.
    """
    found = {"newcomer": End("shop", names.labels("support", "newcomer", UID))}
    for spec, inputs in VARIANTS.values():
        for pod in made(spec, **inputs).pods():
            # Labels that a user adds are in no selector: the plainest template is the test.
            found.setdefault(pod.component, End("shop", pod.labels))
    return found


@cache
def ends() -> dict[str, End]:
    """Return every end by its name."""
    return {**ours(), "operator": OPERATOR_POD, "own-prometheus": OWN_PROMETHEUS, **OTHERS}


def policies(row: Row) -> list[dict[str, Any]]:
    """Return the policies that the manifests of a spec's row hold."""
    children: Children = made(dict(row.spec), **row.inputs)
    return [child for child in children if child["kind"] == "NetworkPolicy"]


def pairs(of: Mapping[str, End]) -> list[tuple[str, str]]:
    """Return every client and server of which at least one is among some ends."""
    everybody = ends()
    return [
        (client, server)
        for client in everybody
        for server in everybody
        if client != server and (client in of or server in of)
    ]


def questions(of: Mapping[str, End]) -> list[Question]:
    """Return all that could be tried by, and against, some of the ends."""
    return [Question(*pair, *door) for pair in pairs(of) for door in DOORS]


def meant(row: Row, basis: Mapping[str, str] = MEANT) -> set[Question]:
    """Return what is open under a row, which says in what it differs from the basis."""
    return set(read(basis)) - set(read(row.closed)) | set(read(row.opened))


def read(table: Mapping[str, str]) -> Iterator[Question]:
    """Read rows of a table; a word that names no end or no door raises KeyError."""
    known = {*ends(), "anybody"}
    for client, reached in table.items():
        for word in reached.split():
            server, _, doors = word.partition(":")
            if not {client, server} <= known:
                raise KeyError(f"{client} -> {word}")
            for door in doors.split(","):
                port, _, protocol = door.partition("/")
                if (int(port), protocol or "TCP") not in DOORS:
                    raise KeyError(f"{client} -> {word}")
                for one, other in product(_each(client), _each(server)):
                    yield Question(one, other, int(port), protocol or "TCP")


def _each(name: str) -> list[str]:
    return list(OTHERS) if name == "anybody" else [name]


def difference(found: set[Question], wanted: set[Question]) -> str:
    """Say which connections are open and should not be, and the other way; empty when alike."""
    lines = [f"open, and not meant:   {_arrow(q)}" for q in sorted(found - wanted)]
    lines += [f"meant, and not open:   {_arrow(q)}" for q in sorted(wanted - found)]
    return "\n".join(lines)


def _arrow(question: Question) -> str:
    return f"{question.client} -> {question.server}:{question.port}/{question.protocol}"
