"""A migrated database and a queue of its own for each test, and workers on demand."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import kombu.pools
import psycopg
import pytest
import redis
from tests.integration.app import servers

from hscjit_app import broker
from hscjit_app.db import migrate
from hscjit_app.db.session import Database
from hscjit_app.manuals.service import ManualRef, ManualService
from hscjit_app.settings import Settings

PRODUCT = "roland-td17kvx2"
QUESTION = "how do I set the kick sensitivity?"


@pytest.fixture(autouse=True)
def no_queue_left() -> Iterator[None]:
    """End the in-process queue with its test: its thread would go on asking for a lost database."""
    yield
    broker.close()


@pytest.fixture
def database_url(postgres_server: str) -> Iterator[str]:
    """An empty database, as libpq writes its address."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield postgres_server.rpartition("/")[0] + f"/{name}"
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def queue_url(redis_server: str) -> Iterator[str]:
    """A queue nobody else uses meanwhile, emptied afterwards."""
    url = redis_server.rpartition("/")[0] + "/7"
    yield url
    with redis.Redis.from_url(url) as client:
        client.flushdb()


@pytest.fixture
def site() -> Iterator[servers.Site]:
    site = servers.Site()
    yield site
    site.close()


@pytest.fixture
def env(database_url: str, queue_url: str, site: servers.Site) -> dict[str, str]:
    """What an app process is told."""
    allowed = [{"host": site.host, "privateCIDR": "127.0.0.1/32"}]
    return {
        "HSCJIT_DATABASE_URL": database_url.replace("postgresql:", "postgresql+psycopg:"),
        "HSCJIT_REDIS_QUEUE_URL": queue_url,
        "HSCJIT_MANUALS_ALLOWED_HOSTS": json.dumps(allowed),
    }


@pytest.fixture
def settings(env: dict[str, str]) -> Iterator[Settings]:
    """The same for this process, with the schema in place."""
    settings = Settings.from_env(env)
    migrate.upgrade(settings, wait_s=5)
    broker.configure(settings)
    yield settings
    # The next test has another queue: nothing may be left that knows this one.
    kombu.pools.reset()
    broker.celery.close()
    vars(broker.celery).pop("amqp", None)


@pytest.fixture
def worker(
    env: dict[str, str], settings: Settings, tmp_path: Path
) -> Iterator[Callable[[str], servers.Worker]]:
    """Start a worker; those still alive are killed at the end."""
    started: list[servers.Worker] = []

    def start(name: str = "w1") -> servers.Worker:
        started.append(servers.Worker(tmp_path, name, env))
        started[-1].await_ready()
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
async def manuals(settings: Settings, site: servers.Site) -> ManualService:
    """The API's way to manuals; every product's manual is the one of the site."""
    database = Database(settings)

    def find(product_id: str) -> ManualRef | None:
        if product_id == "unknown":
            return None
        return ManualRef(product_id, "TD-17KVX", f"http://{site.host}/manual.pdf")

    yield ManualService(settings, database.sessions, find)
    await database.close()
