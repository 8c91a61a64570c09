"""The restart annotation: which value the pods carry, and from when on."""

from datetime import UTC, datetime, timedelta

import pytest

from hscjit_operator.decisions.restart import Restart, decide
from hscjit_operator.model.spec import Window

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)  # a Monday
OLD, PAST, NOW, LATER = (
    "2026-06-14T12:00:00Z",
    "2026-06-15T11:59:59Z",
    "2026-06-15T12:00:00Z",
    "2026-06-15T12:00:01Z",
)
OPEN = (Window("0 11 * * *", timedelta(hours=2)),)
SHUT = (Window("0 3 * * *", timedelta(hours=2)),)
NEXT = datetime(2026, 6, 16, 3, 0, tzinfo=UTC)
GIVEN = {"running": True, "windows": (), "held": False}

CASES = {
    # asked, carried before, given -> carried now, written down, due
    "never asked": (None, None, {}, (None, None, None)),
    "asked": (PAST, None, {}, (None, PAST, None)),
    "asked for right now": (NOW, OLD, {}, (OLD, NOW, None)),
    "written down, so carried": (PAST, PAST, {}, (PAST, PAST, None)),
    "asked for later": (LATER, OLD, {}, (OLD, OLD, NOON + timedelta(seconds=1))),
    "the annotation was taken away": (None, OLD, {}, (OLD, OLD, None)),
    "it was emptied": ("", OLD, {}, (OLD, OLD, None)),
    "a window is open": (PAST, OLD, {"windows": OPEN}, (OLD, PAST, None)),
    "none is open": (PAST, OLD, {"windows": SHUT}, (OLD, OLD, NEXT)),
    "later, and a window is open then": (
        LATER,
        OLD,
        {"windows": OPEN},
        (OLD, OLD, NOON + timedelta(seconds=1)),
    ),
    "later, and none is open then": (LATER, OLD, {"windows": SHUT}, (OLD, OLD, NEXT)),
    "rollouts are paused": (PAST, OLD, {"held": True}, (OLD, OLD, None)),
    "done, whatever is paused or shut": (
        OLD,
        OLD,
        {"held": True, "windows": SHUT},
        (OLD, OLD, None),
    ),
    "made with the annotation": (PAST, None, {"running": False}, (PAST, PAST, None)),
    "made with one for later": (
        LATER,
        None,
        {"running": False},
        (None, None, NOON + timedelta(seconds=1)),
    ),
    "no time": ("now", OLD, {}, (OLD, OLD, None)),
    "a time of nowhere": ("2026-06-15T12:00:00", OLD, {}, (OLD, OLD, None)),
}


@pytest.mark.parametrize(("asked", "before", "given", "wanted"), CASES.values(), ids=CASES)
def test_which_restart_the_pods_carry(asked, before, given, wanted):
    found = decide(asked, before, **{**GIVEN, **given}, now=NOON)

    assert (found.carried, found.record, found.due) == wanted


WORDS = {
    "nothing to say": (PAST, {}, "", False),
    "its own time": (LATER, {}, "begins at 2026-06-15T12:00:01Z: it is asked for that time", False),
    "the window's": (
        PAST,
        {"windows": SHUT},
        "begins at 2026-06-16T03:00:00Z: the next maintenance window opens then",
        False,
    ),
    "paused": (PAST, {"held": True}, "waits until rollouts are paused no more", False),
    "malformed": ("soon", {}, "hscjit.dev/restarted-at: 'soon' is no time; write one", True),
}


@pytest.mark.parametrize(("asked", "given", "words", "wrong"), WORDS.values(), ids=WORDS)
def test_what_is_said_of_it(asked, given, words, wrong):
    found = decide(asked, OLD, **{**GIVEN, **given}, now=NOON)

    assert words in found.message
    assert bool(words) is bool(found.message)
    assert found.wrong is wrong


def test_the_status_names_moments_and_never_how_long_it_is_until_then():
    first = decide(PAST, OLD, running=True, windows=SHUT, held=False, now=NOON)
    hours_later = decide(
        PAST, OLD, running=True, windows=SHUT, held=False, now=NOON + timedelta(hours=9)
    )

    assert first.as_dict() == hours_later.as_dict()
    assert first.as_dict()["dueTime"] == "2026-06-16T03:00:00Z"
    assert Restart(None, None).as_dict() == {}


def test_a_long_text_is_not_repeated_whole():
    found = decide("x" * 5000, None, **GIVEN, now=NOON)

    assert len(found.message) < 256
