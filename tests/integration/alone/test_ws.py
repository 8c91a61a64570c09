"""A customer on a socket: keystrokes, questions, losses, and what is refused."""

import pytest
from tests.integration.alone import asgi
from tests.integration.alone.asgi import ASK, HELLO

from hscjit_app import metrics
from hscjit_app.ws import limits
from hscjit_app.ws.protocol import MAX_MESSAGE_BYTES, OTHER_VERSION, VERSION

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_typing_is_answered_with_the_products_meant(app):
    async with app.socket() as socket:
        socket.send({"type": "typing", "content": "rolnd td17"})
        frame = await socket.receive()

    best = frame["data"][0]
    assert frame["type"] == "prediction"
    assert frame["content"] == "rolnd td17"
    assert best["product"]["name"].startswith("Roland TD-17")
    assert best["brand"] == {"id": "roland", "name": "Roland", "website": "https://www.roland.com"}
    assert 0.8 < best["confidence"] <= 1
    assert "Roland" in best["match_text"]
    assert best["context"]["has_manual"] is True


async def test_only_the_newest_keystroke_is_answered(app):
    async with app.socket() as socket:
        for text in ("m", "mo", "moo", "moog"):
            socket.send({"type": "typing", "content": text})
        frame = await socket.receive()
        socket.send({"type": "typing", "content": "nord"})
        following = await socket.receive()

    assert (frame["content"], following["content"]) == ("moog", "nord")


async def test_a_question_may_name_its_product_and_the_next_is_about_it_too(app):
    async with app.socket() as socket:
        socket.send({"type": "query", "query": "what about MIDI?"})
        nameless = await socket.receive()
        socket.send({"type": "query", "query": "factory reset of the td-17kv"})
        named = (await socket.until("answer_done", "error"))[0]
        socket.send({"type": "query", "query": "what about MIDI?"})
        following = (await socket.until("answer_done", "error"))[0]

    assert (nameless["type"], nameless["code"]) == ("error", "which_product")
    assert named["product"]["id"] == "roland-td17kv"
    assert following["product"]["id"] == "roland-td17kv"


async def test_a_locked_product_stays_whatever_the_question_names(app):
    async with app.socket() as socket:
        socket.send({**ASK, "type": "lock_and_query"})
        await socket.until("answer_done", "error")
        socket.send({"type": "query", "query": "can I connect a moog grandmother?"})
        following = (await socket.until("answer_done", "error"))[0]

    assert following["product"]["id"] == "roland-td17kv"


async def test_what_no_manual_says_is_said_to_have_no_source(app):
    async with app.socket() as socket:
        socket.send({**ASK, "query": "who won the world cup in 1998?"})
        frames = await socket.until("answer_done", "error")

    text = "".join(f["content"] for f in frames if f["type"] == "answer_chunk")
    assert next(f for f in frames if f["type"] == "context")["sources"] == []
    assert "no source" in text


async def test_who_reconnects_gets_every_later_frame_once(app):
    async with app.socket() as socket:
        socket.send(HELLO)
        session = (await socket.receive("welcome"))["session"]
        socket.send(ASK)
        before = [await socket.receive() for _ in range(3)]

    async with app.socket() as socket:
        socket.send({**HELLO, "session": session, "last_id": f"{before[2]['id']}.3"})
        welcome = await socket.receive()
        after = await socket.until("answer_done", "error")

    assert welcome == {"type": "welcome", "session": session, "resumed": True, "version": 1}
    assert [f["seq"] for f in before + after] == list(range(1, len(before + after) + 1))
    assert after[-1]["type"] == "answer_done"


async def test_a_reload_without_last_id_gets_the_whole_conversation_in_order(app):
    session, answers = await app.conversation(ASK["query"], "how do I do a factory reset?")

    async with app.socket() as socket:
        socket.send({**HELLO, "session": session})
        await socket.receive("welcome")
        again = await socket.until("answer_done") + await socket.until("answer_done")

    assert again == [frame for answer in answers for frame in answer]


LAST_IDS = {
    "of nobody yet": (f"{'f' * 32}.7", "ahead", False),
    "of long ago": (f"{'0' * 32}.7", "history_gone", False),
    "no id of ours": ("zebra.7", "history_gone", False),
    "of a frame that was never sent": ("{answer}.999", "ahead", True),
}


@pytest.mark.parametrize(("last_id", "reason", "named"), LAST_IDS.values(), ids=LAST_IDS)
async def test_who_has_what_is_not_kept_is_told_and_gets_what_is(app, last_id, reason, named):
    session, (first,) = await app.conversation()
    answer = first[0]["id"]

    async with app.socket() as socket:
        socket.send({**HELLO, "session": session, "last_id": last_id.format(answer=answer)})
        welcome, told, *again = await socket.until("answer_done", "error")

    assert welcome["resumed"] is True
    assert (told["type"], told["reason"]) == ("resync_required", reason)
    assert told.get("id", "") == (answer if named else "")
    assert again == first


async def test_who_has_everything_gets_nothing_again_and_goes_on(app):
    session, (first,) = await app.conversation()

    async with app.socket() as socket:
        last_id = f"{first[-1]['id']}.{first[-1]['seq']}"
        socket.send({**HELLO, "session": session, "last_id": last_id})
        await socket.receive("welcome")
        socket.send(ASK)
        second = await socket.until("answer_done", "error")

    assert {f["id"] for f in second}.isdisjoint({first[0]["id"]})
    assert [f["seq"] for f in second] == list(range(1, len(second) + 1))


async def test_a_question_sent_again_under_its_name_is_answered_once(app):
    async with app.socket() as socket:
        socket.send(HELLO)
        session = (await socket.receive("welcome"))["session"]
        socket.send({**ASK, "ref": "q1"})
        socket.send({**ASK, "ref": "q1"})
        socket.send({**ASK, "ref": "q2"})
        frames = await socket.until("answer_done") + await socket.until("answer_done")

    async with app.socket() as socket:
        socket.send({**HELLO, "session": session})
        await socket.receive("welcome")
        again = await socket.until("answer_done") + await socket.until("answer_done")

    assert [f["ref"] for f in frames if f.get("state") == "accepted"] == ["q1", "q2"]
    assert again == frames


async def test_a_strangers_session_opens_a_new_conversation(app):
    async with app.socket() as socket:
        socket.send({**HELLO, "session": f"{'0' * 32}.{'0' * 64}"})
        welcome, told = await socket.receive(), await socket.receive()

    assert welcome["resumed"] is False
    assert welcome["session"] != f"{'0' * 32}.{'0' * 64}"
    assert (told["type"], told["reason"]) == ("resync_required", "session")


async def test_a_second_hello_is_refused(app):
    async with app.socket() as socket:
        socket.send(HELLO)
        socket.send(HELLO)
        frames = [await socket.receive(), await socket.receive()]

    assert [f["type"] for f in frames] == ["welcome", "error"]


MALFORMED = {
    "not JSON": ("{", "malformed", "JSON"),
    "no type": ("{}", "malformed", "type"),
    "unknown type": ('{"type": "shout"}', "malformed", "shout"),
    "an unknown field": (
        '{"type": "typing", "content": "a", "loud": true}',
        "malformed",
        "typing.loud",
    ),
    "a wrong type": ('{"type": "typing", "content": 7}', "malformed", "typing.content"),
    "an empty question": ('{"type": "query", "query": " "}', "malformed", "query.query"),
    "what no database can hold": (
        r'{"type": "query", "query": "a\u0000b"}',
        "malformed",
        "query.query",
    ),
    "no version": ('{"type": "hello"}', "malformed", "hello.version"),
    "another version": ('{"type": "hello", "version": 2}', "unknown_version", "version 1"),
    "a hello of another version": (
        '{"type": "hello", "new": 1, "version": 2}',
        "unknown_version",
        "version 1",
    ),
    "a list": ("[]", "malformed", ""),
    "an unknown product": (
        '{"type": "query", "query": "a", "product_id": "x"}',
        "unknown_product",
        "'x'",
    ),
    "too large": (f'{{"type": "typing", "content": "{"a" * MAX_MESSAGE_BYTES}"}}', "too_large", ""),
    "too large in bytes": (f'{{"content": "{"ä" * (MAX_MESSAGE_BYTES // 2)}"}}', "too_large", ""),
}


@pytest.mark.parametrize(("text", "code", "names"), MALFORMED.values(), ids=MALFORMED)
async def test_a_bad_message_is_answered_and_the_socket_stays(app, text, code, names):
    async with app.socket() as socket:
        socket.send(text)
        refusal = await socket.receive()
        socket.send({"type": "typing", "content": "moog"})
        following = await socket.receive()

    assert (refusal["type"], refusal["code"]) == ("error", code)
    assert names in refusal["message"]
    assert refusal.get("version") == (VERSION if code == OTHER_VERSION else None)
    assert following["type"] == "prediction"


async def test_a_binary_frame_is_answered_and_the_socket_stays(app):
    async with app.socket() as socket:
        socket.send_bytes(b"\x00")
        refusal = await socket.receive()
        socket.send(HELLO)
        following = await socket.receive()

    assert (refusal["code"], following["type"]) == ("malformed", "welcome")


async def test_too_fast_is_told_when_to_come_back(app):
    async with app.socket() as socket:
        for _ in range(int(limits.MESSAGES_BURST) + 1):
            socket.send({"type": "typing", "content": "moog"})
        refusal = await socket.receive("error")

    assert refusal["code"] == "too_fast"
    assert 0 < refusal["retry_after"] <= 1 / limits.MESSAGES_PER_S


async def test_abuse_ends_the_socket(app):
    async with app.socket() as socket:
        for _ in range(int(limits.REFUSALS_BURST) + 1):
            socket.send("{")
        await socket.rest()

        assert socket.closed == 1008


ORIGINS = {
    "no browser": (None, True),
    "our own page": ("http://support.example", True),
    "an origin of the settings": ("https://shop.example", True),
    "another site": ("https://evil.example", False),
    "a site that begins like ours": ("http://support.example.evil.example", False),
    "a sandboxed page": ("null", False),
}


@pytest.mark.parametrize(("origin", "allowed"), ORIGINS.values(), ids=ORIGINS)
async def test_pages_of_other_sites_get_no_socket(app, origin, allowed):
    try:
        async with app.socket(origin=origin) as socket:
            socket.send(HELLO)
            assert (await socket.receive())["type"] == "welcome"
            got_in = True
    except asgi.Refused:
        got_in = False

    assert got_in == allowed


async def test_open_sockets_are_counted(app):
    async with app.socket(), app.socket() as socket:
        socket.send(HELLO)
        await socket.receive()
        assert metrics.REGISTRY.get_sample_value("websocket_active_connections") == 2
    assert metrics.REGISTRY.get_sample_value("websocket_active_connections") == 0


async def test_an_answer_that_fails_ends_with_an_error_frame(app, monkeypatch):
    async def broken(*_, **__):
        raise KeyError("a bug")

    monkeypatch.setattr(app.state["services"].manuals, "search", broken)
    async with app.socket() as socket:
        socket.send(ASK)
        frames = await socket.until("answer_done", "error")

    assert frames[-1]["code"] == "internal"
    assert frames[-1]["id"] == frames[0]["id"]
    assert "bug" not in frames[-1]["message"]


async def test_a_product_without_a_manual_is_said_so(app):
    services = app.state["services"]
    product = next(p for p in services.catalog.current.products.values() if p.manual_url is None)
    async with app.socket() as socket:
        socket.send({"type": "query", "query": "hello?", "product_id": product.id})
        frames = await socket.until("answer_done", "error")

    assert frames[-1]["code"] == "manual_unavailable"
