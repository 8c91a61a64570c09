"""What users and machines ask over HTTP, and what they are answered."""

import pytest
from tests.integration.alone.asgi import ASK
from tests.integration.alone.conftest import ADMIN_TOKEN

from hscjit_app import metrics

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_fresh_process_is_healthy_and_ready(app):
    assert (await app.request("GET", "/health")).json == {"status": "ok"}
    ready = await app.request("GET", "/ready")

    assert ready.status == 200
    assert ready.json["ready"] is True
    assert ready.json["degraded"] == []
    assert ready.json["catalog"]["products"] >= 60


async def test_who_asks_is_found_out_without_a_thread(app, monkeypatch):
    """FastAPI hands a plain function that a route depends on to one, with every request."""

    async def handed(*_, **__):
        pytest.fail("Handed to a thread")

    monkeypatch.setattr("anyio.to_thread.run_sync", handed)

    assert (await app.request("GET", "/ready")).status == 200
    assert (await app.request("GET", "/api/conversation")).status == 401
    warmed = await app.request("POST", "/admin/cache-warm?limit=1", bearer=ADMIN_TOKEN)
    assert warmed.status == 200


async def test_metrics_have_the_promised_names(app):
    text = (await app.request("GET", "/metrics")).body.decode()

    for name in (
        "websocket_active_connections 0.0",
        'http_requests_total{code="5xx"}',
        "inflight_requests 0.0",
        "prediction_latency_seconds_bucket",
        "answer_generation_seconds_bucket",
        "event_loop_lag_seconds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        'dependency_up{dependency="database"} 1.0',
        "worker_task_started_timestamp_seconds",
        "background_tasks_active",
        'hscjit_app_info{component="api"',
    ):
        assert name in text, name


async def test_probes_are_not_counted_but_users_requests_are(app):
    def count(code):
        return metrics.REGISTRY.get_sample_value("http_requests_total", {"code": code})

    good, bad = count("2xx"), count("4xx")
    await app.request("GET", "/health")
    await app.request("GET", "/ready")
    assert (count("2xx"), count("4xx")) == (good, bad)

    await app.request("GET", "/api/products")
    await app.request("GET", "/api/products/nothing")
    assert (count("2xx"), count("4xx")) == (good + 1, bad + 1)


async def test_products_can_be_listed_searched_and_read(app):
    page = (await app.request("GET", "/api/products?limit=3")).json
    found = (await app.request("GET", "/api/products/search?q=rolnd%20td17")).json["matches"]
    one = (await app.request("GET", f"/api/products/{found[0]['product']['id']}")).json

    assert len(page["products"]) == 3
    assert page["total"] >= 60
    assert found[0]["product"]["name"].startswith("Roland TD-17")
    assert one["brand"]["name"] == "Roland"
    assert one["has_manual"] is True


BAD = {
    "unknown product": ("GET", "/api/products/nothing", 404, "unknown_product"),
    "unknown route": ("GET", "/nothing", 404, "not_found"),
    "wrong method": ("PUT", "/api/products", 405, "method_not_allowed"),
    "limit too large": ("GET", "/api/products?limit=1000", 400, "malformed"),
    "no session": ("GET", "/api/conversation", 401, "not_allowed"),
    "no admin token": ("POST", "/admin/cache-warm", 401, "not_allowed"),
}


@pytest.mark.parametrize(("method", "path", "status", "code"), BAD.values(), ids=BAD)
async def test_a_refusal_has_a_code_and_a_message(app, method, path, status, code):
    answer = await app.request(method, path)

    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert answer.json["error"]["message"]


TOKENS = {
    "right": (ADMIN_TOKEN, 200),
    "wrong": ("let-me-out", 401),
    "a prefix": (ADMIN_TOKEN[:-1], 401),
    "empty": ("", 401),
    "not ASCII": ("ünlucky", 401),
}


@pytest.mark.parametrize(("token", "status"), TOKENS.values(), ids=TOKENS)
async def test_only_the_administrator_warms(app, token, status):
    answer = await app.request("POST", "/admin/cache-warm?limit=1", bearer=token)

    assert answer.status == status


async def test_warming_has_manuals_fetched(app):
    first = (await app.request("POST", "/admin/cache-warm?limit=2", bearer=ADMIN_TOKEN)).json
    assert sum(first["manuals"].values()) == 2
    assert first["catalog_error"] is None

    manuals = app.state["services"].manuals
    products = list(app.state["services"].catalog.current.products)[:2]
    states = [await manuals.ensure_manual(product, wait_s=20) for product in products]

    assert [state.status for state in states] == ["ready", "ready"]


async def test_the_page_obeys_its_own_policy(app):
    page = await app.request("GET", "/")
    text = page.body.decode()

    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    assert "style=" not in text
    assert "<script>" not in text
    assert "onclick" not in text


FILES = {
    "app.js": ("/web/app.js", 200, "text/javascript"),
    "style.css": ("/web/style.css", 200, "text/css"),
    "icon": ("/favicon.ico", 200, "image/svg+xml"),
    "unknown": ("/web/other.js", 404, "application/json"),
    "a way out": ("/web/..%2fmain.py", 404, "application/json"),
}


@pytest.mark.parametrize(("path", "status", "media_type"), FILES.values(), ids=FILES)
async def test_the_pages_files(app, path, status, media_type):
    answer = await app.request("GET", path)

    assert answer.status == status
    assert answer.headers["content-type"].startswith(media_type)


async def test_a_conversation_is_its_owners_alone(app):
    session, (frames,) = await app.conversation()
    answer_id = frames[-1]["id"]
    said = "".join(f["content"] for f in frames if f["type"] == "answer_chunk")
    other = app.state["services"].signer.new().secret

    kept = (await app.request("GET", "/api/conversation", bearer=session)).json
    assert [m["role"] for m in kept["messages"]] == ["user", "assistant"]
    assert kept["messages"][0]["content"] == ASK["query"]
    assert kept["messages"][1]["content"] == said
    assert kept["messages"][1]["sources"][0]["page"] >= 1
    assert kept["product_id"] == "roland-td17kv"

    export = await app.request("GET", "/api/conversation/export", bearer=session)
    assert "attachment" in export.headers["content-disposition"]
    assert export.json == kept

    rating = {"message_id": answer_id, "rating": 1, "comment": "good"}
    assert (await app.request("POST", "/api/feedback", bearer=other, body=rating)).status == 404
    assert (await app.request("POST", "/api/feedback", bearer=session, body=rating)).status == 204
    too_good = {**rating, "rating": 5}
    assert (await app.request("POST", "/api/feedback", bearer=session, body=too_good)).status == 400

    assert (await app.request("GET", "/api/conversation", bearer=other)).status == 404
    assert (await app.request("DELETE", "/api/conversation", bearer=other)).status == 404
    assert (await app.request("DELETE", "/api/conversation", bearer=session)).status == 204
    assert (await app.request("GET", "/api/conversation", bearer=session)).status == 404


async def test_a_database_that_is_away_is_said_with_a_time_to_come_back(app, monkeypatch):
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415

    async def away(*_):
        raise OperationalError("SELECT", {}, OSError("gone"))

    monkeypatch.setattr(app.state["services"].conversations, "read", away)
    secret = app.state["services"].signer.new().secret
    answer = await app.request("GET", "/api/conversation", bearer=secret)

    assert (answer.status, answer.json["error"]["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "5"
