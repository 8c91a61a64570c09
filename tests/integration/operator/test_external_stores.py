"""External Redis and Postgres: their Secrets are looked up, followed, named when they are wrong."""

import base64
import json

import pytest
from tests.integration.operator.test_kept import claim
from tests.integration.operator.world import Body, World, operator

from hscjit_operator import names
from hscjit_operator.cluster import kinds

PASSWORD = "hunter2-hunter2"  # noqa: S105
SPEC = {
    "redis": {
        "external": {
            "cache": {"urlSecretRef": {"name": "stores", "key": "cache"}},
            "queue": {"urlSecretRef": {"name": "stores", "key": "queue"}},
        }
    },
    "postgres": {"external": {"dsnSecretRef": {"name": "database", "key": "dsn"}}},
}
BACK = {"redis": {"external": None}, "postgres": {"external": None}}
STORES = {
    "cache": f"redis://:{PASSWORD}@10.30.0.5:6379/0",
    "queue": f"redis://:{PASSWORD}@queue.example.com:6380/0",
}
DSN = f"postgresql://app:{PASSWORD}@db.example.com:6432/support"
USERS = ("support-api", "support-beat", "support-worker")


async def put(world: World, name: str, **values: str) -> None:
    """Make a Secret, or change some of its values."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
    path = kinds.SECRET.path(world.namespace, name) + "?fieldManager=user&force=true"
    await world.call("PATCH", path, body, "application/apply-patch+yaml")


async def templates(world: World) -> dict[str, int]:
    """Return how often each Deployment's spec was changed."""
    found = await world.children()
    return {n: b["metadata"]["generation"] for (k, n), b in found.items() if k == "Deployment"}


async def test_what_is_missing_or_wrong_is_named_and_heals_by_itself(
    world: World, capsys: pytest.CaptureFixture[str]
):
    async with operator(world):
        await world.create(SPEC)
        told = await world.until_condition("Degraded", "ReferenceMissing", "True")
        assert "Secret stores, which spec.redis.external.cache names" in told["message"]
        assert "Secret database, which spec.postgres.external names" in told["message"]

        await put(world, "stores", **STORES)
        await put(world, "database", dsn=f"mysql://app:{PASSWORD}@db/support")
        told = await world.until_condition("Degraded", "ReferenceInvalid", "True")
        assert "Secret database, key dsn (spec.postgres.external): is no address" in told["message"]
        assert not [kind for kind, _ in await world.children() if kind in ("Job", "Deployment")]

        await put(world, "database", dsn=DSN)
        await world.end_job(await world.job("mig"))
        await world.start()
        status = await world.status()
        assert status["migration"]["volume"].startswith("server-")
        assert status["components"]["postgres"] == {"desired": 0, "ready": 0, "reason": "External"}
        assert not [kind for kind, _ in await world.children() if kind == "StatefulSet"]

        everything = json.dumps([*(await world.children()).values(), await world.app()])
        assert PASSWORD not in everything
    out = capsys.readouterr()
    assert PASSWORD not in out.out + out.err


async def test_a_changed_secret_rolls_those_who_read_it_and_only_once(world: World):
    await put(world, "stores", **STORES)
    await put(world, "database", dsn=DSN)
    async with operator(world) as calls:
        await world.settle(**SPEC)
        await world.calm()
        before = await templates(world)

        await put(world, "database", dsn=DSN.replace(PASSWORD, "another-password"))
        await world.until_condition("Ready", "Progressing", "False")
        await world.start()
        await world.calm()
        after = await templates(world)
        rolled = {name for name in USERS if after[name] != before[name]}
        assert rolled == {"support-api", "support-worker"}
        assert {after[name] - before[name] for name in rolled} == {1}
        # The same database under another password: nothing is migrated again.
        assert (await world.condition("DatabaseMigrated"))["status"] == "True"

        calls.restart()
        changed = DSN.replace(PASSWORD, "another-password")
        await put(world, "database", dsn=changed, note="nobody reads this")
        await put(world, "stores-of-others", cache="redis://elsewhere")
        await world.calm()
        assert await templates(world) == after
        assert not calls.writes
        assert not calls.reads


async def test_while_its_secret_is_away_what_runs_goes_on_as_it_is(world: World):
    await put(world, "stores", **STORES)
    await put(world, "database", dsn=DSN)
    async with operator(world):
        await world.settle(**SPEC)
        await world.calm()
        before = await world.children()

        await world.delete("Secret", "database")
        told = await world.until_condition("Degraded", "ReferenceMissing", "True")
        assert "Secret database" in told["message"]
        assert (await world.condition("Ready"))["status"] == "True"
        await world.calm()
        assert _specs(await world.children()) == _specs(before)

        await put(world, "database", dsn=DSN)
        await world.until_condition("Ready", "Answering", "True")
        await world.calm()
        assert _specs(await world.children()) == _specs(before)


async def test_stores_move_out_and_back(world: World):
    await put(world, "stores", **STORES)
    await put(world, "database", dsn=DSN)
    async with operator(world):
        await world.settle()
        before = set(await world.children())
        uid = (await world.app())["metadata"]["uid"]
        for component in (names.POSTGRES, names.REDIS_QUEUE):
            await claim(world, component, uid)
        await world.start()
        kept = await templates(world)

        # The new database is migrated first: until then nothing rolls, and nothing goes.
        await world.change(SPEC)
        job = await world.job("mig")
        await world.calm()
        assert await templates(world) == kept
        assert await world.get("StatefulSet", "postgres") is not None
        await world.end_job(job)

        async def rolling() -> bool:
            return (await templates(world))["support-api"] > kept["support-api"]

        await world.until(rolling)
        # Pods of the old template still use them.
        assert await world.get("StatefulSet", "postgres") is not None
        assert await world.get("Service", "redis-queue") is not None
        await world.start()

        async def gone() -> bool:
            found = await world.children()
            return not {n for k, n in found if k in ("StatefulSet", "Service")} & {
                f"support-{store}" for store in ("postgres", "redis-cache", "redis-queue")
            }

        await world.until(gone)
        claims = {n for k, n in await world.children() if k == "PersistentVolumeClaim"}
        assert claims >= {"data-support-postgres-0", "data-support-redis-queue-0"}

        await world.change(BACK)
        await world.end_job(await world.job("mig"))
        await world.start()

        async def back() -> bool:
            found = set(await world.children())
            return {name for name in found if name[0] != "Job"} == before | {
                ("PersistentVolumeClaim", "data-support-postgres-0"),
                ("PersistentVolumeClaim", "data-support-redis-queue-0"),
            }

        await world.until(back)


def _specs(children: dict[tuple[str, str], Body]) -> dict[tuple[str, str], Body]:
    return {
        name: {k: v for k, v in body.items() if k not in ("metadata", "status")}
        for name, body in children.items()
    }
