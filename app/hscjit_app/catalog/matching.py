"""Which product is being typed? Pure: names in, ranked matches out.

**Confidence** (0..1) = 0.85 x how well each typed word is a word of the product, weighted by length
(1 = letter by letter) + 0.15 x the share of the product's name that was typed. So 1 means that
everything typed is in the name and nothing of the name is missing. Below `FLOOR` nothing is shown.

A typed word is compared with each *distinct* word of the catalogue once, and only the few that are
alike are looked up in the products: a few hundred of them cost a fraction of a millisecond.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process

from hscjit_app.catalog import words
from hscjit_app.catalog.prediction import LIMIT, MAX_TEXT, Match
from hscjit_app.catalog.products import Product

FLOOR = 0.45
REMEMBERED = 4096
"""Texts whose matches an index keeps: all customers' first letters are the same."""
MAX_TYPED_WORDS = 12
"""More words are a sentence: only the last ones are looked at while somebody types."""
MAX_WORD = 40
MAX_QUESTION_WORDS = 64

QUALITY, COVERAGE = 0.85, 0.15
NAME, ALIAS, CATEGORY, PART = 1.0, 0.95, 0.75, 0.95
"""How much a match counts by where the word stands; a part of a word counts a little less."""
TYPO_FLOOR = 0.68
"""Words less alike than this are different words: "rolnd"~"roland" 0.91, "boss"~"bass" 0.75."""
UNFINISHED = 0.9
"""How much the beginning of a word counts that is like what was typed."""
FUZZY_FROM = 3
"""Shorter typed words are prefixes, not misspellings."""
_SURE = 0.88
"""In a sentence only this much alike is the same word: "how"~"show" 0.86 is not."""

Floats = npt.NDArray[np.float32]


class _Hit(NamedTuple):
    """A typed word and a word of the vocabulary, by number, and how much they are alike, 0..1.

    A pair may be there twice: the most counts. Pairs that are not there are not alike at all.
    """

    typed: int
    word: int
    alike: float


class FuzzyIndex:
    """Brute force over distinct words; right for up to a few hundred products."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._products = list(products)
        self._remembered = lru_cache(REMEMBERED)(self._predict)
        entries = [_entry(product) for product in self._products]
        self._vocabulary = sorted({word.form for entry in entries for word, _ in entry})
        # One text of all words: `str.find` walks it faster than any loop over words.
        self._text = "\n" + "\n".join(self._vocabulary) + "\n"
        self._starts = list(accumulate((len(form) + 1 for form in self._vocabulary), initial=1))
        self._cut: dict[int, tuple[list[str], list[tuple[int, int]]]] = {}
        self._shown = [[word.shown for word, _ in entry] for entry in entries]
        self._name_length = np.array(
            [sum(len(w.form) for w in words.named(p.name) if w.whole) or 1 for p in self._products],
            dtype=np.float32,
        )
        at = {form: n for n, form in enumerate(self._vocabulary)}
        self._slots = [
            {at[word.form]: (slot, weight) for slot, (word, weight) in enumerate(entry)}
            for entry in entries
        ]
        holders = sorted(
            (word, row, weight)
            for row, slots in enumerate(self._slots)
            for word, (_, weight) in slots.items()
        )
        self._offsets = np.searchsorted([h[0] for h in holders], range(len(self._vocabulary) + 1))
        self._owners = np.array([h[1] for h in holders], dtype=np.intp)
        self._weights = np.array([h[2] for h in holders], dtype=np.float32)
        self._name_weights = np.where(self._weights > CATEGORY, self._weights, 0)

    def predict(self, text: str, limit: int = LIMIT) -> list[Match]:
        """See `Predictor`; costs some 0.4 ms for 300 products, if nobody typed it lately."""
        return list(self._remembered(text[-MAX_TEXT:], limit))

    def _predict(self, text: str, limit: int) -> tuple[Match, ...]:
        typed = [word[:MAX_WORD] for word in words.typed(text)[-MAX_TYPED_WORDS:]]
        if not typed or not self._products:
            return ()
        hits = self._hits(typed)
        best = self._best(hits, self._weights, len(typed))
        lengths = np.array([len(word) for word in typed], dtype=np.float32)
        sizes = np.minimum(lengths, 8)
        quality = sizes @ best / sizes.sum()
        # Letters only count as typed where they fit: a near miss must not outweigh the exact word.
        covered = np.minimum(lengths @ best**4 / self._name_length, 1.0)
        confidence = QUALITY * quality + COVERAGE * covered
        order = np.argsort(-confidence, kind="stable")[:limit]
        return tuple(
            [
                self._match(row, sure, hits)
                for row, sure in zip(order.tolist(), confidence[order].tolist(), strict=True)
                if sure >= FLOOR
            ]
        )

    def identify(self, question: str) -> Match | None:
        """See `Predictor`: rare words decide, and a model or a pair of words must be among them."""
        typed = [w[:MAX_WORD] for w in words.typed(question)[:MAX_QUESTION_WORDS] if len(w) > 1]
        if not typed or not self._products:
            return None
        found = [hit for hit in self._hits(typed) if hit.alike >= _SURE]
        best = self._best(found, self._name_weights, len(typed))
        owners = np.maximum(np.count_nonzero(best, axis=1), 1)
        score = np.log1p(len(self._products) / owners) @ best
        for row in np.argsort(-score, kind="stable")[:LIMIT].tolist():
            hits = [n for n in range(len(typed)) if best[n, row] > 0]
            if _names_something({typed[n] for n in hits}):
                return self._match(row, float(best[hits, row].mean()), found)
        return None

    def _best(self, hits: Sequence[_Hit], weights: Floats, typed: int) -> Floats:
        """Return the best likeness of each typed word to any word of each product."""
        words = np.array([hit.word for hit in hits], dtype=np.intp)
        first = self._offsets[words]
        times = self._offsets[words + 1] - first
        # One entry for each product that holds the word, hit after hit.
        entries = np.arange(times.sum()) + (first + times - times.cumsum()).repeat(times)
        rows = np.array([hit.typed for hit in hits], dtype=np.intp).repeat(times)
        alike = np.array([hit.alike for hit in hits], dtype=np.float32).repeat(times)
        best = np.zeros((typed, len(self._products)), dtype=np.float32)
        np.maximum.at(best, (rows, self._owners[entries]), alike * weights[entries])
        return best

    def _hits(self, typed: list[str]) -> list[_Hit]:
        """Compare each typed word with each word of the vocabulary.

        Neighbours are also looked up as one word ("td 17" is td17), and both get what that finds.
        """
        sizes: dict[int, list[int]] = {}
        for n, word in enumerate(typed):
            if len(word) >= FUZZY_FROM:
                sizes.setdefault(len(word), []).append(n)
        whole = _compare(
            typed, [*chain.from_iterable(sizes.values())], self._vocabulary, TYPO_FLOOR
        )
        found = [_Hit(*hit) for hit in whole]
        for size, some in sizes.items():
            beginnings, longer = self._beginnings(size)
            for n, at, alike in _compare(typed, some, beginnings, TYPO_FLOOR / UNFINISHED):
                found += [_Hit(n, word, alike * UNFINISHED) for word in range(*longer[at])]
        for n, word in enumerate(typed):
            found += [_Hit(n, at, alike) for at, alike in self._literal(word)]
        for n, (left, right) in enumerate(pairwise(typed)):
            for at, alike in self._literal(left + right):
                found += (_Hit(n, at, alike), _Hit(n + 1, at, alike))
        return found

    def _beginnings(self, size: int) -> tuple[list[str], list[tuple[int, int]]]:
        """Return what longer words begin with, and for each from which to before which they are."""
        if size not in self._cut:
            found: dict[str, tuple[int, int]] = {}
            for n, form in enumerate(self._vocabulary):
                if len(form) > size:
                    first, _ = found.get(form[:size], (n, n))
                    found[form[:size]] = (first, n + 1)
            self._cut[size] = ([*found], [*found.values()])
        return self._cut[size]

    def _literal(self, word: str) -> list[tuple[int, float]]:
        """Return the words of the vocabulary in which a word stands letter by letter."""
        lead = 0 if len(word) >= FUZZY_FROM else 1
        sought = "\n" + word if lead else word
        found = []
        place = self._text.find(sought)
        while place >= 0:
            at = bisect_right(self._starts, place + lead) - 1
            share = sqrt(len(word) / len(self._vocabulary[at]))
            begins = self._starts[at] == place + lead
            found.append((at, (0.6 if begins else 0.45) + 0.4 * share))
            place = self._text.find(sought, place + 1)
        return found

    def _match(self, row: int, confidence: float, hits: Sequence[_Hit]) -> Match:
        slots = self._slots[row]
        best: dict[int, tuple[float, int]] = {}
        for typed, word, alike in hits:
            if word in slots:
                slot, weight = slots[word]
                best[typed] = max(best.get(typed, (0.0, 0)), (alike * weight, -slot))
        recognised = sorted({-slot for _, slot in best.values()})
        shown = dict.fromkeys(self._shown[row][slot] for slot in recognised)
        return Match(self._products[row], round(min(confidence, 1.0), 3), " ".join(shown))


def _compare(
    typed: Sequence[str], some: Sequence[int], forms: Sequence[str], floor: float
) -> Iterable[tuple[int, int, float]]:
    """Return which of some typed words are like which forms, by number, and how much, 0..1."""
    if not some or not forms:
        return ()
    ratios = process.cdist(
        [typed[n] for n in some],
        forms,
        scorer=fuzz.ratio,
        score_cutoff=floor * 100,
        dtype=np.float32,
    )
    rows, places = (ratios > 0).nonzero()
    alike = (ratios[rows, places] / 100).tolist()
    return zip([some[n] for n in rows.tolist()], places.tolist(), alike, strict=True)


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
