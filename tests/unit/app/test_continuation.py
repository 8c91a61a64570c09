"""Going on with another pod's answer: what is said, and when it must begin anew."""

import pytest

from hscjit_app.answers.engine import Continuation, Extractive
from hscjit_app.ws.writing import Said

PIECES = ["one ", "two ", "three"]
CASES = {
    "nothing was said": ("", ["one ", "two ", "three"], False),
    "whole pieces were said": ("one ", ["two ", "three"], False),
    "half a piece was said": ("one tw", ["o ", "three"], False),
    "all was said": ("one two three", [], False),
    "something else was said": ("eins ", ["one ", "two ", "three"], True),
    "it differs later": ("one zwei ", ["one two ", "three"], True),
    "more was said than there is now": ("one two three four", ["one two three"], True),
}


@pytest.mark.parametrize(("said", "left", "anew"), CASES.values(), ids=CASES)
def test_what_was_said_is_not_said_again(said, left, anew):
    told = Continuation(said)
    steps = [*(told.add(piece) for piece in PIECES), told.end()]

    assert [text for _, text in steps if text] == left
    assert any(again for again, _ in steps) == anew
    assert told.text == "one two three"


def test_frames_tell_what_was_said():
    said = Said.of(
        [
            '{"type": "status", "state": "accepted"}',
            '{"type": "status", "state": "reading"}',
            '{"type": "answer_chunk", "content": "forget"}',
            '{"type": "context"}',
            '{"type": "answer_restart"}',
            '{"type": "answer_chunk", "content": "one "}',
            '{"type": "answer_chunk", "content": "two"}',
        ]
    )

    assert said == Said(states={"accepted", "reading"}, text="one two", context=False)


async def test_the_extractive_engine_says_the_same_each_time():
    class Passage:
        text = "To set the kick sensitivity press SETUP. Then turn the dial."
        page, title, url = 5, "TD-17 manual", "https://example.com/td17.pdf"

    async def say():
        return [
            part async for part in Extractive().write("kick sensitivity?", [Passage()], "TD-17")
        ]

    first = await say()
    assert first == await say()
    assert "kick sensitivity" in first[0]
    assert first[-1].page == 5
