"""Where is data kept: Redis, Postgres, and the backups of both?"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from hscjit_operator.model.formats import Between, Cron, ObjectName, Storage, Text, TimeZone
from hscjit_operator.model.reading import SpecError
from hscjit_operator.model.workload import Resources, resources

_REDIS_SIZE: Final = resources(("25m", "64Mi"), ("1", "256Mi"))
_POSTGRES_SIZE: Final = resources(("50m", "192Mi"), ("1", "512Mi"))

StorageClass = ObjectName | None
"""None = the cluster's default class."""


@dataclass(frozen=True)
class KeyRef:
    """One key of a Secret of the HSCJit's own namespace."""

    name: ObjectName
    key: Annotated[str, Text("[-._a-zA-Z0-9]+", "a key of a Secret", 253)]


@dataclass(frozen=True)
class RedisCache:
    """The cache: least recently used keys leave first, nothing is kept on disk."""

    resources: Resources = _REDIS_SIZE


@dataclass(frozen=True)
class RedisQueue:
    """The queue and the answer streams: nothing is evicted, every write is kept on disk."""

    resources: Resources = _REDIS_SIZE
    storage: Storage = "1Gi"
    storage_class: StorageClass = None


@dataclass(frozen=True)
class EmbeddedRedis:
    """Two Redis servers that the operator runs."""

    cache: RedisCache = RedisCache()
    queue: RedisQueue = RedisQueue()


@dataclass(frozen=True)
class ExternalRedisServer:
    """A Redis that somebody else runs."""

    url_secret_ref: KeyRef
    ca_secret_ref: KeyRef | None = None


@dataclass(frozen=True)
class ExternalRedis:
    """Two Redis servers that somebody else runs."""

    cache: ExternalRedisServer
    queue: ExternalRedisServer

    def check(self, path: str) -> None:
        """Refuse one server for both: the cache forgets, the queue must not."""
        if self.cache.url_secret_ref == self.queue.url_secret_ref:
            raise SpecError(
                f"{path}.queue.urlSecretRef",
                "names the same key as cache.urlSecretRef; cache and queue are never one instance, "
                "give each its own",
            )


@dataclass(frozen=True)
class Redis:
    """Cache and queue, never one instance; embedded unless external ones are named."""

    ONE_OF: ClassVar = ("embedded", "external")
    embedded: EmbeddedRedis | None = None
    external: ExternalRedis | None = None

    @property
    def servers(self) -> EmbeddedRedis:
        """How the embedded ones are to run."""
        return self.embedded or EmbeddedRedis()


@dataclass(frozen=True)
class EmbeddedPostgres:
    """One Postgres server that the operator runs; no failover."""

    resources: Resources = _POSTGRES_SIZE
    storage: Storage = "5Gi"
    storage_class: StorageClass = None


@dataclass(frozen=True)
class ExternalPostgres:
    """A database that somebody else runs."""

    dsn_secret_ref: KeyRef
    ca_secret_ref: KeyRef | None = None


@dataclass(frozen=True)
class Pool:
    """Database connections of all pods together."""

    size: Annotated[int, Between(1, 10_000)] = 50
    max_overflow: Annotated[int, Between(0, 10_000)] = 20


@dataclass(frozen=True)
class Postgres:
    """The database, embedded unless an external one is named, and what all pods take of it."""

    ONE_OF: ClassVar = ("embedded", "external")
    embedded: EmbeddedPostgres | None = None
    external: ExternalPostgres | None = None
    pool: Pool = Pool()

    @property
    def server(self) -> EmbeddedPostgres:
        """How the embedded one is to run."""
        return self.embedded or EmbeddedPostgres()


@dataclass(frozen=True)
class Retention:
    """Which backups stay: the newest ones, and the newest of each of the last days."""

    keep_last: Annotated[int, Between(1, 365)] = 7
    keep_daily: Annotated[int, Between(0, 365)] = 14


@dataclass(frozen=True)
class BackupClaim:
    """The volume that backups are kept on."""

    storage: Storage = "2Gi"
    storage_class: StorageClass = None


@dataclass(frozen=True)
class Destination:
    """Where backups go."""

    persistent_volume_claim: BackupClaim = BackupClaim()


@dataclass(frozen=True)
class Backup:
    """When backups are made, where they go and how long they stay."""

    enabled: bool = True
    suspend: bool = False
    schedule: Cron = "0 2 * * *"
    time_zone: TimeZone = "Etc/UTC"
    retention: Retention = Retention()
    destination: Destination = Destination()
