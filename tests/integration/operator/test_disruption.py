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
