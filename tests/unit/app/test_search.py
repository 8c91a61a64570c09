"""Which passages answer a question."""

import pytest

from hscjit_app.manuals.search import Entry, Index, Indexes, words

MANUAL = [
    Entry(1, "Contents\nConnections, pads, MIDI"),
    Entry(4, "Pad sensitivity\nTurn the sensitivity up when soft hits are too quiet."),
    Entry(5, "Kick pad\nSet the kick sensitivity with the dial after striking the kick pad."),
    Entry(8, "MIDI\nThe module sends on MIDI channel 10."),
    Entry(9, "Factory reset\nHold the dial while switching on to reset everything."),
    Entry(10, "Stromversorgung für Österreich: nur das Netzteil verwenden."),
]

ASKED = {
    "the example": ("how do I set the kick sensitivity?", 5),
    "upper case": ("KICK SENSITIVITY", 5),
    "another form of the word": ("resetting to factory settings", 9),
    "typing errors": ("kick sensitivty", 5),
    "a number": ("channel 10", 8),
    "no accents typed": ("netzteil osterreich", 10),
}


@pytest.mark.parametrize(("question", "page"), ASKED.values(), ids=ASKED)
def test_the_page_that_answers_comes_first(question, page):
    found = Index(MANUAL).search(question, 3)

    assert found[0][0].page == page
    assert [score for _, score in found] == sorted((s for _, s in found), reverse=True)


SILENT = {
    "words the manual does not have": "quantum chromodynamics",
    "only small words": "how do I do it?",
    "nothing": "",
    "signs": "???!!",
}


@pytest.mark.parametrize("question", SILENT.values(), ids=SILENT)
def test_no_passage_rather_than_any_passage(question):
    assert Index(MANUAL).search(question, 4) == []


def test_at_most_k_passages():
    assert len(Index(MANUAL).search("pad sensitivity midi reset", 2)) == 2


@pytest.mark.parametrize("entries", [[], [Entry(1, "the of and")]], ids=["empty", "small words"])
def test_a_manual_without_words_answers_nothing(entries):
    assert Index(entries).search("kick", 4) == []


SAME = [
    ("pads", "pad"),
    ("batteries", "battery"),
    ("setting", "set"),
    ("Cafés", "cafe"),
    ("controlled", "control"),
    ("tuning", "tune"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_forms_of_a_word_meet(one, other):
    assert words(one) == words(other)


def test_the_least_recently_used_index_goes_first():
    kept = Indexes(capacity=2)
    first = kept.build("1", MANUAL)
    kept.build("2", MANUAL)
    assert kept.get("1") is first

    kept.build("3", MANUAL)

    assert kept.get("2") is None
    assert kept.get("1") is first
