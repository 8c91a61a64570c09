"""How the databases' tools are told of an external store, without a word of it in arguments."""

import shlex
from pathlib import Path

import pytest

from hscjit_app.jobs import ways
from hscjit_app.jobs.outcome import JobFailed
from hscjit_app.settings import Settings

DSN = "postgresql://app:p%40ss%2Fw%3Ard@db.example.com:6432/support"


def told(**env: str) -> Settings:
    return Settings.from_env({f"HSCJIT_{key}": value for key, value in env.items()})


def test_a_service_file_says_what_the_address_says() -> None:
    settings = told(DATABASE_URL=f"{DSN}?sslmode=require&target_session_attrs=read-write")

    assert ways.service(settings).splitlines() == [
        "[hscjit]",
        "host=db.example.com",
        "port=6432",
        "dbname=support",
        "user=app",
        "password=p@ss/w:rd",
        "sslmode=require",
        "target_session_attrs=read-write",
    ]


MODES = {
    "by itself": ("", "verify-full"),
    "as asked": ("?sslmode=verify-full", "verify-full"),
    "the authority alone": ("?sslmode=verify-ca", "verify-ca"),
}


@pytest.mark.parametrize(("asked", "mode"), MODES.values(), ids=MODES)
def test_with_an_authority_tls_is_verified(asked: str, mode: str) -> None:
    lines = ways.service(told(DATABASE_URL=DSN + asked, DATABASE_CA_FILE="/ca.pem")).splitlines()

    assert f"sslmode={mode}" in lines
    assert "sslrootcert=/ca.pem" in lines


def test_a_password_that_libpq_would_cut_is_refused_unseen() -> None:
    with pytest.raises(JobFailed, match="password begins or ends with white space") as refusal:
        ways.service(told(DATABASE_URL="postgresql://app:secret%20@db/support"))

    assert "secret" not in str(refusal.value)


QUEUES = {
    "plain": ("redis://:pw@queue", "", "pw", ["-h", "queue", "-p", "6379"]),
    "a user": (
        "redis://app:pw@queue:6390", "", "pw", ["-h", "queue", "-p", "6390", "--user", "app"],
    ),
    "quotes and spaces": (
        "redis://:a%27b%20%24c@queue", "", "a'b $c", ["-h", "queue", "-p", "6379"],
    ),
    "TLS": (
        "rediss://:pw@queue:6380", "/ca.pem", "pw",
        ["-h", "queue", "-p", "6380", "--tls", "--sni", "queue", "--cacert", "/ca.pem"],
    ),
    "no password": ("redis://queue", "", None, ["-h", "queue", "-p", "6379"]),
}  # fmt: skip


@pytest.mark.parametrize(("url", "ca", "password", "words"), QUEUES.values(), ids=QUEUES)
def test_a_script_leads_to_the_queue(
    url: str, ca: str, password: str | None, words: list[str]
) -> None:
    said = ways.queue(told(REDIS_QUEUE_URL=url, REDIS_QUEUE_CA_FILE=ca))

    *login, arguments = [shlex.split(line) for line in said.splitlines()]
    assert arguments == ["set", "--", *words]
    expected = [] if password is None else [["export", f"REDISCLI_AUTH={password}"]]
    assert login == expected


def test_the_tables_of_the_app_are_all_named() -> None:
    assert 'DROP TABLE IF EXISTS public."conversations" CASCADE;' in ways.tables()
    assert 'DROP TABLE IF EXISTS public."alembic_version" CASCADE;' in ways.tables()


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    ways.run(told(DATABASE_URL=DSN, REDIS_QUEUE_URL="redis://:pw@queue"), tmp_path)

    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("pg_service.conf", "queue.sh", "tables.sql"), 0o600)
