"""An answer whose pod is gone: another goes on where it stopped, or begins it anew."""

import json

import pytest

from hscjit_app.answers.extractive import Cited
from hscjit_app.answers.stream import Orphan
from hscjit_app.ws.answering import MOST_STUCK
from hscjit_app.ws.writing import Question

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRODUCT = "roland-td17kv"


class Engine:
    """Says three words and cites a page."""

    def __init__(self, resumable):
        self.resumable = resumable

    async def write(self, *_):
        for word in ("one ", "two ", "three"):
            yield word
        yield Cited("TD-17 manual", "/td17.pdf", 5)


@pytest.fixture
def orphan(own_app):
    """Leave an answer behind of which so much was said, and let the app take it over."""
    services, lobby = own_app.state["services"], own_app.state["lobby"]

    async def take(*said, stuck=0, resumable=True):
        services.engine = Engine(resumable)
        await services.manuals.ensure_manual(PRODUCT, wait_s=10)
        session = services.signer.new()
        task = Question(session, "how?", PRODUCT, "q1").as_task()
        dead = await services.streams.claim(session.id, "a1", task=task)
        for seq, frame in enumerate(said, 1):
            await services.streams.append(dead, seq, json.dumps(frame | {"id": "a1", "seq": seq}))
        claim = await services.streams.claim(session.id, "a1")
        await lobby.answering._go_on(Orphan(claim, session.id, task, False, stuck))
        frames = services.streams.follow("a1", 0, live=False)
        return session, [json.loads(frame) async for _, frame in frames]

    return take


ACCEPTED = {"type": "status", "state": "accepted"}
READING = {"type": "status", "state": "reading"}
ONE = {"type": "answer_chunk", "content": "one "}
ODD = {"type": "answer_chunk", "content": "eins "}
CONTEXT = {"type": "context"}
CASES = {
    "nothing was said": ((), True, ["status", "status", *["answer_chunk"] * 3, "context"]),
    "it was reading": ((ACCEPTED, READING), True, [*["answer_chunk"] * 3, "context"]),
    "a word was said": (
        (ACCEPTED, READING, ONE),
        True,
        ["answer_chunk", "answer_chunk", "context"],
    ),
    "something else was said": (
        (ACCEPTED, READING, ODD),
        True,
        ["answer_restart", *["answer_chunk"] * 3, "context"],
    ),
    "nobody can finish its sentence": (
        (ACCEPTED, READING, ONE),
        False,
        ["answer_restart", *["answer_chunk"] * 3, "context"],
    ),
    "all but its end was said": (
        (ACCEPTED, READING, {"type": "answer_chunk", "content": "one two three"}, CONTEXT),
        True,
        [],
    ),
}


@pytest.mark.parametrize(("said", "resumable", "added"), CASES.values(), ids=CASES)
async def test_what_is_missing_is_added(own_app, orphan, said, resumable, added):
    session, frames = await orphan(*said, resumable=resumable)

    kinds = [frame["type"] for frame in frames[len(said) :]]
    assert kinds == [*added, "answer_done"]
    assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
    text = ""
    for frame in frames:
        text = "" if frame["type"] == "answer_restart" else text + frame.get("content", "")
    assert text == "one two three"
    stored = await own_app.state["services"].conversations.read(session)
    assert [m.content for m in stored.messages] == ["how?", "one two three"]


async def test_an_answer_that_was_stored_before_its_pod_died_is_stored_once(own_app, orphan):
    session, _ = await orphan()
    services, lobby = own_app.state["services"], own_app.state["lobby"]
    claim = await services.streams.claim(session.id, "a1")
    task = Question(session, "how?", PRODUCT).as_task()
    await lobby.answering._go_on(Orphan(claim, session.id, task, False, 0))

    stored = await services.conversations.read(session)
    assert len(stored.messages) == 2


async def test_an_answer_that_seems_to_kill_its_pods_is_given_up(orphan):
    _, frames = await orphan(ACCEPTED, stuck=MOST_STUCK)

    assert (frames[-1]["type"], frames[-1]["code"]) == ("error", "interrupted")
