"""A password is exchanged under pods that run: the job, a real Postgres, both logins."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from tests.cluster import stores
from tests.integration.app.servers import ROOT

from hscjit_app.db import migrate
from hscjit_app.db.session import Database, sync_engine
from hscjit_app.jobs import rotate
from hscjit_app.jobs.outcome import JobFailed
from hscjit_app.settings import Settings

OWNER, SECOND = "app", "app_b"
FIRST_PASSWORD = "the-first-of-twenty-letters"  # noqa: S105
PASSWORDS = ("the-second-of-twenty-letters", "the-third-of-twenty-letters")


@dataclass
class Door:
    """A Postgres that asks both logins for their password."""

    admin: str
    """Its administrator's URL, who needs none."""
    folder: Path

    def settings(self, login: str, password: str, component: str = "api") -> Settings:
        """What a pod with the Secret of some moment is told."""
        rest = self.admin.rpartition("@")[2]
        url = f"postgresql+psycopg://{login}:{password}@{rest}"
        return Settings.from_env(
            {
                "HSCJIT_DATABASE_URL": url,
                "HSCJIT_NAME": "support",
                "HSCJIT_COMPONENT": component,
            }
        )

    def opens(self, login: str, password: str) -> bool:
        """Tell whether that login is let in."""
        url = self.settings(login, password).database_url.replace("+psycopg", "")
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError as error:
            if "authentication failed" not in str(error):
                raise
            return False
        return True

    def rotate(self, present: tuple[str, str], login: str, password: str) -> dict:
        """Run the job as its pod does, which logs in as pods do now; return its last words."""
        file, log = self.folder / uuid.uuid4().hex, self.folder / "log"
        file.write_text(password)
        command = [sys.executable, "-m", "hscjit_app.jobs.rotate", login]
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "app"),
            "HSCJIT_NAME": "support",
            "HSCJIT_COMPONENT": "job",
            "HSCJIT_TERMINATION_LOG": str(log),
            "HSCJIT_DATABASE_URL": self.settings(*present).database_url,
        }
        done = subprocess.run(
            [*command, str(file), rotate.mark(password)],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert password not in done.stdout + done.stderr
        said = json.loads(log.read_text())
        assert (done.returncode == 0) is said["ok"]
        return said

    def ask(self, question: str) -> list[tuple]:
        with psycopg.connect(self.admin, autocommit=True) as admin:
            return admin.execute(question).fetchall()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A Postgres of this file's own: who may come in is a matter of the whole server."""
    with stores.postgres_server() as url:
        with psycopg.connect(url, autocommit=True) as admin:
            (hba,) = admin.execute("SHOW hba_file").fetchone() or ()
            rules = Path(hba).read_text()
            asked = f"host all {OWNER},{SECOND} all scram-sha-256\n"
            Path(hba).write_text(asked + rules)
            admin.execute("ALTER SYSTEM SET log_statement = 'all'")
            admin.execute("SELECT pg_reload_conf()")
        yield url


@pytest.fixture
def door(server: str, tmp_path: Path) -> Iterator[Door]:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {OWNER} SUPERUSER LOGIN PASSWORD '{FIRST_PASSWORD}'")
        admin.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
        yield Door(server.rpartition("/")[0] + f"/{name}", tmp_path)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        admin.execute(f"DROP ROLE IF EXISTS {SECOND}")
        admin.execute(f"DROP ROLE {OWNER}")


def test_both_passwords_are_good_until_the_former_is_good_for_nothing(door: Door):
    present = (OWNER, FIRST_PASSWORD)
    migrate.upgrade(door.settings(*present, "job"), wait_s=5)
    for login, password in zip((SECOND, OWNER), PASSWORDS, strict=True):
        # The login that nobody uses gets the next password: pods old and new are let in.
        assert door.rotate(present, login, password)["ok"]
        former, present = present, (login, password)
        assert door.opens(*former)
        assert door.opens(*present)
        # Pods use it; then the former login gets the password too.
        said = door.rotate(present, former[0], password)
        assert (said["reason"], said["message"]) == (
            "Rotated",
            f"The login {former[0]} has its password",
        )
        assert not door.opens(*former)
        assert door.opens(former[0], password)
        assert door.rotate(present, former[0], password)["ok"], "it died, and runs again"


def test_whoever_made_it_all_belongs_to_the_owner(door: Door):
    assert door.rotate((OWNER, FIRST_PASSWORD), SECOND, PASSWORDS[0])["ok"]

    migrate.upgrade(door.settings(SECOND, PASSWORDS[0], "job"), wait_s=5)

    owners = door.ask("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
    assert owners == [(OWNER,)]
    engine = sync_engine(door.settings(OWNER, FIRST_PASSWORD))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 0
    engine.dispose()


async def test_sessions_of_pods_are_waited_for_and_go_on(door: Door):
    door.rotate((OWNER, FIRST_PASSWORD), SECOND, PASSWORDS[0])
    pod = Database(door.settings(OWNER, FIRST_PASSWORD))
    present = door.settings(SECOND, PASSWORDS[0], "job")
    try:
        async with pod.engine.connect() as held:
            await held.execute(text("SELECT 1"))
            with pytest.raises(JobFailed, match=r"used by support-api at 127\.0") as failed:
                rotate.run(present, OWNER, PASSWORDS[0], patience_s=0.2)
            assert failed.value.reason == "StillInUse"
            await held.execute(text("SELECT 1"))
            assert door.opens(OWNER, FIRST_PASSWORD), "nothing was changed"
        await pod.close()  # it has left
        assert rotate.run(present, OWNER, PASSWORDS[0], patience_s=0.2).ok
        with pytest.raises(OperationalError, match="password authentication failed"):
            await pod.ping()
    finally:
        await pod.close()


def test_a_session_of_anybody_else_ends_with_its_password(door: Door):
    door.rotate((OWNER, FIRST_PASSWORD), SECOND, PASSWORDS[0])
    url = door.settings(OWNER, FIRST_PASSWORD).database_url.replace("+psycopg", "")
    with psycopg.connect(url, application_name="somebody", autocommit=True) as stranger:
        said = door.rotate((SECOND, PASSWORDS[0]), OWNER, PASSWORDS[0])
        assert said["message"].endswith("sessions of others that were ended: 1")
        with pytest.raises(psycopg.OperationalError):
            stranger.execute("SELECT 1")


def test_no_password_reaches_a_log_of_statements(door: Door):
    door.rotate((OWNER, FIRST_PASSWORD), SECOND, PASSWORDS[0])

    ((data,),) = door.ask("SHOW data_directory")
    written = "".join(f.read_text(errors="replace") for f in Path(data).parent.glob("*.log"))
    assert f'ALTER ROLE "{SECOND}" LOGIN PASSWORD \'SCRAM-SHA-256$' in written
    assert PASSWORDS[0] not in written


def test_a_secret_that_the_kubelet_has_not_brought_yet_is_not_used(door: Door, tmp_path: Path):
    (tmp_path / "password").write_text(PASSWORDS[1])

    with pytest.raises(JobFailed, match="not those of this job") as failed:
        rotate._read(tmp_path / "password", rotate.mark(PASSWORDS[0]))
    assert failed.value.reason == "SecretOutdated"


def test_a_database_that_is_away_is_named(door: Door):
    away = Settings.from_env({"HSCJIT_DATABASE_URL": "postgresql://app:x@127.0.0.1:1/app"})

    with pytest.raises(JobFailed, match=r"connection.*failed|refused") as failed:
        rotate.run(away, SECOND, PASSWORDS[0])
    assert failed.value.reason == "RotationFailed"
