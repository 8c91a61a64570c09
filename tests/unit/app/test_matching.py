"""What only a small catalogue does, whose every name is looked at; and the forms of a name."""

import pytest
from tests.unit.app.shop import MEANT, TYPED

from hscjit_app.catalog import words
from hscjit_app.catalog.matching import FuzzyIndex

BEGUN_WRONG = {"a prefix with a typo": ("garnd", "Moog Grandmother")}


@pytest.mark.parametrize(("typed", "meant"), BEGUN_WRONG.values(), ids=BEGUN_WRONG)
def test_a_word_begun_with_a_typo_finds_what_is_meant(typed, meant):
    assert FuzzyIndex(MEANT).predict(typed)[0].product.name == meant


ALL_TYPED = TYPED | BEGUN_WRONG


@pytest.mark.parametrize(("typed", "meant"), ALL_TYPED.values(), ids=ALL_TYPED)
def test_what_was_typed_before_changes_no_answer(typed, meant):
    used = FuzzyIndex(MEANT)
    for text in ("roland stage 4", "moog mother", "td", meant):
        for size in range(1, len(text)):
            used.predict(text[:size])

    for size in range(1, len(typed) + 1):
        assert used.predict(typed[:size]) == FuzzyIndex(MEANT).predict(typed[:size])


FORMS = {
    "hyphen and digits": ("TD-17KVX", ["td17kvx", "td", "17kvx", "17", "kvx"]),
    "plain": ("Stage", ["stage"]),
    "twice the same": ("ADAM Audio Audio", ["adam", "audio"]),
    "accents and case": ("ÉÑ", ["en"]),
    "kana keep their marks": ("ガ", ["ガ"]),
}


@pytest.mark.parametrize(("name", "forms"), FORMS.values(), ids=FORMS)
def test_a_name_is_known_by_its_forms(name, forms):
    assert [word.form for word in words.named(name)] == forms
