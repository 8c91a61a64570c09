"""Pods that share one database, one queue and one session key, and the worker behind them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cluster.ports import free_ports
from tests.integration.app import servers
from tests.integration.app.live.pods import Pod

from hscjit_app.db import migrate
from hscjit_app.settings import Settings


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[servers.Redis]:
    """A Redis of this test's own, to be killed."""
    with servers.redis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def env(database_url: str, queue: servers.Redis) -> dict[str, str]:
    """What pods and workers are told; manuals come from the first pod, as from its Service."""
    (port,) = free_ports(1)
    env = {
        "HSCJIT_DATABASE_URL": database_url.replace("postgresql:", "postgresql+psycopg:"),
        "HSCJIT_REDIS_QUEUE_URL": queue.url,
        "HSCJIT_REDIS_CACHE_URL": queue.url,
        "HSCJIT_SESSION_KEY": "the same on every pod",
        "HSCJIT_MANUALS_BASE_URL": f"http://127.0.0.1:{port}",
        "HSCJIT_MANUALS_ALLOWED_HOSTS": json.dumps(
            [{"host": f"127.0.0.1:{port}", "privateCIDR": "127.0.0.1/32"}]
        ),
    }
    migrate.upgrade(Settings.from_env(env), wait_s=5)
    return env


@pytest.fixture
def pod(env: dict[str, str], tmp_path: Path) -> Iterator[Callable[[str], Pod]]:
    """Start a pod and wait until it is ready; the first one serves the manuals."""
    started: list[Pod] = []

    def start(name: str) -> Pod:
        port = 0 if started else int(env["HSCJIT_MANUALS_BASE_URL"].rpartition(":")[2])
        started.append(Pod(tmp_path, name, env, port))
        started[-1].await_ready()
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def worker(env: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], servers.Worker]]:
    """Start a worker."""
    started: list[servers.Worker] = []

    def start() -> servers.Worker:
        started.append(servers.Worker(tmp_path, f"worker-{len(started)}", env))
        started[-1].await_ready()
        return started[-1]

    yield start
    for one in started:
        one.kill()
