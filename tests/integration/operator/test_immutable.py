"""A child of ours with a field that never changes: made anew where nothing is lost, else said."""

import copy
from typing import Any

from tests.integration.operator.controllers import controllers
from tests.integration.operator.test_every_child import content, ours, until_back
from tests.integration.operator.world import World, operator

from hscjit_operator.cluster import kinds


async def remade(world: World, kind: str, name: str, **changed: Any) -> None:
    """Delete a child, its pods kept, and make it again by hand with other fields in its spec."""
    path = kinds.by_name(kind).path(world.namespace, name)
    body = await world.call("GET", path)
    metadata = {k: body["metadata"][k] for k in ("name", "labels", "annotations", "ownerReferences")
                if k in body["metadata"]}  # fmt: skip
    spec = copy.deepcopy(body["spec"]) | changed
    for key, value in changed.get("selector", {}).get("matchLabels", {}).items():
        spec["template"]["metadata"]["labels"][key] = value
    await world.delete(kind, name)
    again = {"apiVersion": body["apiVersion"], "kind": kind, "metadata": metadata, "spec": spec}
    await world.call("POST", kinds.by_name(kind).path(world.namespace), again)


async def test_what_can_be_made_anew_is_and_its_pods_stay(world: World):
    async with controllers(world) as running, operator(world):
        await world.create()
        await world.until_settled()
        before = ours(running, world)
    beat = ("Deployment", "support-beat")
    await remade(world, *beat, selector={"matchLabels": {"team": "theirs"}})
    theirs = await world.get("Deployment", "beat") or {}
    config = ("ConfigMap", "support-config")
    first = min(before[config]["data"])
    await world.patch(*config, {"data": {first: "x"}, "immutable": True})

    async with controllers(world) as running, operator(world):
        after = await until_back(running, world, before)
        await world.until_settled()

        assert after[beat]["metadata"]["uid"] != theirs["metadata"]["uid"]
        # The API server notes on what it deletes that its pods are to be kept.
        left = [
            body["metadata"].get("finalizers")
            for event, body in running.history
            if event == "MODIFIED" and body["metadata"]["uid"] == theirs["metadata"]["uid"]
        ]
        assert ["orphan"] in left
        events = await world.call("GET", kinds.EVENT.path(world.namespace))
        notes = {e["note"] for e in events["items"] if e["reason"] == "MadeAnew"}
        assert any("Deployment support-beat" in n and "spec.selector" in n for n in notes)
        assert any("ConfigMap support-config" in n for n in notes)


async def test_what_data_hang_on_is_left_as_it_is_and_the_way_out_works(world: World):
    postgres = ("StatefulSet", "support-postgres")
    async with controllers(world) as running, operator(world):
        await world.create()
        await world.until_settled()
        before = ours(running, world)
    claims = await world.call("GET", kinds.CLAIM.path(world.namespace))
    await remade(world, *postgres, serviceName="theirs")
    theirs = await world.get("StatefulSet", "postgres") or {}

    async with controllers(world) as running, operator(world):
        told = await world.until_condition("Degraded", "Immutable", "True")
        assert "StatefulSet support-postgres: spec.serviceName differs" in told["message"]
        assert (await world.condition("SpecValid"))["status"] == "True"
        # A new spec is carried out all the same.
        await world.change({"backup": {"schedule": "7 7 * * *"}})
        before["CronJob", "support-backup"]["spec"]["schedule"] = "7 7 * * *"

        async def taken() -> bool:
            found = await world.get("CronJob", "backup") or {}
            return bool(found["spec"]["schedule"] == "7 7 * * *")

        await world.until(taken)
        kept = await world.get("StatefulSet", "postgres") or {}
        assert kept["metadata"]["uid"] == theirs["metadata"]["uid"]

        await world.delete(*postgres)  # as the message says; no pods are here
        await until_back(running, world, before)
        await world.until_settled()
    now = await world.call("GET", kinds.CLAIM.path(world.namespace))
    uids = [[c["metadata"]["uid"] for c in found["items"]] for found in (claims, now)]
    assert uids[0] == uids[1]
    assert content(claims["items"][0]) is not None
