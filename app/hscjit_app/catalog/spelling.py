"""Which words of the catalogue may a typed word be? Exact, begun, or misspelled.

Words are sorted, so those that begin alike lie side by side. A word that is not there is compared
with the words that many names hold, all of them; of the others with those that share the most runs
of three letters, a blank before and behind counting as letters: "nord" gives "_no", "nor", "ord",
"rd_".
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process

from hscjit_app.catalog.pack import Arrays

ALIKE = 68
"""Less alike than this, 0..100 by RapidFuzz's ratio, a word that many names hold is another."""
MISSPELLED = 12
"""So many words of few names are taken for one typed word."""

_COUNTED = 2048
"""Words counted for one typed word, at most: those of its rarest runs of letters."""
_BUCKETS_BITS = 16
_KEY = 8
_MODEL = 4
"""So many letters, a digit among them, are a model although nobody knows it."""
_BLANK = ord(" ")
_NONE = (0, 0)
_MIX = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)


class Reading(NamedTuple):
    """What a typed word may be, words by number."""

    exact: int
    """The word that it is, or -1."""
    begun: tuple[int, int]
    """From the first to after the last of the longer words that begin with it."""
    alike: tuple[int, ...] = ()
    """Words that it may have been meant to be."""


def build(
    vocabulary: Sequence[str], common: npt.NDArray[np.generic]
) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays for sorted words; `common` = the numbers of those that many names hold."""
    parts = [word.encode("utf-8", "surrogatepass") for word in vocabulary]
    keys = np.frombuffer(
        b"".join(part[:_KEY].ljust(_KEY, b"\0") for part in parts), dtype=">u8"
    ).astype(np.uint64)
    rare = np.ones(len(vocabulary), dtype=bool)
    rare[common.view(np.int32)] = False
    numbers = np.flatnonzero(rare).astype(np.int32)
    text = "".join(f" {vocabulary[n]} " for n in numbers.tolist())
    letters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    lengths = np.fromiter((len(vocabulary[n]) + 2 for n in numbers.tolist()), np.int64)
    of_word = np.repeat(np.arange(len(numbers), dtype=np.int64), lengths)
    middles = np.flatnonzero(letters[1:-1] != _BLANK) + 1
    mixed = sum(
        letters[middles + shift] * np.uint32(factor)
        for shift, factor in zip((-1, 0, 1), _MIX, strict=True)
    )
    buckets = np.asarray(mixed, dtype=np.uint32) >> np.uint32(32 - _BUCKETS_BITS)
    held = np.sort(buckets.astype(np.int64) << 32 | of_word[middles])
    held = held[np.append(held[1:] != held[:-1], True)] if len(held) else held
    counts = np.bincount(held >> 32, minlength=1 << _BUCKETS_BITS)
    return {
        "words": np.frombuffer(b"".join(parts), dtype=np.uint8),
        "word_offsets": _offsets([len(part) for part in parts]),
        "word_keys": keys,
        "run_offsets": _offsets(counts),
        "run_words": numbers[held & 0xFFFFFFFF],
    }


class Spelling:
    """Reads typed words over arrays that may be mapped from a file."""

    def __init__(self, arrays: Arrays) -> None:
        self._bytes = arrays["words"].data
        self._offsets = arrays["word_offsets"].data
        self._keys = arrays["word_keys"].data
        self._run_offsets = arrays["run_offsets"].data
        self._run_words = arrays["run_words"]
        self._common = arrays["common"].tolist()
        self._common_words = [self.word(n) for n in self._common]
        self._common_set = frozenset(self._common_words)

    def word(self, number: int) -> str:
        """Return a word by its number."""
        letters = self._bytes[self._offsets[number] : self._offsets[number + 1]]
        return str(letters, "utf-8", "surrogatepass")

    def read(self, word: str, *, unfinished: bool) -> Reading:
        """Return what a word may be; an unfinished one also what it may become."""
        exact, begun = self._begun(word)
        if exact >= 0:
            return Reading(exact, begun if unfinished else _NONE)
        if unfinished and begun != _NONE:
            return Reading(-1, begun)
        return Reading(-1, begun, tuple(self._alike(word, unfinished)))

    def apart(self, word: str) -> tuple[str, ...]:
        """Cut a word nobody knows in two: a common one, and one that is known or a model."""
        for cut in range(2, len(word) - 1):
            pair = word[:cut], word[cut:]
            if not self._common_set.isdisjoint(pair) and all(map(self._may_stand, pair)):
                return pair
        return (word,)

    def _may_stand(self, word: str) -> bool:
        a_model = len(word) >= _MODEL and any(map(str.isdigit, word))
        return a_model or self._begun(word)[0] >= 0

    def joined(self, word: str) -> Reading:
        """Return what two words typed apart may be as one."""
        return Reading(*self._begun(word))

    def _begun(self, word: str) -> tuple[int, tuple[int, int]]:
        """Return the word's own number or -1, and where longer words lie that begin with it."""
        letters = word.encode("utf-8", "surrogatepass")
        head = letters[:_KEY]
        first = int.from_bytes(head.ljust(_KEY, b"\0"), "big")
        low = bisect_left(self._keys, first)
        high = bisect_left(self._keys, first + (1 << 8 * (_KEY - len(head))), low)
        if len(letters) > _KEY:
            low, high = self._narrowed(word, low, high)
        exact = -1
        if low < high and self._offsets[low + 1] - self._offsets[low] == len(letters):
            exact, low = low, low + 1
        return exact, (low, high) if low < high else _NONE

    def _narrowed(self, word: str, low: int, high: int) -> tuple[int, int]:
        """Narrow words that share their first letters to those that begin with all of `word`."""
        numbers = range(low, high)
        first = bisect_left(numbers, word, key=self.word)
        after = bisect_right(numbers, word, lo=first, key=lambda n: self.word(n)[: len(word)])
        return low + first, low + after

    def _alike(self, word: str, unfinished: bool) -> list[int]:
        found: list[int] = []
        if self._common_words:
            row = process.cdist(
                [word], self._common_words, scorer=fuzz.ratio, score_cutoff=ALIKE, dtype=np.uint8
            )[0]
            found = [self._common[n] for n in np.flatnonzero(row).tolist()]
        padded = [_BLANK, *map(ord, word)]
        if not unfinished:
            padded.append(_BLANK)
        runs = {_bucket(*three) for three in zip(padded, padded[1:], padded[2:], strict=False)}
        return found + self._sharing(list(runs))

    def _sharing(self, runs: list[int]) -> list[int]:
        """Return the words that share the most of these runs of letters, and at least two."""
        held = [(self._run_offsets[run], self._run_offsets[run + 1]) for run in runs]
        slices: list[npt.NDArray[np.generic]] = []
        left = _COUNTED
        for size, start in sorted((end - start, start) for start, end in held if end > start):
            left -= size
            if left < 0 and len(slices) > 1:
                break
            slices.append(self._run_words[start : start + size])
        if not slices:
            return []
        more = np.concatenate(slices)
        more.sort()
        levels: list[list[int]] = []  # words of one run, of two, of three...
        while len(more):
            more = more[1:][more[1:] == more[:-1]]
            levels.append(more[:MISSPELLED].tolist())
        best = chain.from_iterable(levels[-2:-4:-1])
        return list(dict.fromkeys(best))[:MISSPELLED]


def _bucket(before: int, middle: int, after: int) -> int:
    mixed = before * _MIX[0] + middle * _MIX[1] + after * _MIX[2]
    return (mixed & 0xFFFFFFFF) >> (32 - _BUCKETS_BITS)


def _offsets(sizes: Sequence[int] | npt.NDArray[np.generic]) -> npt.NDArray[np.int32]:
    found = np.zeros(len(sizes) + 1, dtype=np.int32)
    np.cumsum(sizes, out=found[1:])
    return found
