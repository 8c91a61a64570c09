"""Backups as their pods tell of them, and a restore step by step, the operator killed at each."""

import asyncio
import json
from typing import Any

from tests.integration.operator.world import Body, World, operator

from hscjit_operator import names
from hscjit_operator.cluster import kinds

STAMP = "20260131T020000Z"


async def play(world: World, component: str, number: str, told: Body) -> None:
    """Play one run of a CronJob; its pod's last word is what is told."""
    cron = await world.get("CronJob", component) or {}
    job = {
        "metadata": {
            "name": f"support-{component}-{number}",
            "labels": cron["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "name": cron["metadata"]["name"],
                    "uid": cron["metadata"]["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": cron["spec"]["jobTemplate"]["spec"],
    }
    made = await world.call("POST", kinds.JOB.path(world.namespace), job)
    await world.end_job(made["metadata"]["name"], ok=told["ok"], said=json.dumps(told))


async def back_up(world: World, stamp: str, **word: Any) -> None:
    """Play one run of the CronJob."""
    told = {
        "ok": True,
        "reason": "BackupComplete",
        "message": f"Backup {stamp}, 5 bytes",
        "stamp": stamp,
        "size": 5,
        "backups": [{"stamp": stamp, "size": 5}],
        **word,
    }
    await play(world, names.BACKUP, stamp[9:15], told)


async def test_a_good_backup_is_dated_and_indexed_a_bad_one_only_told(world: World):
    async with operator(world) as calls:
        await world.settle()
        assert (await world.condition("BackupSucceeded"))["reason"] == "NeverMade"

        await back_up(world, STAMP)
        await world.until_condition("BackupSucceeded", "BackupComplete", "True")

        async def indexed() -> bool:
            return (await world.status()).get("backup", {}).get("index") == "support-backups"

        await world.until(indexed)
        good = (await world.status())["backup"]
        assert good == {
            "lastSuccessTime": "2026-01-31T02:00:00Z",
            "lastSize": 5,
            "lastName": STAMP,
            "index": "support-backups",
        }
        index = await world.get("ConfigMap", "backups") or {}
        assert json.loads(index["data"]["index.json"]) == [{"stamp": STAMP, "size": 5}]

        await asyncio.sleep(1.1)  # a pod's end is known to the second
        failed = {"ok": False, "reason": "RedisDumpFailed", "message": "no words"}
        await back_up(world, "20260131T030001Z", **failed)
        told = await world.until_condition("BackupSucceeded", "BackupFailed", "False")
        assert "RedisDumpFailed: no words" in told["message"]
        assert (await world.status())["backup"] == good

        # The schedule's Jobs are the CronJob's to remove, and the pods' last words may go.
        jobs = {name for kind, name in await world.children() if kind == "Job"}
        assert jobs == {"support-backup-020000", "support-backup-030001"}
        await world.calm()
        calls.restart()
        for name in sorted(jobs, reverse=True):  # the failed one first: the good one is no news
            await world.delete("Pod", f"{name}-pod")
            await asyncio.sleep(0.3)
        await asyncio.sleep(1.0)
        assert calls.writes == {}
        assert (await world.status())["backup"] == good


async def restored(world: World) -> Body:
    return dict((await world.status()).get("restore") or {})


async def at(world: World, step: str) -> None:
    async def there() -> bool:
        return (await restored(world)).get("step") == step

    await world.until(there)


async def until_numbers(world: World, wanted: dict[str, int]) -> None:
    async def there() -> bool:
        return await numbers(world) == wanted

    await world.until(there)


async def numbers(world: World) -> dict[str, int]:
    found = await world.children()
    return {
        name.removeprefix("support-"): body["spec"]["replicas"]
        for (kind, name), body in found.items()
        if kind in ("Deployment", "StatefulSet")
    }


async def test_a_restore_survives_an_operator_that_dies_at_every_step(world: World):
    stopped = {"api": 0, "worker": 0, "beat": 0, "redis-queue": 0}
    running = {"redis-cache": 1, "postgres": 1}

    async with operator(world):
        await world.settle()
        api = await world.get("Deployment", "api") or {}
        pod = await world.make_pod({"apiVersion": "apps/v1", "kind": "Deployment", **api})
        await world.annotate({names.ANNOTATION_RESTORE_FROM: STAMP})
        await at(world, "Stopping")
        await world.until_condition("Ready", "Restoring", "False")

    async with operator(world):
        await until_numbers(world, stopped | running)
        await asyncio.sleep(1.0)
        assert (await restored(world))["step"] == "Stopping"  # a pod is still there
        await world.delete("Pod", pod)
        await at(world, "Restoring")
        job = await world.job("restore")

    async with operator(world):
        await world.end_job(job)
        await at(world, "Starting")
        migration = await world.job("mig")
        await until_numbers(world, stopped | running)

    async with operator(world):
        await world.end_job(migration)

        async def started() -> bool:
            return (await numbers(world))["api"] == 2

        await world.until(started)

    async with operator(world):
        await world.start()
        await at(world, "Done")
        assert (await restored(world))["from"] == STAMP
        assert "completionTime" in await restored(world)
        assert not [name for kind, name in await world.children() if kind == "Job"]
        found = await world.get("HorizontalPodAutoscaler", "api")
        assert found is not None
        await world.calm()

    async with operator(world) as calls:
        await asyncio.sleep(1.5)
        assert calls.writes == {}


async def test_a_restore_that_fails_starts_the_workload_again_and_says_why(world: World):
    async with operator(world):
        await world.settle()
        await world.annotate({names.ANNOTATION_RESTORE_FROM: STAMP})
        word = '{"ok": false, "reason": "NoSuchBackup", "message": "not on the claim"}'
        await world.end_job(await world.job("restore"), ok=False, said=word)
        await at(world, "Failed")
        assert (await restored(world))["message"] == "NoSuchBackup: not on the claim"
        await world.start("Degraded")
        assert (await world.condition("Degraded"))["reason"] == "RestoreFailed"
        assert (await numbers(world))["api"] == 2


async def test_a_name_that_is_none_stops_nothing(world: World):
    async with operator(world):
        await world.settle()
        before = await numbers(world)
        await world.annotate({names.ANNOTATION_RESTORE_FROM: "yesterday"})
        await at(world, "Failed")
        assert "20260131T020000Z" in (await restored(world))["message"]
        assert await numbers(world) == before


async def test_what_a_cleanup_did_is_told_once(world: World):
    async def told() -> list[tuple[str, str, str]]:
        found = await world.call("GET", kinds.EVENT.path(world.namespace))
        return [
            (event["type"], event["reason"], event["note"])
            for event in found["items"]
            if event["reason"].startswith("Clean")
        ]

    async with operator(world) as calls:
        await world.settle()
        removed = {"ok": True, "reason": "CleanedUp", "message": "Removed 3 conversations"}
        await play(world, names.CLEANUP, "1", removed)
        await world.until(told)
        failed = {"ok": False, "reason": "CleanupFailed", "message": "OperationalError: no route"}
        await play(world, names.CLEANUP, "2", failed)

        async def both() -> bool:
            return len(await told()) == 2

        await world.until(both)
        await world.calm()
        calls.restart()
        await asyncio.sleep(1.5)  # some passes
        assert calls.writes == {}
    assert sorted(await told()) == [
        ("Normal", "CleanedUp", "Removed 3 conversations"),
        ("Warning", "CleanupFailed", "OperationalError: no route"),
    ]
