"""What others do to the children: undone where it is ours, kept where it is theirs."""

import asyncio
from typing import Any

import pytest
from tests.integration.operator.user import Refused
from tests.integration.operator.world import Body, World, operator

from hscjit_operator import metrics, names
from hscjit_operator.cluster import kinds

OUTSIDE = {"ingress": {"host": "support.example.com"}}
ONE_OF_EACH = [
    ("ConfigMap", "config"),
    ("CronJob", "backup"),
    ("Deployment", "api"),
    ("HorizontalPodAutoscaler", "api"),
    ("Ingress", "api"),
    ("NetworkPolicy", "deny"),
    ("PodDisruptionBudget", "api"),
    ("Service", "postgres"),
    ("ServiceAccount", "worker"),
    ("StatefulSet", "redis-queue"),
]

EDITS: list[tuple[str, str, Body, str]] = [
    ("ConfigMap", "config", {"data": {"HSCJIT_DB_POOL_SIZE": "mine"}}, "data.HSCJIT_DB_POOL_SIZE"),
    ("CronJob", "backup", {"spec": {"schedule": "1 1 1 1 1"}}, "spec.schedule"),
    (
        "HorizontalPodAutoscaler",
        "api",
        {"spec": {"maxReplicas": 3}},
        "spec.maxReplicas",
    ),
    (
        "Ingress",
        "api",
        {"spec": {"rules": [{"host": "elsewhere.example.com"}]}},
        "spec",
    ),
    ("PodDisruptionBudget", "api", {"spec": {"maxUnavailable": 3}}, "spec.maxUnavailable"),
    ("Service", "api", {"spec": {"selector": {names.LABEL_INSTANCE: "x"}}}, "spec.selector"),
    (
        "Deployment",
        "worker",
        {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}},
        "spec.template.spec.terminationGracePeriodSeconds",
    ),
    ("StatefulSet", "postgres", {"spec": {"replicas": 3}}, "spec.replicas"),
    (
        "ServiceAccount",
        "api",
        {"automountServiceAccountToken": True},
        "automountServiceAccountToken",
    ),
    (
        "Deployment",
        "beat",
        {"metadata": {"ownerReferences": None}},
        "metadata.ownerReferences",
    ),
    (
        "NetworkPolicy",
        "api",
        {"metadata": {"labels": {names.LABEL_COMPONENT: "x"}}},
        f"metadata.labels.{names.LABEL_COMPONENT}",
    ),
]


async def until_restored(world: World, kind: str, suffix: str, wanted: Body) -> Body:
    """Wait until a child holds again what it held, foreign label included."""

    async def restored() -> Body | None:
        found = await world.get(kind, suffix)
        if found is None or found["metadata"]["labels"].get("team") != "theirs":
            return None
        return found if _essence(found) == _essence(wanted) else None

    return dict(await world.until(restored))


def _essence(body: Body) -> Any:
    metadata = body["metadata"]
    labels = {k: v for k, v in metadata["labels"].items() if k != "team"}
    rest = {k: v for k, v in body.items() if k not in ("metadata", "status")}
    return rest, labels, metadata.get("ownerReferences")


async def test_a_deleted_child_comes_back_as_a_new_one(world: World):
    async with operator(world):
        await world.settle(network=OUTSIDE)
        before = {}
        for kind, suffix in ONE_OF_EACH:
            before[kind, suffix] = (await world.get(kind, suffix) or {})["metadata"]["uid"]
            await world.delete(kind, f"{world.name}-{suffix}")

        for (kind, suffix), uid in before.items():

            async def back(kind: str = kind, suffix: str = suffix, uid: str = uid) -> bool:
                found = await world.get(kind, suffix)
                return found is not None and found["metadata"]["uid"] != uid

            await world.until(back)
        await world.start()


async def test_an_edited_child_is_restored_and_what_is_foreign_stays(world: World):
    async with operator(world):
        await world.settle(network=OUTSIDE)
        for kind, suffix, edit, field in EDITS:
            before = await world.get(kind, suffix)
            assert before is not None
            name = f"{world.name}-{suffix}"
            await world.patch(kind, name, {"metadata": {"labels": {"team": "theirs"}}})
            counted = _drift(kind, field)
            await world.patch(kind, name, edit)

            restored = await until_restored(world, kind, suffix, before)

            assert restored["metadata"]["uid"] == before["metadata"]["uid"]

            async def told(kind: str = kind, field: str = field, counted: float = counted) -> bool:
                return _drift(kind, field) > counted  # counted when the server's answer is in

            await world.until(told)
            assert _drift(kind, field) == counted + 1, f"{kind} {field}"
        await world.start()

        events = await world.call("GET", kinds.EVENT.path(world.namespace))
        notes = [e["note"] for e in events["items"] if e["reason"] == "DriftRestored"]
        assert "StatefulSet support-postgres was changed at spec.replicas; restored it" in notes


def _drift(kind: str, field: str) -> float:
    return (
        metrics.REGISTRY.get_sample_value(
            "hscjit_operator_drift_total", {"kind": kind, "field": field}
        )
        or 0.0
    )


async def test_a_child_without_our_label_gets_it_back(world: World):
    async with operator(world):
        await world.settle()
        before = await world.get("Service", "redis-queue")
        assert before is not None
        label = {"metadata": {"labels": {names.LABEL_MANAGED_BY: None}}}
        await world.patch("Service", "support-redis-queue", label)

        async def labelled() -> bool:
            found = await world.get("Service", "redis-queue") or {}
            return found["metadata"]["labels"].get(names.LABEL_MANAGED_BY) == names.MANAGER

        await world.until(labelled)
        after = await world.get("Service", "redis-queue")
        assert after is not None
        assert after["metadata"]["uid"] == before["metadata"]["uid"]


async def test_a_foreign_container_and_annotation_stay(world: World):
    async with operator(world) as calls:
        await world.settle()
        mine = {"spec": {"containers": [{"name": "sidecar", "image": "mine:1"}]}}
        path = kinds.DEPLOYMENT.path(world.namespace, "support-worker")
        await world.call(
            "PATCH",
            path,
            {"metadata": {"annotations": {"team": "theirs"}}, "spec": {"template": mine}},
            "application/strategic-merge-patch+json",
        )
        await world.start()
        await world.calm()
        calls.restart()
        await asyncio.sleep(1.5)

        assert calls.writes == {}
        found = await world.get("Deployment", "worker")
        assert found is not None
        names_ = {c["name"] for c in found["spec"]["template"]["spec"]["containers"]}
        assert names_ == {"worker", "sidecar"}
        assert found["metadata"]["annotations"]["team"] == "theirs"


async def test_a_strangers_object_with_a_childs_name_is_left_alone(world: World):
    stranger = {"metadata": {"name": "support-config"}, "data": {"theirs": "yes"}}
    path = kinds.CONFIG_MAP.path(world.namespace)
    await world.call("POST", path, stranger)

    async with operator(world):
        await world.create()
        told = await world.until_condition("Stalled", "NameConflict", "True")
        assert "ConfigMap support-config" in told["message"]
        assert (await world.condition("Ready"))["reason"] == "NameConflict"
        kept = await world.get("ConfigMap", "config")
        assert kept is not None
        assert kept["data"] == {"theirs": "yes"}
        # The others are made all the same.
        assert await world.get("Service", "api") is not None

        await world.delete("ConfigMap", "support-config")
        await world.end_job(await world.job("mig"))
        await world.start()
        assert (await world.condition("Stalled"))["status"] == "False"


async def test_what_a_watch_missed_is_found_after_a_restart(world: World):
    async with operator(world):
        await world.settle()
    await world.delete("Deployment", "support-beat")
    await world.patch("Service", "support-api", {"spec": {"selector": {"x": "y"}}})
    for replicas in (3, 4, 3):
        await world.change({"worker": {"minReplicas": 1, "maxReplicas": replicas}})
    await world.change({"worker": {"queueLatencyTargetSeconds": 7}})

    async with operator(world):

        async def restored() -> bool:
            service = await world.get("Service", "api") or {}
            return (
                await world.get("Deployment", "beat") is not None
                and "x" not in service["spec"]["selector"]
                and (await world.status())["observedGeneration"] > 1
            )

        await world.until(restored)
        await world.start()


@pytest.mark.parametrize("storage", ["6Gi", "4Gi"])
async def test_the_size_of_a_volume_in_place_cannot_change(world: World, storage: str):
    async with operator(world) as calls:
        await world.settle()
        try:
            await world.change({"postgres": {"embedded": {"storage": storage}}})
        except Refused as refused:
            assert "storage" in str(refused)  # noqa: PT017  the schema may say so already
            return
        told = await world.until_condition("Degraded", "StorageFixed", "True")
        assert "support-postgres" in told["message"]
        await world.start("Degraded")
        await world.calm()
        calls.restart()
        await asyncio.sleep(1.5)

        assert calls.writes == {}
        await world.change({"postgres": {"embedded": {"storage": "5Gi"}}})
        await world.start()


async def templates(world: World) -> dict[str, Any]:
    found = await world.children()
    return {
        name: body["spec"]["template"]
        for (kind, name), body in found.items()
        if kind == "Deployment"
    }


async def address(world: World, suffix: str) -> str:
    async def given() -> str:
        found = await world.get("Service", suffix)
        return str(found["spec"]["clusterIP"]) if found else ""

    return str(await world.until(given))


async def test_the_manuals_service_comes_back_at_its_address_and_no_pod_is_replaced(world: World):
    async with operator(world) as calls:
        await world.settle()
        before, ip = await templates(world), await address(world, "manuals")

        await world.delete("Service", "support-manuals")
        assert await address(world, "manuals") == ip
        await world.calm()
        assert await templates(world) == before

    # While no operator ran: the address stands in the configuration.
    await world.delete("Service", "support-manuals")
    async with operator(world) as calls:
        assert await address(world, "manuals") == ip
        await world.calm()
        assert await templates(world) == before

    async with operator(world) as calls:
        await asyncio.sleep(2.0)
        assert calls.writes == {}  # the new one holds what we apply, and not a field more


async def test_a_manuals_service_whose_address_is_taken_gets_another(world: World):
    async with operator(world):
        await world.settle()
        ip = await address(world, "manuals")
        before = await templates(world)
    await world.delete("Service", "support-manuals")
    spec = {"clusterIP": ip, "ports": [{"port": 80}], "selector": {"app": "theirs"}}
    thief = {"metadata": {"name": "thief"}, "spec": spec}
    await world.call("POST", kinds.SERVICE.path(world.namespace), thief)

    async with operator(world):
        other = await address(world, "manuals")
        assert other != ip

        async def told() -> bool:
            config = await world.get("ConfigMap", "config") or {}
            return f"{other}/32" in config["data"]["HSCJIT_MANUALS_ALLOWED_HOSTS"]

        await world.until(told)

        async def replaced() -> bool:
            after = await templates(world)
            return all(after[name] != before[name] for name in before)

        await world.until(replaced)
        await world.start()
