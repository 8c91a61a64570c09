"""From `kubectl apply` to Answering, quiet afterwards, and gone after `kubectl delete`."""

import asyncio
from collections import Counter

import pytest
from tests.integration.operator.world import World, operator

from hscjit_operator import conditions, metrics, names
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.actuator import record

BEFORE_MIGRATION = {
    "ConfigMap": {"config", "redis"},
    "Job": {"mig-d2bb92c"},
    "PersistentVolumeClaim": {"backup"},
    "Service": {"api", "manuals", "postgres", "redis-cache", "redis-queue"},
    "ServiceAccount": {"api", "job", "worker"},
    "StatefulSet": {"postgres", "redis-cache", "redis-queue"},
}
AFTER_MIGRATION = {
    "CronJob": {"backup", "cleanup"},
    "Deployment": {"api", "beat", "worker"},
    "HorizontalPodAutoscaler": {"api"},
    "Job": set(),
    "PodDisruptionBudget": {"api", "worker"},
}


async def made(world: World, kind: str) -> set[str]:
    found = await world.children()
    return {name.removeprefix(f"{world.name}-") for k, name in found if k == kind}


async def until_made(world: World, wanted: dict[str, set[str]]) -> None:
    for kind, suffixes in wanted.items():

        async def there(kind: str = kind, suffixes: set[str] = suffixes) -> bool:
            return await made(world, kind) == suffixes

        await world.until(there)


async def test_an_empty_spec_becomes_an_answering_assistant(world: World):
    async with operator(world):
        await world.create()
        await until_made(world, BEFORE_MIGRATION)
        assert await made(world, "Deployment") == set()
        first = await world.until_condition("Ready", "Progressing")
        assert first["status"] == "False"
        told = {c["type"] for c in (await world.status())["conditions"]}
        assert told == set(conditions.TYPES)

        await world.end_job(await world.job("mig"))
        await until_made(world, AFTER_MIGRATION)
        await world.start()

        status = await world.status()
        assert status["observedGeneration"] == 1
        assert status["summary"] == {"api": "2/2", "workers": "1/1", "autopilot": "Act"}
        assert status["components"]["postgres"] == {"desired": 1, "ready": 1, "reason": "Ready"}
        assert (status["image"], status["version"]) == ("app:1", "1")
        assert (await world.condition("Reconciling"))["status"] == "False"
        assert (await world.condition("DatabaseMigrated"))["status"] == "True"


async def test_a_new_one_costs_a_write_for_each_child_and_then_one_for_its_status(world: World):
    async with operator(world) as calls:
        await world.settle()  # by now nothing is new to the operator itself
        await world.calm()
        other = world.beside("other")

        calls.restart()
        await other.create()
        await other.job("mig")
        await other.until_condition("Ready", "Progressing")
        await other.calm()

        children = await other.children()
        writes = Counter(("PATCH", kind) for kind, _ in children)
        assert calls.writes == writes + Counter({("PATCH", "Secret"): 1, ("PATCH", "HSCJit"): 1})
        assert calls.reads == {("GET", "PersistentVolumeClaim"): 3}

        # One pass made them all, and told of them once.
        app = await other.app()
        versions = [int(body["metadata"]["resourceVersion"]) for body in children.values()]
        assert max(versions) < int(app["metadata"]["resourceVersion"])


async def test_settled_passes_and_a_restart_ask_for_nothing(world: World):
    async with operator(world) as calls:
        await world.settle()
        await world.calm()
        before = await world.app()

        calls.restart()
        await asyncio.sleep(3.0)  # six resyncs

        assert (calls.writes, calls.reads) == ({}, {})

    async with operator(world) as calls:
        await asyncio.sleep(4.0)

        assert calls.writes == {}
        # Nothing but which kinds are served: the watch shows no ledger of the autopilot.
        assert calls.reads == {}
        assert (await world.app())["metadata"]["resourceVersion"] == (
            before["metadata"]["resourceVersion"]
        )


async def test_a_restart_reads_the_ledger_that_is_there(world: World):
    async with operator(world):
        await world.settle()
    kept = record(await world.app(), names.LEDGER, {"ledger.json": "[]"})
    await world.call("POST", kinds.CONFIG_MAP.path(world.namespace), kept)

    async with operator(world) as calls:

        async def read() -> bool:
            return calls.reads["GET", "ConfigMap"] == 1

        await world.until(read)


async def test_nothing_of_kopf_is_left_on_any_object(world: World):
    async with operator(world):
        await world.settle()

        for body in [await world.app(), *(await world.children()).values()]:
            metadata = body["metadata"]
            assert "kopf" not in str(metadata.get("annotations", {}))
            assert not [f for f in metadata.get("finalizers", ()) if "kopf" in f]


async def test_ready_follows_the_front_door(world: World):
    async with operator(world):
        await world.settle()

        world.degraded = ("redis",)
        told = await world.until_condition("Ready", "Degraded", "True")
        assert "redis" in told["message"]

        world.ready_code = 503
        await world.until_condition("Ready", "NotAnswering", "False")

        world.ready_code, world.degraded = 200, ()
        await world.until_condition("Ready", "Answering", "True")


async def test_from_outside_the_cluster_ready_is_unknown(world: World):
    world.door = "http://127.0.0.1:9"
    async with operator(world):
        await world.create()
        await world.end_job(await world.job("mig"))
        await world.start("NotReachableFromHere")

        assert (await world.condition("Ready"))["status"] == "Unknown"
        assert (await world.condition("Available"))["status"] == "True"


async def test_a_transition_time_moves_only_with_its_status(world: World):
    async with operator(world):
        await world.settle()
        before = await world.condition("Available")
        await asyncio.sleep(1.1)

        await world.change({"network": {"allowedOrigins": ["https://shop.example.com"]}})
        await world.until_condition("Ready", "Progressing")
        await world.start()

        after = await world.condition("Available")
        assert after["observedGeneration"] == 2
        assert after["lastTransitionTime"] == before["lastTransitionTime"]


async def test_after_a_delete_nothing_comes_back(world: World):
    async with operator(world) as calls:
        await world.settle()
        for name in (world.name, "beside"):
            labels = (world.namespace, name, "Evict", "Unresponsive", "acted")
            metrics.AUTOPILOT_DECISIONS.labels(*labels).inc()
        await world.delete("HSCJit", world.name)
        await asyncio.sleep(0.5)
        calls.restart()

        # What the garbage collector would do.
        for kind, name in await world.children():
            if kind != "PersistentVolumeClaim":
                await world.delete(kind, name)
        await asyncio.sleep(1.5)

        assert calls.counted == {}
        assert await made(world, "Deployment") == set()
        assert await made(world, "PersistentVolumeClaim") == {"backup"}
        assert await world.get("Secret", "secret") is not None
        (counted,) = metrics.AUTOPILOT_DECISIONS.collect()
        whose = {s.labels["name"] for s in counted.samples if world.namespace in s.labels.values()}
        assert whose == {"beside"}


@pytest.mark.parametrize("said", ['{"ok": false, "reason": "BadRevision", "message": "no way"}'])
async def test_a_failed_migration_is_told_in_its_own_words(world: World, said: str):
    async with operator(world):
        await world.create()
        await world.end_job(await world.job("mig"), ok=False, said=said)

        told = await world.until_condition("DatabaseMigrated", "MigrationFailed", "False")
        assert "BadRevision: no way" in told["message"]
        assert (await world.condition("Degraded"))["reason"] == "MigrationFailed"
        assert await made(world, "Deployment") == set()
