"""Rights that are missing, a server that goes away: said, survived, and healed by themselves."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import aiohttp
import pytest
from tests.cluster.ports import free_ports
from tests.integration.operator.world import World, operator

from hscjit_operator.assembly import Operator
from hscjit_operator.cluster import client
from hscjit_operator.settings import Settings

RULES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


@pytest.fixture
async def limited(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Let the operator be somebody without a right on ConfigMaps but to watch them."""
    everything = {"apiGroups": ["*"], "verbs": ["*"]}
    others = [
        {
            **everything,
            "resources": [
                "hscjits",
                "hscjits/status",
                "hscjits/finalizers",
                "services",
                "serviceaccounts",
                "persistentvolumeclaims",
                "secrets",
                "pods",
                "deployments",
                "statefulsets",
                "jobs",
                "cronjobs",
                "horizontalpodautoscalers",
                "poddisruptionbudgets",
                "networkpolicies",
                "ingresses",
                "events",
                "leases",
            ],
        },
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]},
        {"nonResourceURLs": ["*"], "verbs": ["get"]},
    ]
    name = f"limited-{world.namespace}"
    metadata = {"metadata": {"name": name}}
    await world.call("POST", RULES, {**metadata, "rules": others})
    subject = {"kind": "User", "name": "limited", "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "ClusterRole", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    await world.call("POST", BINDINGS, {**metadata, "subjects": [subject], "roleRef": role})
    # Impersonation: the admin's token, somebody else's rights.
    header = {"Impersonate-User": "limited"}
    request = aiohttp.ClientSession._request

    async def impersonated(self: aiohttp.ClientSession, *args: object, **kwargs: object) -> object:
        if self is not world.session:
            kwargs["headers"] = {**(kwargs.get("headers") or {}), **header}  # type: ignore[dict-item]
        return await request(self, *args, **kwargs)

    monkeypatch.setattr(aiohttp.ClientSession, "_request", impersonated)
    yield world
    await world.call("DELETE", f"{BINDINGS}/{name}")
    await world.call("DELETE", f"{RULES}/{name}")


async def test_a_missing_right_is_named_and_the_rest_goes_on(limited: World):
    world = limited
    async with operator(world):
        await world.create()
        told = await world.until_condition("Degraded", "Forbidden", "True")
        assert "PATCH ConfigMap support-" in told["message"]
        assert await world.get("StatefulSet", "postgres") is not None

        rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}
        path = f"{RULES}/limited-{world.namespace}"
        role = await world.call("GET", path)
        await world.call("PUT", path, {**role, "rules": [*role["rules"], rule]})
        await world.end_job(await world.job("mig"))
        await world.start()


async def test_the_endpoints_tell_of_life_readiness_and_numbers(world: World):
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    async with operator(world, port=port), aiohttp.ClientSession() as session:

        async def ready() -> bool:
            async with session.get(f"{url}/readyz") as answer:
                return answer.status == 200

        await world.create()
        await world.until(ready)
        await world.until_condition("Ready", "Progressing")
        async with session.get(f"{url}/healthz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok")
        async with session.get(f"{url}/metrics") as answer:
            text = await answer.text()
        assert 'hscjit_operator_writes_total{kind="Service",reason="create",verb="APPLY"}' in text
        assert "hscjit_operator_watches_synced 1.0" in text
        whose = f'name="{world.name}",namespace="{world.namespace}"'
        assert f'{{condition="Ready",{whose},reason="Progressing"}} 0.0' in text


async def test_a_prometheus_is_told_of_every_running_pod_with_metrics(world: World):
    (port,) = free_ports(1)
    async with operator(world, port=port), aiohttp.ClientSession() as session:

        async def targets() -> Any:
            async with session.get(f"http://127.0.0.1:{port}/targets") as answer:
                return await answer.json()

        await world.settle()
        running = {"status": {"phase": "Running", "podIP": "10.0.0.9"}}
        for kind, component in (("StatefulSet", "postgres"), ("Deployment", "worker")):
            owner = await world.until(partial(world.get, kind, component))
            await world.patch("Pod", await world.make_pod(owner), running, "status")

        (told,) = await world.until(targets)
        assert told == {
            "targets": ["10.0.0.9:8001"],
            "labels": {
                "namespace": world.namespace,
                "name": world.name,
                "component": "worker",
                "pod": f"{world.name}-worker-pod",
            },
        }


async def test_without_an_api_server_it_is_alive_and_not_ready():
    (port, nobody) = free_ports(2)
    configuration = client.Configuration(host=f"http://127.0.0.1:{nobody}")
    settings = Settings("a:1", "r:1", "p:1", host="127.0.0.1", port=port, resync_s=0.2)
    stop = asyncio.Event()
    running = asyncio.create_task(Operator(settings, configuration).run(stop))
    try:
        await asyncio.sleep(1.0)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
                assert answer.status == 200
            async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                assert answer.status == 503
                assert "HSCJit" in await answer.text()
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)
