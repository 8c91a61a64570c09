"""The index of large catalogues: letters in common find a few names, the exact index judges them.

1. `spelling` says which words the typed ones may be, `postings` which names hold the most of them.
2. RapidFuzz's WRatio ranks these, typos, swapped words and unfinished names included.
3. Those that hold the most, and WRatio's first, are ordered by `judging`: **confidence is what
   `matching` says it is**.

A name found is the product's name, brand before it, or an alias; the category judges, it does not
find. What each word was found to mean is kept: while the last one grows, the others are known.
"""

import json
from collections.abc import Sequence
from operator import itemgetter, neg
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process

from hscjit_app.catalog import judging, matching, postings, records, spelling, words
from hscjit_app.catalog.matching import (
    FLOOR,
    MAX_QUESTION_WORDS,
    MAX_TYPED_WORDS,
    MAX_WORD,
    FuzzyIndex,
)
from hscjit_app.catalog.pack import Arrays
from hscjit_app.catalog.postings import Postings
from hscjit_app.catalog.prediction import LIMIT, MAX_TEXT, Match
from hscjit_app.catalog.products import Product
from hscjit_app.catalog.records import Records

CANDIDATES = 20
"""Names found for one text at least; more of them changed no first place and cost time."""
ASKED = 48
"""Names found for a question."""
SPARE = 2
"""So many of WRatio's first are judged beside those that hold most of the text."""


class _Found(NamedTuple):
    """A name that may be meant; the lower, the better: by what it holds, then by likeness."""

    missing: int
    """How much of the text it holds, below zero."""
    unlike: float
    """WRatio, below zero."""
    number: int
    name: str


_by_likeness = itemgetter(1, 0, 2)


def encode(products: Sequence[Product]) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays that `LargeIndex` searches."""
    brands = {p.brand.name: p.brand.name.casefold() for p in products}
    held = [brands[p.brand.name] in p.name.casefold() for p in products]
    full = words.normal_lines(
        [p.name if h else f"{p.brand.name} {p.name}" for p, h in zip(products, held, strict=True)]
    )
    aliases = [
        (row, alias if brands[p.brand.name] in alias.casefold() else f"{p.brand.name} {alias}")
        for row, p in enumerate(products)
        for alias in p.aliases
    ]
    other = words.normal_lines([text for _, text in aliases])
    forms = [*full, *other]
    rows = np.array([*range(len(full)), *(row for row, _ in aliases)], dtype=np.int32)
    lengths = np.fromiter(map(len, forms), np.int32, len(forms))
    order = np.lexsort((rows, lengths))
    order = order[lengths[order] > 0]
    names = [forms[n] for n in order.tolist()]
    sizes = {name: len("".join(words.typed(name))) for name in brands}
    letters = [
        len(form) - form.count(" ") - (0 if h else sizes[p.brand.name])
        for form, p, h in zip(full, products, held, strict=True)
    ]
    categories = {text: n for n, text in enumerate(dict.fromkeys(p.category for p in products))}
    parts = [name.encode("utf-8", "surrogatepass") for name in names]
    vocabulary, arrays = postings.build(names)
    return {
        **arrays,
        **spelling.build(vocabulary, arrays["common"]),
        "names": np.frombuffer(b"".join(parts), dtype=np.uint8),
        "name_offsets": records.offsets(parts),
        "categories": np.array([categories[p.category] for p in products], dtype=np.int32),
        "category_names": np.frombuffer(json.dumps(list(categories)).encode(), dtype=np.uint8),
        "name_products": rows[order],
        "name_aliases": order >= len(full),
        "letters": np.array(letters, dtype=np.int32),
    }


class LargeIndex:
    """A `Predictor` over mapped arrays; under 1 ms a text for a hundred thousand products."""

    def __init__(self, arrays: Arrays, products: Records) -> None:
        self._products = products
        self._names = arrays["names"].data
        self._offsets = arrays["name_offsets"].data
        self._owners = arrays["name_products"].data  # one number is read faster than by numpy
        self._aliases = arrays["name_aliases"].data
        self._letters = arrays["letters"].data
        self._categories = arrays["categories"].data
        self._category_words = [
            words.typed(text) for text in json.loads(arrays["category_names"].tobytes())
        ]
        self._postings = Postings(arrays)

    @classmethod
    def of(cls, products: Sequence[Product]) -> Self:
        """Index products in this process's own memory."""
        arrays = {**encode(products), **records.encode(products)}
        return cls(arrays, Records(arrays))

    def predict(self, text: str, limit: int = LIMIT) -> list[Match]:
        """See `Predictor`."""
        return self._predict(text[-MAX_TEXT:], limit)

    def identify(self, question: str) -> Match | None:
        """See `Predictor`: the names that hold the rarest of the sentence's words are judged."""
        asked = [w[:MAX_WORD] for w in words.typed(question)[:MAX_QUESTION_WORDS] if len(w) > 1]
        if not asked:
            return None
        found, held = self._postings.candidates(asked, ASKED, rare_first=True)
        # Among products as likely, the first is taken: let it be one that holds most.
        best = sorted(zip(map(neg, held), found, strict=True))
        rows = dict.fromkeys(self._owners[number] for _, number in best)
        return FuzzyIndex([self._products.at(row) for row in rows]).identify(question)

    def alike(self, text: str, most: int) -> list[str]:
        """Return the names most alike by WRatio, best first, however sure we are of them."""
        typed = _typed(text)
        found = self._find(typed, self._postings.apart(typed), most)
        return [one.name for one in sorted(found, key=_by_likeness)[:most]]

    def _find(self, typed: Sequence[str], apart: Sequence[str], most: int) -> list[_Found]:
        if not apart:
            return []
        numbers, held = self._postings.candidates(apart, max(CANDIDATES, 2 * most), most + SPARE)
        if not numbers:
            return []
        names = list(map(self._name, numbers))
        alike = process.cdist([" ".join(typed)], names, scorer=fuzz.WRatio, dtype=np.float32)[0]
        missing = map(neg, held)
        return list(map(_Found, missing, (-alike).tolist(), numbers, names))

    def _name(self, number: int) -> str:
        at = self._offsets
        return str(self._names[at[number] : at[number + 1]], "utf-8", "surrogatepass")

    def _predict(self, text: str, limit: int) -> list[Match]:
        typed = _typed(text)
        apart = self._postings.apart(typed)
        found = self._first(self._find(typed, apart, limit), limit)
        if not found:
            return []
        rows = [self._owners[one.number] for one in found]
        verdicts = judging.judge(
            apart,
            [
                judging.Named(
                    one.name.split(" "),
                    self._category_words[self._categories[row]],
                    self._letters[row],
                    matching.ALIAS if self._aliases[one.number] else matching.NAME,
                )
                for one, row in zip(found, rows, strict=True)
            ],
        )
        sure: dict[int, judging.Verdict] = {}
        for row, verdict in sorted(
            zip(rows, verdicts, strict=True), key=lambda v: -v[1].confidence
        ):
            if verdict.confidence < FLOOR or len(sure) == limit:
                break
            sure.setdefault(row, verdict)
        return [self._match(row, verdict) for row, verdict in sure.items()]

    def _first(self, found: list[_Found], products: int) -> list[_Found]:
        """Return the names of so many products that hold most, and WRatio's first few."""
        few = dict.fromkeys(sorted(found, key=_by_likeness)[:SPARE])
        rows = set()
        for one in sorted(found):
            rows.add(self._owners[one.number])
            if len(rows) > products:
                break
            few[one] = None
        return list(few)

    def _match(self, row: int, verdict: judging.Verdict) -> Match:
        product = self._products.at(row)
        return Match(product, verdict.confidence, judging.shown(product, verdict.recognised))


def _typed(text: str) -> list[str]:
    return [word[:MAX_WORD] for word in words.typed(text[-MAX_TEXT:])[-MAX_TYPED_WORDS:]]
