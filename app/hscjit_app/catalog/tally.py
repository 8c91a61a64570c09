"""Which names are in most of several sets? A bit for every name, added up for all at once.

Sets are added with their weights as a column of binary digits: the first array of bits holds every
name's ones, the next its twos, and so on. One operation of numpy works on 64 names, so sums for a
hundred thousand cost some microseconds, however many names are in a set.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

BLOCK = 64
_SHIFT = 6
_ONE = np.uint64(1)
_POWERS = _ONE << np.arange(16, dtype=np.uint64)

Bits = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.intp]


class Tally:
    """For every name the sum of the weights of the sets it is in."""

    def __init__(self, blocks: int, highest: int) -> None:
        """Count names in so many blocks, up to the highest sum there can be."""
        self._digits = np.zeros((highest.bit_length(), blocks), dtype=np.uint64)

    def add(self, some: Bits, weight: int) -> None:
        """Add a weight, a power of two, to the names of a set."""
        for digit in self._digits[weight.bit_length() - 1 :]:
            carried = digit & some
            np.bitwise_xor(digit, some, out=digit)
            some = carried

    def most(self, number: int) -> Rows:
        """Return the names with the highest sums, at most `number`, the shortest among equals."""
        level = np.bitwise_or.reduce(self._digits)
        sure = np.zeros_like(level)
        for digit in self._digits[::-1]:
            high = level & digit
            if np.count_nonzero(high) > number:  # so many blocks are at least as many names
                level = high
                continue
            size = int(np.bitwise_count(high).sum(dtype=np.intp))
            if size > number:
                level = high
            elif size:
                sure |= high
                number -= size
                level ^= high
        return np.concatenate([rows(sure), rows(level, number)])

    def of(self, names: Rows) -> Rows:
        """Return the sums of some names."""
        on = self._digits[:, names >> _SHIFT] >> (names & BLOCK - 1).astype(np.uint64) & _ONE
        sums: Rows = (_POWERS[: len(on)] @ on).astype(np.intp)
        return sums


def rows(some: Bits, most: int | None = None) -> Rows:
    """Return the numbers of a set's first names, or of all."""
    places = some.nonzero()[0][:most]
    on = np.unpackbits(some[places].view(np.uint8), bitorder="little")
    at = on.nonzero()[0][:most]
    found: Rows = places[at >> _SHIFT] * BLOCK + (at & BLOCK - 1)
    return found


def bits(ids: npt.NDArray[np.int32], names: int) -> Bits:
    """Return the set of names by number, out of so many."""
    flags = np.zeros(-(-names // BLOCK) * BLOCK, dtype=np.uint8)
    flags[ids] = 1
    return np.packbits(flags, bitorder="little").view(np.uint64)


def union(sets: Sequence[Bits]) -> Bits:
    """Return who is in any of the sets."""
    if len(sets) == 1:
        return sets[0]
    found = sets[0] | sets[1]
    for more in sets[2:]:
        found |= more
    return found
