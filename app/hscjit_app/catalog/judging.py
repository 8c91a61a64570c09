"""How sure are we of a handful of names? The confidence of `matching`, reckoned for a few at once.

The formula and its numbers are `matching`'s; only the words looked at are fewer: those of the name
found, the letters and digits its words are mixed of, and the category's.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from math import sqrt
from operator import mul
from typing import NamedTuple

import numpy as np
from rapidfuzz import fuzz, process

from hscjit_app.catalog import matching, words
from hscjit_app.catalog.products import Product

_RUN = re.compile(r"\d+|[^\W\d_]+")


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
    """Return a verdict for each name; costs some 0.1 ms for seven names."""
    known = dict.fromkeys(chain.from_iterable((*n.words, *n.category) for n in names))
    forms = list(dict.fromkeys(chain(known, *map(_runs, known))))
    likeness = dict(zip(forms, zip(*_likeness(typed, forms), strict=True), strict=True))
    columns = {word: _best(likeness, word) if _runs(word) else likeness[word] for word in known}
    sizes = [len(word) for word in typed]
    heavy = [min(size, 8) for size in sizes]
    all_heavy = sum(heavy)
    verdicts = []
    for name in names:
        own, found = list(name.words), [columns[word] for word in name.words]
        if name.weight != 1:
            found = [tuple(alike * name.weight for alike in column) for column in found]
        for word in name.category:
            if word not in name.words:
                own.append(word)
                found.append(tuple(alike * matching.CATEGORY for alike in columns[word]))
        best, recognised = [], set()
        for row in zip(*found, strict=True):
            most = max(row)
            best.append(most)
            if most:
                recognised.add(own[row.index(most)])
        quality = sum(map(mul, best, heavy)) / all_heavy
        fitting = sum(map(mul, sizes, [b**4 for b in best]))
        covered = min(fitting / max(name.letters, 1), 1.0)
        sure = matching.QUALITY * quality + matching.COVERAGE * covered
        verdicts.append(Verdict(round(min(sure, 1.0), 3), frozenset(recognised)))
    return verdicts


def shown(product: Product, recognised: frozenset[str]) -> str:
    """Return the recognised words as the catalogue writes them, in reading order."""
    texts = (product.brand.name, product.name, *product.aliases, product.category)
    pieces = (piece for text in texts for piece in text.split())
    return " ".join(dict.fromkeys(p for p in pieces if not recognised.isdisjoint(_typed(p))))


@lru_cache(8192)
def _runs(word: str) -> tuple[str, ...]:
    """Return the letters and digits that a mixed word is made of."""
    return () if word.isalpha() else tuple(_RUN.findall(word))


def _best(likeness: dict[str, tuple[float, ...]], word: str) -> tuple[float, ...]:
    """Return how much each typed word is like a word, or like a part of it."""
    found = likeness[word]
    for run in _runs(word):
        if run != word:
            found = tuple(
                max(a, b * matching.PART) for a, b in zip(found, likeness[run], strict=True)
            )
    return found


def _likeness(typed: Sequence[str], forms: list[str]) -> list[list[float]]:
    """Return the likeness of each typed word to each form, 0..1; see `FuzzyIndex`."""
    ratios = process.cdist(typed, forms, scorer=fuzz.ratio, dtype=np.float32)
    for word, row in zip(typed, ratios, strict=True):
        size = len(word)
        if size < matching.FUZZY_FROM:
            row[:] = 0
        elif word not in forms:  # a word that is there needs no guess at unfinished ones
            cut = [form[:size] for form in forms]
            start = process.cdist([word], cut, scorer=fuzz.ratio, dtype=np.float32)[0]
            np.maximum(row, start * 0.9, out=row)
    ratios /= 100
    ratios[ratios < matching.TYPO_FLOOR] = 0
    rows: list[list[float]] = ratios.tolist()
    # One text of all forms: `str.find` walks it faster than any loop over forms.
    text = "\n" + "\n".join(forms) + "\n"
    starts = list(accumulate((len(form) + 1 for form in forms), initial=1))
    for row, word in zip(rows, typed, strict=True):
        _literal(word, text, starts, (row,))
    for (left, right), both in zip(pairwise(typed), pairwise(rows), strict=True):
        _literal(left + right, text, starts, both)
    return rows


def _literal(word: str, text: str, starts: list[int], rows: Sequence[list[float]]) -> None:
    """Raise the likeness of forms in which the word stands letter by letter."""
    lead = 0 if len(word) >= matching.FUZZY_FROM else 1
    sought = "\n" + word if lead else word
    found = text.find(sought)
    while found >= 0:
        form = bisect_right(starts, found + lead) - 1
        share = sqrt(len(word) / (starts[form + 1] - starts[form] - 1))
        begins = found + lead == starts[form]
        alike = (0.6 if begins else 0.45) + 0.4 * share
        for row in rows:
            row[form] = max(row[form], alike)
        found = text.find(sought, found + 1)


@lru_cache(8192)
def _typed(piece: str) -> tuple[str, ...]:
    return tuple(words.typed(piece))
