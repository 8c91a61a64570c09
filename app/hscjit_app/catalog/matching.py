"""Which product is being typed? Pure: names in, ranked matches out.

**Confidence** (0..1) = 0.85 x how well each typed word is a word of the product, weighted by length
(1 = letter by letter) + 0.15 x the share of the product's name that was typed. So 1 means that
everything typed is in the name and nothing of the name is missing. Below `FLOOR` nothing is shown.

A typed word is compared with each *distinct* word of the catalogue once, and the products pick
their best words out of that row: a few hundred products cost a fraction of a millisecond.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

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
FUZZY_FROM = 3
"""Shorter typed words are prefixes, not misspellings."""
_SURE = 0.88
"""In a sentence only this much alike is the same word: "how"~"show" 0.86 is not."""

Floats = npt.NDArray[np.float32]


class FuzzyIndex:
    """Brute force over distinct words; right for up to a few thousand products."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._products = list(products)
        self._remembered = lru_cache(REMEMBERED)(self._predict)
        entries = [_entry(product) for product in self._products]
        self._vocabulary = sorted({word.form for entry in entries for word, _ in entry})
        self._lengths = np.array([len(form) for form in self._vocabulary], dtype=np.float32)
        # One text of all words: `str.find` walks it faster than any loop over words.
        self._text = "\n" + "\n".join(self._vocabulary) + "\n"
        self._starts = np.cumsum([0, *(len(form) + 1 for form in self._vocabulary[:-1])]) + 1
        self._cut: dict[int, list[str]] = {}
        self._shown = [[word.shown for word, _ in entry] for entry in entries]
        self._name_length = np.array(
            [sum(len(w.form) for w in words.named(p.name) if w.whole) or 1 for p in self._products],
            dtype=np.float32,
        )
        at = {form: n for n, form in enumerate(self._vocabulary)}
        # Slot by product, not product by slot: numpy takes the maximum over rows far faster.
        slots = max((len(entry) for entry in entries), default=0)
        self._words = np.zeros((slots, len(entries)), dtype=np.intp)
        self._weights = np.zeros((slots, len(entries)), dtype=np.float32)
        for row, entry in enumerate(entries):
            for slot, (word, weight) in enumerate(entry):
                self._words[slot, row] = at[word.form]
                self._weights[slot, row] = weight
        self._name_weights = np.where(self._weights > CATEGORY, self._weights, 0)

    def predict(self, text: str, limit: int = LIMIT) -> list[Match]:
        """See `Predictor`; costs some 0.3 ms for 300 products, if nobody typed it lately."""
        return list(self._remembered(text[-MAX_TEXT:], limit))

    def _predict(self, text: str, limit: int) -> tuple[Match, ...]:
        typed = [word[:MAX_WORD] for word in words.typed(text)[-MAX_TYPED_WORDS:]]
        if not typed or not self._products:
            return ()
        rows = self._rows(typed)
        best = self._best(rows, self._weights)
        lengths = np.array([len(word) for word in typed], dtype=np.float32)
        sizes = np.minimum(lengths, 8)
        quality = sizes @ best / sizes.sum()
        # Letters only count as typed where they fit: a near miss must not outweigh the exact word.
        covered = np.minimum(lengths @ best**4 / self._name_length, 1.0)
        confidence = QUALITY * quality + COVERAGE * covered
        order = np.argsort(-confidence, kind="stable")[:limit]
        return tuple(
            self._match(row, float(confidence[row]), rows)
            for row in order.tolist()
            if confidence[row] >= FLOOR
        )

    def identify(self, question: str) -> Match | None:
        """See `Predictor`: rare words decide, and a model or a pair of words must be among them."""
        typed = [w[:MAX_WORD] for w in words.typed(question)[:MAX_QUESTION_WORDS] if len(w) > 1]
        if not typed or not self._products:
            return None
        rows = self._rows(typed)
        rows[rows < _SURE] = 0.0
        best = self._best(rows, self._name_weights)
        owners = np.maximum(np.count_nonzero(best, axis=1), 1)
        score = np.log1p(len(self._products) / owners) @ best
        for row in np.argsort(-score, kind="stable")[:LIMIT].tolist():
            hits = [n for n in range(len(typed)) if best[n, row] > 0]
            if _names_something({typed[n] for n in hits}):
                return self._match(row, float(best[hits, row].mean()), rows)
        return None

    def _best(self, rows: Floats, weights: Floats) -> Floats:
        """Return the best likeness of each typed word to any word of each product."""
        best: Floats = (rows[:, self._words] * weights).max(axis=1)
        return best

    def _rows(self, typed: list[str]) -> Floats:
        """Return the likeness of each typed word to each word of the vocabulary, 0..1.

        Neighbours are also looked up as one word ("td 17" is td17), and both get what that finds.
        """
        rows = process.cdist(typed, self._vocabulary, scorer=fuzz.ratio, dtype=np.float32)
        for n, word in enumerate(typed):
            size = len(word)
            if size < FUZZY_FROM:
                rows[n] = 0
                continue
            cut = self._cut.get(size)
            if cut is None:
                cut = self._cut[size] = [form[:size] for form in self._vocabulary]
            start = process.cdist([word], cut, scorer=fuzz.ratio, dtype=np.float32)[0]
            np.maximum(rows[n], start * 0.9, out=rows[n])
        rows /= 100
        rows[rows < TYPO_FLOOR] = 0
        for n, word in enumerate(typed):
            self._literal(word, rows[n : n + 1])
        for n, (left, right) in enumerate(pairwise(typed)):
            self._literal(left + right, rows[n : n + 2])
        return rows

    def _literal(self, word: str, rows: Floats) -> None:
        """Raise the likeness where the word stands in the vocabulary letter by letter."""
        long_enough = len(word) >= FUZZY_FROM
        sought = word if long_enough else f"\n{word}"
        places = []
        found = self._text.find(sought)
        while found >= 0:
            places.append(found + len(sought) - len(word))
            found = self._text.find(sought, found + 1)
        if not places:
            return
        at = np.searchsorted(self._starts, places, side="right") - 1
        share = np.sqrt(len(word) / self._lengths[at])
        begins = self._starts[at] == places
        likeness = np.where(begins, 0.6 + 0.4 * share, 0.45 + 0.4 * share)
        for row in rows:
            np.maximum.at(row, at, likeness.astype(np.float32))

    def _match(self, row: int, confidence: float, rows: Floats) -> Match:
        alike = rows[:, self._words[:, row]] * self._weights[:, row]
        slots = sorted({int(a.argmax()) for a in alike if a.max() > 0})
        shown = dict.fromkeys(self._shown[row][slot] for slot in slots)
        return Match(self._products[row], round(min(confidence, 1.0), 3), " ".join(shown))


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
