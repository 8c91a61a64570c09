"""A process from its first moment to its last: each test has an app of its own."""

import asyncio

import pytest
from tests.integration.alone import asgi
from tests.integration.alone.asgi import ASK, HELLO

from hscjit_app import metrics
from hscjit_app.ws import following, limits

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_process_is_ready_as_soon_as_it_can_be_asked(settings):
    """A probe that came too early would come again after its period only."""
    async with asgi.running(settings) as app:
        ready = await app.request("GET", "/ready")

    assert (ready.status, ready.json["degraded"]) == (200, [])


async def test_a_draining_process_is_healthy_but_not_ready(own_app):
    own_app.state["services"].draining = True

    assert (await own_app.request("GET", "/health")).status == 200
    assert (await own_app.request("GET", "/ready")).status == 503


async def test_a_lost_dependency_degrades_and_keeps_ready(settings, monkeypatch):
    monkeypatch.setattr("hscjit_app.dependencies.PERIOD_S", 3600)  # nobody checks but this test
    async with asgi.running(settings) as app:
        dependencies = app.state["services"].dependencies
        await dependencies.check_once()

        async def away():
            raise OSError

        dependencies._checks["database"] = away
        await dependencies.check_once()
        ready = await app.request("GET", "/ready")
        assert ready.json["degraded"] == []  # one slow answer is none
        await dependencies.check_once()
        ready = await app.request("GET", "/ready")

    assert (ready.status, ready.json["degraded"]) == (200, ["database"])
    assert metrics.REGISTRY.get_sample_value("dependency_up", {"dependency": "database"}) == 0


async def test_not_ready_before_each_dependency_was_met(settings, monkeypatch):
    async def away(_):
        raise OSError

    monkeypatch.setattr("hscjit_app.db.session.Database.ping", away)
    async with asgi.running(settings) as app:
        ready = await app.request("GET", "/ready")

    assert (ready.status, ready.json["degraded"]) == (503, ["database"])


async def test_a_question_is_answered_from_a_page(own_app):
    async with own_app.socket() as socket:
        socket.send(ASK)
        frames = await socket.until("answer_done", "error")

    assert frames[-1]["type"] == "answer_done"
    assert [f["seq"] for f in frames] == list(range(1, len(frames) + 1))
    assert len({f["id"] for f in frames}) == 1
    assert frames[0]["state"] == "accepted"
    assert "fetching" in [f.get("state") for f in frames]
    text = "".join(f["content"] for f in frames if f["type"] == "answer_chunk")
    context = next(f for f in frames if f["type"] == "context")
    page = context["sources"][0]["page"]
    assert "kick" in text.lower()
    assert f"p. {page}]" in text
    assert context["brand"]["id"] == "roland"


async def test_a_session_has_a_budget_of_questions_over_all_its_sockets(own_app):
    own_app.state["lobby"].questions = limits.Buckets(0.01, 1)
    session, _ = await own_app.conversation()
    async with own_app.socket() as socket:
        socket.send({**HELLO, "session": session, "last_id": f"{'f' * 32}.1"})
        await socket.receive("welcome")
        socket.send(ASK)
        refusal = await socket.receive("error")

    assert refusal["code"] == "too_fast"
    assert 0 < refusal["retry_after"] <= 100


async def test_an_address_behind_a_trusted_proxy_has_a_limit_of_sockets(own_app):
    own_app.state["lobby"].addresses = limits.Addresses(most=1)
    async with own_app.socket(forwarded="203.0.113.7"), own_app.socket(forwarded="203.0.113.8"):
        with pytest.raises(asgi.Refused):
            async with own_app.socket(forwarded="203.0.113.7"):
                pass
    async with own_app.socket(forwarded="203.0.113.7"):
        pass


async def test_a_drain_finishes_answers_tells_sockets_to_move_and_takes_no_question(own_app):
    lobby = own_app.state["lobby"]
    async with own_app.socket() as idle, own_app.socket() as asking:
        asking.send(ASK)
        frames = [await asking.receive()]
        drain = asyncio.create_task(lobby.drain(within_s=10))
        await idle.rest()
        frames += await asking.rest()
        await drain

    assert (idle.closed, asking.closed) == (1012, 1012)
    assert [f["type"] for f in frames[-2:]] == ["answer_done", "status"]
    assert frames[-1]["state"] == "moving"
    assert "id" not in frames[-1]


async def test_an_answer_nobody_writes_any_more_ends_with_an_error(own_app, monkeypatch):
    """Its pod was killed: whoever resumes elsewhere is told, and not left waiting."""
    monkeypatch.setattr(following, "SILENCE_S", 0.1)
    services = own_app.state["services"]
    session = services.signer.new()
    claim = await services.streams.claim(session.id, "a1")
    await services.streams.append(claim, 1, '{"id":"a1","seq":1,"type":"status"}')
    async with own_app.socket() as socket:
        socket.send({**HELLO, "session": session.secret})
        frames = await socket.until("error")

    assert [f["type"] for f in frames] == ["welcome", "status", "error"]
    assert (frames[-1]["code"], frames[-1]["id"]) == ("interrupted", "a1")
    assert "seq" not in frames[-1]
