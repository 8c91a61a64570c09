"""Which words of a small catalogue may a typed word be? Each distinct word is compared once.

A word is the one typed but for a typo, or begins like it, or holds it letter by letter.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from itertools import accumulate
from math import sqrt
from operator import or_
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process

TYPO_FLOOR = 0.68
"""Words less alike than this are different words: "rolnd"~"roland" 0.91, "boss"~"bass" 0.75."""
UNFINISHED = 0.9
"""How much the beginning of a word counts that is like what was typed."""
FUZZY_FROM = 3
"""Shorter typed words are prefixes, not misspellings."""

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
        # One text of all words: `str.find` walks it faster than any loop over words.
        self._text = "\n" + "\n".join(self.forms) + "\n"
        self._starts = list(accumulate((len(form) + 1 for form in self.forms), initial=1))
        self._of_size: dict[int, _Forms] = {}

    def like(self, word: str) -> Alike:
        """Return all that a typed word may be."""
        found = self.holding(word)
        if len(word) < FUZZY_FROM:
            return found
        texts, words, whole, lacking, spare = self._comparable(len(word))
        # Texts that lack too many of its letters need not be compared: most do.
        near = np.flatnonzero(np.bitwise_count(lacking & _letters(word)) <= spare).tolist()
        if not near:
            return found
        ratios = process.cdist(
            [word],
            [texts[place] for place in near],
            scorer=fuzz.ratio,
            score_cutoff=TYPO_FLOOR * 100,
            dtype=np.float32,
        )[0]
        hits = np.flatnonzero(ratios)
        for hit, alike in zip(hits.tolist(), (ratios[hits] / 100).tolist(), strict=True):
            place = near[hit]
            counts = alike if place < whole else alike * UNFINISHED
            if place < whole or counts >= TYPO_FLOOR:
                for at in range(*words[place]):
                    found[at] = max(found.get(at, 0.0), counts)
        return found

    def holding(self, word: str) -> dict[int, float]:
        """Return the words in which a word stands letter by letter; a short one at the front."""
        lead = 0 if len(word) >= FUZZY_FROM else 1
        sought = "\n" + word if lead else word
        found: dict[int, float] = {}
        place = self._text.find(sought)
        while place >= 0:
            at = bisect_right(self._starts, place + lead) - 1
            share = sqrt(len(word) / len(self.forms[at]))
            begins = self._starts[at] == place + lead
            alike = (0.6 if begins else 0.45) + 0.4 * share
            found[at] = max(found.get(at, 0.0), alike)
            place = self._text.find(sought, place + 1)
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
                ~np.array([_letters(text) for text in texts], dtype=np.uint64),
                np.array([_spare(size, len(text)) for text in texts], dtype=np.uint8),
            )
        return self._of_size[size]


def _may_be_alike(size: int, other: int) -> bool:
    """False for words whose sizes alone make them less alike than `TYPO_FLOOR`."""
    return 2 * min(size, other) >= (TYPO_FLOOR - 0.001) * (size + other)


def _letters(word: str) -> np.uint64:
    """Return the set of a word's letters, a bit for each; two may share one."""
    return np.uint64(reduce(or_, [1 << (ord(letter) & 63) for letter in word], 0))


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
