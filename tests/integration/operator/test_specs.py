"""New specs, good ones and bad ones, and what they name."""

import asyncio

from tests.integration.operator.user import Refused
from tests.integration.operator.world import Body, World, operator

from hscjit_operator.cluster import kinds

BAD_AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In"}]}]
        }
    }
}


async def specs(world: World) -> dict[tuple[str, str], Body]:
    """Return what every child holds, but for what nobody wrote."""
    return {
        name: {k: v for k, v in body.items() if k not in ("metadata", "status")}
        for name, body in (await world.children()).items()
    }


async def test_a_spec_the_server_refuses_changes_no_child_and_is_named(world: World):
    async with operator(world):
        await world.settle()
        before = await specs(world)

        await world.change(
            {"worker": {"affinity": BAD_AFFINITY}, "api": {"podLabels": {"team": "new"}}}
        )

        told = await world.until_condition("SpecValid", "Refused", "False")
        assert "Deployment support-worker" in told["message"]
        assert "matchExpressions[0].values" in told["message"]
        assert told["observedGeneration"] == 2
        assert (await world.condition("Ready"))["reason"] == "InvalidSpec"
        assert await specs(world) == before

        await world.change({"worker": {"affinity": None}})
        await world.until_condition("SpecValid", "Valid", "True")
        await world.start()
        api = await world.get("Deployment", "api") or {}
        assert api["spec"]["template"]["metadata"]["labels"]["team"] == "new"


async def test_a_refused_spec_is_still_refused_after_a_restart(world: World):
    async with operator(world):
        await world.settle()
        before = await specs(world)
        await world.change({"worker": {"affinity": BAD_AFFINITY}})
        await world.until_condition("SpecValid", "Refused", "False")

    async with operator(world):
        await asyncio.sleep(2.0)
        assert (await world.condition("SpecValid"))["status"] == "False"
        assert await specs(world) == before


async def test_a_spec_that_an_older_schema_let_in_is_refused_by_us(world: World):
    crd = kinds.Kind("CRD", "apiextensions.k8s.io", "v1", "customresourcedefinitions")
    path = f"/apis/{crd.group}/{crd.version}/{crd.plural}/hscjits.hscjit.dev"
    async with operator(world):
        await world.settle()
        before = await specs(world)
        strict = await world.call("GET", path)
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        lax = [{**strict["spec"]["versions"][0], "schema": {"openAPIV3Schema": schema}}]
        spec = {"spec": {"versions": lax}}
        await world.call("PATCH", path, spec, "application/merge-patch+json")
        try:

            async def let_in() -> bool:
                patch = {"worker": {"minReplicas": 5, "maxReplicas": 2}}
                try:
                    spec = (await world.change(patch))["spec"]
                except Refused:
                    return False  # by the schema that was there before
                return bool(spec["worker"]["minReplicas"] == 5)

            await world.until(let_in)
            told = await world.until_condition("SpecValid", "InvalidSpec", "False")
            assert "spec.worker.minReplicas" in told["message"]
            assert (await world.condition("Stalled"))["status"] == "True"
            assert await specs(world) == before
        finally:
            versions = {"spec": {"versions": strict["spec"]["versions"]}}
            await world.call("PATCH", path, versions, "application/merge-patch+json")


async def test_a_catalogue_that_is_missing_is_named_and_heals_by_itself(world: World):
    async with operator(world):
        await world.create({"catalog": {"configMapRef": {"name": "brands"}}})
        await world.end_job(await world.job("mig"))
        await world.start("Degraded")
        told = await world.condition("Degraded")
        assert told["reason"] == "ReferenceMissing"
        assert "ConfigMap brands" in told["message"]

        path = kinds.CONFIG_MAP.path(world.namespace)
        await world.call("POST", path, {"metadata": {"name": "brands"}, "data": {"a.json": "{}"}})
        await world.until_condition("Ready", "Answering", "True")


async def test_a_feature_switched_off_and_on_is_the_same_as_before(world: World):
    async with operator(world):
        await world.settle()
        before = set(await world.children())

        await world.change({"backup": {"enabled": False}, "network": {"policies": False}})
        await world.start()
        less = set(await world.children())
        assert ("CronJob", "support-backup") not in less
        assert not [name for name in less if name[0] == "NetworkPolicy"]
        # What holds backups is never deleted because a switch was turned.
        assert ("PersistentVolumeClaim", "support-backup") in less

        await world.change({"backup": {"enabled": True}, "network": {"policies": True}})
        await world.start()

        async def whole() -> bool:
            return set(await world.children()) == before

        await world.until(whole)


async def test_paused_means_hands_off(world: World):
    async with operator(world) as calls:
        await world.settle()
        await world.annotate(
            {"hscjit.dev/paused": "all", "hscjit.dev/paused-reason": "moving house"}
        )
        told = await world.until_condition("Paused", "PausedByAnnotation", "True")
        assert "moving house" in told["message"]
        assert (await world.status())["summary"]["autopilot"] == "Paused"

        calls.restart()
        await world.delete("Service", "support-manuals")
        await asyncio.sleep(1.5)
        assert await world.get("Service", "manuals") is None
        assert not {kind for _, kind in calls.writes} - {"HSCJit"}

        await world.annotate({"hscjit.dev/paused": "flase"})
        told = await world.until_condition("Paused", "InvalidPause", "False")
        assert "hscjit.dev/paused is 'flase'" in told["message"]
        await world.start()
        assert await world.get("Service", "manuals") is not None
