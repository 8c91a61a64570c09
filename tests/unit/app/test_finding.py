"""Who is meant by what was typed, in a small catalogue and among many: typos, prefixes, word order,
models, any script."""

import pytest
from tests.unit.app.shop import TYPED, few_index, many_index

from hscjit_app.catalog.large import LargeIndex
from hscjit_app.catalog.matching import FLOOR, FuzzyIndex

INDEXES = {"small": few_index, "large": many_index}


@pytest.fixture(params=INDEXES.values(), ids=INDEXES)
def index(request):
    return request.param()


@pytest.mark.parametrize(("typed", "meant"), TYPED.values(), ids=TYPED)
def test_what_is_typed_finds_what_is_meant(index, typed, meant):
    assert index.predict(typed)[0].product.name == meant


NOTHING = {
    "empty": "",
    "spaces": "   ",
    "punctuation": "?!",
    "no such thing": "xyzzy",
    "no letters of ours": "xqzzyxq",
    "an underscore": "_",
    "a very long word": "a" * 10_000,
}


@pytest.mark.parametrize("typed", NOTHING.values(), ids=NOTHING)
def test_what_names_nothing_finds_nothing(index, typed):
    assert index.predict(typed) == []


def test_confidence_is_1_for_the_whole_name_and_never_below_the_floor(index):
    assert index.predict("Moog Grandmother")[0].confidence == 1.0
    for typed in ("m", "mo", "moo", "moog", "moog g", "moog grandmother filter"):
        found = [match.confidence for match in index.predict(typed, limit=20)]
        assert all(FLOOR <= confidence <= 1 for confidence in found)
        assert found == sorted(found, reverse=True)


def test_more_of_the_name_means_more_confidence(index):
    steps = [
        index.predict(t)[0].confidence for t in ("gr", "grand", "grandmother", "moog grandmother")
    ]

    assert steps == sorted(steps)
    assert len(set(steps)) == len(steps)


def test_match_text_is_the_words_recognised_in_the_catalogues_spelling(index):
    assert index.predict("rolnd td17kvx")[0].match_text == "Roland TD-17KVX"
    assert index.predict("stage nord")[0].match_text == "Nord Stage"


def test_the_limit_is_kept_and_best_comes_first(index):
    found = index.predict("roland", limit=2)

    assert len(found) == 2
    assert found[0].confidence >= found[1].confidence


@pytest.mark.parametrize("empty", [FuzzyIndex([]), LargeIndex.of([])], ids=INDEXES)
def test_an_empty_catalogue_finds_nothing(empty):
    assert empty.predict("moog") == []
    assert empty.identify("moog mother-32?") is None


def test_a_very_long_text_is_answered_too(index):
    assert index.predict("moog grandmother " * 500)[0].product.name == "Moog Grandmother"


QUESTIONS = {
    "a model among common words": (
        "how do I set the kick sensitivity on my td17kvx?",
        "Roland TD-17KVX Gen 2",
    ),
    "brand and name": ("tune the filter of the moog grandmother", "Moog Grandmother"),
    "a typo": ("reset a moog grandmothr please", "Moog Grandmother"),
    "a category word alone names nothing": ("how do I connect my keyboard?", None),
    "a brand alone names nothing": ("is moog any good?", None),
    "nothing": ("what is the weather like?", None),
    "empty": ("", None),
}


@pytest.mark.parametrize(("question", "meant"), QUESTIONS.values(), ids=QUESTIONS)
def test_a_question_names_its_product_or_none(index, question, meant):
    found = index.identify(question)

    assert (found.product.name if found else None) == meant
