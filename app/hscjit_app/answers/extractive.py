"""What do these passages say about this question? Pure: answers are sentences of the manual.

Sentences are ranked by the rare words they share with the question; the best few are quoted, each
with its page. When none is about the question the answer says so and has no source.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

MAX_SENTENCES = 4
MAX_SENTENCE = 400
CHUNK = 48
"""Characters a streamed piece has, about: whole words, a few to a frame."""

_KEEP = 0.6
"""A further sentence must be this good, compared with the best, to be quoted."""
_ENOUGH = 0.34
"""The share of the question's weight the best sentence must carry to count as an answer."""
_HEADING = 0.6
"""What a word counts that stands only in the heading above a sentence."""
_ALONE = 0.42
"""The same, for a sentence that says nothing of the question itself."""
_HEADING_MAX = 70
_SENTENCE_END = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+(?=[^\s\d)\].,;:])")
_CLOSED = re.compile(r"[.!?:;,\u3002\uff01\uff1f]['\")\]]*$")
_ITEM = re.compile(r"\s*(?:[-\u2022*\u2013]|\d{1,2}[.)])\s")
_CONTENTS = re.compile(r"^page \d+\b|\.{4,}\s*\d+\.?$", re.IGNORECASE)
"""A line of a table of contents: it points at an answer and is none."""
_WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*")
_SUFFIXES = ("ations", "ation", "ings", "ing", "edly", "ies", "ed", "es", "ly", "s", "e", "y")
_MIN_STEM = 3
_STOP = frozenset(
    word
    for line in (
        "a an and are as at be by can could do does for from get have how i if in into is it its",
        "me my of on or should so that the their them then there this to up use using want was",
        "what when where which who why will with would you your about please tell need it's what's",
    )
    for word in line.split()
)


class PassageLike(Protocol):
    """What the engine needs of a passage; see `manuals.service.Passage`."""

    @property
    def text(self) -> str: ...
    @property
    def page(self) -> int: ...
    @property
    def title(self) -> str: ...
    @property
    def url(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Cited:
    """A page that was quoted."""

    title: str
    url: str
    page: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The text, citations included, and the pages it was taken from, in order of appearance."""

    text: str
    sources: tuple[Cited, ...]

    def chunks(self) -> Iterator[str]:
        """Cut the text at spaces into pieces that join to exactly the text."""
        start = 0
        while start < len(self.text):
            end = start + CHUNK
            if end < len(self.text):
                space = self.text.rfind(" ", start, end)
                end = space + 1 if space > start else end
            yield self.text[start:end]
            start = end


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence or step, and the headings it stands under."""

    text: str
    heading: str


def answer(question: str, passages: Sequence[PassageLike], product: str) -> Answer:
    """Answer from the passages, best first as the search gave them; `product` is its name."""
    asked = terms(question) - terms(product) or terms(question)
    found = [
        _Found(rank, at, sentence, terms(sentence.text), terms(sentence.heading), passage)
        for rank, passage in enumerate(passages)
        for at, sentence in enumerate(split(passage.text))
    ]
    weights = _rarity(asked, found)
    total = sum(weights.values())
    if not total:
        return nothing_found(product)
    scored = sorted(
        ((_score(one, asked, weights) / total, one) for one in found),
        key=lambda entry: (-entry[0], entry[1].rank, entry[1].at),
    )
    if not scored or scored[0][0] < _ENOUGH:
        return nothing_found(product)
    return _quote([one for score, one in scored if score >= scored[0][0] * _KEEP])


def nothing_found(product: str) -> Answer:
    """What is said when the manual is silent: never a guess."""
    return Answer(
        f"The manual of the {product} that I have says nothing about this, so I have no source to "
        f"answer from. Try other words, or ask about another part of the product.",
        (),
    )


def split(text: str) -> list[Sentence]:
    """Cut a passage into sentences and steps under their headings, whitespace made even.

    A short line without an end, before one that begins anew, is a heading; other line breaks are
    only where the page was too narrow.
    """
    sentences: list[Sentence] = []
    headings: list[str] = []
    block: list[str] = []

    def close() -> None:
        text = " ".join(block)
        item = _ITEM.match(text)
        number = item[0] if item else ""
        for n, rest in enumerate(_SENTENCE_END.split(text.removeprefix(number))):
            piece = number + rest if n == 0 else rest
            if _WORD.search(piece) and not _CONTENTS.search(piece):
                sentences.append(Sentence(piece[:MAX_SENTENCE], " ".join(headings)))
        block.clear()

    lines = [" ".join(line.split()) for line in text.split("\n")]
    for line, following in pairwise([*lines, ""]):
        if not line or _ITEM.match(line):
            close()
        if block or not _is_heading(line, following):
            block.append(line)
        else:
            if sentences and sentences[-1].heading == " ".join(headings):
                headings.clear()  # sentences stood under these: a new part begins
            headings.append(line)
        if _CLOSED.search(line):
            close()
    close()
    return sentences


def _is_heading(line: str, following: str) -> bool:
    short = 0 < len(line) <= _HEADING_MAX and not _CLOSED.search(line)
    return short and following[:1] != following[:1].lower()


def terms(text: str) -> frozenset[str]:
    """Return the words that carry meaning, cut to a rough stem."""
    return frozenset(_stem(w) for w in _WORD.findall(text.casefold()) if w not in _STOP)


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _MIN_STEM:
            return word.removesuffix(suffix)
    return word


@dataclass(frozen=True, slots=True)
class _Found:
    """A sentence with all that ranks it."""

    rank: int
    at: int
    sentence: Sentence
    terms: frozenset[str]
    above: frozenset[str]
    passage: PassageLike


def _rarity(asked: frozenset[str], found: Sequence[_Found]) -> dict[str, float]:
    return {
        term: math.log1p((len(found) + 1) / (1 + sum(term in one.terms for one in found)))
        for term in asked
    }


def _score(one: _Found, asked: frozenset[str], weights: dict[str, float]) -> float:
    said = sum(weights[term] for term in asked & one.terms)
    above = sum(weights[term] for term in (asked & one.above) - one.terms)
    # The search's order breaks ties: it has seen the whole passage.
    return (said + _HEADING * above) * 0.97**one.rank if said else _ALONE * above


def _quote(best_first: list[_Found]) -> Answer:
    best: list[_Found] = []
    said: set[str] = set()
    for one in best_first:
        key = one.sentence.text.casefold()
        if key not in said and len(best) < MAX_SENTENCES:
            said.add(key)
            best.append(one)
    best.sort(key=lambda one: (one.rank, one.at))  # as the manual says it: steps keep their order
    parts: list[str] = []
    sources: dict[tuple[str, int], Cited] = {}
    for n, one in enumerate(best):
        p = one.passage
        sources.setdefault((p.url, p.page), Cited(p.title, p.url, p.page))
        following = best[n + 1].passage if n + 1 < len(best) else None
        same_page = following is not None and (following.url, following.page) == (p.url, p.page)
        text = one.sentence.text
        parts.append(text if same_page else f"{text} [{p.title}, p. {p.page}]")
    return Answer(" ".join(parts), tuple(sources.values()))
