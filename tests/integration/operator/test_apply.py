"""How a child is first made: in one call, and never over what somebody else has made."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from tests.integration.operator.world import Calls, World
from tests.unit.operator.manifests.builders import hscjit, inputs
from tests.webserver import serving

from hscjit_operator import manifests, names
from hscjit_operator.cluster import client, kinds
from hscjit_operator.cluster.answers import BEGINS
from hscjit_operator.cluster.apply import Applier, NameConflict
from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.errors import ApiError
from hscjit_operator.cluster.observe import Children

EDGE = {"className": "nginx", "host": "support.example.com"}


def of_every_kind(namespace: str) -> dict[str, Mapping[str, Any]]:
    """Return one child of each watched kind that we make."""
    app = replace(hscjit({"network": {"ingress": EDGE}}), namespace=namespace)
    made = manifests.desired(app, inputs())
    made += manifests.desired(app, inputs(workload=False))  # the migration Job
    return {child["kind"]: child for child in made}


@asynccontextmanager
async def applier(configuration: client.Configuration) -> AsyncIterator[tuple[Api, Applier]]:
    api = Api(configuration, writes_in_flight=4, timeout_s=10.0)
    try:
        yield api, Applier(api, Children(lambda _key: None))
    finally:
        await api.close()


async def test_what_is_not_there_is_made_in_one_call_and_what_is_there_is_left_alone(world: World):
    found = await client.configuration(str(world.user.server.kubeconfig))
    children = of_every_kind(world.namespace)
    assert children.keys() == {kind.kind for kind in kinds.WATCHED} - {"Pod"}
    async with applier(found) as (api, ours):
        for kind, child in children.items():
            uid = child["metadata"]["labels"][names.LABEL_OWNER_UID]
            calls = Calls()
            made = await ours.apply(child, None, uid, reason="test")
            assert calls.counted == {("PATCH", kind): 1}

            # The watch has not shown it yet: it is known for ours, and as it was.
            again = await ours.apply(child, None, uid, reason="test")
            assert (again.uid, again.digest) == (made.uid, made.digest)

            name = child["metadata"]["name"]
            await world.delete(kind, name)
            theirs = {**child, "metadata": {"name": name, "labels": {"team": "theirs"}}}
            stood = await world.call("POST", kinds.of(child).path(world.namespace), theirs)
            for taken in (False, True):
                with pytest.raises(NameConflict):
                    await ours.apply(child, None, uid, reason="test", taken=taken)
            assert await api.get(kinds.of(child), world.namespace, name) == stood


async def test_a_service_gets_the_address_it_had_but_never_takes_anothers_place(world: World):
    found = await client.configuration(str(world.user.server.kubeconfig))
    child = of_every_kind(world.namespace)["Service"]
    uid = child["metadata"]["labels"][names.LABEL_OWNER_UID]
    async with applier(found) as (api, ours):
        made = await ours.apply(child, None, uid, reason="test")
        first = await api.get(kinds.SERVICE, world.namespace, made.name)
        assert first is not None
        address = first["spec"]["clusterIP"]
        await world.delete("Service", made.name)

        anew = await ours.apply(child, None, uid, reason="test", address=address)
        second = await api.get(kinds.SERVICE, world.namespace, made.name)
        assert second is not None
        assert (second["spec"]["clusterIP"], anew.digest) == (address, made.digest)
        await world.delete("Service", made.name)

        other = {"metadata": {"name": "other"}, "spec": {**first["spec"], "selector": {"a": "b"}}}
        await world.call("POST", kinds.SERVICE.path(world.namespace), other)
        await ours.apply(child, None, uid, reason="test", address=address)
        third = await api.get(kinds.SERVICE, world.namespace, made.name)
        assert third is not None
        assert third["spec"]["clusterIP"] != address
        await world.delete("Service", made.name)

        theirs = {"metadata": {"name": made.name}, "spec": {"ports": [{"port": 80}]}}
        stood = await world.call("POST", kinds.SERVICE.path(world.namespace), theirs)
        with pytest.raises(NameConflict):
            await ours.apply(child, None, uid, reason="test", address="10.96.0.77")
        assert await api.get(kinds.SERVICE, world.namespace, made.name) == stood


async def test_a_server_that_takes_no_version_for_what_is_not_there_is_asked_and_told_again():
    """No API server of today does that; the contract holds even if one of tomorrow does."""
    child = of_every_kind("shop")["ConfigMap"]
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.method)
        if request.method == "GET":
            return web.json_response({"reason": "NotFound"}, status=404)
        body = json.loads(await request.text())
        if "resourceVersion" in body["metadata"]:
            return web.json_response({"reason": "Conflict"}, status=409)
        body["metadata"] |= {"uid": "new", "resourceVersion": "7"}
        return web.json_response(body, status=201)

    async with (
        serving(web.route("*", "/{path:.*}", answer)) as address,
        applier(client.Configuration(host=address)) as (_, ours),
    ):
        made = await ours.apply(child, None, "uid", reason="test")
    assert (made.uid, asked) == ("new", ["PATCH", "GET", "PATCH"])


async def test_any_other_refusal_is_told(world: World):
    found = await client.configuration(str(world.user.server.kubeconfig))
    child = of_every_kind(world.namespace)["ConfigMap"]
    wrong = {**child, "metadata": {**child["metadata"], "namespace": "nowhere"}}
    async with applier(found) as (_, ours):
        with pytest.raises(ApiError, match="404 NotFound"):
            await ours.apply(wrong, None, "uid", reason="test")


async def test_an_echo_of_each_kind_is_known_without_reading_it(world: World):
    """The API server writes events about its own kinds so that their beginning tells enough."""
    found = await client.configuration(str(world.user.server.kubeconfig))
    children = Children(lambda _key: None)
    api = Api(found, writes_in_flight=4, timeout_s=10.0)
    try:
        ours = Applier(api, children)
        for kind, child in of_every_kind(world.namespace).items():
            uid = child["metadata"]["labels"][names.LABEL_OWNER_UID]
            made = await ours.apply(child, None, uid, reason="test")
            path = f"{kinds.of(child).path(world.namespace)}?watch=true&resourceVersion=0"
            async with world.session.get(path) as answer:
                line = await answer.content.readline()
            known = BEGINS.match(line)
            assert known is not None, line[:400]
            assert (known[1].decode(), int(known[2])) == (made.uid, made.version)
            assert children.is_echo(made.uid, made.version), kind
    finally:
        await api.close()
