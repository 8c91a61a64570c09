"""Images, migrations and numbers of pods: what changes, when, and what never does."""

import asyncio
import itertools
import time

import pytest
from tests.integration.operator.controllers import controllers
from tests.integration.operator.user import MERGE
from tests.integration.operator.world import Body, World, operator

from hscjit_operator import metrics, names
from hscjit_operator.cluster import kinds
from hscjit_operator.model import owned

NEW = {"image": {"repository": "registry.example.com/app", "tag": "2"}}
NEW_IMAGE = "registry.example.com/app:2"
REPLICAS = ("spec", "replicas")


async def image(world: World) -> str:
    found = await world.get("Deployment", "api") or {}
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


async def replicas(world: World) -> int:
    found = await world.get("Deployment", "api") or {}
    return int(found["spec"]["replicas"])


async def hpa_wants(world: World, number: int) -> None:
    """Do what the HPA's controller does: write through the scale subresource."""
    path = kinds.DEPLOYMENT.path(world.namespace, "support-api", "scale")
    manager = "?fieldManager=kube-controller-manager"
    await world.call("PATCH", path + manager, {"spec": {"replicas": number}}, MERGE)


async def test_a_new_image_waits_for_its_migration_while_the_old_one_serves(world: World):
    async with operator(world):
        await world.settle()
        await world.change(NEW)
        job = await world.job("mig")
        assert job == names.migration_job(world.name, NEW_IMAGE)
        await world.until_condition("DatabaseMigrated", "Migrating", "False")
        assert await image(world) == "app:1"

        await world.end_job(job)
        await world.until_condition("DatabaseMigrated", "Migrated", "True")

        async def new() -> bool:
            return await image(world) == NEW_IMAGE

        await world.until(new)
        assert (await world.condition("Ready"))["status"] == "False"
        await world.start()
        assert (await world.status())["image"] == NEW_IMAGE
        assert not [name for kind, name in await world.children() if kind == "Job"]


async def test_a_migration_that_fails_never_blocks_the_fix(world: World):
    async with operator(world):
        await world.settle()
        await world.change(NEW)
        word = '{"ok": false, "reason": "CannotMigrate", "message": "column exists"}'
        await world.end_job(await world.job("mig"), ok=False, said=word)
        told = await world.until_condition("DatabaseMigrated", "MigrationFailed", "False")
        assert "CannotMigrate: column exists" in told["message"]
        assert await image(world) == "app:1"

        await world.change({"image": None})
        await world.until_condition("DatabaseMigrated", "Migrated", "True")
        await world.start()
        assert await image(world) == "app:1"


async def test_image_settings_and_size_asked_at_once_roll_out_once(world: World):
    asked = {
        **NEW,
        "api": {"podLabels": {"team": "new"}, "resources": {"requests": {"cpu": "123m"}}},
        "worker": {"podLabels": {"team": "new"}, "minReplicas": 2, "maxReplicas": 4},
    }
    async with controllers(world) as running, operator(world):
        await world.create({})
        await world.until_settled()
        await world.change(asked)

        async def new() -> bool:
            return await image(world) == NEW_IMAGE

        await world.until(new)
        await world.until_settled()
        rolled = running.rollouts(world.name)
        once = {name: 1 for name in rolled if name[0] == "Deployment"}
        assert {name: n for name, n in rolled.items() if n} == once
        worker = running.there["Deployment", "support-worker"]["spec"]
        assert worker["template"]["metadata"]["labels"]["team"] == "new"
        assert worker["replicas"] == 2


async def test_workers_are_scaled_while_a_migration_runs_and_settings_wait_for_it(world: World):
    async def worker() -> Body:
        found = await world.get("Deployment", "worker") or {}
        return dict(found["spec"])

    async with operator(world):
        await world.settle()
        await world.change(NEW)
        job = await world.job("mig")
        await world.until_condition("DatabaseMigrated", "Migrating", "False")
        await world.change({"worker": {"minReplicas": 2}})

        async def two() -> bool:
            return int((await worker())["replicas"]) == 2

        await world.until(two)
        await world.change({"worker": {"podLabels": {"team": "new"}}})
        await world.calm()
        assert "team" not in (await worker())["template"]["metadata"]["labels"]

        # An attempt fails; the settings may be what mends it.
        pod = await world.make_pod(await world.call("GET", kinds.JOB.path(world.namespace, job)))
        word = '{"ok": false, "reason": "CannotMigrate", "message": "no room"}'
        await world.end_pod(pod, word, ok=False)

        async def told() -> bool:
            return "team" in (await worker())["template"]["metadata"]["labels"]

        await world.until(told)
        assert await image(world) == "app:1"


async def test_a_newer_operator_restarts_nothing(world: World):
    async with operator(world):
        await world.settle()
        await world.calm()

    async with operator(world, image_app="app:2") as calls:

        async def offered() -> bool:
            return bool(calls.writes)

        await world.until(offered)
        await asyncio.sleep(1.0)
        assert calls.writes == {("PATCH", "HSCJit"): 1}  # the plan that it offers
        assert await image(world) == "app:1"

        # The Deployments restore what somebody wiped from the status.
        path = kinds.HSCJIT.path(world.namespace, world.name, "status")
        await world.call("PATCH", path, {"status": None}, MERGE)
        await world.start()
        assert (await world.status())["image"] == "app:1"
        assert await image(world) == "app:1"
        assert not [name for kind, name in await world.children() if kind == "Job"]


async def test_the_migration_is_recorded_by_image_and_volume(world: World):
    async def recorded() -> Body:
        return dict((await world.status()).get("migration") or {})

    async def claim() -> str:
        labels = names.labels(world.name, names.POSTGRES, (await world.app())["metadata"]["uid"])
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        metadata = {"name": "data-support-postgres-0", "labels": labels}
        body = {"metadata": metadata, "spec": spec}
        made = await world.call("POST", kinds.CLAIM.path(world.namespace), body)
        return str(made["metadata"]["uid"])

    async def until_recorded(**wanted: str) -> None:
        async def as_wanted() -> bool:
            return await recorded() == wanted

        await world.until(as_wanted)

    async with operator(world):
        await world.settle()
        await until_recorded(image="app:1")
        first = await claim()
        await until_recorded(image="app:1", volume=first)

        # Volume and claim are lost and come back empty: the schema is made anew, once.
        await world.delete("PersistentVolumeClaim", "data-support-postgres-0")
        second = await claim()
        job = await world.job("mig")
        await until_recorded(volume=first)
        assert await image(world) == "app:1"
        await world.end_job(job)
        await until_recorded(image="app:1", volume=second)
        await world.start()
        await world.calm()


async def test_a_status_from_before_the_record_restarts_and_migrates_nothing(world: World):
    async with operator(world):
        await world.settle()
        await world.calm()
    path = kinds.HSCJIT.path(world.namespace, world.name, "status")
    await world.call("PATCH", path, {"status": {"migration": None}}, MERGE)

    async with operator(world) as calls:

        async def recorded() -> bool:
            return (await world.status()).get("migration") == {"image": "app:1"}

        await world.until(recorded)
        await world.calm()
        assert set(calls.writes) == {("PATCH", "HSCJit")}


async def passes() -> float:
    """Return how many passes have ended."""
    found = metrics.PASSES.collect()
    return sum(s.value for m in found for s in m.samples if s.name.endswith("_total"))


async def test_a_hundred_passes_and_a_restart_never_move_what_the_hpa_set(world: World):
    async with controllers(world) as running:

        def numbers() -> list[int]:
            every = running.versions("Deployment", "support-api")
            return [number for number, _ in itertools.groupby(b["spec"]["replicas"] for b in every)]

        async with operator(world) as calls:
            await world.create({"api": {"replicas": 3}})
            await world.until_settled()

            async def handed_over() -> bool:
                return not owned.owns(running.there["Deployment", "support-api"], *REPLICAS)

            await world.until(handed_over)
            await hpa_wants(world, 7)
            await world.until_settled()
            await world.calm()
            calls.restart()
            enough = await passes() + 100
            while await passes() < enough:
                await world.annotate({"example.com/touched": str(time.monotonic())})
            assert ("PATCH", "Deployment") not in calls.writes

        async with operator(world) as calls:
            await world.change({"worker": {"maxReplicas": 5}})
            await world.until_settled()
            enough = await passes() + 5
            while await passes() < enough:
                await world.annotate({"example.com/touched": str(time.monotonic())})

        assert numbers() == [3, 7]
        assert running.rollouts(world.name)["Deployment", "support-api"] == 0


async def test_autoscaling_off_starts_from_the_number_there_is_and_on_again_keeps_it(
    world: World,
):
    async with operator(world):
        await world.settle()
        await hpa_wants(world, 6)
        await world.start()

        await world.change({"api": {"autoscaling": {"enabled": False}}})

        async def without() -> bool:
            return await world.get("HorizontalPodAutoscaler", "api") is None

        await world.until(without)

        async def as_asked() -> bool:
            return await replicas(world) == 2

        await world.until(as_asked)
        scale: Body = {"spec": {"replicas": 4}}
        path = kinds.HSCJIT.path(world.namespace, world.name, "scale")
        await world.call("PATCH", path, scale, MERGE)

        async def scaled() -> bool:
            return await replicas(world) == 4

        await world.until(scaled)
        await world.change({"api": {"autoscaling": {"enabled": True}}})
        await world.start()
        assert await replicas(world) == 4


async def test_a_floor_that_the_spec_takes_back_falls_though_nobody_knows_the_load(world: World):
    async def floor(number: int) -> None:
        async def told() -> bool:
            hpa = await world.get("HorizontalPodAutoscaler", "api") or {}
            said = (await world.status())["autopilot"]["targets"]["apiFloor"]
            return {hpa["spec"]["minReplicas"], said} == {number}

        await world.until(told)

    async with operator(world):
        await world.settle()
        await floor(2)
        await world.change({"api": {"autoscaling": {"minReplicas": 5}}})
        await floor(5)
        await world.change({"api": {"autoscaling": {"minReplicas": None}}})
        await floor(2)
        await world.change({"api": {"autoscaling": {"minReplicas": 4}}})
        await floor(4)
    async with operator(world):
        await world.change({"api": {"autoscaling": {"minReplicas": 3}}})
        await floor(3)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
async def test_a_rollout_that_is_stuck_is_told(world: World, kind: str):
    suffix = "worker" if kind == "Deployment" else "postgres"
    async with operator(world):
        await world.settle()
        body = await world.get(kind, suffix) or {}
        pod = await world.make_pod({"apiVersion": "apps/v1", "kind": kind, **body})
        waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
        container = {
            "name": "main",
            "image": "x",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": waiting,
        }
        status = {"status": {"phase": "Pending", "containerStatuses": [container]}}
        await world.patch("Pod", pod, status, "status")
        await world.report_pods(kind, f"support-{suffix}", body, readyReplicas=0)

        told = await world.until_condition("Degraded", "ComponentsNotReady", "True")
        assert f"{suffix}: ImagePullBackOff: no such image" in told["message"]
        key = "worker" if kind == "Deployment" else "postgres"
        components = (await world.status())["components"]
        assert components[key] == {"desired": 1, "ready": 0, "reason": "ImagePullBackOff"}
        await world.start()


async def test_a_quota_that_is_too_small_is_told_and_forgotten_once_it_is_raised(world: World):
    quota = "pods is forbidden: exceeded quota: small, requested: pods=1"
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    async with operator(world):
        await world.settle()
        body = await world.get("Deployment", "worker") or {}
        refused = {"conditions": [{**failure, "message": quota}]}
        await world.report_pods("Deployment", "support-worker", body, readyReplicas=0, **refused)

        told = await world.until_condition("Degraded", "ComponentsNotReady", "True")
        assert f"worker: FailedCreate: {quota}" in told["message"]
        worker = (await world.status())["components"]["worker"]
        assert worker == {"desired": 1, "ready": 0, "reason": "FailedCreate"}

        await world.report_pods("Deployment", "support-worker", body, conditions=[])
        await world.until_condition("Ready", "Answering", "True")


def told_by_its_controller(reason: str) -> Body:
    progressing = {"type": "Progressing", "status": "True", "reason": reason, "message": "x"}
    return {"conditions": [progressing]}


async def test_a_rollout_is_over_when_the_new_pods_are_ready_and_no_fault_meanwhile(world: World):
    async with operator(world):
        await world.settle()
        await world.change({"worker": {"podLabels": {"team": "new"}}})
        await world.until_condition("Ready", "Progressing")
        worker = await world.until(lambda: world.get("Deployment", "worker"))
        # The old pod is gone from all numbers; the new one is there and not ready.
        await world.report_pods(
            "Deployment",
            "support-worker",
            worker,
            readyReplicas=0,
            **told_by_its_controller("ReplicaSetUpdated"),
        )
        await world.until_condition("Progressing", "RollingOut", "True")
        await world.calm()
        assert (await world.condition("Ready"))["reason"] == "Progressing"
        assert (await world.condition("Degraded"))["status"] == "False"

        ended = told_by_its_controller("NewReplicaSetAvailable")
        await world.report_pods("Deployment", "support-worker", worker, **ended)
        await world.until_condition("Ready", "Answering", "True")

        # It falls later: that is no rollout.
        worker = await world.until(lambda: world.get("Deployment", "worker"))
        await world.report_pods("Deployment", "support-worker", worker, readyReplicas=0)
        await world.until_condition("Degraded", "ComponentsNotReady", "True")
        assert (await world.condition("Progressing"))["status"] == "False"


async def test_what_a_leaving_pod_of_the_app_needs_goes_after_it(world: World):
    async with operator(world):
        await world.settle()
        api = await world.until(lambda: world.get("Deployment", "api"))
        pod = await world.make_pod(api)
        await world.patch("Pod", pod, {"metadata": {"finalizers": ["example.com/drains"]}})
        await world.call("DELETE", kinds.POD.path(world.namespace, pod))

        await world.change({"network": {"policies": False}, "backup": {"enabled": False}})

        async def backups_gone() -> bool:
            return await world.get("CronJob", "backup") is None

        await world.until(backups_gone)
        await world.start()
        assert await world.get("NetworkPolicy", "api") is not None

        await world.patch("Pod", pod, {"metadata": {"finalizers": None}})

        async def policies_gone() -> bool:
            return await world.get("NetworkPolicy", "api") is None

        await world.until(policies_gone)
