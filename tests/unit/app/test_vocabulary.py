"""What a typed word may be is what comparing it with every word would say."""

from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz

from hscjit_app.catalog.vocabulary import FUZZY_FROM, TYPO_FLOOR, UNFINISHED, Vocabulary, most

TEXT = """
roland td17kvx td 17kvx 17 kvx electronic drums grandmother moog mother 32 nord stage stages banana
ana an a ns4 keyboard keys 88 рояль פסנתר synthesizer synthesizers
"""
FORMS = sorted(TEXT.split())
LETTERS = "aeglmnoqrst17 рפ"


def slowly(word: str, form: str) -> float:
    """Return how much a typed word is like one form, by the rules one after the other."""
    ways = [0.0]
    at = form.find(word)
    if at == 0 or (at > 0 and len(word) >= FUZZY_FROM):
        ways.append((0.45 if at else 0.6) + 0.4 * sqrt(len(word) / len(form)))
    if len(word) >= FUZZY_FROM:
        whole = fuzz.ratio(word, form) / 100
        ways.append(whole if whole >= TYPO_FLOOR else 0)
        begun = fuzz.ratio(word, form[: len(word)]) / 100 * UNFINISHED
        ways.append(begun if len(form) > len(word) and begun >= TYPO_FLOOR else 0)
    return max(ways)


WORDS = st.one_of(
    st.text(alphabet=LETTERS.replace(" ", ""), min_size=1, max_size=14),
    st.builds(
        lambda form, cut, at, letter: form[:at] + letter + form[at + cut :],
        st.sampled_from(FORMS),
        st.integers(0, 5),
        st.integers(0, 8),
        st.sampled_from(["", "x", "a", "17"]),
    ).filter(bool),
)


@given(st.lists(WORDS, min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_a_word_is_like_what_each_comparison_says(typed):
    vocabulary = Vocabulary(FORMS)
    for word in typed:
        wanted = {n: slowly(word, form) for n, form in enumerate(vocabulary.forms)}
        assert vocabulary.like(word) == pytest.approx({n: a for n, a in wanted.items() if a})


def test_a_word_that_stands_in_another_twice_counts_by_its_better_place():
    (alike,) = Vocabulary(["tamtam"]).holding("tam").values()

    assert alike == pytest.approx(0.6 + 0.4 * sqrt(0.5))


def test_of_several_the_most_counts():
    assert most([{1: 0.5, 2: 0.9}, {1: 0.7}, {3: 0.1}]) == {1: 0.7, 2: 0.9, 3: 0.1}


def test_no_words_are_like_nothing():
    assert Vocabulary([]).like("moog") == {}
