"""What do the API and the workers run as, how large, how many, and where?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from hscjit_operator.model.formats import (
    Annotations,
    AtMost,
    Between,
    Labels,
    ObjectName,
    PodLabels,
    Quantity,
    Text,
    UpTo,
    amount,
)
from hscjit_operator.model.reading import SpecError

JSON = Mapping[str, Any]
"""A piece of Kubernetes' own API, passed on as it stands: the API server knows its schema."""


@dataclass(frozen=True)
class ObjectRef:
    """An object of the HSCJit's own namespace, by name."""

    name: ObjectName


@dataclass(frozen=True)
class Image:
    """The one image of API, worker, beat and app jobs; empty = the one the operator came with."""

    repository: (
        Annotated[
            str,
            Text(
                r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*",
                "a repository, such as registry.example.com/team/hscjit-app",
                255,
            ),
        ]
        | None
    ) = None
    tag: Annotated[str, Text(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", "a tag", 128)] | None = None
    digest: (
        Annotated[str, Text(r"sha256:[0-9a-f]{64}", "a digest (sha256: and 64 hex digits)", 71)]
        | None
    ) = None
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    pull_secrets: Annotated[tuple[ObjectRef, ...], AtMost(16, "name")] = ()

    @property
    def reference(self) -> str | None:
        """The image as a container names it, or None for the operator's own."""
        if self.repository is None:
            return None
        return f"{self.repository}:{self.tag}" if self.tag else f"{self.repository}@{self.digest}"

    def check(self, path: str) -> None:
        """Refuse a version without a repository and a repository without exactly one version."""
        if self.repository is None:
            if self.tag or self.digest:
                raise SpecError(f"{path}.repository", "is required beside a tag or digest; set it")
        elif (self.tag is None) == (self.digest is None):
            raise SpecError(
                f"{path}.tag",
                "a repository needs exactly one of tag and digest; set one of the two",
            )


@dataclass(frozen=True)
class Amounts:
    """How much CPU (cores) and memory (bytes), as Kubernetes quantities."""

    cpu: Quantity
    memory: Quantity


@dataclass(frozen=True)
class Resources:
    """What one pod asks for and may use at most."""

    requests: Amounts
    limits: Amounts

    def manifest(self) -> dict[str, dict[str, str]]:
        """Return the `resources` of a container."""
        return {
            "requests": {"cpu": self.requests.cpu, "memory": self.requests.memory},
            "limits": {"cpu": self.limits.cpu, "memory": self.limits.memory},
        }

    def check(self, path: str) -> None:
        """Refuse a request above its limit."""
        for name in ("cpu", "memory"):
            asked, most = getattr(self.requests, name), getattr(self.limits, name)
            if amount(asked) > amount(most):
                raise SpecError(
                    f"{path}.requests.{name}",
                    f"{asked} is above limits.{name} ({most}); lower the first or raise the second",
                )


def resources(request: tuple[str, str], limit: tuple[str, str]) -> Resources:
    """Return resources from (cpu, memory) pairs."""
    return Resources(Amounts(*request), Amounts(*limit))


_API_SIZE: Final = resources(("150m", "256Mi"), ("1", "1Gi"))
_WORKER_SIZE: Final = resources(("100m", "256Mi"), ("1", "1Gi"))


@dataclass(frozen=True)
class EnvVar:
    """One variable in plain text: secrets have no place here."""

    name: Annotated[str, Text(r"[A-Za-z_][A-Za-z0-9_]*", "a variable's name", 128)]
    value: Annotated[str, UpTo(4096)] = ""

    def check(self, path: str) -> None:
        """Refuse the variables that the operator sets."""
        if self.name.startswith("HSCJIT_"):
            raise SpecError(
                f"{path}.name", f"{self.name} is the operator's to set; use the spec's own field"
            )


@dataclass(frozen=True)
class TopologySpread:
    """How evenly pods spread over the values of a node label; the selector is the operator's."""

    topology_key: Annotated[
        str,
        Text(
            r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?",
            "a node label's name, such as topology.kubernetes.io/zone",
            316,
        ),
    ]
    max_skew: Annotated[int, Between(1, 100)] = 1
    when_unsatisfiable: Literal["ScheduleAnyway", "DoNotSchedule"] = "ScheduleAnyway"


_OVER_NODES = (TopologySpread("kubernetes.io/hostname"),)


def _spot_labels() -> dict[str, str]:
    """Return what the three big clouds, and Karpenter, call their spot nodes."""
    return {
        "cloud.google.com/gke-spot": "true",
        "eks.amazonaws.com/capacityType": "SPOT",
        "karpenter.sh/capacity-type": "spot",
        "kubernetes.azure.com/scalesetpriority": "spot",
    }


def _spot_tolerations() -> tuple[JSON, ...]:
    """Return the taints that keep other pods off those nodes."""
    return tuple(
        {"key": key, "operator": "Equal", "value": value, "effect": "NoSchedule"}
        for key, value in _spot_labels().items()
    )


@dataclass(frozen=True)
class Spot:
    """Nodes that are cheap and may go at any time: preferred, never required."""

    node_labels: Labels = field(default_factory=_spot_labels)
    tolerations: Annotated[tuple[JSON, ...], AtMost(32)] = field(default_factory=_spot_tolerations)


@dataclass(frozen=True)
class Placement:
    """What API and worker pods share: their extra variables, labels, and where they may run."""

    env: Annotated[tuple[EnvVar, ...], AtMost(64, "name")] = ()
    pod_labels: PodLabels = field(default_factory=dict)
    pod_annotations: Annotations = field(default_factory=dict)
    node_selector: Labels = field(default_factory=dict)
    affinity: JSON = field(default_factory=dict)
    tolerations: Annotated[tuple[JSON, ...], AtMost(32)] = ()
    spot: Spot | None = None
    topology_spread: Annotated[tuple[TopologySpread, ...], AtMost(8, "topology_key")] = _OVER_NODES
    priority_class_name: ObjectName | None = None


@dataclass(frozen=True)
class Autoscaling:
    """The HPA of the API: its bounds and targets (percent of the requests)."""

    enabled: bool = True
    min_replicas: Annotated[int, Between(1, 100)] = 2
    max_replicas: Annotated[int, Between(1, 100)] = 10
    target_cpu: Annotated[int, Between(1, 100)] = 70
    target_memory: Annotated[int, Between(1, 100)] | None = None

    def check(self, path: str) -> None:
        """Refuse bounds the wrong way round."""
        ordered(path, self.min_replicas, self.max_replicas)


@dataclass(frozen=True)
class Rollout:
    """How the API's pods are replaced."""

    max_surge: Annotated[int, Between(0, 10)] = 1
    max_unavailable: Annotated[int, Between(0, 10)] = 0
    pre_stop_seconds: Annotated[int, Between(0, 60)] = 5

    def check(self, path: str) -> None:
        """Refuse a rollout that could not begin."""
        if self.max_surge == 0 and self.max_unavailable == 0:
            raise SpecError(
                f"{path}.maxUnavailable",
                "cannot be 0 while maxSurge is 0: no pod could ever be replaced; set one above 0",
            )


@dataclass(frozen=True)
class Api(Placement):
    """The API Deployment."""

    replicas: Annotated[int, Between(1, 100)] = 2
    resources: Resources = _API_SIZE
    autoscaling: Autoscaling = Autoscaling()
    rollout: Rollout = Rollout()

    @property
    def most(self) -> int:
        """The most pods there may be outside a rollout."""
        return self.autoscaling.max_replicas if self.autoscaling.enabled else self.replicas


@dataclass(frozen=True)
class Worker(Placement):
    """The Celery workers."""

    concurrency: Annotated[int, Between(1, 32)] = 2
    pool: Literal["prefork", "threads"] = "prefork"
    resources: Resources = _WORKER_SIZE
    min_replicas: Annotated[int, Between(1, 100)] = 1
    max_replicas: Annotated[int, Between(1, 100)] = 4
    queue_latency_target_seconds: Annotated[int, Between(1, 3600)] = 5

    def check(self, path: str) -> None:
        """Refuse bounds the wrong way round."""
        ordered(path, self.min_replicas, self.max_replicas)


def ordered(path: str, low: int, high: int) -> None:
    """Refuse a `minReplicas` above its `maxReplicas`."""
    if low > high:
        raise SpecError(
            f"{path}.minReplicas",
            f"{low} is above maxReplicas ({high}); lower the first or raise the second",
        )
