"""Which names hold most of what was typed?

A word that few names hold keeps their numbers; one that many hold keeps a bit for every name. For
a typed word the bits of all words that it may be are united, and `tally` adds these sets up.

Names are numbered from the shortest to the longest: among equals the shorter one comes first.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hscjit_app.catalog import tally
from hscjit_app.catalog.pack import Arrays
from hscjit_app.catalog.remembering import remembering
from hscjit_app.catalog.spelling import Reading, Spelling
from hscjit_app.catalog.tally import BLOCK, Bits, Tally

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
    split = " ".join(names).split(" ") if names else []
    sizes = np.fromiter((name.count(" ") + 1 for name in names), np.int64, len(names))
    vocabulary = sorted(set(split))
    number = dict(zip(vocabulary, range(len(vocabulary)), strict=True))
    words = np.fromiter(map(number.__getitem__, split), np.int64, len(split))
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
    any: _Names
    """That, a longer word that begins with it, or one that it may have been meant to be."""
    times: int
    """How many hold the very word."""
    known: bool
    """It is a word of the catalogue, or the beginning of one."""


class Postings:
    """Sets of names over arrays that may be mapped from a file."""

    def __init__(self, arrays: Arrays) -> None:
        self._spelling = Spelling(arrays)
        self._names = len(arrays["lengths"])
        sizes, firsts = np.unique(arrays["lengths"], return_index=True)
        self._sizes, self._firsts = sizes.tolist(), [*firsts.tolist(), self._names]
        self._offsets = arrays["holder_offsets"].data  # one number is read faster than by numpy
        self._holders = arrays["holders"].view(np.int32)
        common = arrays["common"].tolist()
        blocks = -(-self._names // BLOCK)
        self._bits = list(arrays["common_bits"].view(np.uint64).reshape(len(common), blocks))
        self._common = {number: row for row, number in enumerate(common)}
        self._held = remembering(self._look_up, REMEMBERED)
        self._joined = remembering(self._look_up_joined, REMEMBERED)
        self._cut = remembering(self._spelling.apart, REMEMBERED)

    def candidates(
        self, words: Sequence[str], most: int, others: int = 0, *, rare_first: bool = False
    ) -> tuple[list[int], list[int]]:
        """Return names by number, and for each how much of the text it holds.

        These are the `most` that hold most of it, by letters, or by rare words if `rare_first`; and
        `others` that hold just any word of it and are much longer or shorter than the text, for
        WRatio ranks these above many that hold more. The last word may be unfinished.
        """
        held = self._all_held(words)
        pairs = [
            _NONE
            if one.times and other.times and len(word) > SHORT and len(after) > SHORT
            else self._joined(word + after)
            for word, after, one, other in zip(words, words[1:], held, held[1:], strict=False)
        ]
        sums = Tally()
        for word, one, before, after in zip(
            words, held, [_NONE, *pairs], [*pairs, _NONE], strict=True
        ):
            if (bits := self._union([one.any, before, after])) is not None:
                sums.add(bits, self._rarity(one) if rare_first else _weight(word))
        found = sums.most(most)
        if others:
            length = sum(map(len, words)) + len(words) - 1
            more = self._unlike(length, [one.exact for one in held], others)
            found = list(dict.fromkeys([*found, *more]))
        return found, sums.of(found)

    def apart(self, words: Sequence[str]) -> list[str]:
        """Return the words, those cut in two that were typed without a blank between them."""
        found: list[str] = []
        for word, held in zip(words, self._all_held(words), strict=True):
            found += (word,) if held.known else self._cut(word)
        return found

    def _all_held(self, words: Sequence[str]) -> list[_Held]:
        if not words:
            return []
        held = [self._held(word, False) for word in words[:-1]]
        held.append(self._held(words[-1], True))
        return held

    def _look_up(self, word: str, unfinished: bool) -> _Held:
        return self._read(self._spelling.read(word, unfinished=unfinished))

    def _look_up_joined(self, word: str) -> _Names:
        return self._read(self._spelling.joined(word)).any

    def _read(self, reading: Reading) -> _Held:
        exact, times = _NONE, 0
        if reading.exact >= 0:
            exact = self._of((reading.exact,))
            times = self._offsets[reading.exact + 1] - self._offsets[reading.exact]
        begin, end = reading.begun
        parts = [exact]
        if begin < end:
            parts.append(_Names((), self._holders[self._offsets[begin] : self._offsets[end]]))
        if reading.alike:
            parts.append(self._of(reading.alike))
        return _Held(exact, _together(parts), times, times > 0 or begin < end)

    def _of(self, words: Sequence[int]) -> _Names:
        return _together(
            [
                _Names((self._common[word],), _NOBODY)
                if word in self._common
                else _Names((), self._holders[self._offsets[word] : self._offsets[word + 1]])
                for word in words
            ]
        )

    def _union(self, sets: Iterable[_Names]) -> Bits | None:
        """Return one set of bits; None if nobody is in it."""
        rows, ids = _together(sets)
        bits = [self._bits[row] for row in rows]
        if len(ids):
            bits.append(tally.bits(ids, self._names))
        return tally.union(bits) if bits else None

    def _unlike(self, length: int, exact: Sequence[_Names], most: int) -> list[int]:
        """Return names at least 1.5 times longer or shorter, at most 8 times, that hold a word.

        A common word, if there is one: the first blocks of bits hold enough.
        """
        bits = [self._bits[row] for names in exact for row in names.rows]
        few = [] if bits else sorted({name for names in exact for name in names.ids.tolist()})
        found: list[int] = []
        for shortest, longest in (
            (-(-length * 3 // 2), length * 8),
            (-(-length // 8), -(-length * 2 // 3)),
        ):
            first, after = self._first(shortest), self._first(longest)
            some = (
                tally.first(bits, first, after, most - len(found))
                if bits
                else few[bisect_left(few, first) : bisect_left(few, after)][:most]
            )
            found += some
        return found[:most]

    def _first(self, length: int) -> int:
        """Return the number of the first name that is so long, or longer."""
        first: int = self._firsts[bisect_left(self._sizes, length)]
        return first

    def _rarity(self, held: _Held) -> int:
        if not held.times:
            return 1
        return 2 if held.times * COMMON > self._names else 4


def _together(sets: Iterable[_Names]) -> _Names:
    """Return the names of all sets."""
    some = [names for names in sets if names]
    if len(some) == 1:
        return some[0]
    ids = [names.ids for names in some if len(names.ids)]
    rows = tuple(chain.from_iterable(names.rows for names in some))
    return _Names(rows, np.concatenate(ids) if len(ids) > 1 else (*ids, _NOBODY)[0])


def _weight(word: str) -> int:
    return 1 if len(word) <= SHORT else 2
