"""Restarts that are asked for: once each, in their window, and never because an operator died."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.integration.operator.user import MERGE
from tests.integration.operator.world import Body, World, operator

from hscjit_operator import names
from hscjit_operator.cluster import kinds
from hscjit_operator.decisions.restart import stamp

RESTART = "hscjit.dev/restarted-at"
DEPLOYMENTS = ("api", "beat", "worker")
PAST = "2026-01-31T06:00:00Z"


def window(hours: int) -> Body:
    """Return a window of two hours that opens in the hour so many hours from now: 0 is open now."""
    opens = datetime.now(UTC) + timedelta(hours=hours)
    return {"schedule": f"0 {opens.hour} * * *", "duration": "2h"}


async def carried(world: World) -> set[str]:
    """Return which restarts the three templates carry; "" for none."""
    found = [await world.get("Deployment", suffix) or {} for suffix in DEPLOYMENTS]
    templates = [body["spec"]["template"]["metadata"]["annotations"] for body in found]
    return {template.get(RESTART, "") for template in templates}


async def generations(world: World) -> list[int]:
    found = [await world.get("Deployment", suffix) or {} for suffix in DEPLOYMENTS]
    return [body["metadata"]["generation"] for body in found]


async def until_carried(world: World, value: str) -> None:
    async def there() -> bool:
        return await carried(world) == {value}

    await world.until(there)


async def restart(world: World) -> dict[str, Any]:
    return dict((await world.status()).get("restart") or {})


async def test_a_value_restarts_once_whatever_happens_to_it_and_to_the_operator(world: World):
    async with operator(world) as calls:
        await world.settle()
        await world.calm()
        before = await generations(world)

        await world.annotate({RESTART: PAST})
        await until_carried(world, PAST)
        await world.start()
        assert await restart(world) == {"carriedOut": PAST}
        assert await generations(world) == [n + 1 for n in before]

        await world.calm()
        calls.restart()
        await world.annotate({RESTART: None})  # taken away, it restarts nothing
        await asyncio.sleep(1.5)
        assert calls.writes == {}

    # The Deployments know it too, should the status be lost.
    path = kinds.HSCJIT.path(world.namespace, world.name, "status")
    await world.call("PATCH", path, {"status": {"restart": None}}, MERGE)
    async with operator(world):
        await world.until(lambda: restart(world))
        assert await restart(world) == {"carriedOut": PAST}
        await world.calm()
        assert await generations(world) == [n + 1 for n in before]


async def test_a_restart_waits_for_its_window_without_a_word_meanwhile(world: World):
    async with operator(world) as calls:
        await world.settle(maintenance={"windows": [window(12)]})
        before = await generations(world)
        await world.annotate({RESTART: PAST})

        told = await world.until_condition("Progressing", "Waiting", "False")
        due = (await restart(world))["dueTime"]
        assert f"begins at {due}: the next maintenance window" in told["message"]
        wanted = datetime.now(UTC) + timedelta(hours=12)
        assert datetime.fromisoformat(due).hour == wanted.hour
        assert (await world.condition("Ready"))["status"] == "True"
        await world.calm()
        calls.restart()
        await asyncio.sleep(2.0)
        assert (calls.writes, calls.reads) == ({}, {})

    async with operator(world) as calls:
        await asyncio.sleep(2.0)
        assert calls.writes == {}
        assert await generations(world) == before

        # A change of the spec is the user's own, and waits for nothing.
        await world.change({"api": {"podLabels": {"team": "support"}}})

        async def changed() -> bool:
            return (await generations(world))[0] == before[0] + 1

        await world.until(changed)
        assert await carried(world) == {""}

        await world.change({"maintenance": {"windows": [window(12), window(0)]}})
        await until_carried(world, PAST)
        await world.start()
        assert await generations(world) == [before[0] + 2, before[1] + 1, before[2] + 1]
        assert (await world.condition("Progressing"))["reason"] == "Settled"


async def test_a_restart_may_be_asked_for_ahead(world: World):
    async with operator(world):
        await world.settle()
        at = datetime.now(UTC) + timedelta(seconds=4)
        await world.annotate({RESTART: stamp(at)})

        told = await world.until_condition("Progressing", "Waiting", "False")
        assert f"begins at {stamp(at)}: it is asked for that time" in told["message"]
        assert await carried(world) == {""}
        await until_carried(world, stamp(at))
        assert datetime.now(UTC) >= at.replace(microsecond=0)


@pytest.mark.parametrize("part", ["rollout", "all"])
async def test_a_restart_waits_while_rollouts_are_paused(world: World, part: str):
    async with operator(world):
        await world.settle()
        await world.annotate({"hscjit.dev/paused": part, RESTART: PAST})

        told = await world.until_condition("Progressing", "Waiting", "False")
        assert "until rollouts are paused no more" in told["message"]
        assert await carried(world) == {""}
        await world.annotate({"hscjit.dev/paused": None})
        await until_carried(world, PAST)


async def test_what_is_no_time_is_said_and_restarts_nothing(world: World):
    async with operator(world):
        await world.settle()
        await world.annotate({RESTART: "tonight"})

        told = await world.until_condition("Progressing", "InvalidRestart", "False")
        assert "hscjit.dev/restarted-at: 'tonight' is no time" in told["message"]
        assert await carried(world) == {""}
        assert (await world.condition("Ready"))["status"] == "True"

        await world.annotate({RESTART: PAST})
        await until_carried(world, PAST)


async def test_one_that_is_made_with_the_annotation_starts_once(world: World):
    async with operator(world):
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": world.name, "annotations": {RESTART: PAST}},
            "spec": {},
        }
        await world.call("POST", kinds.HSCJIT.path(world.namespace), body)
        await world.end_job(await world.job("mig"))
        await world.start()

        assert await carried(world) == {PAST}
        assert await generations(world) == [1, 1, 1]


async def test_a_pause_ends_by_itself_and_its_status_says_until_when_and_why(world: World):
    async with operator(world) as calls:
        await world.settle()
        await world.calm()
        until = datetime.now(UTC) + timedelta(seconds=5)
        await world.annotate(
            {
                "hscjit.dev/paused": "all",
                "hscjit.dev/paused-until": stamp(until),
                "hscjit.dev/paused-reason": "moving house",
            }
        )
        told = await world.until_condition("Paused", "PausedByAnnotation", "True")
        assert told["message"].endswith(f"until {stamp(until)[:-1]}+00:00: moving house")
        assert (await world.status())["summary"]["autopilot"] == "Paused"
        await world.delete("Service", "support-postgres")
        calls.restart()
        assert await world.get("Service", "postgres") is None

        await world.until_condition("Paused", "Running", "False")
        assert datetime.now(UTC) >= until.replace(microsecond=0)
        await world.until(lambda: world.get("Service", "postgres"))


APPROVE = "hscjit.dev/approve"
NEWER = {"image_app": "app:2", "image_redis": "redis:2"}


async def plan(world: World) -> dict[str, Any]:
    return dict((await world.status()).get("plan") or {})


async def images(world: World) -> dict[str, str]:
    """Return the image of each Deployment and StatefulSet."""
    found = {}
    for (kind, name), body in (await world.children()).items():
        if kind in ("Deployment", "StatefulSet"):
            (container,) = body["spec"]["template"]["spec"]["containers"]
            found[name.removeprefix(f"{world.name}-")] = container["image"]
    return found


async def until_no_plan(world: World) -> None:
    async def none() -> bool:
        return await plan(world) == {}

    await world.until(none)


async def until_plan(world: World, **wanted: Any) -> dict[str, Any]:
    async def told() -> dict[str, Any]:
        found = await plan(world)
        return found if wanted.items() <= found.items() else {}

    return dict(await world.until(told))


async def test_a_newer_operator_offers_a_plan_and_carries_it_out_once_approved(world: World):
    async with operator(world):
        await world.settle()
        await world.calm()
        assert await plan(world) == {}
        assert (await world.status())["images"] == {"redis": "redis:1", "postgres": "postgres:1"}
        before = await images(world)

    async with operator(world, **NEWER) as calls:
        offer = await until_plan(world, image="app:2", redisImage="redis:2")
        assert "version" not in offer
        assert "postgresImage" not in offer
        assert offer["restarts"] == [
            f"support-{suffix}"
            for suffix in ("api", "beat", "redis-cache", "redis-queue", "worker")
        ]
        assert f"hscjit.dev/approve: {offer['hash']}" in offer["message"]
        assert set(calls.writes) <= {("PATCH", "HSCJit")}
        await world.annotate({APPROVE: "0123456789"})
        told = await world.until(lambda: until_said(world, "approves another one"))
        assert told["hash"] == offer["hash"]
        assert await images(world) == before

        await world.annotate({APPROVE: offer["hash"]})
        await until_plan(world, hash=offer["hash"], begun=True)
        await world.end_job(await world.job("mig"))
        await world.start()
        await until_no_plan(world)
        status = await world.status()
        assert (status["image"], status["images"]["redis"]) == ("app:2", "redis:2")
        assert set((await images(world)).values()) == {"app:2", "redis:2", "postgres:1"}

    # Its hash may stay: it approves nothing else.
    async with operator(world, **NEWER, image_postgres="postgres:1.1"):
        offer = await until_plan(world, postgresImage="postgres:1.1")
        assert "approves another one" in offer["message"]
        await world.calm()
        assert (await images(world))["postgres"] == "postgres:1"


async def until_said(world: World, words: str) -> dict[str, Any]:
    found = await plan(world)
    return found if words in found.get("message", "") else {}


async def test_an_approved_plan_waits_for_its_window_and_can_be_called_off(world: World):
    async with operator(world):
        await world.settle(maintenance={"windows": [window(12)]})
        await world.calm()
        before = await images(world)

    async with operator(world, **NEWER) as calls:
        offer = await until_plan(world, image="app:2")
        await world.annotate({APPROVE: offer["hash"]})
        told = await world.until_condition("Progressing", "Waiting", "False")
        due = (await plan(world))["dueTime"]
        assert f"Plan {offer['hash']}: Approved; it begins at {due}" in told["message"]
        await world.calm()
        calls.restart()
        await asyncio.sleep(1.5)
        assert (calls.writes, calls.reads) == ({}, {})
        assert await images(world) == before

        await world.annotate({APPROVE: None})
        await world.until_condition("Progressing", "Settled", "False")
        await world.change({"maintenance": {"windows": None}})
        await world.start()
        assert await images(world) == before


async def test_a_plan_whose_migration_fails_leaves_the_old_image_and_can_be_called_off(
    world: World,
):
    async with operator(world):
        await world.settle()
        await world.calm()
    async with operator(world, image_app="app:2"):
        offer = await until_plan(world, image="app:2")
        await world.annotate({APPROVE: offer["hash"]})
        await world.end_job(await world.job("mig"), ok=False)
        await world.until_condition("DatabaseMigrated", "MigrationFailed", "False")
        assert (await images(world))["api"] == "app:1"

        await world.annotate({APPROVE: None})
        await world.until_condition("DatabaseMigrated", "Migrated", "True")
        await world.start()
        assert (await images(world))["api"] == "app:1"
        assert (await plan(world))["hash"] == offer["hash"]


async def test_a_plan_under_way_goes_on_where_an_operator_died(world: World):
    async with operator(world):
        await world.settle()
        await world.calm()
    async with operator(world, **NEWER):
        offer = await until_plan(world, image="app:2")
        await world.annotate({APPROVE: offer["hash"]})
        job = await world.job("mig")

    # No window is open any more: what has begun goes on.
    await world.change({"maintenance": {"windows": [window(12)]}})
    await world.end_job(job)
    async with operator(world, **NEWER):
        await world.start()
        await until_no_plan(world)
        assert (await images(world))["api"] == "app:2"


async def test_a_template_version_that_is_no_longer_carried_is_said_and_a_plan_leads_on(
    world: World,
):
    async with operator(world) as calls:
        await world.settle()
        await world.calm()
    path = kinds.HSCJIT.path(world.namespace, world.name, "status")
    await world.call("PATCH", path, {"status": {"version": "0"}}, MERGE)

    async with operator(world) as calls:
        told = await world.until_condition("Stalled", "UpgradeRequired", "True")
        assert "Template version 0 is in use, this operator carries 1" in told["message"]
        offer = await until_plan(world, version="1")
        await world.calm()
        assert set(calls.writes) <= {("PATCH", "HSCJit"), ("POST", "Event")}

        await world.annotate({APPROVE: offer["hash"]})
        await world.until_condition("Stalled", "Settled", "False")
        assert (await world.status())["version"] == "1"
        await until_no_plan(world)
        await world.start()
