"""What does the status of an HSCJit say? Put together in one place, compared as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hscjit_operator import names

COMPONENTS: Final[Mapping[str, str]] = {
    names.API: "api",
    names.WORKER: "worker",
    names.BEAT: "beat",
    names.REDIS_CACHE: "redisCache",
    names.REDIS_QUEUE: "redisQueue",
    names.POSTGRES: "postgres",
}
"""Component → its key in `status.components`."""


@dataclass(frozen=True)
class Status:
    """Everything below `status`, ready to be applied. Empty parts are left out."""

    observed_generation: int
    conditions: list[dict[str, Any]]
    replicas: int = 0
    selector: str = ""
    version: str = ""
    image: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    endpoint: str = ""
    migration: Mapping[str, str] = field(default_factory=dict)
    components: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    summary: Mapping[str, str] = field(default_factory=dict)
    autopilot: Mapping[str, Any] = field(default_factory=dict)
    backup: Mapping[str, Any] = field(default_factory=dict)
    restore: Mapping[str, Any] = field(default_factory=dict)
    restart: Mapping[str, str] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return it as it is stored."""
        whole = {
            "observedGeneration": self.observed_generation,
            "conditions": self.conditions,
            "replicas": self.replicas,
            "selector": self.selector,
            "version": self.version,
            "image": self.image,
            "images": dict(self.images),
            "endpoint": self.endpoint,
            "migration": dict(self.migration),
            "components": dict(self.components),
            "summary": dict(self.summary),
            "autopilot": dict(self.autopilot),
            "backup": dict(self.backup),
            "restore": dict(self.restore),
            "restart": dict(self.restart),
            "plan": dict(self.plan),
        }
        return {key: value for key, value in whole.items() if value not in ("", {})}


def selector(name: str) -> str:
    """Return the label selector of the API's pods as text, for the scale subresource."""
    labels = names.selector(name, names.API)
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def mode(heal: str, scale: str, paused: bool) -> str:
    """Return the AUTOPILOT column: Act, Observe, Off, Mixed or Paused."""
    if paused:
        return "Paused"
    return heal if heal == scale else "Mixed"
