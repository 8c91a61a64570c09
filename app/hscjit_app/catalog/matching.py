"""Which product is being typed? Pure: names in, ranked matches out.

**Confidence** (0..1) = 0.85 x how well each typed word is a word of the product, weighted by length
(1 = letter by letter) + 0.15 x the share of the product's name that was typed. So 1 means that
everything typed is in the name and nothing of the name is missing. Below `FLOOR` nothing is shown.

A typed word is compared with each *distinct* word of the catalogue once, and only the few that are
alike are looked up in the products. What a word was found to mean is kept for all customers: while
the last word of a text grows, the others are not looked up again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from hscjit_app.catalog import words
from hscjit_app.catalog.prediction import LIMIT, MAX_TEXT, Match
from hscjit_app.catalog.products import Product
from hscjit_app.catalog.remembering import remembering
from hscjit_app.catalog.vocabulary import Alike, Vocabulary, most

FLOOR = 0.45
REMEMBERED = 2048
"""Words whose meaning an index keeps, some kB each, and as many pairs of neighbours."""
MAX_TYPED_WORDS = 12
"""More words are a sentence: only the last ones are looked at while somebody types."""
MAX_WORD = 40
MAX_QUESTION_WORDS = 64

QUALITY, COVERAGE = 0.85, 0.15
NAME, ALIAS, CATEGORY, PART = 1.0, 0.95, 0.75, 0.95
"""How much a match counts by where the word stands; a part of a word counts a little less."""
_SURE = 0.88
"""In a sentence only this much alike is the same word: "how"~"show" 0.86 is not."""

Floats = npt.NDArray[np.float32]
T = TypeVar("T")
_Held = tuple[float, int]
"""How much a word of a product counts, and its place in the product below zero: the most, and of
words that count as much the first one, is the greatest. (0, 0) = none."""


@dataclass(frozen=True, slots=True, eq=False)
class _Meaning:
    """What a typed word may be."""

    alike: Alike
    best: Floats
    """For each product, the most that any word of it counts."""
    recognised: dict[int, _Held] = field(default_factory=dict)
    """For products that were shown, the word of theirs it was taken for."""


class FuzzyIndex:
    """Brute force over distinct words; right for up to a few hundred products."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._products = list(products)
        entries = [_entry(product) for product in self._products]
        self._vocabulary = Vocabulary(word.form for entry in entries for word, _ in entry)
        self._word = remembering(self._mean_word, REMEMBERED)
        self._pair = remembering(self._mean_pair, REMEMBERED)
        self._shown = [[word.shown for word, _ in entry] for entry in entries]
        self._name_length = np.array(
            [sum(len(w.form) for w in words.named(p.name) if w.whole) or 1 for p in self._products],
            dtype=np.float32,
        )
        at = {form: n for n, form in enumerate(self._vocabulary.forms)}
        self._slots = [
            {at[word.form]: (slot, weight) for slot, (word, weight) in enumerate(entry)}
            for entry in entries
        ]
        holders = sorted(
            (word, row, weight)
            for row, slots in enumerate(self._slots)
            for word, (_, weight) in slots.items()
        )
        self._offsets = np.searchsorted([h[0] for h in holders], range(len(at) + 1))
        self._owners = np.array([h[1] for h in holders], dtype=np.intp)
        self._weights = np.array([h[2] for h in holders], dtype=np.float32)
        self._name_weights = np.where(self._weights > CATEGORY, self._weights, 0)

    def predict(self, text: str, limit: int = LIMIT) -> list[Match]:
        """See `Predictor`; costs some 0.1 ms for 300 products."""
        typed = [w[:MAX_WORD] for w in words.typed(text[-MAX_TEXT:])[-MAX_TYPED_WORDS:]]
        if not typed or not self._products:
            return []
        meant = _with_neighbours(typed, self._word, self._pair)
        best = np.array([_most(word) for word in meant])
        heavy = [min(len(word), 8) for word in typed]
        confidence = np.array(heavy, dtype=np.float32) @ best
        confidence *= QUALITY / sum(heavy)
        # Letters only count as typed where they fit: a near miss must not outweigh the exact word.
        fitting = np.square(np.square(best, out=best), out=best)
        covered = np.array([len(word) for word in typed], dtype=np.float32) @ fitting
        covered /= self._name_length
        confidence += COVERAGE * np.minimum(covered, 1.0, out=covered)
        rows = np.flatnonzero(confidence >= FLOOR)
        rows = rows[np.argsort(-confidence[rows], kind="stable")[:limit]]
        return [
            self._match(row, sure, [self._recognised(row, word) for word in meant])
            for row, sure in zip(rows.tolist(), confidence[rows].tolist(), strict=True)
        ]

    def identify(self, question: str) -> Match | None:
        """See `Predictor`: rare words decide, and a model or a pair of words must be among them."""
        typed = [w[:MAX_WORD] for w in words.typed(question)[:MAX_QUESTION_WORDS] if len(w) > 1]
        if not typed or not self._products:
            return None
        alike = _with_neighbours(typed, self._vocabulary.like, self._vocabulary.holding)
        sure = [{at: much for at, much in most(one).items() if much >= _SURE} for one in alike]
        best = np.array([self._best(one, self._name_weights) for one in sure])
        owners = np.maximum(np.count_nonzero(best, axis=1), 1)
        score = np.log1p(len(self._products) / owners) @ best
        for row in np.argsort(-score, kind="stable")[:LIMIT].tolist():
            hits = [n for n in range(len(typed)) if best[n, row] > 0]
            if _names_something({typed[n] for n in hits}):
                return self._match(
                    row, float(best[hits, row].mean()), [self._held(row, one) for one in sure]
                )
        return None

    def _mean_word(self, word: str) -> _Meaning:
        alike = self._vocabulary.like(word)
        return _Meaning(alike, self._best(alike, self._weights))

    def _mean_pair(self, joined: str) -> _Meaning | None:
        alike = self._vocabulary.holding(joined)
        return _Meaning(alike, self._best(alike, self._weights)) if alike else None

    def _best(self, alike: Alike, weights: Floats) -> Floats:
        """Return for each product the most that any word of it counts."""
        best = np.zeros(len(self._products), dtype=np.float32)
        at = np.fromiter(alike, np.intp, len(alike))
        first = self._offsets[at]
        times = self._offsets[at + 1] - first
        # One entry for each product that holds the word, word after word.
        entries = np.arange(times.sum()) + (first + times - times.cumsum()).repeat(times)
        much = np.fromiter(alike.values(), np.float32, len(alike)).repeat(times)
        np.maximum.at(best, self._owners[entries], much * weights[entries])
        return best

    def _match(self, row: int, confidence: float, recognised: Iterable[_Held]) -> Match:
        slots = sorted({-held[1] for held in recognised if held[0] > 0})
        shown = dict.fromkeys([self._shown[row][slot] for slot in slots])
        return Match(self._products[row], round(min(confidence, 1.0), 3), " ".join(shown))

    def _recognised(self, row: int, several: Sequence[_Meaning]) -> _Held:
        """Return the word of a product that was most likely meant."""
        for one in several:
            if row not in one.recognised:
                one.recognised[row] = self._held(row, one.alike)
        return max([one.recognised[row] for one in several])

    def _held(self, row: int, alike: Alike) -> _Held:
        slots = self._slots[row]
        held = [
            (alike[word] * slots[word][1], -slots[word][0]) for word in alike.keys() & slots.keys()
        ]
        return max(held, default=(0.0, 0))


def _most(several: Sequence[_Meaning]) -> Floats:
    """Return for each product the most that any of several meanings counts."""
    return reduce(np.maximum, [one.best for one in several])


def _with_neighbours(
    typed: Sequence[str], word: Callable[[str], T], pair: Callable[[str], T | None]
) -> list[list[T]]:
    """Return what each typed word may be, by itself and with its neighbours.

    Neighbours are looked up as one word too ("td 17" is td17), and both get what that finds.
    """
    found = [[word(one)] for one in typed]
    for n, (left, right) in enumerate(pairwise(typed)):
        both = pair(left + right)
        if both:
            found[n].append(both)
            found[n + 1].append(both)
    return found


def _names_something(hits: set[str]) -> bool:
    """Two words of a product's name, or one with a number in it, are no accident."""
    return len(hits) > 1 or any(len(w) > 2 and any(map(str.isdigit, w)) for w in hits)  # noqa: PLR2004


def _entry(product: Product) -> list[tuple[words.Word, float]]:
    """All forms of one product with their weights, in reading order, each form once."""
    found: dict[str, tuple[words.Word, float]] = {}
    sources = [
        (product.brand.name, NAME),
        (product.name, NAME),
        *((alias, ALIAS) for alias in product.aliases),
        (product.id.removeprefix(f"{product.brand.id}-"), ALIAS),
        (product.category, CATEGORY),
    ]
    for text, weight in sources:
        for word in words.named(text):
            found.setdefault(word.form, (word, weight if word.whole else weight * PART))
    return list(found.values())
