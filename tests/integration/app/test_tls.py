"""Stores behind TLS: every client the app has believes their authority, and nobody else."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import kombu.pools
import psycopg
import pytest
import redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from tests.cluster import stores
from tests.cluster.ports import free_ports
from tests.cluster.processes import group_of, humble_user
from tests.integration.app.servers import eventually

from hscjit_app import broker
from hscjit_app.cache import outside
from hscjit_app.db.session import Database, sync_engine
from hscjit_app.main import _redis
from hscjit_app.settings import Settings


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def pki() -> Iterator[Path]:
    """A folder with two authorities, and a server's certificate for `localhost` by the first."""
    with stores.humble_folder() as folder:
        for name in ("ca", "stranger"):
            files = ("-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem")
            openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, "-subj", f"/CN={name}")
        openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE",
            "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key",
            "-keyout", f"{folder}/server.key", "-out", f"{folder}/server.pem",
        )  # fmt: skip
        user = humble_user()
        for file in folder.iterdir():
            file.chmod(0o600)
            if user:
                shutil.chown(file, user, group_of(user))
        yield folder


@contextmanager
def redis_with_tls(pki: Path) -> Iterator[int]:
    (port,) = free_ports(1)
    command = [
        stores.program("redis-server"), "--port", "0", "--tls-port", str(port),
        "--bind", "127.0.0.1", "--save", "", "--dir", str(pki), "--tls-auth-clients", "no",
        "--tls-cert-file", f"{pki}/server.pem", "--tls-key-file", f"{pki}/server.key",
        "--tls-ca-cert-file", f"{pki}/ca.pem",
    ]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    ask = [
        stores.program("redis-cli"), "-p", str(port), "--tls", "--cacert", f"{pki}/ca.pem", "ping",
    ]  # fmt: skip
    try:
        eventually(
            lambda: b"PONG" in subprocess.run(ask, capture_output=True, check=False).stdout, 20
        )
        yield port
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def redis_port(pki: Path) -> Iterator[int]:
    with redis_with_tls(pki) as port:
        yield port


@pytest.fixture(scope="module")
def database_port(pki: Path) -> Iterator[int]:
    with stores.postgres_server() as url:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(f"ALTER SYSTEM SET ssl_cert_file = '{pki}/server.pem'")
            admin.execute(f"ALTER SYSTEM SET ssl_key_file = '{pki}/server.key'")
            admin.execute("ALTER SYSTEM SET ssl = on")
            admin.execute("SELECT pg_reload_conf()")
        port = int(url.rpartition(":")[2].partition("/")[0])
        yield port


@pytest.fixture
def told(pki: Path, redis_port: int, database_port: int) -> Settings:
    return Settings.from_env(
        {
            "HSCJIT_DATABASE_URL": f"postgresql://hscjit@localhost:{database_port}/postgres",
            "HSCJIT_DATABASE_CA_FILE": f"{pki}/ca.pem",
            "HSCJIT_REDIS_QUEUE_URL": f"rediss://localhost:{redis_port}/0",
            "HSCJIT_REDIS_QUEUE_CA_FILE": f"{pki}/ca.pem",
            "HSCJIT_REDIS_CACHE_URL": f"rediss://localhost:{redis_port}/1",
            "HSCJIT_REDIS_CACHE_CA_FILE": f"{pki}/ca.pem",
        }
    )


async def test_the_database_is_reached_and_its_certificate_checked(told: Settings, pki: Path):
    engine = sync_engine(told)
    with engine.connect() as connection:
        query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert connection.scalar(text(query)) is True
    engine.dispose()
    database = Database(told)
    await database.ping()
    await database.close()

    wrong = {
        "another authority": replace(told, database_ca=pki / "stranger.pem"),
        "another name": replace(
            told, database_url=told.database_url.replace("localhost", "127.0.0.1")
        ),
    }
    for settings in wrong.values():
        engine = sync_engine(settings)
        with pytest.raises(OperationalError, match=r"certificate|host name"):
            engine.connect()
        engine.dispose()


async def test_redis_is_reached_and_its_certificate_checked(told: Settings, pki: Path):
    client = _redis(told.redis_cache_url, told.redis_cache_tls)
    assert client is not None
    assert await client.ping()
    await client.aclose()
    with redis.Redis.from_url(told.redis_queue_url or "", **told.redis_queue_tls) as plain:
        assert plain.ping()
    outside.invalidate(told, ["key"])
    outside._redis(told).close()
    outside._redis.cache_clear()

    name = (told.redis_queue_url or "").replace("localhost", "127.0.0.1")
    stranger = replace(told, redis_queue_ca=pki / "stranger.pem")
    for url, tls in (
        (name, told.redis_queue_tls),
        (told.redis_queue_url, stranger.redis_queue_tls),
    ):
        client = _redis(url, tls)
        assert client is not None
        with pytest.raises(RedisError):
            await client.ping()
        await client.aclose()


@contextmanager
def carrier(settings: Settings) -> Iterator[None]:
    """Let this process's tasks go to that queue; afterwards nothing is left that knows it."""
    broker.configure(settings)
    try:
        yield
    finally:
        kombu.pools.reset()
        broker.celery.close()
        vars(broker.celery).pop("amqp", None)


def test_the_carrier_of_tasks_is_believed(told: Settings):
    with carrier(told):
        broker.send_now("nobody.does.this")
    with redis.Redis.from_url(told.redis_queue_url or "", **told.redis_queue_tls) as client:
        assert client.llen(broker.QUEUE) == 1


def test_the_carrier_of_tasks_checks_too(told: Settings, pki: Path):
    stranger = replace(told, redis_queue_ca=pki / "stranger.pem")
    with carrier(stranger), pytest.raises(broker.QueueDown):
        broker.send_now("nobody.does.this")
