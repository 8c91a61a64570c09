"""Which names hold most of what was typed?

A word that few names hold keeps their numbers; one that many hold keeps a bit for every name. For
a typed word the bits of all words that it may be are united, and `tally` adds these sets up.

Names are numbered from the shortest to the longest: among equals the shorter one comes first.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hscjit_app.catalog import tally
from hscjit_app.catalog.pack import Arrays
from hscjit_app.catalog.spelling import Reading, Spelling
from hscjit_app.catalog.tally import BLOCK, Bits, Rows, Tally

COMMON = 256
"""A word that more than 1 in so many names hold is common, ..."""
MOST_COMMON = 512
"""... if it is among so many: bits for 100,000 names take 12.5 kB a word."""
REMEMBERED = 2048
"""Typed words whose meaning is kept: while the last word of a text grows, the others stay."""
SHORT = 3
"""A word of no more letters weighs half."""

_NOBODY = np.zeros(0, dtype=np.int32)


def build(names: Sequence[str]) -> tuple[list[str], dict[str, npt.NDArray[np.generic]]]:
    """Return all words, sorted, and the arrays for names ordered by length, words parted by " "."""
    split = [name.split(" ") for name in names]
    sizes = np.fromiter(map(len, split), np.int64, len(names))
    vocabulary = sorted(set(chain.from_iterable(split)))
    number = dict(zip(vocabulary, range(len(vocabulary)), strict=True))
    words = np.fromiter(
        map(number.__getitem__, chain.from_iterable(split)), np.int64, int(sizes.sum())
    )
    held = np.sort(words << 32 | np.repeat(np.arange(len(names)), sizes))
    held = held[np.append(held[1:] != held[:-1], True)] if len(held) else held
    counts = np.bincount(held >> 32, minlength=len(vocabulary))
    starts = np.concatenate([[0], np.cumsum(counts)])
    ids = (held & 0xFFFFFFFF).astype(np.int32)
    many = np.flatnonzero((counts * COMMON > len(names)) & (counts > 1))
    common = np.sort(many[np.argsort(-counts[many], kind="stable")][:MOST_COMMON])
    bits = [tally.bits(ids[starts[n] : starts[n + 1]], len(names)) for n in common.tolist()]
    return vocabulary, {
        "common": common.astype(np.int32),
        "common_bits": np.concatenate([*bits, np.zeros(0, dtype=np.uint64)]),
        "holder_offsets": starts.astype(np.int32),
        "holders": ids,
        "lengths": np.fromiter(map(len, names), np.int32, len(names)),
    }


class _Names(NamedTuple):
    """Some names: those of these rows of bits, and those of these numbers."""

    rows: tuple[int, ...]
    ids: npt.NDArray[np.int32]

    def __bool__(self) -> bool:
        return bool(self.rows) or len(self.ids) > 0


_NONE = _Names((), _NOBODY)


class _Held(NamedTuple):
    """Which names hold what a typed word may be."""

    exact: _Names
    """The very word."""
    other: _Names
    """A longer word that begins with it, or one that it may have been meant to be."""
    times: int
    """How many hold the very word."""
    known: bool
    """It is a word of the catalogue, or the beginning of one."""


class Postings:
    """Sets of names over arrays that may be mapped from a file."""

    def __init__(self, arrays: Arrays) -> None:
        self._spelling = Spelling(arrays)
        self._lengths = arrays["lengths"]
        self._offsets = arrays["holder_offsets"].data  # one number is read faster than by numpy
        self._holders = arrays["holders"].view(np.int32)
        self._blocks = -(-len(self._lengths) // BLOCK)
        common = arrays["common"].tolist()
        self._bits = list(arrays["common_bits"].view(np.uint64).reshape(len(common), self._blocks))
        self._common = {number: row for row, number in enumerate(common)}
        self._held = lru_cache(REMEMBERED)(self._look_up)
        self._joined = lru_cache(REMEMBERED)(self._look_up_joined)
        self._cut = lru_cache(REMEMBERED)(self._spelling.apart)

    def candidates(
        self, words: Sequence[str], most: int, others: int = 0, *, rare_first: bool = False
    ) -> tuple[Rows, Rows]:
        """Return names by number, and for each how much of the text it holds.

        These are the `most` that hold most of it, by letters, or by rare words if `rare_first`; and
        `others` that hold just any word of it and are much longer or shorter than the text, for
        WRatio ranks these above many that hold more. The last word may be unfinished.
        """
        held = [self._held(word, at == len(words) - 1) for at, word in enumerate(words)]
        weights = [
            self._rarity(one) if rare_first else _weight(word)
            for word, one in zip(words, held, strict=True)
        ]
        least = min(weights)
        weights = [weight // least for weight in weights]
        sums = Tally(self._blocks, sum(weights))
        for at, weight in enumerate(weights):
            one = held[at]
            sets = [one.exact, one.other, *self._with_neighbours(words, held, at)]
            if bits := self._union(sets):
                sums.add(bits[0], weight)
        found = sums.most(most)
        exact = self._union(
            [one.exact for one in held if one.exact.rows] or [one.exact for one in held]
        )
        if exact and others:
            length = sum(map(len, words)) + len(words) - 1
            more = self._unlike(length, exact[0], others)
            found = np.array(list(dict.fromkeys([*found.tolist(), *more])), dtype=np.intp)
        return found, sums.of(found)

    def apart(self, words: Sequence[str]) -> list[str]:
        """Return the words, those cut in two that were typed without a blank between them."""
        found: list[str] = []
        for at, word in enumerate(words):
            held = self._held(word, at == len(words) - 1)
            found += (word,) if held.known else self._cut(word)
        return found

    def _look_up(self, word: str, unfinished: bool) -> _Held:
        return self._names(self._spelling.read(word, unfinished=unfinished))

    def _look_up_joined(self, word: str) -> _Held:
        return self._names(self._spelling.joined(word))

    def _names(self, reading: Reading) -> _Held:
        exact, times = _NONE, 0
        if reading.exact >= 0:
            exact = self._of((reading.exact,))
            times = self._offsets[reading.exact + 1] - self._offsets[reading.exact]
        begin, end = reading.begun
        other = _NONE
        if begin < end:
            other = _Names((), self._holders[self._offsets[begin] : self._offsets[end]])
        known = times > 0 or begin < end
        if reading.alike:
            rows, ids = self._of(reading.alike)
            other = _Names(rows, np.concatenate([other.ids, ids]))
        return _Held(exact, other, times, known)

    def _of(self, words: Sequence[int]) -> _Names:
        rows = tuple(self._common[word] for word in words if word in self._common)
        slices = [
            self._holders[self._offsets[word] : self._offsets[word + 1]]
            for word in words
            if word not in self._common
        ]
        if len(slices) == 1:
            return _Names(rows, slices[0])
        return _Names(rows, np.concatenate(slices) if slices else _NOBODY)

    def _with_neighbours(self, words: Sequence[str], held: list[_Held], at: int) -> list[_Names]:
        """Return who holds a word as one with the word before or after it: "td 17" is td17."""
        found = []
        for first in (at - 1, at):
            if first < 0 or first + 1 >= len(words):
                continue
            pair = words[first : first + 2]
            if all(h.times and len(w) > SHORT for w, h in zip(pair, held[first:], strict=False)):
                continue
            joined = self._joined("".join(pair))
            found += [joined.exact, joined.other]
        return found

    def _union(self, sets: Iterable[_Names]) -> list[Bits]:
        """Return one set of bits, or none if nobody is in it."""
        some = [names for names in sets if names]
        bits = [self._bits[row] for names in some for row in names.rows]
        ids = [names.ids for names in some if len(names.ids)]
        if ids:
            bits.append(
                tally.bits(np.concatenate(ids) if len(ids) > 1 else ids[0], len(self._lengths))
            )
        return [tally.union(bits)] if bits else []

    def _unlike(self, length: int, bits: Bits, most: int) -> list[int]:
        """Return names of a set at least 1.5 times longer or shorter, at most 8 times."""
        bounds = [-(-length // 8), -(-length * 2 // 3), -(-length * 3 // 2), length * 8]
        # Of the array's own type: numpy would make all of the array another one otherwise.
        places = self._lengths.searchsorted(np.array(bounds, dtype=self._lengths.dtype))
        a, b, c, d = places.tolist()
        longer = _between(bits, c, d, most)
        return longer if len(longer) == most else [*longer, *_between(bits, a, b, most)]

    def _rarity(self, held: _Held) -> int:
        if not held.times:
            return 1
        return 2 if held.times * COMMON > len(self._lengths) else 4


def _between(bits: Bits, first: int, after: int, most: int) -> list[int]:
    """Return the first names of a set whose numbers lie in a range."""
    block = first // BLOCK
    names = tally.rows(bits[block : -(-after // BLOCK)], most + BLOCK) + block * BLOCK
    found: list[int] = names[(names >= first) & (names < after)][:most].tolist()
    return found


def _weight(word: str) -> int:
    return 1 if len(word) <= SHORT else 2
