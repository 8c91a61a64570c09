"""What does a user's Secret say of an external store? Its address, checked, and nothing secret.

Only what others need to know leaves this file: a port, a literal address, a digest that tells one
server from another. Messages name what is wrong, never what stands there.
"""

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from hscjit_operator import names
from hscjit_operator.model.spec import Outside

REDIS_PORT: Final = 6379
POSTGRES_PORT: Final = 5432

FILES: Final = {
    names.POSTGRES: "database-url",
    names.REDIS_CACHE: "redis-cache-url",
    names.REDIS_QUEUE: "redis-queue-url",
}
"""Component → name of the file in which pods read its address."""

_VERIFYING: Final = ("verify-ca", "verify-full")
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", *_VERIFYING)
_OPTIONS: Final = ("sslmode", "channel_binding", "target_session_attrs")
"""libpq's options that may stand in an address; the others are files, or would lead elsewhere."""
_PEM: Final = "-----BEGIN CERTIFICATE-----"


def authority_file(component: str) -> str:
    """Return the name of the file in which pods read who vouches for a store."""
    return FILES[component].replace("-url", "-ca.pem")


def pull_secret(name: str) -> str:
    """Return under which name the digest of a pull secret stands among those of files."""
    return f"pull/{name}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an external store is."""

    port: int
    address: str | None
    """Its host where that is a literal address; None for a name."""
    mark: str
    """Digest of host, port and database: another one means another store."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the Secrets of all external stores say."""

    places: Mapping[str, Place] = field(default_factory=dict)
    """By component; what is missing or malformed has none."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """By file as pods mount it."""
    missing: tuple[str, ...] = ()
    """A sentence for each Secret or key that is not there."""
    malformed: tuple[str, ...] = ()
    """A sentence for each value that cannot be used."""


Secrets = Mapping[str, Mapping[str, bytes] | None]
"""Data of the Secrets that were read, by name; None for one that does not exist."""


def survey(outside: Mapping[str, Outside], secrets: Secrets) -> Surroundings:
    """Return what there is to know of the external stores."""
    places: dict[str, Place] = {}
    digests: dict[str, str] = {}
    missing: list[str] = []
    malformed: list[str] = []
    for component, store in outside.items():
        wanted = {FILES[component]: (store.address, store.field)}
        if store.ca is not None:
            wanted[authority_file(component)] = (store.ca, f"{store.field}.caSecretRef")
        values = {}
        for file, (ref, where) in wanted.items():
            data = secrets.get(ref.name)
            if data is None:
                missing.append(f"Secret {ref.name}, which {where} names, does not exist")
            elif not data.get(ref.key, b"").strip():
                missing.append(f"Secret {ref.name} has no key {ref.key}, which {where} names")
            else:
                values[file] = data[ref.key]
        if len(values) < len(wanted):
            continue
        try:
            place = _checked(component, store, values)
        except _Malformed as wrong:
            malformed.append(str(wrong))
            continue
        places[component] = place
        digests |= {file: _digest(value) for file, value in values.items()}
    cache, queue = places.get(names.REDIS_CACHE), places.get(names.REDIS_QUEUE)
    if cache is not None and queue is not None and cache.mark == queue.mark:
        del places[names.REDIS_CACHE], places[names.REDIS_QUEUE]
        malformed.append(
            "spec.redis.external: the cache's and the queue's address lead to one server; cache "
            "and queue are never one instance, give each its own"
        )
    return Surroundings(places, digests, tuple(dict.fromkeys(missing)), tuple(malformed))


def redis(url: str, *, authority: bool) -> Place:
    """Return where a Redis is; ValueError says what is wrong with its URL."""
    parts = _split(url, ("redis", "rediss"), "redis://… or rediss://…")
    if parts.query or parts.fragment:
        raise ValueError("has options, which are not read; TLS is always verified: remove them")
    if parts.path.strip("/") and not parts.path.strip("/").isdecimal():
        raise ValueError("has a database that is no number; end it in /0")
    if authority and parts.scheme == "redis":
        raise ValueError("is redis://, without TLS, though caSecretRef is set; write rediss://")
    return _place(parts, REDIS_PORT, "")


def postgres(dsn: str, *, authority: bool) -> Place:
    """Return where a database is; ValueError says what is wrong with its DSN."""
    parts = _split(dsn, ("postgresql", "postgres"), "postgresql://user:password@host/database")
    database = parts.path.strip("/")
    if not database or "/" in database or parts.fragment:
        raise ValueError("names no database; end it in /<database>")
    if not parts.username:
        raise ValueError("names no user; write it as user:password before the host")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(options.keys() - set(_OPTIONS))
    if unknown:
        raise ValueError(f"has options beside {', '.join(_OPTIONS)}; remove them")
    mode = options.get("sslmode")
    if mode is not None and mode not in _SSL_MODES:
        raise ValueError(f"has an sslmode that is none of {', '.join(_SSL_MODES)}")
    if mode in _VERIFYING and not authority:
        raise ValueError(f"has sslmode={mode}, but nobody vouches: set caSecretRef too")
    if authority and mode in _SSL_MODES and mode not in _VERIFYING:
        raise ValueError(f"has sslmode={mode} though caSecretRef is set; write verify-full")
    return _place(parts, POSTGRES_PORT, database)


class _Malformed(Exception):
    """A value that cannot be used; names Secret and key, holds nothing of the value."""


def _checked(component: str, store: Outside, values: Mapping[str, bytes]) -> Place:
    ref = store.ca or store.address
    try:
        if store.ca is not None:
            _check_authority(_text(values[authority_file(component)]))
        ref = store.address
        read = postgres if component == names.POSTGRES else redis
        return read(_text(values[FILES[component]]), authority=store.ca is not None)
    except ValueError as wrong:
        said = f"Secret {ref.name}, key {ref.key} ({store.field}): {wrong}"
        raise _Malformed(said) from None  # a cause could carry the value


def _check_authority(pem: str) -> None:
    if _PEM not in pem:
        raise ValueError("holds no certificate; expected PEM")


def _text(value: bytes) -> str:
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("is no text") from None


def _split(url: str, schemes: tuple[str, ...], wanted: str) -> SplitResult:
    """Split an address; what `urllib` says of a bad one could quote it, so we say it ourselves."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"cannot be read as an address; expected {wanted}") from None
    if parts.scheme not in schemes or any(c.isspace() for c in url):
        raise ValueError(f"is no address; expected {wanted}")
    if not parts.hostname or "," in parts.netloc.rpartition("@")[2]:
        raise ValueError(f"names no host, or several; expected {wanted}")
    if port == 0:
        raise ValueError("has the port 0; leave it out or write the server's")
    return parts


def _place(parts: SplitResult, port: int, database: str) -> Place:
    host = parts.hostname or ""
    try:
        address = str(ipaddress.ip_address(host))
    except ValueError:
        address = None
    port = parts.port or port
    return Place(port, address, _digest(f"{host}:{port}/{database}".encode()))


def _digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()[:16]
