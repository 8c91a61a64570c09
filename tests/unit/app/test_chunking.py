"""How a document is cut into passages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hscjit_app.manuals.chunking import MAX_CHARACTERS, chunk, clean

SENTENCE = "Turn the dial to the right until the light goes on and stays on for a while. "


def test_passages_keep_their_page_and_repeat_their_heading():
    found = chunk([(7, f"Kick pad\n{SENTENCE * 12}")])

    assert len(found) > 1
    assert {p.page for p in found} == {7}
    assert all(p.text.startswith("Kick pad\n") for p in found)


def test_a_passage_never_spans_two_pages():
    found = chunk([(1, SENTENCE), (2, SENTENCE)])

    assert [p.page for p in found] == [1, 2]


def test_a_heading_begins_a_passage_of_its_own():
    found = chunk([(1, f"Kick\n{SENTENCE * 2}\nSnare\n{SENTENCE * 2}")])

    assert [p.text.split("\n")[0] for p in found] == ["Kick", "Snare"]


def test_a_list_of_short_items_stays_together():
    found = chunk([(3, "Specifications\nWidth 40 cm\nDepth 20 cm\nWeight 3 kg")])

    assert [p.text for p in found] == ["Specifications\nWidth 40 cm\nDepth 20 cm\nWeight 3 kg"]


def test_a_wrapped_sentence_is_put_together_again():
    found = chunk([(1, "Hold the button\nand turn the dial. Then let\ngo of both.")])

    assert found[0].text == "Hold the button and turn the dial. Then let go of both."


def test_running_feet_are_left_out_and_numbers_in_them_do_not_matter():
    pages = [(n, f"{SENTENCE}\nACME manual, page {n} of 5") for n in range(1, 6)]

    assert not any("ACME" in p.text for p in chunk(pages))


def test_a_line_on_few_pages_stays():
    pages = [(n, f"{SENTENCE}\nNote for drummers.") for n in range(1, 4)]

    assert all("Note for drummers." in p.text for p in chunk(pages))


CLEANED = {
    "zero width": ("ki\u200bck", "kick"),
    "bidi override": ("a\u202eb", "ab"),
    "ligature": ("de\ufb01ne", "define"),
    "soft hyphen": ("sensi\u00adtivity", "sensitivity"),
    "pdfium's hyphen at a line end": ("sensi\ufffe\ntivity", "sensitivity"),
    "control characters": ("a\x00\x07b", "ab"),
    "windows line ends": ("a\r\nb\rc", "a\nb\nc"),
    "full width": ("ＭＩＤＩ", "MIDI"),  # noqa: RUF001
}


@pytest.mark.parametrize(("said", "seen"), CLEANED.values(), ids=CLEANED)
def test_what_can_not_be_seen_is_taken_out(said, seen):
    assert clean(said) == seen


NOTHING = {"empty": "", "only a number": "17\n", "only rules": "----\n* * *\n..."}


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING)
def test_a_page_that_says_nothing_gives_no_passage(text):
    assert chunk([(1, text)]) == []


@settings(max_examples=40)
@given(st.lists(st.text(max_size=1500), max_size=4))
def test_no_text_breaks_it_and_no_passage_is_too_long(pages):
    found = chunk(list(enumerate(pages, start=1)))

    assert all(p.text.strip() for p in found)
    assert all(len(p.text) <= MAX_CHARACTERS + 1 for p in found)


@given(st.lists(st.sampled_from(["kick", "snare", "hihat", "tom"]), min_size=1, max_size=400))
def test_no_word_is_lost(said):
    found = chunk([(1, " ".join(said))])

    assert [w for p in found for w in p.text.split()] == said
