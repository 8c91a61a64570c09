"""How sure are we of a handful of names? The confidence of `matching`, reckoned for a few at once.

The formula and its numbers are `matching`'s; only the words looked at are fewer: those of the name
found, the letters and digits its words are mixed of, and the category's.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

import numpy as np
from rapidfuzz import fuzz, process

from hscjit_app.catalog import matching, words
from hscjit_app.catalog.products import Product

_EXACT = 100.0
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
    """Return a verdict for each name; costs some 0.1 ms for eight names."""
    entries = [_entry(name) for name in names]
    forms = list(dict.fromkeys(form for entry in entries for form in entry))
    rows = [dict(zip(forms, row, strict=True)) for row in _likeness(typed, forms)]
    sizes = [len(word) for word in typed]
    heavy = [min(size, 8) for size in sizes]
    verdicts = []
    for name, entry in zip(names, entries, strict=True):
        best, recognised = [], set()
        for row in rows:
            most, which = 0.0, ""
            for form, (parent, weight) in entry.items():
                if (alike := row[form] * weight) > most:
                    most, which = alike, parent
            best.append(most)
            recognised.add(which)
        quality = sum(map(float.__mul__, best, map(float, heavy))) / sum(heavy)
        fitting = sum(size * b**4 for size, b in zip(sizes, best, strict=True))
        covered = min(fitting / max(name.letters, 1), 1.0)
        sure = matching.QUALITY * quality + matching.COVERAGE * covered
        verdicts.append(Verdict(round(min(sure, 1.0), 3), frozenset(recognised - {""})))
    return verdicts


def shown(product: Product, recognised: frozenset[str]) -> str:
    """Return the recognised words as the catalogue writes them, in reading order."""
    texts = (product.brand.name, product.name, *product.aliases, product.category)
    pieces = (piece for text in texts for piece in text.split())
    return " ".join(dict.fromkeys(p for p in pieces if not recognised.isdisjoint(_typed(p))))


def _entry(name: Named) -> dict[str, tuple[str, float]]:
    """Return what may be typed of a name: (whole word, weight) by form."""
    found = {word: (word, name.weight) for word in name.words}
    for word in name.words:
        if not word.isalpha():
            for run in _RUN.findall(word):
                found.setdefault(run, (word, name.weight * matching.PART))
    for word in name.category:
        found.setdefault(word, (word, matching.CATEGORY))
    return found


def _likeness(typed: Sequence[str], forms: list[str]) -> list[list[float]]:
    """Return the likeness of each typed word to each form, 0..1; see `FuzzyIndex`."""
    ratios = process.cdist(typed, forms, scorer=fuzz.ratio, dtype=np.float32).tolist()
    rows: list[list[float]] = []
    for word, whole in zip(typed, ratios, strict=True):
        size = len(word)
        if size < matching.FUZZY_FROM:
            rows.append([0.0] * len(forms))
            continue
        row = whole
        if max(row) < _EXACT:  # a word that is there needs no guess at unfinished ones
            cut = [form[:size] for form in forms]
            start = process.cdist([word], cut, scorer=fuzz.ratio, dtype=np.float32)[0].tolist()
            row = [max(a, b * 0.9) for a, b in zip(whole, start, strict=True)]
        floor = matching.TYPO_FLOOR * 100
        rows.append([alike / 100 if alike >= floor else 0.0 for alike in row])
    for row, word in zip(rows, typed, strict=True):
        _literal(word, forms, (row,))
    for (left, right), both in zip(pairwise(typed), pairwise(rows), strict=True):
        _literal(left + right, forms, both)
    return rows


def _literal(word: str, forms: list[str], rows: Sequence[list[float]]) -> None:
    long_enough = len(word) >= matching.FUZZY_FROM
    for at, form in enumerate(forms):
        if word in form and (long_enough or form.startswith(word)):
            share = sqrt(len(word) / len(form))
            alike = (0.6 if form.startswith(word) else 0.45) + 0.4 * share
            for row in rows:
                row[at] = max(row[at], alike)


@lru_cache(8192)
def _typed(piece: str) -> tuple[str, ...]:
    return tuple(words.typed(piece))
