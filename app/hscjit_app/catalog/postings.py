"""Which names share letters with what was typed? Three-letter pieces in flat arrays.

Each word of a name is cut into its runs of three letters, a blank before and behind counting as
letters, and into its first letter: "nord" gives "_n", "_no", "nor", "ord", "rd_". A piece that few
names hold keeps their numbers as one slice of a flat array; one that more than 1 in 32 hold keeps
a bit for every name, which is smaller and is counted at the same price however common it is. So
the worst text costs hardly more than the best.

Names are numbered from the shortest to the longest: among equals the shorter one comes first.
"""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from hscjit_app.catalog.pack import Arrays

CANDIDATES = 48
"""Names found for one text; more of them changed no first place and cost time."""
PIECES = 12
"""Pieces counted of one text: the rarest of each word first."""

_BUCKETS = 1 << 18
"""Pieces are told apart by a hash of this many values; two that meet only add a little noise."""
_DENSE = 32
_BLOCK = 8192
_BLANK = ord(" ")
_MIX = tuple(np.uint32(n) for n in (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D))

Rows = npt.NDArray[np.intp]
Letters = npt.NDArray[np.uint32]


def build(names: Sequence[str]) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays for names that are ordered by length, words parted by one blank."""
    letters = _letters("".join(f" {name} " for name in names))
    lengths = np.fromiter((len(name) + 2 for name in names), np.int64, len(names))
    rows = np.repeat(np.arange(len(names), dtype=np.int64), lengths)
    pairs = []
    for buckets, middles in _pieces(letters, np.flatnonzero(_begins(letters)) + 1):
        pairs.append(buckets.astype(np.int64) << 32 | rows[middles])
    held = np.concatenate(pairs)
    held.sort()
    held = held[np.append(True, held[1:] != held[:-1])] if len(held) else held
    buckets, rows = held >> 32, (held & 0xFFFFFFFF).astype(np.int32)
    counts = np.bincount(buckets, minlength=_BUCKETS)
    common = np.flatnonzero(counts * _DENSE > len(names))
    starts = np.concatenate([[0], np.cumsum(counts)])
    bits = np.zeros((len(common), (len(names) + 7) // 8), dtype=np.uint8)
    flags = np.zeros(len(names), dtype=bool)
    for at, bucket in enumerate(common.tolist()):
        flags[:] = False
        flags[rows[starts[bucket] : starts[bucket + 1]]] = True
        bits[at] = np.packbits(flags)
    rare = np.ones(_BUCKETS, dtype=bool)
    rare[common] = False
    return {
        "common": common.astype(np.int32),
        "common_count": counts[common].astype(np.int32),
        "common_bits": bits.reshape(-1),
        "offsets": np.concatenate([[0], np.cumsum(np.where(rare, counts, 0))]).astype(np.int32),
        "ids": rows[rare[buckets]],
    }


class Postings:
    """Counts shared pieces over arrays that may be mapped from a file."""

    def __init__(self, arrays: Arrays, names: int) -> None:
        self._names = names
        self._offsets = arrays["offsets"]
        self._ids = arrays["ids"]
        self._bits = arrays["common_bits"].reshape(len(arrays["common"]), (names + 7) // 8)
        self._common = {
            bucket: (at, count)
            for at, (bucket, count) in enumerate(
                zip(arrays["common"].tolist(), arrays["common_count"].tolist(), strict=True)
            )
        }

    def candidates(
        self, words: Sequence[str], most: int = CANDIDATES, pieces: int = PIECES
    ) -> Rows:
        """Return the names that share the most pieces with the words, at most `most`.

        The last word may be unfinished; "" after it says that it is not.
        """
        shared = self._shared(self._chosen(words)[:pieces])
        low, high = 1, int(shared.max(initial=0)) + 1
        while low < high:  # the lowest level that fewer than `most` names reach
            middle = (low + high) // 2
            if np.count_nonzero(shared >= middle) < most:
                high = middle
            else:
                low = middle + 1
        found = np.flatnonzero(shared >= low)
        if low > 1 and len(found) < most:  # the shortest names of the next level fill it up
            found = np.concatenate([found, _first(shared == low - 1, most - len(found))])
        return found

    def _shared(self, chosen: list[tuple[int, int]]) -> npt.NDArray[np.uint8]:
        shared = np.zeros(self._names, dtype=np.uint8)
        for bucket, size in chosen:
            if size >= 0:
                begin = self._offsets[bucket]
                shared[self._ids[begin : begin + size]] += 1
            else:
                shared += np.unpackbits(self._bits[~size], count=self._names)
        return shared

    def _chosen(self, words: Sequence[str]) -> list[tuple[int, int]]:
        """Return (bucket, size), the rarest of each word in turns; size < 0 is ~row of bits."""
        letters = _letters(" " + " ".join(words))
        begins = np.flatnonzero(_begins(letters)) + 1
        by_word: list[list[tuple[int, int, int]]] = [[] for _ in words]
        seen = set()
        for buckets, middles in _pieces(letters, begins):
            of_word = np.searchsorted(begins, middles, side="right") - 1
            starts = self._offsets[buckets].tolist()
            ends = self._offsets[buckets + 1].tolist()
            for bucket, word, start, end in zip(
                buckets.tolist(), of_word.tolist(), starts, ends, strict=True
            ):
                if bucket in seen:
                    continue
                seen.add(bucket)
                common = self._common.get(bucket)
                if common is not None:
                    by_word[word].append((common[1], bucket, ~common[0]))
                elif end > start:
                    by_word[word].append((end - start, bucket, end - start))
        for found in by_word:
            found.sort()
        turns = (piece for turn in zip_longest(*by_word) for piece in turn if piece is not None)
        return [(bucket, size) for _, bucket, size in turns]


def _first(flags: npt.NDArray[np.bool_], most: int) -> Rows:
    """Return the first places that are true, without walking all if there are many."""
    start = np.flatnonzero(flags[:_BLOCK])
    return (start if len(start) >= most else np.flatnonzero(flags))[:most]


def _letters(text: str) -> Letters:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _begins(letters: Letters) -> npt.NDArray[np.bool_]:
    """Return where a blank stands before a letter."""
    begins: npt.NDArray[np.bool_] = (letters[:-1] == _BLANK) & (letters[1:] != _BLANK)
    return begins


def _pieces(letters: Letters, begins: Rows) -> list[tuple[npt.NDArray[np.int64], Rows]]:
    """Return (buckets, positions): runs of three around a letter, and first letters."""
    middles = np.flatnonzero(letters[1:-1] != _BLANK) + 1
    threes = _hash(letters[middles - 1], letters[middles], letters[middles + 1])
    nothing = np.zeros(len(begins), dtype=np.uint32)
    firsts = _hash(nothing, nothing, letters[begins])
    return [(threes, middles), (firsts, begins)]


def _hash(before: Letters, middle: Letters, after: Letters) -> npt.NDArray[np.int64]:
    mixed = (after + np.uint32(1)) * _MIX[2]
    mixed = mixed ^ ((mixed >> np.uint32(15)) + middle * _MIX[1])
    mixed = (mixed ^ (mixed >> np.uint32(13))) * _MIX[0] + before * _MIX[1]
    mixed = (mixed ^ (mixed >> np.uint32(16))) * _MIX[2]
    return (mixed >> np.uint32(14)).astype(np.int64)
