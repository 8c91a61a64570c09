"""One write of the status for each thing that really changed, and none for what did not."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import pytest
from tests.integration.operator.test_specs import BAD_AFFINITY
from tests.integration.operator.world import World, operator

from hscjit_operator import autopilot, names

Step = tuple[str, int, Callable[[World], Awaitable[object]]]
EAGER: Final = {"poll_s": 0.15, "front_door_s": 0.15, "resync_s": 0.15}
TICK_S: Final = 0.15
QUIET_S: Final = 0.5
"""Longer than whatever the operator looks at by itself in these tests."""
BAD: Final = {"worker": {"affinity": BAD_AFFINITY}}
PAUSED: Final = names.ANNOTATION_PAUSED


async def ready(world: World, kind: str, component: str, number: int) -> None:
    """Report how many pods of a component are ready."""
    body = await world.get(kind, component) or {}
    await world.report_pods(kind, f"support-{component}", body, readyReplicas=number)


async def degraded(world: World, *without: str) -> None:
    """Let /ready say what the app does without."""
    world.degraded = without


async def autoscale(world: World, **fields: object) -> None:
    await world.change({"api": {"autoscaling": fields}})


async def pilot(world: World, **fields: object) -> None:
    await world.change({"autopilot": fields})


async def edit(world: World) -> None:
    await world.patch("Service", "support-api", {"spec": {"type": "NodePort"}})


STEPS: list[Step] = [
    ("an annotation of others", 0, lambda w: w.annotate({"example.com/x": "1"})),
    ("a spec that changes no child", 1, lambda w: pilot(w, heal={"cooldownSeconds": 61})),
    (
        "a spec that changes a child without pods",
        1,
        lambda w: w.change({"backup": {"schedule": "1 2 * * *"}}),
    ),
    ("a spec that takes a child away", 1, lambda w: w.change({"backup": {"enabled": False}})),
    ("a spec that nobody can act on", 1, lambda w: w.change(BAD)),
    ("the same, mended", 1, lambda w: w.change({"worker": {"affinity": None}})),
    ("a higher floor", 1, lambda w: autoscale(w, minReplicas=3)),
    ("its pods", 1, World.run_pods),
    ("the floor as before", 1, lambda w: autoscale(w, minReplicas=None)),
    ("a lower ceiling", 1, lambda w: autoscale(w, maxReplicas=8)),
    ("more workers", 1, lambda w: w.change({"worker": {"minReplicas": 2}})),
    ("their pods", 1, World.run_pods),
    ("fewer workers", 1, lambda w: w.change({"worker": {"minReplicas": 1}})),
    ("those that are left", 1, World.run_pods),
    ("healing watched only", 1, lambda w: pilot(w, heal={"mode": "Observe"})),
    ("scaling switched off", 1, lambda w: pilot(w, scale={"mode": "Off"})),
    ("both as before", 1, lambda w: pilot(w, heal=None, scale=None)),
    ("a pod that is not ready", 1, lambda w: ready(w, "Deployment", "api", 1)),
    ("the pod ready again", 1, lambda w: ready(w, "Deployment", "api", 3)),
    ("a store that is not ready", 1, lambda w: ready(w, "StatefulSet", "postgres", 0)),
    ("the store ready again", 1, lambda w: ready(w, "StatefulSet", "postgres", 1)),
    ("a dependency gone", 1, lambda w: degraded(w, "redis")),
    ("the dependency back", 1, degraded),
    ("a pause of healing", 1, lambda w: w.annotate({PAUSED: "heal"})),
    ("a pause of more", 1, lambda w: w.annotate({PAUSED: "heal,scale"})),
    ("a pause of all", 1, lambda w: w.annotate({PAUSED: "all"})),
    ("a pause that nobody understands", 1, lambda w: w.annotate({PAUSED: "everything"})),
    ("no pause", 1, lambda w: w.annotate({PAUSED: None})),
    ("a child deleted", 0, lambda w: w.delete("Service", "support-postgres")),
    (
        "a child edited",
        0,
        lambda w: w.patch("Service", "support-api", {"spec": {"type": "NodePort"}}),
    ),
    ("a workload deleted", 1, lambda w: w.delete("Deployment", "support-worker")),
    ("its pods back", 1, World.run_pods),
    ("a rollout that begins", 1, lambda w: w.change({"worker": {"podLabels": {"team": "a"}}})),
    ("a rollout that ends", 1, World.run_pods),
    (
        "a new image, to be migrated to",
        1,
        lambda w: w.change({"image": {"repository": "app", "tag": "2"}}),
    ),
]


async def test_one_status_write_for_each_real_change(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(autopilot, "TICK_S", TICK_S)
    async with operator(world, **EAGER) as calls:
        await world.settle()
        await world.calm()
        found = {}
        for what, expected, step in STEPS:
            calls.restart()
            await step(world)
            begun = last = time.monotonic()
            wrote = 0
            while time.monotonic() - last < QUIET_S and time.monotonic() - begun < 30:
                # The test's own calls are not counted.
                if (now := calls.writes["PATCH", "HSCJit"]) != wrote or wrote < expected:
                    wrote, last = now, time.monotonic()
                await asyncio.sleep(0.02)
            found[what] = wrote
        assert found == {what: expected for what, expected, _ in STEPS}
