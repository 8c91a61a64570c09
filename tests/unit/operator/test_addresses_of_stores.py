"""What a user's Secret may say of an external store, and that no word of it gets out."""

from typing import Any

import pytest
from tests.unit.operator.manifests.builders import EXTERNAL, hscjit

from hscjit_operator import names
from hscjit_operator.model import addresses
from hscjit_operator.model.addresses import survey

PEM = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
SECRET = "hunter2-hunter2"  # noqa: S105

REDIS: dict[str, tuple[str, int, str | None]] = {
    "a name": (f"redis://:{SECRET}@cache.example.com", 6379, None),
    "a port": (f"redis://:{SECRET}@cache.example.com:6390/3", 6390, None),
    "TLS and a user": (f"rediss://app:{SECRET}@cache.example.com:6380/", 6380, None),
    "no password": ("redis://cache", 6379, None),
    "an address": (f"redis://:{SECRET}@10.30.0.5:6379/0", 6379, "10.30.0.5"),
    "an IPv6 address": (f"redis://:{SECRET}@[fd00::5]:6379/0", 6379, "fd00::5"),
}


@pytest.mark.parametrize(("url", "port", "address"), REDIS.values(), ids=REDIS)
def test_where_a_redis_is(url: str, port: int, address: str | None) -> None:
    place = addresses.redis(url, authority=False)

    assert (place.port, place.address) == (port, address)


POSTGRES: dict[str, tuple[str, bool, int, str | None]] = {
    "a name": (f"postgresql://app:{SECRET}@db.example.com/support", False, 5432, None),
    "the short scheme": (f"postgres://app:{SECRET}@db/support", False, 5432, None),
    "a port": (f"postgresql://app:{SECRET}@db:6432/support?sslmode=require", False, 6432, None),
    "verified": (f"postgresql://app:{SECRET}@db/support?sslmode=verify-full", True, 5432, None),
    "by its authority": (f"postgresql://app:{SECRET}@db/support", True, 5432, None),
    "an address": (f"postgresql://app:{SECRET}@[fd00::5]:5433/support", False, 5433, "fd00::5"),
}


@pytest.mark.parametrize(("dsn", "ca", "port", "address"), POSTGRES.values(), ids=POSTGRES)
def test_where_a_database_is(dsn: str, ca: bool, port: int, address: str | None) -> None:
    place = addresses.postgres(dsn, authority=ca)

    assert (place.port, place.address) == (port, address)


def test_a_place_is_the_same_whoever_asks_and_another_where_the_data_are_others() -> None:
    def mark(dsn: str) -> str:
        return addresses.postgres(dsn, authority=False).mark

    here = mark(f"postgresql://app:{SECRET}@db/support")
    assert mark("postgresql://other:another@db:5432/support?sslmode=require") == here
    assert mark(f"postgresql://app:{SECRET}@db/elsewhere") != here
    assert mark(f"postgresql://app:{SECRET}@db:5433/support") != here
    assert mark(f"postgresql://app:{SECRET}@db2/support") != here


BAD: dict[str, tuple[str, str, bool, str]] = {
    "another scheme": ("redis", f"http://:{SECRET}@cache", False, "expected redis://"),
    "no scheme": ("redis", f"{SECRET}", False, "expected redis://"),
    "no host": ("redis", f"redis://:{SECRET}@", False, "names no host"),
    "a port that is none": ("redis", f"redis://:{SECRET}@cache:port", False, "cannot be read"),
    "a port beyond the last": ("redis", f"redis://:{SECRET}@cache:65536", False, "cannot be read"),
    "the port 0": ("redis", f"redis://:{SECRET}@cache:0", False, "has the port 0"),
    "half an address": ("redis", f"redis://:{SECRET}@[fd00::5", False, "cannot be read"),
    "TLS unverified": (
        "redis", f"rediss://:{SECRET}@cache?ssl_cert_reqs=none", False, "always verified",
    ),
    "a database by name": ("redis", f"redis://:{SECRET}@cache/{SECRET}", False, "no number"),
    "an authority without TLS": ("redis", f"redis://:{SECRET}@cache", True, "write rediss://"),
    "two lines": ("redis", f"redis://:{SECRET}@cache\nredis://b", False, "is no address"),
    "two hosts": ("postgres", f"postgresql://app:{SECRET}@a,b/support", False, "or several"),
    "no database": ("postgres", f"postgresql://app:{SECRET}@db", False, "names no database"),
    "no user": ("postgres", "postgresql://db/support", False, "names no user"),
    "an unquoted hash": ("postgres", f"postgresql://app:{SECRET}@db/s#{SECRET}", False, "database"),
    "a file of its own": (
        "postgres", f"postgresql://app:{SECRET}@db/s?sslrootcert=/etc/{SECRET}", False, "beside",
    ),
    "an option of the user's": (
        "postgres", f"postgresql://app@db/s?password={SECRET}", False, "options beside sslmode",
    ),
    "an sslmode that is none": (
        "postgres", f"postgresql://app:{SECRET}@db/s?sslmode={SECRET}", False, "none of disable",
    ),
    "verified by nobody": (
        "postgres", f"postgresql://app:{SECRET}@db/s?sslmode=verify-full", False, "caSecretRef too",
    ),
    "an authority nobody asks": (
        "postgres", f"postgresql://app:{SECRET}@db/s?sslmode=require", True, "write verify-full",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "url", "ca", "says"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_and_what_stands_there_is_not(
    kind: str, url: str, ca: bool, says: str
) -> None:
    read = addresses.redis if kind == "redis" else addresses.postgres
    with pytest.raises(ValueError, match=r".") as refusal:
        read(url, authority=ca)

    assert says in str(refusal.value)
    assert SECRET not in str(refusal.value)
    # Nor does it get out with a traceback.
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def secrets(**changes: dict[str, bytes] | None) -> dict[str, dict[str, bytes] | None]:
    whole: dict[str, dict[str, bytes] | None] = {
        "our-redis": {
            "cache": f"redis://:{SECRET}@10.30.0.5".encode(),
            "queue": f"rediss://:{SECRET}@queue.example.com:6380\n".encode(),
        },
        "our-postgres": {"dsn": f"postgresql://app:{SECRET}@db:6432/support".encode()},
        "our-ca": {"ca.crt": PEM},
    }
    return {**whole, **{name.replace("_", "-"): value for name, value in changes.items()}}


def test_all_is_well() -> None:
    found = survey(hscjit(EXTERNAL).outside, secrets())

    assert found.missing == found.malformed == ()
    assert {c: p.port for c, p in found.places.items()} == {
        names.REDIS_CACHE: 6379, names.REDIS_QUEUE: 6380, names.POSTGRES: 6432,
    }  # fmt: skip
    assert set(found.digests) == {
        "redis-cache-url", "redis-queue-url", "redis-queue-ca.pem", "database-url",
        "database-ca.pem",
    }  # fmt: skip


def test_a_key_that_nobody_names_changes_nothing() -> None:
    before = survey(hscjit(EXTERNAL).outside, secrets())
    more = secrets()
    (more["our-postgres"] or {})["note"] = b"another"

    assert survey(hscjit(EXTERNAL).outside, more) == before


def test_a_changed_value_shows_in_the_digest_of_its_file_alone() -> None:
    before = survey(hscjit(EXTERNAL).outside, secrets()).digests
    dsn = f"postgresql://app:{SECRET}2@db:6432/support".encode()
    after = survey(hscjit(EXTERNAL).outside, secrets(our_postgres={"dsn": dsn})).digests

    assert {file for file in after if after[file] != before[file]} == {"database-url"}


LACKING: dict[str, tuple[dict[str, Any], set[str], str]] = {
    "no Secret": (
        {"our_postgres": None}, {names.POSTGRES},
        "Secret our-postgres, which spec.postgres.external names, does not exist",
    ),
    "no key": (
        {"our_redis": {"cache": b"redis://a"}}, {names.REDIS_QUEUE},
        "Secret our-redis has no key queue, which spec.redis.external.queue names",
    ),
    "an empty key": (
        {"our_postgres": {"dsn": b" \n"}}, {names.POSTGRES}, "Secret our-postgres has no key dsn",
    ),
    "no authority": (
        {"our_ca": None}, {names.POSTGRES, names.REDIS_QUEUE},
        "Secret our-ca, which spec.postgres.external.caSecretRef names, does not exist",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "unknown", "says"), LACKING.values(), ids=LACKING)
def test_what_is_missing_is_named(changes: Any, unknown: set[str], says: str) -> None:
    found = survey(hscjit(EXTERNAL).outside, secrets(**changes))

    assert set(EXTERNAL_STORES) - found.places.keys() == unknown
    assert any(said.startswith(says) for said in found.missing)
    assert found.malformed == ()


EXTERNAL_STORES = (names.REDIS_CACHE, names.REDIS_QUEUE, names.POSTGRES)

MALFORMED: dict[str, tuple[dict[str, Any], set[str], str]] = {
    "an address": (
        {"our_postgres": {"dsn": f"mysql://a:{SECRET}@b/c".encode()}}, {names.POSTGRES},
        "Secret our-postgres, key dsn (spec.postgres.external): is no address",
    ),
    "bytes": (
        {"our_postgres": {"dsn": b"\xff\xfe"}}, {names.POSTGRES},
        "Secret our-postgres, key dsn (spec.postgres.external): is no text",
    ),
    "a key in place of a certificate": (
        {"our_ca": {"ca.crt": b"-----BEGIN PRIVATE KEY-----"}}, {names.POSTGRES, names.REDIS_QUEUE},
        "Secret our-ca, key ca.crt (spec.redis.external.queue): holds no certificate",
    ),
    "one server for both": (
        {"our_redis": {"cache": b"redis://a:6380/0", "queue": b"rediss://a:6380/1"}},
        {names.REDIS_CACHE, names.REDIS_QUEUE},
        "spec.redis.external: the cache's and the queue's address lead to one server",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "unknown", "says"), MALFORMED.values(), ids=MALFORMED)
def test_what_cannot_be_used_is_named(changes: Any, unknown: set[str], says: str) -> None:
    found = survey(hscjit(EXTERNAL).outside, secrets(**changes))

    assert set(EXTERNAL_STORES) - found.places.keys() == unknown
    assert any(said.startswith(says) for said in found.malformed)
    assert SECRET not in repr(found)
