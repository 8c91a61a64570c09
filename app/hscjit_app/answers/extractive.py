"""What do these passages say about this question? Pure: answers are sentences of the manual.

Sentences are ranked by the rare words they share with the question; the best few are quoted, each
with its page. When none is about the question the answer says so and has no source.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

MAX_SENTENCES = 4
MAX_SENTENCE = 400
CHUNK = 48
"""Characters a streamed piece has, about: whole words, a few to a frame."""

_KEEP = 0.4
"""A further sentence must be this good, compared with the best, to be quoted."""
_ENOUGH = 0.34
"""The share of the question's weight the best sentence must carry to count as an answer."""
_SENTENCE_END = re.compile(
    r"(?<=[.!?\u3002\uff01\uff1f])\s+(?=[^\s\d)\].,;:])|\n{2,}|\n(?=\s*(?:[-•*]|\d+[.)])\s)"
)
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


def answer(question: str, passages: Sequence[PassageLike], product: str) -> Answer:
    """Answer from the passages, best first as the search gave them; `product` is its name."""
    asked = terms(question) - terms(product) or terms(question)
    sentences = [
        (rank, at, sentence, passage)
        for rank, passage in enumerate(passages)
        for at, sentence in enumerate(split(passage.text))
    ]
    weights = _rarity(asked, [terms(sentence) for _, _, sentence, _ in sentences])
    total = sum(weights.values())
    scored = (
        [
            (
                sum(weights[t] for t in asked & terms(sentence)) / total * 0.97**rank,
                rank,
                at,
                sentence,
                p,
            )
            for rank, at, sentence, p in sentences
        ]
        if total
        else []
    )
    scored.sort(key=lambda entry: (-entry[0], entry[1], entry[2]))
    if not scored or scored[0][0] < _ENOUGH:
        return nothing_found(product)
    return _quote([s for s in scored if s[0] >= scored[0][0] * _KEEP])


def nothing_found(product: str) -> Answer:
    """What is said when the manual is silent: never a guess."""
    return Answer(
        f"The manual of the {product} that I have says nothing about this, so I have no source to "
        f"answer from. Try other words, or ask about another part of the product.",
        (),
    )


def split(text: str) -> list[str]:
    """Cut a passage into sentences, steps and headings, whitespace made even."""
    pieces = (" ".join(piece.split()) for piece in _SENTENCE_END.split(text))
    return [piece[:MAX_SENTENCE] for piece in pieces if _WORD.search(piece)]


def terms(text: str) -> frozenset[str]:
    """Return the words that carry meaning, cut to a rough stem."""
    return frozenset(_stem(w) for w in _WORD.findall(text.casefold()) if w not in _STOP)


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _MIN_STEM:
            return word.removesuffix(suffix)
    return word


def _rarity(asked: frozenset[str], sentences: Sequence[frozenset[str]]) -> dict[str, float]:
    return {
        term: math.log1p((len(sentences) + 1) / (1 + sum(term in s for s in sentences)))
        for term in asked
    }


def _quote(scored: list[tuple[float, int, int, str, PassageLike]]) -> Answer:
    best: list[tuple[int, int, str, PassageLike]] = []
    said: set[str] = set()
    for _, rank, at, sentence, passage in scored:
        key = sentence.casefold()
        if key not in said and len(best) < MAX_SENTENCES:
            said.add(key)
            best.append((rank, at, sentence, passage))
    best.sort(key=lambda entry: entry[:2])  # as the manual says it: steps stay in their order
    parts: list[str] = []
    sources: dict[tuple[str, int], Cited] = {}
    for n, (_, _, sentence, p) in enumerate(best):
        sources.setdefault((p.url, p.page), Cited(p.title, p.url, p.page))
        following = best[n + 1][3] if n + 1 < len(best) else None
        same_page = following is not None and (following.url, following.page) == (p.url, p.page)
        parts.append(sentence if same_page else f"{sentence} [{p.title}, p. {p.page}]")
    return Answer(" ".join(parts), tuple(sources.values()))
