"""A typed word is read as the words of the catalogue that it may be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hscjit_app.catalog import spelling
from hscjit_app.catalog.spelling import Spelling

COMMON = ("guitar", "korg", "roland")
VOCABULARY = sorted(
    [
        *COMMON,
        *("grandmaster", "grandmother", "grandmotherly", "matriarch", "ns4", "td17kv", "td17kvx"),
        *("синтезатор", "синтезаторы", "פסנתר", "פסנתרים"),
    ]
)


@pytest.fixture(scope="module")
def read():
    """Spelling over a few words, three of them common."""
    common = np.array([VOCABULARY.index(word) for word in COMMON], dtype=np.int32)
    return Spelling({"common": common, **spelling.build(VOCABULARY, common)})


def words(numbers):
    """Return the words of these numbers."""
    return {VOCABULARY[n] for n in numbers}


READ = {
    "a word": ("korg", False, "korg", set()),
    "a word of more letters than a key": ("grandmother", False, "grandmother", set()),
    "a word that may become another": ("td17kv", True, "td17kv", {"td17kvx"}),
    "the beginning of long words": ("grandmo", True, None, {"grandmother", "grandmotherly"}),
    "more letters than a key, unfinished": (
        "grandmothe",
        True,
        None,
        {"grandmother", "grandmotherly"},
    ),
    "Cyrillic, unfinished": ("синтеза", True, None, {"синтезатор", "синтезаторы"}),
    "Hebrew, a word that may become another": ("פסנתר", True, "פסנתר", {"פסנתרים"}),
    "a common word misspelled": ("rolnd", False, None, {"roland"}),
    "a common word with letters swapped, too short for runs": ("krog", False, None, {"korg"}),
    "a rare word misspelled": ("matriarhc", False, None, {"matriarch"}),
    "the end of a rare word": ("17kvx", False, None, {"td17kvx"}),
    "nothing": ("zzz", False, None, set()),
}


@pytest.mark.parametrize(("word", "unfinished", "exact", "others"), READ.values(), ids=READ)
def test_a_word_is_read(read, word, unfinished, exact, others):
    found = read.read(word, unfinished=unfinished)

    assert (VOCABULARY[found.exact] if found.exact >= 0 else None) == exact
    assert words(range(*found.begun)) | words(found.alike) >= others
    if not others:
        assert found.begun == (0, 0)
        assert found.alike == ()


APART = {
    "brand and model": ("rolandtd17kv", ("roland", "td17kv")),
    "brand and a model nobody knows": ("rolandtx99", ("roland", "tx99")),
    "two brands": ("korgroland", ("korg", "roland")),
    "a letter too many": ("korgg", ("korgg",)),
    "no common word": ("ns4td17kv", ("ns4td17kv",)),
    "a known beginning, the rest no word": ("guitarist", ("guitarist",)),
}


@pytest.mark.parametrize(("word", "parts"), APART.values(), ids=APART)
def test_words_typed_as_one_are_cut_apart(read, word, parts):
    assert read.apart(word) == parts


@given(st.sampled_from(VOCABULARY), st.data())
@settings(deadline=None)  # a busy machine lets anything wait
def test_every_word_is_found_by_itself_and_by_its_beginning(read, word, data):
    cut = data.draw(st.integers(1, len(word)))

    exact, begun = read.read(word[:cut], unfinished=True)[:2]

    assert words(range(*begun)) | words([exact] if exact >= 0 else []) == {
        known for known in VOCABULARY if known.startswith(word[:cut])
    }
