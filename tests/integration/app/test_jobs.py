"""The jobs as the cluster runs them: a program each, whose last word is one JSON object."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session
from tests.cluster import stores
from tests.cluster.ports import free_ports
from tests.integration.app.servers import ROOT

from hscjit_app.db import migrate
from hscjit_app.db.models import (
    Base,
    Chunk,
    Conversation,
    Feedback,
    Manual,
    Message,
    OutboxRow,
    Source,
)
from hscjit_app.db.session import sync_engine
from hscjit_app.jobs import cleanup
from hscjit_app.settings import Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STAMP = "20260301T020000Z"


def begin(job: str, *arguments: str, env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", f"hscjit_app.jobs.{job}", *arguments],
        stdout=subprocess.DEVNULL,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "app"),
            "HSCJIT_COMPONENT": "job",
            "HSCJIT_TERMINATION_LOG": str(log),
            **env,
        },
    )


def run(job: str, *arguments: str, env: dict[str, str], log: Path) -> tuple[int, dict]:
    code = begin(job, *arguments, env=env, log=log).wait(timeout=60)
    return code, json.loads(log.read_text())


def test_two_migrations_at_once_do_it_once(env, tmp_path):
    logs = [tmp_path / name for name in ("one", "two", "three")]
    jobs = [begin("migrate", env=env, log=log) for log in logs]

    assert [job.wait(timeout=60) for job in jobs] == [0, 0, 0]

    said = [json.loads(log.read_text()) for log in logs]
    assert {s["reason"] for s in said} == {"Migrated"}
    assert {s["revision"] for s in said} == {"0001"}


def test_migration_waits_for_a_database_that_is_not_there_yet(env, tmp_path):
    (port,) = free_ports(1)
    late = {"HSCJIT_DATABASE_URL": f"postgresql+psycopg://hscjit@127.0.0.1:{port}/postgres"}
    job = begin("migrate", env=late, log=tmp_path / "log")
    time.sleep(2)
    assert job.poll() is None

    with stores.postgres_server(port):
        assert job.wait(timeout=30) == 0


def test_a_schema_of_the_future_is_left_alone_and_named(env, settings, database_url, tmp_path):
    with psycopg.connect(database_url) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")

    code, said = run("migrate", env=env, log=tmp_path / "log")

    assert (code, said["ok"], said["reason"]) == (1, False, "UnknownRevision")
    assert "9999" in said["message"]


@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_the_migrations_make_what_the_models_say(kind, request, tmp_path):
    url = (
        request.getfixturevalue("database_url").replace("postgresql:", "postgresql+psycopg:")
        if kind == "postgres"
        else f"sqlite+aiosqlite:///{tmp_path}/a.db"
    )
    settings = Settings(database_url=url)
    migrate.upgrade(settings, wait_s=5)

    engine = sync_engine(settings)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()

    assert differences == []


@pytest.fixture
def rows(settings):
    """Old and young rows of every kind."""
    old, young = NOW - cleanup.CONVERSATIONS_KEPT, NOW - cleanup.CONVERSATIONS_KEPT
    young += timedelta(seconds=1)
    old -= timedelta(seconds=1)
    engine = create_engine(settings.database_url)
    with Session(engine) as session, session.begin():
        for name, at in (("old", old), ("young", young)):
            talk = Conversation(id=name, session_hash="x", created_at=at, updated_at=at)
            message = Message(id=name, conversation_id=name, role="assistant", content="hm")
            session.add_all([talk, message])
            session.flush()
            session.add(Source(message_id=name, title="t", url="u", page=1))
            session.add(Feedback(message_id=name, rating=1))
        for name, at in (("old", old), ("young", NOW)):
            for state in ("done", "failed", "pending"):
                key = f"{name}-{state}"
                session.add(
                    OutboxRow(key=key, task="t", args={}, state=state, due_at=at, updated_at=at)
                )
        session.add(
            Manual(product_id="p", url="u", content_hash="used", title="t", pages=1, size_bytes=1)
        )
        for content in ("used", "orphan"):
            session.add(Chunk(content_hash=content, ordinal=0, page=1, text="x"))
    yield engine
    engine.dispose()


def test_cleanup_removes_what_is_too_old_and_nothing_else(rows, settings, tmp_path):
    gone = cleanup.clean(
        Settings(database_url=settings.database_url, backup_dir=tmp_path / "none"), NOW
    )

    assert gone == {"conversations": 1, "outbox": 2, "chunks": 1, "backups": 0}
    with Session(rows) as session:
        for table in (Conversation, Message, Source, Feedback, Manual, Chunk):
            assert session.scalar(select(func.count()).select_from(table)) == 1, table
        kept = set(session.scalars(select(OutboxRow.key)))
    assert kept == {"old-pending", "young-pending", "young-done", "young-failed"}


def test_cleanup_twice_finds_nothing_the_second_time(rows, env, settings, tmp_path):
    env = {**env, "HSCJIT_BACKUP_DIR": str(tmp_path / "none")}
    run("cleanup", env=env, log=tmp_path / "log")

    code, said = run("cleanup", env=env, log=tmp_path / "log")

    assert (code, said["reason"]) == (0, "CleanedUp")
    assert (said["conversations"], said["outbox"], said["chunks"]) == (0, 0, 0)


@pytest.fixture
def partial(tmp_path):
    """Dumps as the backup's first containers leave them."""
    folder = tmp_path / "backups" / f".partial-{STAMP}"
    folder.mkdir(parents=True)
    (folder / "postgres.dump").write_bytes(b"PGDMP and all the rest")
    (folder / "postgres.dump.log").write_text("")
    (folder / "postgres.dump.facts").write_text(
        "server 15.4\ntool 15.4\nrevision 0001\nrows alembic_version 1\nrows outbox 3\n"
    )
    (folder / "redis-queue.rdb").write_bytes(
        b"REDIS0010\xfa\x09redis-ver\x067.0.15\xfe\x00\xfb\x02\x01\xff" + b"\0" * 8
    )
    return folder


def test_sealing_describes_the_dumps_and_gives_the_folder_its_name(partial, tmp_path):
    code, said = run("backup_seal", str(partial), env={}, log=tmp_path / "log")

    assert (code, said["reason"], said["stamp"]) == (0, "BackupComplete", STAMP)
    assert said["backups"] == [{"stamp": STAMP, "size": said["size"]}]
    assert not partial.exists()
    manifest = json.loads((partial.with_name(STAMP) / "manifest.json").read_text())
    assert manifest["postgres"]["rows"] == {"alembic_version": 1, "outbox": 3}
    assert manifest["redis"] == {"version": "7.0.15", "keys": 2, "expiring": 1}
    check = run("restore_check", str(partial.with_name(STAMP)), env={}, log=tmp_path / "log")
    assert check[1]["reason"] == "BackupWhole"


MISMATCH = (
    "pg_dump: error: aborting because of server version mismatch\n"
    "pg_dump: detail: server version: 17.1; pg_dump version: 15.4\n"
)


def lose(name):
    def change(folder):
        (folder / name).unlink()

    return change


def write(name, content):
    def change(folder):
        (folder / name).write_bytes(content)

    return change


def newer(folder):
    lose("postgres.dump")(folder)
    write("postgres.dump.log", MISMATCH.encode())(folder)


UNSEALED = {
    "server newer than the dump's tool": (newer, "ServerNewerThanDump", "17.1"),
    "no dump": (lose("postgres.dump"), "PostgresDumpFailed", "pg_dump"),
    "something else": (write("postgres.dump", b"oops"), "PostgresDumpFailed", "no dump"),
    "uncounted": (lose("postgres.dump.facts"), "PostgresDumpUnreadable", "facts"),
    "half counted": (
        write("postgres.dump.facts", b"server 15.4\nrows a 1\n"),
        "PostgresDumpUnreadable",
        "revision",
    ),
    "no queue": (lose("redis-queue.rdb"), "RedisDumpFailed", "redis-cli"),
    "half a queue": (write("redis-queue.rdb", b"REDIS0010\xfa"), "RedisDumpFailed", "middle"),
}


@pytest.mark.parametrize(("change", "reason", "word"), UNSEALED.values(), ids=UNSEALED)
def test_what_is_not_whole_is_not_sealed(partial, tmp_path, change, reason, word):
    change(partial)

    code, said = run("backup_seal", str(partial), env={}, log=tmp_path / "log")

    assert (code, said["ok"], said["reason"]) == (1, False, reason)
    assert word in said["message"]
    assert [e.name for e in partial.parent.iterdir()] == [partial.name]


DAMAGED = {
    "a byte differs": lambda f: (f / "postgres.dump").write_bytes(b"PGDMP and all the resT"),
    "a byte less": lambda f: (f / "redis-queue.rdb").write_bytes(b"REDIS"),
    "a file less": lambda f: (f / "postgres.dump").unlink(),
    "no manifest": lambda f: (f / "manifest.json").unlink(),
    "not a manifest": lambda f: (f / "manifest.json").write_text("{"),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_backup_is_not_restored_from(partial, tmp_path, damage):
    run("backup_seal", str(partial), env={}, log=tmp_path / "log")
    damage(partial.with_name(STAMP))

    code, said = run("restore_check", str(partial.with_name(STAMP)), env={}, log=tmp_path / "log")

    assert (code, said["reason"]) == (1, "BackupDamaged")


def test_a_backup_that_is_not_there_is_named_with_those_that_are(partial, tmp_path):
    run("backup_seal", str(partial), env={}, log=tmp_path / "log")

    missing = str(partial.with_name("20200101T000000Z"))
    code, said = run("restore_check", missing, env={}, log=tmp_path / "log")

    assert (code, said["reason"]) == (1, "NoSuchBackup")
    assert STAMP in said["message"]


def test_a_restore_that_lost_a_row_is_told(env, settings, partial, tmp_path):
    run("backup_seal", str(partial), env={}, log=tmp_path / "log")

    code, said = run("restore_verify", str(partial.with_name(STAMP)), env=env, log=tmp_path / "log")

    assert (code, said["reason"]) == (1, "RowsMissing")
    assert "outbox: 0, sealed were 3" in said["message"]


@contextmanager
def holding(tmp_path: Path, name: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run one holder of the claim, and end it whatever the test did to it."""
    mark = tmp_path / name
    holder = begin("hold_claim", str(tmp_path / ".lock"), str(mark), env={}, log=tmp_path / "log")
    try:
        yield holder, mark
    finally:
        holder.kill()
        holder.wait()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def asks(holder: subprocess.Popen[bytes], folder: Path) -> bool:
    """Tell whether a holder has come as far as opening the lock."""
    for handle in Path(f"/proc/{holder.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            if handle.readlink() == folder / ".lock":
                return True
    return False


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGKILL])
def test_one_holds_the_claim_until_its_end_however_that_comes(tmp_path, ended_by):
    with holding(tmp_path, "first") as (first, has):
        until(has.exists)
        with holding(tmp_path, "second") as (second, comes):
            until(lambda: asks(second, tmp_path))
            time.sleep(0.3)
            assert not comes.exists()

            first.send_signal(ended_by)
            until(comes.exists)
            assert first.wait(20) == (0 if ended_by is signal.SIGTERM else -ended_by)


def test_who_waits_for_the_claim_can_be_ended(tmp_path):
    with holding(tmp_path, "first") as (_, has):
        until(has.exists)
        with holding(tmp_path, "second") as (second, comes):
            until(lambda: asks(second, tmp_path))
            second.terminate()
            assert second.wait(20) == 0
            assert not comes.exists()


def test_a_mark_of_a_former_holder_lets_nobody_begin(tmp_path):
    with holding(tmp_path, "first") as (_, has):
        until(has.exists)
        (tmp_path / "second").touch()
        with holding(tmp_path, "second") as (_, comes):
            until(lambda: not comes.exists())
