"""How the operator's client takes an API server's refusals: it waits, says why, or gives up."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from tests.cluster.ports import free_ports
from tests.webserver import serving

from hscjit_operator.cluster import client, errors, kinds
from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.errors import ApiError

Handler = Callable[[web.Request], web.Response]


def status(code: int, reason: str, message: str = "", **details: Any) -> web.Response:
    body = {"kind": "Status", "reason": reason, "message": message, "details": details}
    return web.json_response(body, status=code)


@pytest.fixture
async def served() -> AsyncIterator[tuple[Api, list[Handler], list[web.Request]]]:
    """A server that answers each request as the next handler says; the last one stays."""
    handlers: list[Handler] = []
    requests: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        requests.append(request)
        return (handlers.pop(0) if len(handlers) > 1 else handlers[0])(request)

    async with serving(web.route("*", "/{path:.*}", answer)) as address:
        configuration = client.Configuration(host=address)
        api = Api(configuration, writes_in_flight=2, timeout_s=0.5)
        yield api, handlers, requests
        await api.close()


def throttled(_request: web.Request) -> web.Response:
    answer = status(429, "TooManyRequests", "slow down")
    answer.headers["Retry-After"] = "0.05"
    return answer


def fine(_request: web.Request) -> web.Response:
    return web.json_response({"metadata": {"name": "x"}})


MANIFEST = {"metadata": {"namespace": "shop", "name": "x"}}


async def test_an_apply_is_forced_and_signed(served):
    api, handlers, requests = served
    handlers.append(fine)
    await api.apply(kinds.SERVICE, MANIFEST, reason="test")

    (request,) = requests
    assert request.path == "/api/v1/namespaces/shop/services/x"
    assert dict(request.query) == {"fieldManager": "hscjit-operator", "force": "true"}
    assert request.content_type == "application/apply-patch+yaml"
    assert json.loads(await request.text()) == MANIFEST


async def test_a_throttled_call_waits_and_comes_back(served):
    api, handlers, requests = served
    handlers += [throttled, throttled, fine]
    assert await api.get(kinds.SERVICE, "shop", "x") == {"metadata": {"name": "x"}}
    assert len(requests) == 3


async def test_it_does_not_come_back_for_ever(served):
    api, handlers, requests = served
    handlers.append(throttled)
    with pytest.raises(ApiError, match="429 TooManyRequests: slow down"):
        await api.get(kinds.SERVICE, "shop", "x")
    assert len(requests) == 4


async def test_an_eviction_that_a_budget_refuses_is_not_tried_again(served):
    api, handlers, requests = served
    handlers.append(throttled)
    with pytest.raises(ApiError) as refused:
        await api.evict("shop", "p", uid="u")
    assert (refused.value.code, len(requests)) == (errors.TOO_MANY, 1)
    assert json.loads(await requests[0].text())["deleteOptions"]["preconditions"] == {"uid": "u"}


async def test_a_refusal_names_the_fields_and_is_cut(served):
    api, handlers, _ = served
    causes = [{"field": "spec.replicas", "message": "no"}]
    handlers.append(lambda _: status(422, "Invalid", "x" * 1000, causes=causes))
    with pytest.raises(ApiError) as refused:
        await api.apply(kinds.SERVICE, MANIFEST, reason="test")
    assert refused.value.causes == (("spec.replicas", "no"),)
    assert (refused.value.reason, len(refused.value.message)) == ("Invalid", 256)


async def test_a_proxys_answer_is_no_status_object_and_still_told(served):
    api, handlers, _ = served
    handlers.append(lambda _: web.Response(status=502, text="<html>bad gateway"))
    with pytest.raises(ApiError, match="502 Unknown: <html>bad gateway"):
        await api.get(kinds.SERVICE, "shop", "x")


async def test_what_is_not_there_is_none_and_what_is_gone_is_deleted(served):
    api, handlers, requests = served
    handlers.append(lambda _: status(404, "NotFound"))
    assert await api.get(kinds.SERVICE, "shop", "x") is None
    assert not await api.serves(kinds.HSCJIT)
    await api.delete(kinds.SERVICE, "shop", "x", uid="u", reason="test")
    assert json.loads(await requests[-1].text())["preconditions"] == {"uid": "u"}


async def test_nobody_there_is_an_error_like_any_other():
    (port,) = free_ports(1)
    configuration = client.Configuration(host=f"http://127.0.0.1:{port}")
    api = Api(configuration, writes_in_flight=1, timeout_s=0.5)
    try:
        with pytest.raises(ApiError, match="Unreachable") as refused:
            await api.get(kinds.SERVICE, "shop", "x")
        assert refused.value.code == errors.UNREACHED
    finally:
        await api.close()
