"""Deleted and made again at once, twenty times over: under Delete, and under Retain."""

import asyncio

from tests.integration.operator.controllers import Controllers, controllers
from tests.integration.operator.world import World, condition_of, is_settled, operator

from hscjit_operator import names
from hscjit_operator.cluster import kinds

TIMES = 20
RETAINED = {
    ("PersistentVolumeClaim", "{}-backup"),
    ("PersistentVolumeClaim", "data-{}-postgres-0"),
    ("PersistentVolumeClaim", "data-{}-redis-queue-0"),
    ("Secret", "{}-secret"),
}


async def until(world: World, running: Controllers, reason: str) -> str:
    """Wait until the HSCJit that is there now says so of Ready; return its UID."""

    async def told() -> str:
        app = running.there.get(("HSCJit", world.name), {"metadata": {}})
        found = condition_of(app, "Ready").get("reason")
        settled = reason != "Answering" or (found == reason and is_settled(app))
        return str(app["metadata"]["uid"]) if found == reason and settled else ""

    return str(await world.until(told))


async def replace(world: World, spec: dict[str, object]) -> None:
    """Delete the HSCJit and make another of its name in the same breath."""
    await world.call("DELETE", kinds.HSCJIT.path(world.namespace, world.name))
    await world.create(spec)


def kept(running: Controllers, world: World) -> set[tuple[str, str]]:
    """Return what is left of an HSCJit that is gone."""
    return set(running.children(world.name))


def retained(world: World) -> set[tuple[str, str]]:
    return {(kind, name.format(world.name)) for kind, name in RETAINED}


async def under_delete(world: World, running: Controllers) -> None:
    """Each starts afresh, with a Secret and volumes of its own; the last one leaves nothing."""
    spec: dict[str, object] = {"deletionPolicy": "Delete"}
    await world.create(spec)
    seen = set()
    for number in range(TIMES):
        if number % 4 == 0:  # else it is replaced wherever it stands
            seen.add(await until(world, running, "Answering"))
        await replace(world, spec)
    uid = await until(world, running, "Answering")
    assert uid not in seen
    for (kind, name), body in running.children(world.name).items():
        assert body["metadata"]["labels"][names.LABEL_OWNER_UID] == uid, (kind, name)
    await world.call("DELETE", kinds.HSCJIT.path(world.namespace, world.name))

    async def nothing() -> bool:
        return not kept(running, world)

    await world.until(nothing)


async def under_retain(world: World, running: Controllers) -> None:
    """Without adopting, what was left stands in the way each time, and is never touched."""
    await world.create()
    await until(world, running, "Answering")
    before = {name: running.there[name]["metadata"]["uid"] for name in retained(world)}
    for number in range(TIMES):
        await replace(world, {})
        if number % 4 == 0:
            await until(world, running, "VolumesLeftBehind")
    await until(world, running, "VolumesLeftBehind")
    assert {name: running.there[name]["metadata"]["uid"] for name in retained(world)} == before
    assert not [kind for kind, _ in kept(running, world) if kind == "StatefulSet"]
    await world.call("DELETE", kinds.HSCJIT.path(world.namespace, world.name))

    async def only_what_is_retained() -> bool:
        return kept(running, world) == retained(world)

    await world.until(only_what_is_retained)


async def adopting(world: World, running: Controllers) -> None:
    """Each takes over the Secret and the volumes of the one before."""
    spec: dict[str, object] = {"bootstrap": {"adoptVolumes": True}}
    await world.create(spec)
    await until(world, running, "Answering")
    before = {name: running.there[name]["metadata"]["uid"] for name in retained(world)}
    data = running.there["Secret", f"{world.name}-secret"]["data"]
    for number in range(TIMES):
        await replace(world, spec)
        if number % 4 == 0:
            await until(world, running, "Answering")
    uid = await until(world, running, "Answering")
    for name, known in before.items():
        body = running.there[name]
        assert body["metadata"]["uid"] == known, name
        assert body["metadata"]["labels"][names.LABEL_OWNER_UID] == uid, name
    assert running.there["Secret", f"{world.name}-secret"]["data"] == data


async def test_twenty_times_deleted_and_made_again_at_once(world: World):
    async with controllers(world) as running, operator(world):
        await asyncio.gather(
            under_delete(world.beside("fresh"), running),
            under_retain(world.beside("barred"), running),
            adopting(world.beside("heir"), running),
        )
