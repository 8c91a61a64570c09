"""The index of large catalogues: letters in common find a few names, the exact index judges them.

1. `postings` finds the names that share the most three-letter pieces with the text.
2. RapidFuzz's WRatio ranks these, typos, swapped words and unfinished names included.
3. The best few are ordered by `judging`: **confidence is what `matching` says it is**.

A name found is the product's name, brand before it, or an alias; the category judges, it does not
find. Texts typed before are answered from memory: everybody's first letters are the same.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process

from hscjit_app.catalog import judging, matching, postings, records, words
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

SPARE = 2
"""So many more than are asked for are judged, for the two rankings differ a little."""


def encode(products: Sequence[Product]) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays that `LargeIndex` searches."""
    full = words.normal_lines([_with_brand(p, p.name) for p in products])
    aliases = [
        (row, _with_brand(p, alias)) for row, p in enumerate(products) for alias in p.aliases
    ]
    other = words.normal_lines([text for _, text in aliases])
    named = [(form, row, False) for row, form in enumerate(full)]
    named += [(form, row, True) for (row, _), form in zip(aliases, other, strict=True)]
    named = sorted((n for n in named if n[0]), key=lambda n: (len(n[0]), n[1]))
    names = [name for name, _, _ in named]
    brands = {p.brand: len("".join(words.typed(p.brand.name))) for p in products}
    letters = [
        len(form) - form.count(" ") - (0 if _holds_brand(p, p.name) else brands[p.brand])
        for form, p in zip(full, products, strict=True)
    ]
    categories = {text: n for n, text in enumerate(dict.fromkeys(p.category for p in products))}
    parts = [name.encode("utf-8", "surrogatepass") for name in names]
    return {
        **postings.build(names),
        "names": np.frombuffer(b"".join(parts), dtype=np.uint8),
        "name_offsets": records.offsets(parts),
        "categories": np.array([categories[p.category] for p in products], dtype=np.int32),
        "category_names": np.frombuffer(json.dumps(list(categories)).encode(), dtype=np.uint8),
        "name_products": np.array([row for _, row, _ in named], dtype=np.int32),
        "name_aliases": np.array([alias for _, _, alias in named], dtype=np.bool_),
        "letters": np.array(letters, dtype=np.int32),
    }


class LargeIndex:
    """A `Predictor` over mapped arrays; some 0.5 ms a text for a hundred thousand products."""

    def __init__(self, arrays: Arrays, products: Records) -> None:
        self._products = products
        self._names = arrays["names"].data
        self._offsets = arrays["name_offsets"]
        self._owners = arrays["name_products"]
        self._aliases = arrays["name_aliases"]
        self._letters = arrays["letters"]
        self._categories = arrays["categories"]
        self._category_words = [
            words.typed(text) for text in json.loads(arrays["category_names"].tobytes())
        ]
        self._postings = Postings(arrays, len(self._owners))
        self._remembered = lru_cache(matching.REMEMBERED)(self._predict)

    @classmethod
    def of(cls, products: Sequence[Product]) -> Self:
        """Index products in this process's own memory."""
        arrays = {**encode(products), **records.encode(products)}
        return cls(arrays, Records(arrays))

    def predict(self, text: str, limit: int = LIMIT) -> list[Match]:
        """See `Predictor`."""
        return list(self._remembered(text[-MAX_TEXT:], limit))

    def identify(self, question: str) -> Match | None:
        """See `Predictor`: all names that share letters with the sentence's words are judged."""
        asked = [w[:MAX_WORD] for w in words.typed(question)[:MAX_QUESTION_WORDS] if len(w) > 1]
        if not asked:
            return None
        found = self._postings.candidates([*asked, ""], pieces=2 * postings.PIECES)
        rows = dict.fromkeys(self._owners[found].tolist())
        return FuzzyIndex([self._products.at(row) for row in rows]).identify(question)

    def search(self, typed: Sequence[str], most: int) -> list[tuple[int, str, bool]]:
        """Return the names of the products most alike by WRatio, best first.

        Each as its product's number, itself, and whether it is an alias. `most` counts products.
        """
        found = self._postings.candidates(typed)
        bounds = zip(self._offsets[found].tolist(), self._offsets[found + 1].tolist(), strict=True)
        names = [str(self._names[a:b], "utf-8", "surrogatepass") for a, b in bounds]
        alike = process.cdist([" ".join(typed)], names, scorer=fuzz.WRatio, dtype=np.float32)[0]
        owners = self._owners[found].tolist()
        aliases = self._aliases[found].tolist()
        best = []
        seen: set[int] = set()
        for at in np.argsort(-alike, kind="stable").tolist():
            seen.add(owners[at])
            if len(seen) > most:
                break
            best.append((owners[at], names[at], aliases[at]))
        return best

    def _predict(self, text: str, limit: int) -> tuple[Match, ...]:
        typed = [word[:MAX_WORD] for word in words.typed(text)[-MAX_TYPED_WORDS:]]
        if not typed:
            return ()
        found = self.search(typed, limit + SPARE)
        if not found:
            return ()
        rows = [row for row, _, _ in found]
        categories, letters = self._categories[rows].tolist(), self._letters[rows].tolist()
        verdicts = judging.judge(
            typed,
            [
                judging.Named(
                    name.split(" "),
                    self._category_words[category],
                    own,
                    matching.ALIAS if alias else matching.NAME,
                )
                for (_, name, alias), category, own in zip(found, categories, letters, strict=True)
            ],
        )
        sure: dict[int, judging.Verdict] = {}
        for row, verdict in sorted(
            zip(rows, verdicts, strict=True), key=lambda v: -v[1].confidence
        ):
            if verdict.confidence >= FLOOR and len(sure) < limit:
                sure.setdefault(row, verdict)
        return tuple(self._match(row, verdict) for row, verdict in sure.items())

    def _match(self, row: int, verdict: judging.Verdict) -> Match:
        product = self._products.at(row)
        return Match(product, verdict.confidence, judging.shown(product, verdict.recognised))


def _holds_brand(product: Product, text: str) -> bool:
    return product.brand.name.casefold() in text.casefold()


def _with_brand(product: Product, text: str) -> str:
    return text if _holds_brand(product, text) else f"{product.brand.name} {text}"
