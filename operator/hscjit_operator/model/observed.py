"""What did the cluster show? Of each child, only the few facts that a pass reads.

Whole bodies would cost 460 kB per HSCJit; facts and one digest cost about 12.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Scaled:
    """What a Deployment or StatefulSet says about its pods."""

    desired: int
    """`spec.replicas`, whoever wrote it."""
    ready: int
    updated: int
    """Pods of the newest template."""
    total: int
    """All pods, those of older templates included."""
    generation: int
    """How often the spec was changed, by whomever."""
    seen: int
    """The generation that the numbers above are about."""
    owns_replicas: bool
    """Our main apply holds `spec.replicas`."""
    stuck: str = ""
    """Why the rollout does not progress, as its controller says; empty while it does."""
    refused: str = ""
    """Why no more pods can be made, such as a quota, as a Deployment's controller says; that of a
    StatefulSet says it in Events only."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Ours on the object, the pinned image and template version; and on its pods, the restart."""
    claim_templates: str = ""
    """A StatefulSet's volumeClaimTemplates as canonical JSON: they can never change."""
    secrets: str = ""
    """What its pods' template carries as the digest of the Secrets they read."""

    unfinished: bool = False
    """A Deployment's controller has not yet seen all pods of the newest template ready."""

    @property
    def rolling(self) -> bool:
        """Tell whether `kubectl rollout status` would wait, but for pods that scaling brings.

        Pods of an older template are still there, of the newest there are none yet, or those that
        are there have yet to get ready. Neither number counts pods that are on their way out.
        """
        none_yet = self.desired > 0 and self.updated == 0
        return self.updated < self.total or none_yet or (self.unfinished and self.short)

    @property
    def short(self) -> bool:
        """Pods are missing, or not ready."""
        return self.ready < self.desired


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One pod of ours."""

    component: str
    ip: str | None
    node: str | None
    phase: str
    ready: bool
    ready_changed: float | None
    """Epoch seconds at which the Ready condition last flipped."""
    started: float | None
    """Epoch seconds since when the main container runs, None while it does not."""
    job: str = ""
    """Name of the Job it belongs to, if any."""
    ended: float | None = None
    """Epoch seconds at which the last container of a Job's pod ended."""
    said: str = ""
    """Termination message of the first container that failed, else of the last one that ended."""
    trouble: str = ""
    """Why a container waits, such as ImagePullBackOff, or why the pod is not scheduled."""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """One Job."""

    outcome: str
    """Complete, Failed, or empty while it runs."""
    finished: float | None
    """Epoch seconds."""
    message: str
    """What the Job controller says about a failure."""


@dataclass(frozen=True, slots=True)
class AutoscalerFacts:
    """The HPA of the API."""

    current: int
    desired: int
    active: bool | None
    """Its ScalingActive condition, None while it says nothing."""
    message: str


@dataclass(frozen=True, slots=True)
class ClaimFacts:
    """One volume claim."""

    phase: str


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """One Service."""

    cluster_ip: str | None


@dataclass(frozen=True, slots=True)
class ConfigFacts:
    """The ConfigMap that API, worker and beat start with."""

    manuals_ip: str | None
    """The address that the bundled manuals' Service has in it."""


@dataclass(frozen=True, slots=True)
class PlainFacts:
    """Of the other kinds only the digest counts."""


Facts = (
    Scaled
    | PodFacts
    | JobFacts
    | AutoscalerFacts
    | ClaimFacts
    | ServiceFacts
    | ConfigFacts
    | PlainFacts
)


@dataclass(frozen=True, slots=True)
class Child:
    """One object that carries our labels, as it was last seen."""

    kind: str
    name: str
    uid: str
    version: int
    """`metadata.resourceVersion`: what is older than this is not news."""
    owner_uid: str
    """UID of the HSCJit it was made for, by its label."""
    controller_uid: str
    """UID of its controlling owner, or else of its first; empty for none (Retain, or somebody took
    it off)."""
    deleting: bool
    digest: bytes
    """Of the fields that our apply owns and their values; see `model.owned`."""
    facts: Facts


Observed = Mapping[tuple[str, str], Child]
"""The children of an HSCJit, by kind and name."""


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """The generated Secret, read by name: its values never stay in memory."""

    uid: str
    version: str
    owner_uid: str
    managed: bool
    """It carries our labels."""
    owner_references: tuple[str, ...]
    """UIDs of its owners."""
    digests: Mapping[str, str]
    """Of each value, by its key."""
    next_usable: bool = False
    """There is a next password of the database, and it can be one; see `model.logins`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What /ready said through the Service when it was last asked."""

    ok: bool
    """A 200."""
    reachable: bool
    """Somebody answered at all, with whatever code."""
    degraded: tuple[str, ...] = ()
    """Dependencies the app does without, as it says."""
    message: str = ""
    """Why it is not ok."""
    epoch: int = 0
    """Of the rollout that was done when it was asked."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The HSCJit as the watch shows it. Packed: read once a pass, it takes a tenth of the room."""

    uid: str
    version: int
    packed: bytes
    """The body as JSON, without its managed fields, deflated."""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """Pack a body."""
        metadata = body["metadata"]
        kept = {k: v for k, v in metadata.items() if k != "managedFields"}
        text = json.dumps({**body, "metadata": kept}, separators=(",", ":")).encode()
        packed = zlib.compress(text, zlib.Z_BEST_SPEED)
        return cls(metadata["uid"], int(metadata["resourceVersion"]), packed)

    def read(self) -> dict[str, Any]:
        """Return the body."""
        body: dict[str, Any] = json.loads(zlib.decompress(self.packed))
        return body
