"""Who may talk to whom, and how is the API reached, from inside and from outside?"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from hscjit_operator.model.formats import (
    Annotations,
    AtMost,
    Between,
    Cidr,
    HostName,
    ObjectName,
    Origin,
    Text,
)
from hscjit_operator.model.reading import SpecError
from hscjit_operator.model.workload import JSON, ObjectRef


@dataclass(frozen=True)
class Service:
    """How the API is reached."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    node_port: Annotated[int, Between(1, 65535)] | None = None
    annotations: Annotations = field(default_factory=dict)

    def check(self, path: str) -> None:
        """Refuse a node port on a Service that opens none."""
        if self.node_port is not None and self.type == "ClusterIP":
            raise SpecError(
                f"{path}.nodePort",
                "needs type NodePort or LoadBalancer; set the type or remove nodePort",
            )


Peers = Annotated[tuple[JSON, ...], AtMost(16)]
"""Peers of a NetworkPolicy, as Kubernetes writes them."""


def _cluster_dns() -> tuple[JSON, ...]:
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
    return (
        {
            "namespaceSelector": namespace,
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        },
        {"ipBlock": {"cidr": "169.254.20.10/32"}},  # NodeLocal DNSCache
    )


def _own_namespace() -> tuple[JSON, ...]:
    return ({"podSelector": {}},)


def _everybody_inside() -> tuple[JSON, ...]:
    return ({"namespaceSelector": {}},)


@dataclass(frozen=True)
class Ingress:
    """The way in through an Ingress."""

    host: HostName
    class_name: ObjectName | None = None
    tls_secret_ref: ObjectRef | None = None
    annotations: Annotations = field(default_factory=dict)
    controllers: Peers = field(default_factory=_everybody_inside)

    @property
    def address(self) -> str:
        """Return what a customer types."""
        return f"{'https' if self.tls_secret_ref else 'http'}://{self.host}"


@dataclass(frozen=True)
class GatewayRef:
    """The way in through a Gateway, which is somebody else's."""

    name: ObjectName
    host: HostName
    namespace: Annotated[str, Text("[a-z0-9]([-a-z0-9]*[a-z0-9])?", "a namespace", 63)] | None = (
        None
    )
    section_name: ObjectName | None = None
    tls: bool = True
    controllers: Peers = field(default_factory=_everybody_inside)

    @property
    def address(self) -> str:
        """Return what a customer types."""
        return f"{'https' if self.tls else 'http'}://{self.host}"


@dataclass(frozen=True)
class Network:
    """Who may talk to whom."""

    policies: bool = True
    clients_from: Peers = field(default_factory=_own_namespace)
    metrics_from: Peers = ()
    dns: Peers = field(default_factory=_cluster_dns)
    extra_egress: Annotated[tuple[JSON, ...], AtMost(16)] = ()
    trusted_proxies: Annotated[tuple[Cidr, ...], AtMost(64, "")] = ()
    allowed_origins: Annotated[tuple[Origin, ...], AtMost(64, "")] = ()
    service: Service = Service()
    ingress: Ingress | None = None
    gateway_ref: GatewayRef | None = None
