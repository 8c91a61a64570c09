"""The scripts of the backup's and the restore's pods, run on real stores with the app's own steps.

Only the places differ: what a pod mounts is a folder of the test here.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.cluster import stores
from tests.unit.operator.manifests.builders import (
    EXTERNAL,
    PLACES,
    RESTORING,
    ROTATING,
    Pod,
    children,
)

from hscjit_operator import names
from hscjit_operator.model import logins

ROOT = Path(__file__).parents[3]
MOUNTS = (
    "/backups",
    "/handover",
    "/ways",
    "/run/hscjit/held",
    "/data",
    "/run/secrets/hscjit",
    "/tmp/redis.sock",  # noqa: S108
)
Spec = dict[str, Any]
_MOUNTED = re.compile(rf"({'|'.join(MOUNTS)})(?![-\w])")
PASSWORD = "a-password-of-the-test"  # noqa: S105


@dataclass
class Pods:
    """Runs the containers of a pod one after the other, as the kubelet would."""

    root: Path
    postgres: str
    redis: str

    def run(self, pod: Pod, *, until: str = "") -> None:
        with self.sidecars(pod):
            for container in pod.steps:
                done = self.start(container)
                assert done.returncode == 0, f"{container['name']}: {done.stderr}"
                if container["name"] == until:
                    return

    @contextmanager
    def sidecars(self, pod: Pod) -> Iterator[None]:
        """Run what runs beside the steps, each once the one before has started."""
        with ExitStack() as stack:
            for container in pod.sidecars:
                command, env = self._as_here(container)
                process = stack.enter_context(
                    subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
                )
                stack.callback(process.terminate)
                probe = [self._here(part) for part in container["startupProbe"]["exec"]["command"]]
                deadline = time.monotonic() + 20
                while subprocess.run(probe, check=False).returncode:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            yield

    def start(self, container: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        command, env = self._as_here(container)
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=env
        )

    def _as_here(self, container: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
        redis = urlsplit(self.redis)
        command = [self._here(part) for part in container["command"]]
        # No name server knows the test's Redis by the name of its Service.
        command = [
            part.replace("-h support-redis-queue", f"-h 127.0.0.1 -p {redis.port}")
            for part in command
        ]
        env = {
            variable["name"]: self._here(variable.get("value", "a-pod"))
            for variable in container.get("env", [])
        }
        return command, {
            **env,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "app"),
            "HSCJIT_TERMINATION_LOG": str(self.root / "termination-log"),
        }

    def _here(self, text: str) -> str:
        return _MOUNTED.sub(lambda found: f"{self.root}{found[0]}", text)

    def said(self) -> str:
        return (self.root / "termination-log").read_text()

    def sql(self, query: str, database: str = "hscjit") -> str:
        where = urlsplit(self.postgres)
        command = [stores.program("psql"), "-h", "127.0.0.1", "-p", str(where.port), "-U", "hscjit"]
        done = subprocess.run(
            [*command, "-d", database, "-Atc", query], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def redis_cli(self, *words: str) -> str:
        port = str(urlsplit(self.redis).port)
        done = subprocess.run(
            [stores.program("redis-cli"), "-p", port, *words],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": os.environ["PATH"], "REDISCLI_AUTH": PASSWORD},
        )
        return done.stdout.strip()

    def restored_keys(self) -> int:
        """Return how many keys the queue has when it starts on its claim, as it always does."""
        socket = self.root / "queue.sock"
        place = ["--dir", str(self.root / "data"), "--port", "0", "--unixsocket", str(socket)]
        server = subprocess.Popen(
            [stores.program("redis-server"), *place, "--appendonly", "yes", "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                asked = subprocess.run(
                    [stores.program("redis-cli"), "-s", str(socket), "DBSIZE"],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if asked.stdout.strip().isdigit():
                    return int(asked.stdout)
                time.sleep(0.05)
            raise AssertionError("the restored queue does not start")
        finally:
            server.terminate()
            server.wait(20)


@pytest.fixture
def pods(postgres_server: str, redis_server: str, tmp_path: Path) -> Iterator[Pods]:
    """A migrated database with a conversation's worth of rows, a queue with keys."""
    for mount in (*MOUNTS[:-1], "/tmp"):  # noqa: S108
        (tmp_path / mount.lstrip("/")).mkdir(parents=True)
    secrets = tmp_path / "run/secrets/hscjit"
    port = urlsplit(postgres_server).port
    (secrets / "pg_service.conf").write_text(
        f"[hscjit]\nhost=127.0.0.1\nport={port}\ndbname=hscjit\nuser=hscjit\n"
    )
    (secrets / "database-url").write_text(f"postgresql+psycopg://hscjit@127.0.0.1:{port}/hscjit")
    (secrets / "redis-password").write_text(PASSWORD)
    found = Pods(tmp_path, postgres_server, redis_server)
    found.sql("CREATE DATABASE hscjit", "postgres")
    found.redis_cli("CONFIG", "SET", "requirepass", PASSWORD)
    found.redis_cli("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    try:
        found.run(children().pod(names.MIGRATE))
        found.sql("CREATE TABLE proof AS SELECT generate_series(1, 1000) AS a")
        for i in range(20):
            found.redis_cli("SET", f"key-{i}", "value")
        found.redis_cli("XADD", "stream", "*", "frame", "1")
        yield found
    finally:
        found.redis_cli("FLUSHALL")
        found.redis_cli("CONFIG", "SET", "requirepass", "")
        found.sql("DROP DATABASE hscjit WITH (FORCE)", "postgres")


def backed_up(pods: Pods) -> str:
    """Run the backup's pod; return the stamp."""
    pods.run(children().pod(names.BACKUP))
    (folder,) = (f for f in (pods.root / "backups").iterdir() if f.is_dir())
    return folder.name


def restoring(stamp: str, spec: Spec | None = None) -> Pod:
    changes = RESTORING | {"restore": stamp, "places": PLACES}
    return children(spec, **changes).pod(names.RESTORE)


def without_authorities(spec: Spec) -> Spec:
    """Return a spec of external stores that speak no TLS."""
    inner = {key: value for key, value in spec.items() if key != "caSecretRef"}
    return {k: without_authorities(v) if isinstance(v, dict) else v for k, v in inner.items()}


OUTSIDE = without_authorities(EXTERNAL)


@pytest.fixture
def outside(pods: Pods) -> Iterator[Pods]:
    """The same stores as somebody else's, behind addresses of a user's Secret."""
    secrets = pods.root / "run/secrets/hscjit"
    for file in ("pg_service.conf", "redis-password"):
        (secrets / file).unlink()
    redis = urlsplit(pods.redis).port
    address = f"postgres://hscjit:any%3Aword@127.0.0.1:{urlsplit(pods.postgres).port}/hscjit"
    (secrets / "database-url").write_text(address)
    (secrets / "redis-queue-url").write_text(f"redis://:{PASSWORD}@127.0.0.1:{redis}/0")
    yield pods
    pods.redis_cli("ACL", "DELUSER", "app")


def of_outside(changes: Spec | None = None) -> Pod:
    return children(OUTSIDE | (changes or {}), places=PLACES).pod(names.BACKUP)


def test_external_stores_are_backed_up_and_an_external_database_comes_back(outside: Pods) -> None:
    outside.run(of_outside())
    (folder,) = (outside.root / "backups").glob("2*Z")
    assert '"BackupComplete"' in outside.said()
    assert (folder / "redis-queue.rdb").is_file()

    outside.sql("DELETE FROM proof WHERE a > 10")
    outside.sql("CREATE TABLE manuals_of_a_newer_schema (a int)")
    outside.run(restoring(folder.name, OUTSIDE))

    assert '"Restored"' in outside.said()
    assert outside.sql("SELECT count(*) FROM proof") == "1000"
    # What is not the app's is left alone, and no other database was made.
    assert outside.sql("SELECT to_regclass('manuals_of_a_newer_schema')") != ""
    assert outside.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'hscjit%'") == "1"


def test_a_restore_of_an_external_database_that_fails_halfway_leaves_it(outside: Pods) -> None:
    outside.run(of_outside())
    (folder,) = (outside.root / "backups").glob("2*Z")
    outside.sql("INSERT INTO proof VALUES (0)")
    whole = (folder / "postgres.dump").read_bytes()
    (folder / "postgres.dump").write_bytes(whole[: len(whole) * 3 // 4])
    _, ways, postgres, _ = restoring(folder.name, OUTSIDE).steps

    assert outside.start(ways).returncode == 0
    outside.start(postgres)

    assert outside.sql("SELECT count(*) FROM proof") == "1001"


def test_a_queue_that_lets_nobody_copy_it_is_left_out_and_that_is_said(outside: Pods) -> None:
    outside.redis_cli(
        "ACL", "SETUSER", "app", "on", f">{PASSWORD}", "~*", "&*", "+@all", "-sync", "-psync"
    )
    port = urlsplit(outside.redis).port
    url = outside.root / "run/secrets/hscjit/redis-queue-url"
    url.write_text(f"redis://app:{PASSWORD}@127.0.0.1:{port}/0")

    outside.run(of_outside())

    told = json.loads(outside.said())
    assert told["reason"] == "PostgresOnly"
    assert "Postgres only: the external Redis refuses --rdb" in told["message"]
    manifest = json.loads((outside.root / "backups" / told["stamp"] / "manifest.json").read_text())
    assert set(manifest["files"]) == {"postgres.dump"}
    assert "NOPERM" in manifest["left_out"]
    assert PASSWORD not in json.dumps([told, manifest])

    # Into an embedded queue, too: it has nothing for it, and the queue stays as it is.
    embedded_queue = {"postgres": OUTSIDE["postgres"]}
    outside.run(restoring(told["stamp"], embedded_queue))
    assert '"Restored"' in outside.said()


def test_a_queue_that_cannot_be_reached_is_no_refusal(outside: Pods) -> None:
    url = outside.root / "run/secrets/hscjit/redis-queue-url"
    url.write_text(f"redis://:{PASSWORD}-is-another@127.0.0.1:{urlsplit(outside.redis).port}/0")
    *steps, seal = of_outside().steps

    assert [outside.start(step).returncode for step in steps] == [0, 0, 0]
    assert outside.start(seal).returncode == 1

    assert '"RedisDumpFailed"' in outside.said()


def test_what_is_lost_comes_back(pods: Pods) -> None:
    pods.redis_cli("SET", "soon-gone", "value", "PX", "1500")
    stamp = backed_up(pods)
    assert '"BackupComplete"' in pods.said()

    pods.sql("DELETE FROM proof WHERE a > 10")
    pods.sql("CREATE TABLE newer_than_the_backup (a int)")
    time.sleep(1.6)  # a key's time is up before it is loaded: no reason to fail
    pods.run(restoring(stamp))

    assert '"Restored"' in pods.said()
    assert pods.sql("SELECT count(*) FROM proof") == "1000"
    assert pods.sql("SELECT to_regclass('newer_than_the_backup')") == ""
    assert pods.restored_keys() == 21
    databases = pods.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'hscjit_%'")
    assert databases == "0"


@pytest.fixture
def second(pods: Pods) -> Iterator[Pods]:
    """The same after a rotation: all pods log in by the second login."""
    secrets = pods.root / "run/secrets/hscjit"
    (secrets / logins.NEXT).write_text(PASSWORD)
    mark = logins.digest_of(PASSWORD)[:7]
    rotation = children(exchange=ROTATING["exchange"]._replace(mark=mark), migrate_image=None)
    pods.run(rotation.pod(names.MIGRATE))
    assert '"Rotated"' in pods.said()
    for file in ("pg_service.conf", "database-url"):
        led = (secrets / file).read_text()
        (secrets / file).write_text(
            led.replace("user=hscjit", f"user={logins.SECOND}\npassword={PASSWORD}").replace(
                "//hscjit@", f"//{logins.SECOND}:{PASSWORD}@"
            )
        )
    yield pods
    pods.sql(f"DROP ROLE {logins.SECOND}")


def test_the_second_login_backs_up_and_restores_as_the_owner_does(second: Pods) -> None:
    stamp = backed_up(second)
    second.sql("DELETE FROM proof")

    second.run(restoring(stamp))

    assert second.sql("SELECT count(*) FROM proof") == "1000"
    owners = second.sql("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
    assert owners == logins.OWNER
    database = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'hscjit'"
    assert second.sql(database) == logins.OWNER


@pytest.mark.parametrize("died_after", ["check", "postgres", "redis"])
def test_a_restore_that_died_anywhere_runs_again(pods: Pods, died_after: str) -> None:
    stamp = backed_up(pods)
    pods.sql("DELETE FROM proof")

    pods.run(restoring(stamp), until=died_after)
    pods.run(restoring(stamp))

    assert pods.sql("SELECT count(*) FROM proof") == "1000"
    assert pods.restored_keys() == 21


def test_a_dump_that_cannot_be_restored_leaves_the_present_data(pods: Pods) -> None:
    stamp = backed_up(pods)
    folder = pods.root / "backups" / stamp
    pods.run(restoring(stamp), until="redis")
    pods.sql("INSERT INTO proof VALUES (0)")
    for dump in ("postgres.dump", "redis-queue.rdb"):
        whole = (folder / dump).read_bytes()
        (folder / dump).write_bytes(whole[: len(whole) // 2])

    check, postgres, redis, _verify = restoring(stamp).steps

    assert pods.start(check).returncode == 1
    assert '"BackupDamaged"' in pods.said()
    # Even past the check nothing is replaced by half of it.
    assert pods.start(postgres).returncode != 0
    assert pods.start(redis).returncode != 0
    assert pods.sql("SELECT count(*) FROM proof") == "1001"
    assert pods.restored_keys() == 21


def test_a_backup_whose_dump_failed_says_so_and_is_none(pods: Pods) -> None:
    (pods.root / "run/secrets/hscjit/pg_service.conf").write_text(
        "[hscjit]\nhost=127.0.0.1\nport=1\ndbname=hscjit\nuser=hscjit\n"
    )
    pod = children().pod(names.BACKUP)
    *dumps, seal = pod.steps

    assert [pods.start(dump).returncode for dump in dumps] == [0, 0]
    assert pods.start(seal).returncode == 1

    assert '"PostgresDumpFailed"' in pods.said()
    assert "Connection refused" in pods.said()
    assert [f.name[:9] for f in (pods.root / "backups").iterdir()] == [".partial-"]


def test_a_dump_that_cannot_be_read_to_its_end_is_no_backup(pods: Pods) -> None:
    postgres, redis, seal = children().pod(names.BACKUP).steps
    script = postgres["command"][-1]
    broken = script.replace("\nif [ -e", "\ntruncate -s -2000 postgres.dump\nif [ -e")
    assert broken != script

    assert pods.start({**postgres, "command": ["sh", "-c", broken]}).returncode == 0
    assert pods.start(redis).returncode == 0
    assert pods.start(seal).returncode == 1

    assert '"PostgresDumpUnreadable"' in pods.said()


def test_a_queue_that_refuses_the_dump_is_named(pods: Pods) -> None:
    (pods.root / "run/secrets/hscjit/redis-password").write_text("another")
    *dumps, seal = children().pod(names.BACKUP).steps

    assert [pods.start(dump).returncode for dump in dumps] == [0, 0]
    assert pods.start(seal).returncode == 1

    assert '"RedisDumpFailed"' in pods.said()


def test_cleanup_runs_in_its_pod(pods: Pods) -> None:
    stamp = backed_up(pods)

    pods.run(children().pod(names.CLEANUP))

    assert '"CleanedUp"' in pods.said()
    assert (pods.root / "backups" / stamp).is_dir()


def test_a_pod_that_needs_the_claim_waits_for_the_one_that_has_it(pods: Pods) -> None:
    begun = threading.Event()
    order = []
    other_root = pods.root / "other-pod"
    (other_root / "run/hscjit/held").mkdir(parents=True)
    (other_root / "backups").symlink_to(pods.root / "backups")

    def clean_up() -> None:
        begun.set()
        with replace(pods, root=other_root).sidecars(children().pod(names.CLEANUP)):
            order.append("cleanup")

    with ThreadPoolExecutor(1) as other:
        with pods.sidecars(children().pod(names.BACKUP)):
            waiting = other.submit(clean_up)
            begun.wait()
            time.sleep(1.0)
            order.append("backup")
        waiting.result(timeout=30)

    assert order == ["backup", "cleanup"]
