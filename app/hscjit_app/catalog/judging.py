"""How sure are we of a handful of names? The confidence of `matching`, reckoned for a few at once.

The formula and its numbers are `matching`'s; only the words looked at are fewer: those of the name
found, the letters and digits its words are mixed of, and the category's.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, pairwise
from math import sqrt
from operator import mul
from typing import NamedTuple

import numpy as np
from rapidfuzz import fuzz, process

from hscjit_app.catalog import matching, vocabulary, words
from hscjit_app.catalog.products import Product

_RUN = re.compile(r"\d+|[^\W\d_]+")


_Alike = list[tuple[int, float]]
"""Which of the typed words, by number, and how much. One may be there twice: the most counts."""


class Named(NamedTuple):
    """A name to judge: its words as `words.typed` cuts them, and its category's."""

    words: Sequence[str]
    category: Sequence[str]
    letters: int
    """Of the product's own name, the brand before it not counted."""
    weight: float
    """`matching.NAME`, or `matching.ALIAS`."""


class Verdict(NamedTuple):
    """How sure we are of a name, and the words of it that were recognised."""

    confidence: float
    recognised: frozenset[str]


def judge(typed: Sequence[str], names: Sequence[Named]) -> list[Verdict]:
    """Return a verdict for each name; costs some 0.1 ms for six names."""
    known = dict.fromkeys(chain.from_iterable((*n.words, *n.category) for n in names))
    runs = {word: _runs(word) for word in known if not word.isalpha()}
    alike = _alike(typed, list(dict.fromkeys(chain(known, *runs.values()))))
    for word, parts in runs.items():
        better = [
            (at, share * matching.PART)
            for part in parts
            if part != word
            for at, share in alike[part]
        ]
        if better:
            alike[word] = alike[word] + better
    sizes = [len(word) for word in typed]
    heavy = [min(size, 8) for size in sizes]
    all_heavy = sum(heavy)
    verdicts = []
    for name in names:
        best = [0.0] * len(typed)
        recognised = [""] * len(typed)
        weights = [(word, name.weight) for word in name.words]
        weights += [(w, matching.CATEGORY) for w in name.category if w not in name.words]
        for word, weight in weights:
            for at, share in alike[word]:
                if share * weight > best[at]:
                    best[at], recognised[at] = share * weight, word
        quality = sum(map(mul, best, heavy)) / all_heavy
        fitting = sum(map(mul, sizes, [b**4 for b in best]))
        covered = min(fitting / max(name.letters, 1), 1.0)
        sure = matching.QUALITY * quality + matching.COVERAGE * covered
        verdicts.append(Verdict(round(min(sure, 1.0), 3), frozenset(filter(None, recognised))))
    return verdicts


def shown(product: Product, recognised: frozenset[str]) -> str:
    """Return the recognised words as the catalogue writes them, in reading order."""
    texts = (product.brand.name, product.name, *product.aliases, product.category)
    pieces = dict.fromkeys(" ".join(texts).split())
    return " ".join([piece for piece in pieces if not recognised.isdisjoint(_typed(piece))])


@lru_cache(8192)
def _runs(word: str) -> tuple[str, ...]:
    """Return the letters and digits that a mixed word is made of."""
    return tuple(_RUN.findall(word))


def _alike(typed: Sequence[str], forms: list[str]) -> dict[str, _Alike]:
    """Return for each form which typed words it is like, and how much, 0..1; see `FuzzyIndex`."""
    ratios = process.cdist(typed, forms, scorer=fuzz.ratio, dtype=np.float32)
    for at, word in enumerate(typed):
        if len(word) < vocabulary.FUZZY_FROM:
            ratios[at] = 0
        elif word not in forms:  # a word that is there needs no guess at unfinished ones
            cut = [form[: len(word)] for form in forms]
            start = process.cdist([word], cut, scorer=fuzz.ratio, dtype=np.float32)[0]
            np.maximum(ratios[at], start * vocabulary.UNFINISHED, out=ratios[at])
    ratios /= 100
    at_typed, at_form = (ratios >= vocabulary.TYPO_FLOOR).nonzero()
    found: dict[str, _Alike] = {form: [] for form in forms}
    for at, form, alike in zip(
        at_typed.tolist(), at_form.tolist(), ratios[at_typed, at_form].tolist(), strict=True
    ):
        found[forms[form]].append((at, alike))
    # One text of all forms: `str.find` walks it faster than any loop over forms.
    text = "\n" + "\n".join(forms) + "\n"
    for at, word in enumerate(typed):
        _literal(word, text, (at,), found)
    for at, (left, right) in enumerate(pairwise(typed)):
        _literal(left + right, text, (at, at + 1), found)
    return found


def _literal(word: str, text: str, at: Sequence[int], found: dict[str, _Alike]) -> None:
    """Add forms in which the word stands letter by letter."""
    lead = 0 if len(word) >= vocabulary.FUZZY_FROM else 1
    sought = "\n" + word if lead else word
    place = text.find(sought)
    while place >= 0:
        begin = text.rfind("\n", 0, place + lead) + 1
        form = text[begin : text.find("\n", place + lead)]
        share = sqrt(len(word) / len(form))
        alike = (0.6 if begin == place + lead else 0.45) + 0.4 * share
        found[form] += [(n, alike) for n in at]
        place = text.find(sought, place + 1)


@lru_cache(8192)
def _typed(piece: str) -> tuple[str, ...]:
    return tuple(words.typed(piece))
