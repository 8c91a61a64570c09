"""Who had an address, and which policies held, at some moment of the run?

Pods come and go and addresses are used again; policies follow their HSCJit's spec.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.cluster.judge import End

SLACK_S: Final = 5.0
"""What a watch and the kernel say of one moment may lie so far apart."""


@dataclass(frozen=True)
class Pod:
    """A pod, as it was seen last."""

    uid: str
    end: End
    name: str
    created: float
    """Epoch seconds."""
    host_network: bool = False
    """It has its node's address: no policy selects it."""

    @property
    def place(self) -> str:
        """Namespace and name."""
        return f"{self.end.namespace}/{self.name}"


@dataclass
class Pods:
    """All pods of a run."""

    _by_address: dict[str, dict[str, Pod]] = field(default_factory=dict)

    def see(self, pod: Pod) -> None:
        """Take down a pod that has an address."""
        if pod.end.address and not pod.host_network:
            self._by_address.setdefault(pod.end.address, {})[pod.uid] = pod

    def at(self, address: str, when: float) -> Pod | None:
        """Return who had the address then: the youngest pod that was made before."""
        there = self._by_address.get(address, {}).values()
        candidates = [pod for pod in there if pod.created <= when + SLACK_S]
        return max(candidates, key=lambda pod: pod.created, default=None)


@dataclass
class Policies:
    """All policies of a run, and when they changed.

    A policy counts from the beginning and for ever: pods that start before their policies, or
    outlive them, are judged by them all the same.
    """

    _versions: dict[tuple[str, str], list[tuple[float, Mapping[str, Any]]]] = field(
        default_factory=dict
    )

    def see(self, namespace: str, name: str, spec: Mapping[str, Any], when: float) -> None:
        """Take down a policy; what is as before changes nothing."""
        versions = self._versions.setdefault((namespace, name), [])
        if not versions or versions[-1][1] != spec:
            versions.append((when, spec))

    def __len__(self) -> int:
        """How many there were."""
        return len(self._versions)

    def epoch(self, when: float) -> int:
        """Return the number of changes until then: among equal numbers the same policies hold."""
        return bisect_right(self._changes(), when)

    def around(self, when: float) -> set[int]:
        """Return the epochs that a moment may have been in."""
        return set(range(self.epoch(when - SLACK_S), self.epoch(when + SLACK_S) + 1))

    def of(self, epoch: int) -> list[dict[str, Any]]:
        """Return the policies that held in an epoch."""
        until = self._changes()[epoch - 1] if epoch else float("-inf")
        held = {
            key: next((spec for at, spec in reversed(versions) if at <= until), versions[0][1])
            for key, versions in self._versions.items()
        }
        return [
            {"metadata": {"namespace": namespace, "name": name}, "spec": spec}
            for (namespace, name), spec in held.items()
        ]

    def _changes(self) -> list[float]:
        """When a policy became another one; its first version is no change."""
        return sorted(at for versions in self._versions.values() for at, _ in versions[1:])
