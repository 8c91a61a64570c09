"""Which passages of one manual speak about a question? BM25 over its chunks.

An index is a few hundred kilobytes and is built in milliseconds; `Indexes` keeps the recent ones by
content hash, which can't become outdated: other bytes have another hash.
"""

import re
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

# numpy and its kin are imported where they are used: a process is ready without them.
if TYPE_CHECKING:
    pass

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_STOP_TEXT = """
a about all am an and any are as at be been but by can could did do does for from had has
have he her him his how i if in into is it its just may me might must my need no not of on
or our please shall she should so some than that the their them then there these they this
those to too up us want was we were what when where which who why will with would you your
"""
_STOP = frozenset(_STOP_TEXT.split())
_TYPO_SCORE = 84.0
_TYPO_MIN_LETTERS = 5
_STEM_MIN = 4


@dataclass(frozen=True)
class Entry:
    """One chunk as it is indexed."""

    page: int
    text: str


def words(text: str) -> list[str]:
    """Return the words that carry meaning, folded: case, accents and common endings go."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    folded = "".join(c for c in folded if not unicodedata.combining(c))
    return [_stem(w) for w in _WORD.findall(folded) if w not in _STOP]


def _stem(word: str) -> str:
    """Take plural and gerund endings off; crude, but the same for question and manual."""
    for ending in ("'s", "\u2019s", "ies", "ing", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= _STEM_MIN - 1:
            stem = word[: -len(ending)]
            if ending == "ies":
                return stem + "y"
            if ending == "s" and stem.endswith("s"):
                return word
            # "setting" and "set", "controlled" and "control" meet in their single letter.
            doubled = len(stem) > _STEM_MIN - 1 and stem[-1] == stem[-2] and stem[-1] not in "aeiou"
            return stem[:-1] if doubled and ending in ("ing", "ed") else stem.removesuffix("e")
    return word.removesuffix("e") if len(word) >= _STEM_MIN else word


class Index:
    """One document, ready to be asked."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        import bm25s  # noqa: PLC0415

        self._entries = list(entries)
        tokens = [words(entry.text) for entry in self._entries]
        self._vocabulary = sorted({token for row in tokens for token in row})
        self._known = frozenset(self._vocabulary)
        self._bm25: bm25s.BM25 | None = None
        if self._vocabulary:
            self._bm25 = bm25s.BM25(k1=1.2, b=0.6)
            self._bm25.index(tokens, show_progress=False)

    def search(self, question: str, k: int) -> list[tuple[Entry, float]]:
        """Return at most `k` chunks with a word of the question, best first, with their scores."""
        if self._bm25 is None:
            return []
        asked = [w for w in (self._word(w) for w in dict.fromkeys(words(question))) if w]
        if not asked:
            return []
        scores = self._bm25.get_scores(asked)
        import numpy as np  # noqa: PLC0415

        best = np.argsort(-scores, kind="stable")[:k]
        return [(self._entries[at], float(scores[at])) for at in best if scores[at] > 0]

    def _word(self, word: str) -> str | None:
        """Return the manual's word for an asked one, typing errors forgiven; None = unknown."""
        if word in self._known or len(word) < _TYPO_MIN_LETTERS:
            return word if word in self._known else None
        from rapidfuzz import fuzz, process  # noqa: PLC0415

        near = process.extractOne(
            word, self._vocabulary, scorer=fuzz.ratio, score_cutoff=_TYPO_SCORE
        )
        return near[0] if near else None


class Indexes:
    """The recently used indexes of this process, safe to be asked from many threads."""

    def __init__(self, capacity: int = 64) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[str, Index] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, content_hash: str) -> Index | None:
        """Return a kept index, or None."""
        with self._lock:
            index = self._kept.get(content_hash)
            if index is not None:
                self._kept.move_to_end(content_hash)
            return index

    def build(self, content_hash: str, entries: Sequence[Entry]) -> Index:
        """Build and keep an index; of two built at once the last stays, and they are equal."""
        index = Index(entries)
        with self._lock:
            self._kept[content_hash] = index
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return index
