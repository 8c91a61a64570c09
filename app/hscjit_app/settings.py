"""What this process was told by its environment, read once and checked.

Every variable starts with `HSCJIT_`. Secrets are read from files (`…_FILE`), so that they are in no
environment listing; the name without `_FILE` is for development. Nothing set = a complete
assistant in one process: SQLite, an in-process queue, the bundled catalogue.
"""

import ipaddress
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args

Component = Literal["api", "worker", "beat", "job"]
LogFormat = Literal["json", "console"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MIB = 1024 * 1024
_HOST = re.compile(
    r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?)(:(?P<port>\d{1,5}))?"
)
_MAX_PORT = 65535
_POSTGRES = ("postgresql", "postgres")


class SettingsError(ValueError):
    """A variable says something we can't use; the message names it, what was found and expected."""


@dataclass(frozen=True)
class AllowedHost:
    """One place manuals may be fetched from."""

    host: str
    """`name` or `name:port`, lower case. Without a port: 80 for http, 443 for https."""
    private_cidr: Network | None = None
    """The private range this host may resolve to; None = public addresses only."""


@dataclass(frozen=True)
class Settings:
    """Everything the app can be told from outside, with what it does when told nothing."""

    name: str = "hscjit"
    """HSCJIT_NAME: the HSCJit resource this process belongs to; `service` in every log line."""
    component: Component = "api"
    """HSCJIT_COMPONENT: which role this process plays (api, worker, beat or job)."""
    pod: str = "local"
    """HSCJIT_POD: this pod's name; tells owners of leases and worker queues apart."""
    port: int = 8000
    """HSCJIT_PORT: where the API listens."""
    metrics_port: int = 8001
    """HSCJIT_METRICS_PORT: where worker and beat answer /health and /metrics."""

    database_url: str = field(default="sqlite+aiosqlite:///hscjit.db", repr=False)
    """HSCJIT_DATABASE_URL[_FILE]: SQLAlchemy URL; unset = a SQLite file in the work folder.
    `postgresql://` and `postgres://` mean the driver we have."""
    database_ca: Path | None = None
    """HSCJIT_DATABASE_CA_FILE: PEM of who vouches for Postgres. With it `sslmode` is `verify-full`
    unless the URL says `verify-ca`; None = as the URL says."""
    redis_cache_url: str | None = field(default=None, repr=False)
    """HSCJIT_REDIS_CACHE_URL[_FILE]: the Redis that may forget; None = none."""
    redis_queue_url: str | None = field(default=None, repr=False)
    """HSCJIT_REDIS_QUEUE_URL[_FILE]: the Redis that must not forget; None = in-process queue."""
    redis_cache_ca: Path | None = None
    """HSCJIT_REDIS_CACHE_CA_FILE: PEM of who vouches for a `rediss://` cache; None = the system's
    own list. TLS is always verified, name included."""
    redis_queue_ca: Path | None = None
    """HSCJIT_REDIS_QUEUE_CA_FILE: the same for the queue."""
    admin_token: str | None = field(default=None, repr=False)
    """HSCJIT_ADMIN_TOKEN[_FILE]: bearer token of /admin; None = /admin refuses everybody."""
    session_key: str | None = field(default=None, repr=False)
    """HSCJIT_SESSION_KEY[_FILE]: signs conversation sessions, the same on every pod; None = one
    drawn at start, so sessions end with the process."""
    db_pool_size: int = 5
    """HSCJIT_DB_POOL_SIZE: connections this pod keeps open to Postgres."""
    db_max_overflow: int = 2
    """HSCJIT_DB_MAX_OVERFLOW: connections it may open on top for a moment."""

    catalog_dir: Path | None = None
    """HSCJIT_CATALOG_DIR: folder of `*.json` catalogue files, followed live; None = the sample."""
    manuals_base_url: str | None = None
    """HSCJIT_MANUALS_BASE_URL: what relative documentation URLs resolve against; None = the
    bundled samples are read from the package, without a network."""
    manuals_allowed_hosts: tuple[AllowedHost, ...] = ()
    """HSCJIT_MANUALS_ALLOWED_HOSTS: JSON `[{"host": "h:port", "privateCIDR": "10.0.0.1/32"}]`."""
    manuals_max_bytes: int = 50 * _MIB
    """HSCJIT_MANUALS_MAX_BYTES: larger manuals are refused while they are read."""
    manuals_cache_ttl_s: int = 7 * 24 * 3600
    """HSCJIT_MANUALS_CACHE_TTL_SECONDS: after this a stored manual is asked for again."""

    allowed_origins: tuple[str, ...] = ()
    """HSCJIT_ALLOWED_ORIGINS: JSON list; origins allowed besides the page's own host."""
    trusted_proxies: tuple[Network, ...] = ()
    """HSCJIT_TRUSTED_PROXIES: JSON list of CIDRs whose X-Forwarded-For is believed; limits per
    address apply only behind them."""

    backup_dir: Path = Path("/backups")
    """HSCJIT_BACKUP_DIR: where backups lie."""
    backup_keep_last: int = 7
    """HSCJIT_BACKUP_KEEP_LAST: this many newest complete backups are kept (at least 1)."""
    backup_keep_daily: int = 14
    """HSCJIT_BACKUP_KEEP_DAILY: and the newest of each of this many days."""

    backup_queue_may_refuse: bool = False
    """HSCJIT_BACKUP_QUEUE_MAY_REFUSE: `true` = a queue that refuses to be dumped, as a managed
    Redis may, makes a backup of Postgres only and no failure."""

    log_format: LogFormat = "json"
    """HSCJIT_LOG_FORMAT: `json` (one object a line) or `console` (for people)."""
    log_level: str = "INFO"
    """HSCJIT_LOG_LEVEL: DEBUG, INFO, WARNING or ERROR."""
    termination_log: Path = Path("/dev/termination-log")
    """HSCJIT_TERMINATION_LOG: where a job leaves its one JSON object for the operator."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read and check the environment; raises `SettingsError` naming the variable."""
        return cls(
            name=env.get("HSCJIT_NAME") or cls.name,
            component=_choice(env, "HSCJIT_COMPONENT", cls.component, get_args(Component)),
            pod=env.get("HSCJIT_POD") or cls.pod,
            port=_int(env, "HSCJIT_PORT", cls.port, low=1, high=_MAX_PORT),
            metrics_port=_int(env, "HSCJIT_METRICS_PORT", cls.metrics_port, low=1, high=_MAX_PORT),
            database_url=_driven(_secret(env, "HSCJIT_DATABASE_URL") or cls.database_url),
            database_ca=_path(env, "HSCJIT_DATABASE_CA_FILE"),
            redis_cache_url=_secret(env, "HSCJIT_REDIS_CACHE_URL"),
            redis_queue_url=_secret(env, "HSCJIT_REDIS_QUEUE_URL"),
            redis_cache_ca=_path(env, "HSCJIT_REDIS_CACHE_CA_FILE"),
            redis_queue_ca=_path(env, "HSCJIT_REDIS_QUEUE_CA_FILE"),
            admin_token=_secret(env, "HSCJIT_ADMIN_TOKEN"),
            session_key=_secret(env, "HSCJIT_SESSION_KEY"),
            db_pool_size=_int(env, "HSCJIT_DB_POOL_SIZE", cls.db_pool_size, low=1),
            db_max_overflow=_int(env, "HSCJIT_DB_MAX_OVERFLOW", cls.db_max_overflow),
            catalog_dir=_path(env, "HSCJIT_CATALOG_DIR"),
            manuals_base_url=_http_url(env, "HSCJIT_MANUALS_BASE_URL"),
            manuals_allowed_hosts=_allowed_hosts(env, "HSCJIT_MANUALS_ALLOWED_HOSTS"),
            manuals_max_bytes=_int(env, "HSCJIT_MANUALS_MAX_BYTES", cls.manuals_max_bytes, low=1),
            manuals_cache_ttl_s=_int(
                env, "HSCJIT_MANUALS_CACHE_TTL_SECONDS", cls.manuals_cache_ttl_s, low=1
            ),
            allowed_origins=tuple(
                _text(f"HSCJIT_ALLOWED_ORIGINS[{at}]", item).rstrip("/").lower()
                for at, item in enumerate(_json_list(env, "HSCJIT_ALLOWED_ORIGINS"))
            ),
            trusted_proxies=tuple(
                _network(f"HSCJIT_TRUSTED_PROXIES[{at}]", item)
                for at, item in enumerate(_json_list(env, "HSCJIT_TRUSTED_PROXIES"))
            ),
            backup_dir=_path(env, "HSCJIT_BACKUP_DIR") or cls.backup_dir,
            backup_keep_last=_int(env, "HSCJIT_BACKUP_KEEP_LAST", cls.backup_keep_last, low=1),
            backup_keep_daily=_int(env, "HSCJIT_BACKUP_KEEP_DAILY", cls.backup_keep_daily),
            backup_queue_may_refuse=_choice(
                env, "HSCJIT_BACKUP_QUEUE_MAY_REFUSE", "false", ("true", "false")
            )
            == "true",
            log_format=_choice(env, "HSCJIT_LOG_FORMAT", cls.log_format, get_args(LogFormat)),
            log_level=_choice(
                env, "HSCJIT_LOG_LEVEL", cls.log_level, ("DEBUG", "INFO", "WARNING", "ERROR")
            ),
            termination_log=_path(env, "HSCJIT_TERMINATION_LOG") or cls.termination_log,
        )

    @property
    def sqlite(self) -> bool:
        """True while no database server is configured (`make dev`)."""
        return self.database_url.startswith("sqlite")

    @property
    def redis_cache_tls(self) -> dict[str, str]:
        """What a client of the cache is told beside its URL: whom to believe."""
        return _tls(self.redis_cache_url, self.redis_cache_ca)

    @property
    def redis_queue_tls(self) -> dict[str, str]:
        """The same for a client of the queue."""
        return _tls(self.redis_queue_url, self.redis_queue_ca)

    @property
    def log_level_number(self) -> int:
        """The level as the standard library counts it."""
        return logging.getLevelNamesMapping()[self.log_level]


def _driven(url: str) -> str:
    """Return the URL with the driver we have, where it names none."""
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if separator and scheme in _POSTGRES else url


def _tls(url: str | None, authority: Path | None) -> dict[str, str]:
    # That the certificate is checked, and the name in it, is redis-py's default.
    if authority is None or not (url or "").startswith("rediss://"):
        return {}
    return {"ssl_ca_certs": str(authority)}


def _int(env: Mapping[str, str], key: str, default: int, low: int = 0, high: int = 2**53) -> int:
    text = env.get(key)
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        upper = "" if high == 2**53 else f" and at most {high}"
        raise SettingsError(
            f"{key}: found {text!r}, expected a whole number, at least {low}{upper}"
        )
    return value


def _choice(env: Mapping[str, str], key: str, default: Any, accepted: tuple[str, ...]) -> Any:
    text = env.get(key) or default
    if text not in accepted:
        raise SettingsError(f"{key}: found {text!r}, expected one of {', '.join(accepted)}")
    return text


def _path(env: Mapping[str, str], key: str) -> Path | None:
    text = env.get(key)
    return Path(text) if text else None


def _secret(env: Mapping[str, str], key: str) -> str | None:
    """Read `<key>_FILE` if it is set, else `<key>`; the value never appears in a message."""
    path = env.get(f"{key}_FILE")
    if not path:
        return env.get(key) or None
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        raise SettingsError(f"{key}_FILE: can't read {path!r}: {type(e).__name__}") from e
    if not text:
        raise SettingsError(f"{key}_FILE: {path!r} is empty")
    return text


def _http_url(env: Mapping[str, str], key: str) -> str | None:
    text = env.get(key)
    if text and not text.startswith(("http://", "https://")):
        raise SettingsError(f"{key}: found {text!r}, expected a http:// or https:// address")
    return text or None


def _json_list(env: Mapping[str, str], key: str) -> list[Any]:
    text = env.get(key)
    if not text:
        return []
    try:
        value = json.loads(text)
    except ValueError as e:
        raise SettingsError(f"{key}: not JSON ({e}), expected a list") from e
    if not isinstance(value, list):
        raise SettingsError(f"{key}: found {type(value).__name__}, expected a list")
    return value


def _text(where: str, item: Any) -> str:
    if not isinstance(item, str) or not item:
        raise SettingsError(f"{where}: found {item!r}, expected text")
    return item


def _network(where: str, item: Any) -> Network:
    try:
        # An int would be read as an address: only text says what was meant.
        return ipaddress.ip_network(item if isinstance(item, str) else "", strict=False)
    except ValueError as e:
        raise SettingsError(f"{where}: found {item!r}, expected a CIDR (e.g. 10.0.0.0/8)") from e


def _allowed_hosts(env: Mapping[str, str], key: str) -> tuple[AllowedHost, ...]:
    return tuple(
        _allowed_host(f"{key}[{at}]", item) for at, item in enumerate(_json_list(env, key))
    )


def _allowed_host(where: str, item: Any) -> AllowedHost:
    if not isinstance(item, dict) or not item.keys() <= {"host", "privateCIDR"}:
        raise SettingsError(f'{where}: found {item!r}, expected {{"host": …, "privateCIDR": …}}')
    host = item.get("host")
    found = _HOST.fullmatch(host) if isinstance(host, str) else None
    if found is None or not 1 <= int(found["port"] or 80) <= _MAX_PORT:
        raise SettingsError(f"{where}.host: found {host!r}, expected host or host:port")
    cidr = item.get("privateCIDR")
    return AllowedHost(
        host=found[0].lower(),
        private_cidr=None if cidr is None else _network(f"{where}.privateCIDR", cidr),
    )
