"""The stores as their pods start, probe and stop them: the same arguments, files and scripts.

Only places and ports differ: what a pod mounts is a folder of the test here.
"""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.cluster import stores
from tests.cluster.ports import free_ports
from tests.unit.operator.manifests.builders import Children, children

from hscjit_operator import names

PASSWORD = "a-password-of-the-test"  # noqa: S105


class Redis:
    """One of the two Redis, run as its pod runs it."""

    def __init__(self, root: Path, found: Children, component: str) -> None:
        (self.container,) = found.pod(component).containers
        self.root = root
        (self.port,) = free_ports(1)
        (root / "data").mkdir()
        (root / "etc/hscjit").mkdir(parents=True)
        secrets = root / "run/secrets/hscjit"
        secrets.mkdir(parents=True)
        (secrets / "redis-auth.conf").write_text(f"requirepass {PASSWORD}\n")
        (secrets / "redis-password").write_text(PASSWORD)
        for file, text in found.get("ConfigMap", "support-redis")["data"].items():
            (root / "etc/hscjit" / file).write_text(self._here(text))
        command = [self._here(word) for word in self.container["args"]]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def _here(self, text: str) -> str:
        text = re.sub(r"/(data|etc/hscjit|run/secrets/hscjit)\b", rf"{self.root}/\1", text)
        text = text.replace("port 6379", f"port {self.port}")
        return text.replace("-h 127.0.0.1", f"-h 127.0.0.1 -p {self.port}")

    def probe(self, name: str) -> bool:
        command = [self._here(word) for word in self.container[name]["exec"]["command"]]
        env = {"PATH": os.environ["PATH"]}
        done = subprocess.run(command, env=env, capture_output=True, check=False, timeout=10)
        assert PASSWORD.encode() not in done.stdout + done.stderr
        return done.returncode == 0

    def ask(self, *words: str) -> str:
        command = [stores.program("redis-cli"), "-p", str(self.port), *words]
        env = {"PATH": os.environ["PATH"], "REDISCLI_AUTH": PASSWORD}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        return done.stdout.strip()


@pytest.fixture
def redis(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Redis]:
    """The Redis the test names."""
    started = Redis(tmp_path, children(), request.param)
    try:
        eventually(lambda: started.probe("startupProbe"))
        yield started
    finally:
        started.process.kill()
        started.process.wait()


def eventually(ready: Any, timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)


both = pytest.mark.parametrize("redis", [names.REDIS_CACHE, names.REDIS_QUEUE], indirect=True)
queue = pytest.mark.parametrize("redis", [names.REDIS_QUEUE], indirect=True)


@both
def test_redis_takes_its_configuration_and_its_probes_find_it_ready(redis: Redis) -> None:
    assert redis.probe("readinessProbe")
    assert redis.probe("livenessProbe")
    assert redis.ask("CONFIG", "GET", "maxmemory").split()[1] == str(int(256 * 2**20 * 0.7))


@both
def test_redis_answers_nobody_without_the_password(redis: Redis) -> None:
    done = subprocess.run(
        [stores.program("redis-cli"), "-p", str(redis.port), "GET", "key"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )

    assert "NOAUTH" in done.stdout


@queue
def test_a_redis_that_refuses_is_alive_but_not_ready(redis: Redis) -> None:
    """As while it loads its files: killing it would begin the load anew."""
    redis.ask("CONFIG", "SET", "requirepass", "another")

    assert redis.probe("livenessProbe")
    assert not redis.probe("readinessProbe")


@queue
def test_a_redis_that_hangs_is_neither(redis: Redis) -> None:
    redis.process.kill()
    redis.process.wait()

    assert not redis.probe("livenessProbe")
    assert not redis.probe("readinessProbe")


@queue
def test_a_killed_queue_has_everything_when_it_is_back(redis: Redis, tmp_path: Path) -> None:
    redis.ask("SET", "key", "value")
    time.sleep(1.2)  # appendfsync everysec: the last second is what may be lost
    redis.process.kill()
    redis.process.wait()

    redis.process = subprocess.Popen(
        [stores.program("redis-server"), str(tmp_path / "etc/hscjit/queue.conf")],
        stdout=subprocess.DEVNULL,
    )
    eventually(lambda: redis.probe("readinessProbe"))

    assert redis.ask("GET", "key") == "value"


@queue
def test_a_full_queue_refuses_instead_of_forgetting(redis: Redis) -> None:
    redis.ask("SET", "key", "value")
    redis.ask("CONFIG", "SET", "maxmemory", "1")

    assert redis.ask("SET", "another", "value").startswith("OOM")
    assert redis.ask("GET", "key") == "value"


def test_postgres_knows_its_settings(postgres_server: str) -> None:
    """A misspelt one would keep it from starting."""
    (container,) = children().pod(names.POSTGRES).containers
    wanted = {setting.partition("=")[0] for setting in container["args"][2::2]}
    port = str(urlsplit(postgres_server).port)
    query = "SELECT name FROM pg_settings WHERE context = 'postmaster'"
    command = [stores.program("psql"), "-h", "127.0.0.1", "-p", port, "-U", "hscjit"]
    done = subprocess.run(
        [*command, "-d", "postgres", "-Atc", query],
        capture_output=True,
        text=True,
        check=True,
    )

    assert wanted
    assert wanted <= set(done.stdout.split())


READY = {"answers": (None, True, True), "gone": (1, False, False)}


@pytest.mark.parametrize(("port", "ready", "alive"), READY.values(), ids=READY)
def test_postgres_probes(postgres_server: str, port: int | None, ready: bool, alive: bool) -> None:
    (container,) = children().pod(names.POSTGRES).containers
    at = str(port or urlsplit(postgres_server).port)
    found = {}
    for probe in ("readinessProbe", "livenessProbe"):
        command = container[probe]["exec"]["command"]
        done = subprocess.run(
            command, env={"PATH": os.environ["PATH"], "PGPORT": at}, check=False, timeout=10
        )
        found[probe] = done.returncode == 0

    assert found == {"readinessProbe": ready, "livenessProbe": alive}


def test_a_recovering_postgres_is_alive_but_not_ready(tmp_path: Path) -> None:
    """`pg_isready` says 1 then; a stand-in says so here."""
    (container,) = children().pod(names.POSTGRES).containers
    stand_in = tmp_path / "pg_isready"
    stand_in.write_text("#!/bin/sh\nexit 1\n")
    stand_in.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    found = {
        probe: subprocess.run(container[probe]["exec"]["command"], env=env, check=False).returncode
        for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    }

    assert found == {"startupProbe": 0, "readinessProbe": 1, "livenessProbe": 0}
