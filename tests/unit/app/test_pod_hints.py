"""What pods tell each other: who is there, and what becomes of nonsense."""

import json

import pytest

from hscjit_app.pods import FORGOTTEN_S, Pods, Topic


@pytest.fixture
def clock():
    """A clock that goes when told: `clock[0]`."""
    return [0.0]


@pytest.fixture
def pods(clock):
    """This pod, without a Redis."""
    return Pods(None, "me", lambda: clock[0])


def test_a_pod_heard_of_counts_until_it_leaves_or_is_not_heard_any_more(pods, clock):
    pods.hear(json.dumps(["a", "here"]))
    pods.hear(json.dumps(["b", "here"]))
    pods.hear(json.dumps(["b", "here"]))
    assert pods.others == 2
    pods.hear(json.dumps(["a", "leaving"]))
    assert pods.others == 1
    clock[0] = FORGOTTEN_S - 0.1
    assert pods.others == 1
    clock[0] = FORGOTTEN_S
    assert pods.others == 0


async def test_a_hint_is_acted_on_but_not_ones_own(pods):
    done = []

    async def act():
        done.append(1)

    pods.on(Topic.ANSWERS, act)
    pods.hear(json.dumps([pods._me, "answers"]))
    assert not pods._acting
    pods.hear(json.dumps(["a", "answers"]))
    for task in tuple(pods._acting):
        await task
    assert done == [1]


NONSENSE = {
    "not JSON": "{",
    "bytes": b"\xff",
    "a number": "7",
    "too many": '["a", "here", 1]',
    "a kind of a newer pod": '["a", "dancing"]',
    "a list for a kind": '["a", ["here"]]',
    "a list for a name": '[["a"], "here"]',
}


@pytest.mark.parametrize("raw", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_passed_over(pods, raw):
    pods.hear(raw)

    assert pods.others == 0
