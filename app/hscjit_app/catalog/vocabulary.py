"""Which words of a small catalogue may a typed word be? Each distinct word is compared once.

A word is the one typed but for a typo, or begins like it, or holds it letter by letter.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz

TYPO_FLOOR = 0.68
"""Words less alike than this are different words: "rolnd"~"roland" 0.91, "boss"~"bass" 0.75."""
UNFINISHED = 0.9
"""How much the beginning of a word counts that is like what was typed."""
FUZZY_FROM = 3
"""Shorter typed words are prefixes, not misspellings."""

_KINDS = 38
"""So many bits tell letters apart: no two of a to z and 0 to 9 share one."""

Alike = Mapping[int, float]
"""Words of a vocabulary, by number, and how much they are alike, 0..1; the others are not."""


class _Forms(NamedTuple):
    """What typed words of one size are compared with."""

    texts: list[str]
    """Words not too short nor too long, then what longer ones begin with."""
    words: list[tuple[int, int]]
    """For each text from which to before which word it stands for."""
    whole: int
    """So many of them are whole words."""
    lacking: npt.NDArray[np.uint64]
    """The letters that each text does not hold, as `_letters` notes them."""
    spare: npt.NDArray[np.uint8]
    """So many letters of a typed word may not be in a text that is alike."""


class Vocabulary:
    """The distinct words of a catalogue, sorted; a word's number is its place."""

    def __init__(self, forms: Iterable[str]) -> None:
        self.forms = sorted(set(forms))
        # One text of all words: `str.find` walks it faster than any loop over words. The longest
        # come first, for a word stands in none that is shorter.
        self._in_text = sorted(range(len(self.forms)), key=lambda n: -len(self.forms[n]))
        self._text = "".join(["\n", *(f"{self.forms[n]}\n" for n in self._in_text)])
        sizes = [len(self.forms[n]) for n in self._in_text]
        self._starts = list(accumulate((size + 1 for size in sizes), initial=1))
        self._ends = {size: self._starts[n + 1] for n, size in enumerate(sizes)}
        for size in range(max(sizes, default=0), 0, -1):
            self._ends.setdefault(size, self._ends.get(size + 1, 0))
        self._of_size: dict[int, _Forms] = {}

    def like(self, word: str) -> Alike:
        """Return all that a typed word may be."""
        found = self.holding(word)
        if len(word) < FUZZY_FROM:
            return found
        texts, words, whole, lacking, spare = self._comparable(len(word))
        # Texts that lack too many of its letters need not be compared: most do.
        (near,) = (np.bitwise_count(lacking & np.uint64(_letters(word))) <= spare).nonzero()
        for place in near.tolist():
            alike = fuzz.ratio(word, texts[place], score_cutoff=TYPO_FLOOR * 100) / 100
            counts = alike if place < whole else alike * UNFINISHED
            if counts >= TYPO_FLOOR:
                for at in range(*words[place]):
                    found[at] = max(found.get(at, 0.0), counts)
        return found

    def holding(self, word: str) -> dict[int, float]:
        """Return the words in which a word stands letter by letter; a short one at the front."""
        lead = 0 if len(word) >= FUZZY_FROM else 1
        sought = "\n" + word if lead else word
        found: dict[int, float] = {}
        end = self._ends.get(len(word), 0)
        place = self._text.find(sought, 0, end)
        while place >= 0:
            nth = bisect_right(self._starts, place + lead) - 1
            at = self._in_text[nth]
            share = sqrt(len(word) / len(self.forms[at]))
            begins = self._starts[nth] == place + lead
            alike = (0.6 if begins else 0.45) + 0.4 * share
            found[at] = max(found.get(at, 0.0), alike)
            place = self._text.find(sought, place + 1, end)
        return found

    def _comparable(self, size: int) -> _Forms:
        if size not in self._of_size:
            whole = [n for n, form in enumerate(self.forms) if _may_be_alike(len(form), size)]
            begun: dict[str, tuple[int, int]] = {}
            for n, form in enumerate(self.forms):
                if len(form) > size:
                    first, _ = begun.get(form[:size], (n, n))
                    begun[form[:size]] = (first, n + 1)
            texts = [*(self.forms[n] for n in whole), *begun]
            self._of_size[size] = _Forms(
                texts,
                [*((n, n + 1) for n in whole), *begun.values()],
                len(whole),
                ~np.fromiter(map(_letters, texts), np.uint64, len(texts)),
                np.array([_spare(size, len(text)) for text in texts], dtype=np.uint8),
            )
        return self._of_size[size]


def _may_be_alike(size: int, other: int) -> bool:
    """False for words whose sizes alone make them less alike than `TYPO_FLOOR`."""
    return 2 * min(size, other) >= (TYPO_FLOOR - 0.001) * (size + other)


def _letters(word: str) -> int:
    """Return the set of a word's letters, a bit for each, and one for each that is there twice.

    Letters may share a bit. A bit that another word lacks is a letter that it lacks: the first of
    its kind, or the second.
    """
    bits = 0
    for letter in set(word):
        code = ord(letter)
        bits |= 1 << code % _KINDS
        if word.count(letter) > 1:
            bits |= 1 << _KINDS + code % (64 - _KINDS)
    return bits


def _spare(size: int, other: int) -> int:
    """Return how many letters of a word may be missing in another, alike by `TYPO_FLOOR`.

    RapidFuzz's ratio is twice the letters in common, in order, by those of both.
    """
    return int(size - TYPO_FLOOR * (size + other) / 2 + 0.001)


def most(several: Sequence[Alike]) -> Alike:
    """Return for each word the most that any of several says."""
    if len(several) == 1:
        return several[0]
    found: dict[int, float] = {}
    for one in several:
        for word, alike in one.items():
            found[word] = max(found.get(word, 0.0), alike)
    return found
