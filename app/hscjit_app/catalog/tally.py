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
_BITS = np.uint64(1) << np.arange(BLOCK, dtype=np.uint64)
_FEW = 256
"""So many names are put into a set one by one; more of them all at once."""

Bits = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.intp]


class Tally:
    """For every name the sum of the weights of the sets it is in."""

    def __init__(self, other: "Tally | None" = None) -> None:
        """Begin with nothing, or where another one stands, which stays as it is."""
        self._digits: list[Bits | None] = [] if other is None else list(other._digits)
        self._highest: int = 0 if other is None else other._highest

    def add(self, some: Bits, weight: int) -> None:
        """Add a weight, a power of two, to the names of a set."""
        digits = self._digits
        self._highest += weight
        level = weight.bit_length() - 1
        while level >= len(digits):
            digits.append(None)
        while (digit := digits[level]) is not None:
            digits[level] = digit ^ some
            level += 1
            if self._highest < 1 << level:  # nobody's sum reaches the next digit
                return
            some = digit & some
            if level == len(digits):
                digits.append(None)
        digits[level] = some

    def most(self, number: int) -> list[int]:
        """Return the names with the highest sums, at most `number`, the shortest among equals."""
        level: Bits | None = None
        sure = []
        cut = False
        for digit in reversed(self._digits):
            if digit is None:
                continue
            high = digit if level is None else level & digit
            if np.count_nonzero(high) <= number:  # so many blocks are at least as many names
                some = rows(high)
                if len(some) <= number:
                    sure.append(some)
                    number -= len(some)
                    if not number:
                        break
                    level = ~high if level is None else level ^ high
                    continue
            level, cut = high, True
        if level is not None and cut and number:  # else what is left has no sum at all
            sure.append(rows(level, number))
        return [name for some in sure for name in some.tolist()]

    def of(self, names: Sequence[int]) -> list[int]:
        """Return the sums of some names."""
        numbers = np.array(names, dtype=np.intp)
        blocks, bits = numbers >> _SHIFT, _BITS[numbers & BLOCK - 1]
        sums = [0] * len(names)
        for place, digit in enumerate(self._digits):
            if digit is not None:
                on = (digit[blocks] & bits != 0).tolist()
                sums = [sum_ + (one << place) for sum_, one in zip(sums, on, strict=True)]
        return sums


def rows(some: Bits, most: int | None = None) -> Rows:
    """Return the numbers of a set's first names, or of all."""
    places = (some != 0).nonzero()[0][:most]  # found twice as fast among booleans
    on = np.unpackbits(some[places].view(np.uint8), bitorder="little").view(np.bool_)
    at = on.nonzero()[0][:most]
    found: Rows = places[at >> _SHIFT] * BLOCK + (at & BLOCK - 1)
    return found


def first(sets: Sequence[Bits], begin: int, end: int, most: int) -> list[int]:
    """Return the first names in any of the sets, of those from `begin` to before `end`."""
    found: list[int] = []
    at, last, size = begin >> _SHIFT, -(-end // BLOCK), 2
    while at < last and len(found) < most:  # with common words the first blocks hold enough
        parts = [some[at : min(at + size, last)].tolist() for some in sets]
        for block, here in enumerate(zip(*parts, strict=True), at):
            left = 0
            for part in here:
                left |= part
            while left:
                lowest = left & -left
                left ^= lowest
                name = (block << _SHIFT) + lowest.bit_length() - 1
                if begin <= name < end:
                    found.append(name)
            if len(found) >= most:
                break
        at += size
        size *= 4
    return found[:most]


def bits(ids: npt.NDArray[np.int32], names: int) -> Bits:
    """Return the set of names by number, out of so many."""
    if len(ids) <= _FEW:
        found = np.zeros(-(-names // BLOCK), dtype=np.uint64)
        np.bitwise_or.at(found, ids >> _SHIFT, _BITS[ids & BLOCK - 1])
        return found
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
