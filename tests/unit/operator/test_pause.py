"""What is held still, and until when."""

from datetime import UTC, datetime

import pytest

from hscjit_operator import names
from hscjit_operator.model import pause

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)

CASES = {
    "nothing": ("", "", set()),
    "said no": ("false", "", set()),
    "yes": ("true", "", {"all"}),
    "parts": ("heal, scale", "", {"heal", "scale"}),
    "until later": ("all", "2026-06-15T12:00:01Z", {"all"}),
    "until now": ("all", "2026-06-15T12:00:00Z", set()),
    "until later elsewhere": ("all", "2026-06-15T14:30:00+02:00", {"all"}),
}


@pytest.mark.parametrize(("text", "until", "wanted"), CASES.values(), ids=CASES)
def test_parts(text: str, until: str, wanted: set[str]):
    annotations = {names.ANNOTATION_PAUSED: text, names.ANNOTATION_PAUSED_UNTIL: until}
    assert pause.read(annotations, NOW).parts == wanted


def test_all_holds_every_part():
    held = pause.read({names.ANNOTATION_PAUSED: "all"}, NOW)
    assert all(held.holds(part) for part in pause.PARTS)
    assert not pause.read({names.ANNOTATION_PAUSED: "heal"}, NOW).holds("scale")


BAD = {
    "an unknown part": ("healing", "", "hscjit.dev/paused is 'healing'"),
    "no time": ("all", "tomorrow", "hscjit.dev/paused-until: 'tomorrow' is no time"),
    "a time of nowhere": ("all", "2026-06-15T12:00:00", "write one with its zone"),
}


@pytest.mark.parametrize(("text", "until", "told"), BAD.values(), ids=BAD)
def test_nonsense_is_named(text: str, until: str, told: str):
    annotations = {names.ANNOTATION_PAUSED: text, names.ANNOTATION_PAUSED_UNTIL: until}
    with pytest.raises(pause.PauseError, match=told):
        pause.read(annotations, NOW)
