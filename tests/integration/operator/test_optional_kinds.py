"""Kinds that come and go with others' software: made while they are served, forgotten after."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import chart
from tests.cluster import schemas, tools
from tests.cluster.progress import say
from tests.cluster.shell import Unavailable
from tests.integration.operator.user import APPLY, SCHEMAS, Refused, User
from tests.integration.operator.world import Body, Calls, World, operator

from hscjit_operator import metrics, names
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.kinds import Kind

OFTEN = {"discovery_s": 0.3}
GATEWAY = {"gatewayRef": {"name": "edge", "namespace": "gateways", "host": "support.example.com"}}
SUFFIXES = {
    "ServiceMonitor": "api",
    "PodMonitor": "worker",
    "PrometheusRule": "alerts",
    "GrafanaDashboard": "dashboard",
    "HTTPRoute": "api",
}
"""Kind → suffix of the child's name."""


class Cluster:
    """An API server on which the optional kinds can be installed and taken away."""

    def __init__(self, user: User, found: list[dict[str, Any]]) -> None:
        self._user = user
        self._schemas = {one["spec"]["names"]["kind"]: one for one in found}
        self.installed: set[str] = set()

    def install(self, *wanted: str) -> None:
        """Install the kinds named; all if none is."""
        for kind in wanted or tuple(SUFFIXES):
            body = self._schemas[kind]
            path = f"{SCHEMAS}/{body['metadata']['name']}?fieldManager=test&force=true"
            self._user.call("PATCH", path, body, APPLY)
            self.installed.add(kind)

    def remove(self, *wanted: str) -> None:
        """Take the kinds named away, with every object of theirs; all if none is named."""
        for kind in wanted or tuple(self.installed):
            self._user.call("DELETE", f"{SCHEMAS}/{self._schemas[kind]['metadata']['name']}")
            self.installed.discard(kind)

    def serves(self, kind: Kind) -> bool:
        """Tell whether objects of the kind can be listed."""
        try:
            self._user.call("GET", kind.collection(None))
        except Refused:
            return False
        return True


@pytest.fixture
def cluster(cluster_user: User) -> Iterator[Cluster]:
    """The API server of the run, without optional kinds before and after."""
    try:
        found = Cluster(cluster_user, schemas.optional_kinds(say))
    except Unavailable as lacking:
        pytest.skip(str(lacking))
    yield found
    found.remove()


async def until_served(world: World, cluster: Cluster, *, served: bool = True) -> None:
    async def settled() -> bool:
        return all(cluster.serves(kind) is served for kind in kinds.OPTIONAL)

    await world.until(settled)


async def all_there(world: World) -> dict[str, Body]:
    """Return the optional children that are there."""
    found = {kind: await world.get(kind, suffix) for kind, suffix in SUFFIXES.items()}
    return {kind: body for kind, body in found.items() if body is not None}


async def until_there(world: World, *wanted: str) -> None:
    """Wait until exactly the optional children of these kinds are there."""

    async def there() -> bool:
        return set(await all_there(world)) == set(wanted)

    await world.until(there)


async def test_children_come_and_go_with_their_kinds(world: World, cluster: Cluster):
    async with operator(world, **OFTEN):
        await world.create({"network": GATEWAY})
        await world.end_job(await world.job("mig"))
        await world.start("Degraded")
        told = await world.until_condition("Degraded", "KindNotServed", "True")
        assert "spec.network.gatewayRef" in told["message"]
        assert (await world.status())["endpoint"].endswith(".svc")

        cluster.install()
        await until_served(world, cluster)
        await until_there(world, *SUFFIXES)
        await world.until_condition("Degraded", "AllReady", "False")
        assert (await world.status())["endpoint"] == "https://support.example.com"

        cluster.remove()
        await until_served(world, cluster, served=False)
        await world.until_condition("Degraded", "KindNotServed", "True")

        cluster.install()
        await until_there(world, *SUFFIXES)
        await world.until_condition("Ready", "Answering")


async def test_a_kind_that_left_since_the_last_look_is_not_tried_over_and_over(
    world: World, cluster: Cluster
):
    cluster.install()
    await until_served(world, cluster)
    async with operator(world) as calls:  # which looks once a minute
        await world.settle(network=GATEWAY)
        await until_there(world, *SUFFIXES)
        cluster.remove()
        await until_served(world, cluster, served=False)
        await world.calm()
        calls.restart()

        elsewhere = GATEWAY["gatewayRef"] | {"host": "elsewhere.example.com"}
        await world.change({"network": {"gatewayRef": elsewhere}})
        await world.until_condition("Ready", "Answering")
        await asyncio.sleep(2.0)
        assert 1 <= calls.writes["PATCH", "HTTPRoute"] <= 3


async def test_settled_they_cost_nothing_and_a_restart_writes_nothing(
    world: World, cluster: Cluster
):
    """The defaults of the real schemas are written out, so that nothing seems to have changed."""
    cluster.install()
    await until_served(world, cluster)
    async with operator(world):
        await world.settle(network=GATEWAY)
        await until_there(world, *SUFFIXES)
        await world.calm()
        calls = Calls()
        await world.annotate({"example.com/note": "a pass, please"})
        await world.calm()
        assert not calls.writes
        assert not calls.reads

    async with operator(world) as calls:
        await world.calm()
        assert not calls.writes
        ledger = {"ConfigMap"}  # which a restarted autopilot reads once
        assert {kind for _, kind in calls.reads} - ledger == {kind.kind for kind in kinds.OPTIONAL}


async def test_each_can_be_switched_off_and_on(world: World, cluster: Cluster):
    cluster.install()
    await until_served(world, cluster)
    async with operator(world, **OFTEN):
        await world.settle(network=GATEWAY)
        await until_there(world, *SUFFIXES)

        off = {"serviceMonitor": "Off", "prometheusRule": "Off", "dashboards": "Off"}
        await world.patch("HSCJit", world.name, {"spec": {"monitoring": off, "network": None}})
        await until_there(world)

        on = {"monitoring": None, "network": GATEWAY}
        await world.patch("HSCJit", world.name, {"spec": on})
        await until_there(world, *SUFFIXES)


async def test_what_is_deleted_or_edited_is_restored_within_a_look(world: World, cluster: Cluster):
    cluster.install()
    await until_served(world, cluster)
    async with operator(world, **OFTEN):
        await world.settle(network=GATEWAY)
        await until_there(world, *SUFFIXES)
        made = await all_there(world)
        owner = made["HTTPRoute"]["metadata"]["labels"][names.LABEL_OWNER_UID]

        labels = {"metadata": {"labels": {names.LABEL_OWNER_UID: "x", "team": "theirs"}}}
        for kind, body in made.items():
            await world.patch(kind, body["metadata"]["name"], labels)

        async def mended() -> bool:
            held = [body["metadata"]["labels"] for body in (await all_there(world)).values()]
            return all(
                one["team"] == "theirs" and one[names.LABEL_OWNER_UID] == owner for one in held
            )

        await world.until(mended)
        for kind in SUFFIXES:
            told = {"kind": kind, "field": f"metadata.labels.{names.LABEL_OWNER_UID}"}
            assert metrics.REGISTRY.get_sample_value("hscjit_operator_drift_total", told)

        for kind, body in made.items():
            await world.delete(kind, body["metadata"]["name"])
        await until_there(world, *SUFFIXES)
        anew = await all_there(world)
        assert [k for k in made if made[k]["metadata"]["uid"] == anew[k]["metadata"]["uid"]] == []


async def test_a_strangers_object_is_left_alone(world: World, cluster: Cluster):
    cluster.install("PrometheusRule")
    theirs = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": f"{world.name}-alerts", "labels": {"team": "theirs"}},
        "spec": {"groups": []},
    }
    path = kinds.by_name("PrometheusRule").path(world.namespace)

    async def made() -> bool:
        try:
            await world.call("POST", path, theirs)
        except Refused:
            return False  # not served yet
        return True

    await world.until(made)
    async with operator(world):
        await world.create()
        told = await world.until_condition("Stalled", "NameConflict", "True")
        assert f"PrometheusRule {world.name}-alerts" in told["message"]
        found = await world.get("PrometheusRule", "alerts")
        assert found is not None
        assert found["spec"] == {"groups": []}


async def test_the_operators_own_monitoring_objects_are_taken(
    world: World, cluster: Cluster, tmp_path: Path
):
    cluster.install()
    await until_served(world, cluster)
    helm = tools.ensure(say).helm
    made = chart.render(helm, {"monitoring": {"enabled": True}}, tmp_path)
    found = [body for body in made if body["kind"] in SUFFIXES]
    assert {body["kind"] for body in found} == {"ServiceMonitor", "PrometheusRule"}
    for body in found:
        body["metadata"]["namespace"] = world.namespace
        path = kinds.of(body).path(world.namespace) + "?fieldValidation=Strict&dryRun=All"
        await world.call("POST", path, body)
