"""What did the user ask for? The HSCJit as frozen dataclasses, or a SpecError that says why not.

Defaults, bounds and rules are those of `crds/hscjit.yaml`; a test compares the two. They stand
here again because what is stored may have passed an older schema than the one we know.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, Literal
from weakref import WeakValueDictionary

from hscjit_operator import names
from hscjit_operator.model.autopilot_spec import Autopilot
from hscjit_operator.model.formats import (
    AtMost,
    Between,
    Cron,
    HostPort,
    PrivateCidr,
    Text,
    TimeZone,
)
from hscjit_operator.model.monitoring import Monitoring
from hscjit_operator.model.network import Network
from hscjit_operator.model.reading import SpecError, read_block
from hscjit_operator.model.schedule import Lasting
from hscjit_operator.model.stores import Backup, KeyRef, Postgres, Redis
from hscjit_operator.model.workload import Api, Image, ObjectRef, Worker

__all__ = ["TEMPLATE_VERSIONS", "HSCJit", "SpecError", "parse"]

TEMPLATE_VERSIONS: Final = ("1",)
"""The template versions this operator carries, the newest first; `spec.version` names one."""

_NAME: Final = re.compile("[a-z]([-a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True)
class AllowedHost:
    """A host that manuals may be fetched from; a private address only within its network."""

    host: HostPort
    private_cidr: PrivateCidr | None = None


@dataclass(frozen=True)
class Manuals:
    """Where manuals may come from, how large they may be, how long a copy counts as fresh."""

    allowed_hosts: Annotated[tuple[AllowedHost, ...], AtMost(64, "host")] = ()
    max_bytes: Annotated[int, Between(1024, 1 << 30)] = 50 << 20
    cache_ttl: Annotated[timedelta, Lasting(timedelta(minutes=1), timedelta(hours=8760))] = (
        timedelta(hours=24)
    )


@dataclass(frozen=True)
class Catalog:
    """Which products there are: the bundled sample unless a ConfigMap is named."""

    bundled: Mapping[str, Any] | None = None
    config_map_ref: ObjectRef | None = None
    manuals: Manuals = Manuals()

    def check(self, path: str) -> None:
        """Refuse two sources at once."""
        if self.bundled is not None and self.config_map_ref is not None:
            raise SpecError(
                f"{path}.configMapRef",
                "cannot stand beside bundled; remove one of the two",
            )


@dataclass(frozen=True)
class Answers:
    """Who writes the answers: `extractive` quotes the manual and needs no key."""

    provider: Literal["extractive"] = "extractive"


@dataclass(frozen=True)
class Bootstrap:
    """How the first start finds its data; fixed at creation."""

    adopt_volumes: bool = False


@dataclass(frozen=True)
class Window:
    """A time in which the operator may restart pods of its own accord."""

    schedule: Cron
    duration: Annotated[timedelta, Lasting(timedelta(minutes=1), timedelta(days=7))]
    time_zone: TimeZone = "Etc/UTC"


@dataclass(frozen=True)
class OffPeak:
    """A time of few customers, in which fewer API pods are enough."""

    name: Annotated[str, Text("[a-z0-9]([-a-z0-9]*[a-z0-9])?", "a name such as nights", 40)]
    schedule: Cron
    duration: Annotated[timedelta, Lasting(timedelta(minutes=1), timedelta(days=7))]
    time_zone: TimeZone = "Etc/UTC"
    api_min_replicas: Annotated[int, Between(1, 100)] = 1
    api_max_replicas: Annotated[int, Between(1, 100)] | None = None

    def check(self, path: str) -> None:
        """Refuse bounds the wrong way round."""
        if self.api_max_replicas is not None and self.api_min_replicas > self.api_max_replicas:
            raise SpecError(
                f"{path}.apiMinReplicas",
                f"{self.api_min_replicas} is above apiMaxReplicas ({self.api_max_replicas}); "
                "lower the first or raise the second",
            )


@dataclass(frozen=True)
class Maintenance:
    """What happens by the calendar."""

    cleanup_schedule: Cron = "0 3 * * *"
    windows: Annotated[tuple[Window, ...], AtMost(16)] = ()
    off_peak: Annotated[tuple[OffPeak, ...], AtMost(16, "name")] = ()


@dataclass(frozen=True)
class Outside:
    """A store that somebody else runs."""

    address: KeyRef
    """The key with its URL or DSN."""
    ca: KeyRef | None
    """The key with the certificates of who vouches for it."""
    field: str
    """Path of the field that names it."""


@dataclass(frozen=True)
class Spec:
    """Every block of `spec`."""

    image: Image = field(default_factory=Image)
    version: Annotated[str, Text("[1-9][0-9]*", "a template version, such as 1", 8)] | None = None
    api: Api = field(default_factory=Api)
    worker: Worker = field(default_factory=Worker)
    catalog: Catalog = Catalog()
    answers: Answers = Answers()
    redis: Redis = field(default_factory=Redis)
    postgres: Postgres = field(default_factory=Postgres)
    backup: Backup = field(default_factory=Backup)
    bootstrap: Bootstrap = Bootstrap()
    maintenance: Maintenance = Maintenance()
    autopilot: Autopilot = field(default_factory=Autopilot)
    network: Network = field(default_factory=Network)
    monitoring: Monitoring = field(default_factory=Monitoring)
    deletion_policy: Literal["Retain", "Delete"] = "Retain"

    @property
    def outside(self) -> dict[str, Outside]:
        """The stores that somebody else runs, by component."""
        found = {}
        if self.redis.external is not None:
            for component, role in ((names.REDIS_CACHE, "cache"), (names.REDIS_QUEUE, "queue")):
                server = getattr(self.redis.external, role)
                field = f"spec.redis.external.{role}"
                found[component] = Outside(server.url_secret_ref, server.ca_secret_ref, field)
        if self.postgres.external is not None:
            database = self.postgres.external
            field = "spec.postgres.external"
            found[names.POSTGRES] = Outside(database.dsn_secret_ref, database.ca_secret_ref, field)
        return found

    def check(self, path: str) -> None:
        """Refuse what only several blocks together make wrong."""
        if self.version is not None and self.version not in TEMPLATE_VERSIONS:
            raise SpecError(
                f"{path}.version",
                f"this operator carries {', '.join(TEMPLATE_VERSIONS)}, not {self.version}; "
                "name one of those or leave it out",
            )
        pods = self.api.most + self.api.rollout.max_surge + self.worker.max_replicas
        if self.postgres.pool.size < pods:
            raise SpecError(
                f"{path}.postgres.pool.size",
                f"{self.postgres.pool.size} connections cannot serve up to {pods} pods (API at "
                "most, its maxSurge, worker.maxReplicas); raise it or lower those",
            )


@dataclass(frozen=True, kw_only=True)
class HSCJit(Spec):
    """One HSCJit: who it is, and what its spec asks for, block by block."""

    name: str
    namespace: str
    uid: str
    generation: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    deletion_timestamp: str | None = None

    @property
    def key(self) -> names.Key:
        """Which HSCJit this is, in queues and logs."""
        return names.Key(self.namespace, self.name)


def parse(body: Mapping[str, Any]) -> HSCJit:
    """Read a HSCJit from its JSON, or raise SpecError with the full path of the field at fault."""
    metadata = body["metadata"]
    name = metadata["name"]
    if len(name) > names.MAX_NAME or not _NAME.fullmatch(name):
        raise SpecError(
            "metadata.name",
            f"{name!r} cannot be used: at most {names.MAX_NAME} lower-case letters, digits and "
            "'-', a letter first and no '-' last; create it anew under another name",
        )
    spec = read_block(Spec, body.get("spec") or {}, "spec")
    return HSCJit(
        **{name: _shared(block) for name, block in vars(spec).items()},
        name=name,
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        annotations=dict(metadata.get("annotations") or {}),
        deletion_timestamp=metadata.get("deletionTimestamp"),
    )


_BLOCKS: Final = WeakValueDictionary[bytes, Any]()
"""Blocks that are in use, by a digest of all they say."""


def _shared(block: Any) -> Any:
    """Return a block that says the same and is in use already, where there is one.

    Most HSCJits ask for most things alike: each with blocks of its own would take 11 kB more.
    """
    if not is_dataclass(block):
        return block
    said = hashlib.blake2b(repr(block).encode(), digest_size=16).digest()
    return _BLOCKS.setdefault(said, block)
