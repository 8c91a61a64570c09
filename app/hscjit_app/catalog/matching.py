"""Which product is being typed? Pure: names in, ranked matches out.

**Confidence** (0..1) = 0.85 x how well each typed word is a word of the product, weighted by length
(1 = letter by letter) + 0.15 x the share of the product's name that was typed. So 1 means that
everything typed is in the name and nothing of the name is missing. Below `FLOOR` nothing is shown.

A typed word is compared with each *distinct* word of the catalogue once, and only the few that are
alike are looked up in the products. What a word was found to mean is kept for all customers: while
the last word of a text grows, the others are not looked up again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from itertools import pairwise
from typing import NamedTuple, TypeVar

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
_FLOOR, _COVERAGE = np.float32(FLOOR), np.float32(COVERAGE)
_SURE = 0.88
"""In a sentence only what is more alike is the same word: "how"~"show" 0.86 is not."""

Floats = npt.NDArray[np.float32]
T = TypeVar("T")
_Word = tuple[float, int]
"""How much a word of a product counts, and its place in the product as a bit, below zero: the most,
and of words that count as much the first one, is the greatest."""
_NONE: _Word = (0.0, 0)


class _Meaning(NamedTuple):
    """What a typed word may be."""

    held: dict[int, _Word]
    """The word it is most likely, of each product that holds one."""
    counts: Floats
    """What it adds for each product to how well the words fit, and to how much of it was typed."""


class FuzzyIndex:
    """Brute force over distinct words; right for up to a few hundred products."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._products = list(products)
        entries = [_entry(product) for product in self._products]
        self._vocabulary = Vocabulary(word.form for entry in entries for word, _ in entry)
        self._word = remembering(self._mean_word, REMEMBERED)
        self._pair = remembering(self._mean_pair, REMEMBERED)
        self._wording = remembering(self._word_out, REMEMBERED)
        self._shown = [[word.shown for word, _ in entry] for entry in entries]
        self._name_length = [
            sum(len(w.form) for w in words.named(p.name) if w.whole) or 1 for p in self._products
        ]
        at = {form: n for n, form in enumerate(self._vocabulary.forms)}
        self._holders: list[list[tuple[int, float, int]]] = [[] for _ in at]
        for row, entry in enumerate(entries):
            for slot, (word, weight) in enumerate(entry):
                self._holders[at[word.form]].append((row, weight, -(1 << slot)))

    def predict(self, text: str, limit: int = LIMIT) -> list[Match]:
        """See `Predictor`; costs some 0.1 ms for 300 products."""
        typed = [w[:MAX_WORD] for w in words.typed(text[-MAX_TEXT:])[-MAX_TYPED_WORDS:]]
        if not typed or not self._products:
            return []
        meant = _with_neighbours(typed, self._word, self._pair)
        fitting, covered = reduce(np.add, map(_most, meant))
        confidence = fitting * np.float32(QUALITY / sum(map(_heavy, typed)))
        confidence += np.minimum(covered, _COVERAGE)
        (rows,) = (confidence >= _FLOOR).nonzero()
        if not len(rows):
            return []
        # They are few: Python sorts them sooner than numpy's sorting is called.
        best = sorted(zip((-confidence[rows]).tolist(), rows.tolist(), strict=True))[:limit]
        return [
            self._match(row, -unsure, [_recognised(row, word) for word in meant])
            for unsure, row in best
        ]

    def identify(self, question: str) -> Match | None:
        """See `Predictor`: rare words decide, and a model or a pair of words must be among them."""
        typed = [w[:MAX_WORD] for w in words.typed(question)[:MAX_QUESTION_WORDS] if len(w) > 1]
        if not typed or not self._products:
            return None
        alike = _with_neighbours(typed, self._vocabulary.like, self._holding)
        sure = [{at: much for at, much in most(one).items() if much > _SURE} for one in alike]
        best = np.zeros((len(typed), len(self._products)), dtype=np.float32)
        for n, one in enumerate(sure):
            for row, (much, _) in self._held(one, above=CATEGORY).items():
                best[n, row] = much
        owners = np.maximum(np.count_nonzero(best, axis=1), 1)
        score = np.log1p(len(self._products) / owners) @ best
        for row in np.argsort(-score, kind="stable")[:LIMIT].tolist():
            hits = [n for n in range(len(typed)) if best[n, row] > 0]
            if _names_something({typed[n] for n in hits}):
                recognised = [self._held(one).get(row, _NONE) for one in sure]
                return self._match(row, float(best[hits, row].mean()), recognised)
        return None

    def _mean_word(self, word: str) -> _Meaning:
        held = self._held(self._vocabulary.like(word))
        return _Meaning(held, self._counts(held, word))

    def _mean_pair(self, left: str, right: str) -> tuple[_Meaning, _Meaning] | None:
        held = self._held(self._vocabulary.holding(left + right))
        if not held:
            return None
        return _Meaning(held, self._counts(held, left)), _Meaning(held, self._counts(held, right))

    def _holding(self, left: str, right: str) -> tuple[Alike, Alike] | None:
        alike = self._vocabulary.holding(left + right)
        return (alike, alike) if alike else None

    def _held(self, alike: Alike, above: float = 0.0) -> dict[int, _Word]:
        """Return the word that counts most, of each product that holds one that counts `above`."""
        held: dict[int, _Word] = {}
        for word, much in alike.items():
            for row, weight, place in self._holders[word]:
                one = (much * weight, place)
                if weight > above and one > held.get(row, _NONE):
                    held[row] = one
        return held

    def _counts(self, held: Mapping[int, _Word], word: str) -> Floats:
        """Return what a typed word adds for each product, given the words it is most likely."""
        counts = np.zeros((2, len(self._products)), dtype=np.float32)
        heavy, letters = _heavy(word), len(word) * COVERAGE
        # Letters only count as typed where they fit: a near miss must not outweigh the exact word.
        counts[:, list(held)] = (
            [much * heavy for much, _ in held.values()],
            [much**4 * letters / self._name_length[row] for row, (much, _) in held.items()],
        )
        return counts

    def _match(self, row: int, confidence: float, recognised: Iterable[_Word]) -> Match:
        places = 0
        for _, place in recognised:
            places |= -place
        return Match(
            self._products[row], round(min(confidence, 1.0), 3), self._wording(row, places)
        )

    def _word_out(self, row: int, places: int) -> str:
        shown = enumerate(self._shown[row])
        return " ".join(dict.fromkeys([text for at, text in shown if places >> at & 1]))


def _recognised(row: int, several: Sequence[_Meaning]) -> _Word:
    """Return the word of a product that was most likely meant."""
    if len(several) == 1:
        return several[0].held.get(row, _NONE)
    return max([one.held.get(row, _NONE) for one in several])


def _most(several: Sequence[_Meaning]) -> Floats:
    """Return for each product the most that any of several meanings counts."""
    if len(several) == 1:
        return several[0].counts
    return reduce(np.maximum, [one.counts for one in several])


def _heavy(word: str) -> int:
    """Return how much a typed word weighs."""
    return min(len(word), 8)


def _with_neighbours(
    typed: Sequence[str],
    word: Callable[[str], T],
    pair: Callable[[str, str], tuple[T, T] | None],
) -> list[list[T]]:
    """Return what each typed word may be, by itself and with its neighbours.

    Neighbours are looked up as one word too ("td 17" is td17), and both get what that finds.
    """
    found = [[word(one)] for one in typed]
    for n, (left, right) in enumerate(pairwise(typed)):
        both = pair(left, right)
        if both:
            found[n].append(both[0])
            found[n + 1].append(both[1])
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
