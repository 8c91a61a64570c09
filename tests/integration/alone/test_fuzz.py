"""Whatever is sent to a socket or a route: a clear answer or a clean close, and others unharmed."""

import json
import string

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hscjit_app.ws.schema import schema

pytestmark = pytest.mark.asyncio(loop_scope="module")

FUZZ = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WORDS = st.text(max_size=40) | st.sampled_from(["a" * 300, "\x00", "\ud7ff", "🎹", "' OR 1=1 --"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)
IDS = st.builds(
    "{}.{}".format,
    st.text(string.digits + "abcdefz", min_size=1, max_size=33),
    st.integers(0, 10**9 - 1),
)
MESSAGES = st.fixed_dictionaries(
    {"type": st.sampled_from(["hello", "typing", "query", "lock_and_query"]) | WORDS},
    optional={
        "version": st.just(1) | JSON,
        "session": JSON | IDS,
        "last_id": JSON | IDS,
        "content": JSON,
        "query": JSON,
        "product_id": WORDS | st.just("roland-td17kv"),
        "ref": WORDS,
        "more": JSON,
    },
)
FRAMES = (
    st.text(max_size=200)
    | st.binary(max_size=200)
    | JSON.map(json.dumps)
    | MESSAGES.map(json.dumps)
    | st.integers(10, 21).map(lambda power: "[" * 2**power)
)
SERVER = jsonschema.Draft202012Validator({**schema(), "anyOf": [{"$ref": "#/$defs/ServerMessage"}]})


@FUZZ
@given(frames=st.lists(FRAMES, min_size=1, max_size=12))
async def test_any_frames_are_answered_by_the_schema_or_end_in_a_clean_close(app, frames):
    async with app.socket() as other, app.socket() as socket:
        for frame in frames:
            (socket.send_bytes if isinstance(frame, bytes) else socket.send)(frame)
        socket.send('{"type": "shout"}')
        answers = [await socket.receive()]
        while "'shout'" not in answers[-1].get("message", ""):
            answers.append(await socket.receive())
        other.send({"type": "typing", "content": "moog"})
        assert (await other.receive())["type"] == "prediction"

    for answer in answers:
        SERVER.validate(answer)
        assert answer.get("code") != "internal"


@FUZZ
@given(last_id=IDS)
async def test_any_last_id_is_resumed_or_told_that_it_can_not_be(app, last_id):
    session = app.state["services"].signer.new()
    async with app.socket() as socket:
        hello = {"type": "hello", "version": 1, "session": session.secret, "last_id": last_id}
        socket.send(hello)
        welcome, told = await socket.receive(), await socket.receive()

    assert welcome["resumed"] is True
    assert told["type"] == "resync_required"
    assert told["reason"] in {"ahead", "history_gone"}


PATHS = st.text(string.printable + "äאع", max_size=30).map(
    lambda text: "".join(f"%{byte:02x}" for byte in text.encode())
)


@FUZZ
@given(data=st.data())
async def test_any_request_is_answered_below_500_and_errors_alike(app, data):
    described = (await app.request("GET", "/openapi.json")).json["paths"]
    path = data.draw(st.sampled_from(sorted(described)))
    method = data.draw(st.sampled_from(sorted(described[path])))
    names = [p["name"] for p in described[path][method].get("parameters", ())]
    query = "&".join(f"{name}={data.draw(PATHS)}" for name in names)
    for name in names:
        path = path.replace(f"{{{name}}}", data.draw(PATHS))
    bearer = data.draw(
        st.none()
        | st.text(string.ascii_letters, max_size=9)
        | st.just(app.state["services"].signer.new().secret)
    )
    body = data.draw(st.none() | JSON.filter(_encodable)) if method == "post" else None
    answer = await app.request(method.upper(), f"{path}?{query}", bearer=bearer, body=body)

    assert answer.status < 500
    if answer.status >= 400:
        error = answer.json["error"]
        assert error["code"] not in {"", "internal"}
        assert error["message"]


def _encodable(body):
    return "NaN" not in json.dumps(body)


async def test_the_schema_is_served_and_knows_every_frame_of_an_answer(app):
    served = (await app.request("GET", "/ws/schema")).json
    async with app.socket() as socket:
        socket.send({"type": "hello", "version": 1})
        socket.send({"type": "typing", "content": "roland"})
        frames = [await socket.receive(), await socket.receive()]
        socket.send({"type": "query", "query": "kick?", "product_id": "roland-td17kv"})
        frames += await socket.until("answer_done", "error")

    assert served == schema()
    for frame in frames:
        SERVER.validate(frame)
    with pytest.raises(jsonschema.ValidationError):
        SERVER.validate({"type": "prediction"})
