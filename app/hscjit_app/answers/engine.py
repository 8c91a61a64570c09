"""What writes an answer? Anything that says pieces of text from passages, and which it used."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from hscjit_app.answers import extractive
from hscjit_app.answers.extractive import Cited, PassageLike


class Engine(Protocol):
    """One way to answer."""

    resumable: bool
    """True = asked the same again it says the same, so that another pod goes on in mid-sentence.
    False = nobody can finish its sentence: another pod begins the answer anew."""

    def write(
        self, question: str, passages: Sequence[PassageLike], product: str
    ) -> AsyncGenerator[str | Cited, None]:
        """Yield the answer's text in pieces, and the pages it rests on; `product` is its name."""


class Extractive:
    """Sentences of the manual; see `extractive`."""

    resumable = True

    async def write(
        self, question: str, passages: Sequence[PassageLike], product: str
    ) -> AsyncGenerator[str | Cited, None]:
        """See `Engine`."""
        found = extractive.answer(question, passages, product)
        for piece in found.chunks():
            yield piece
        for source in found.sources:
            yield source


class Continuation:
    """What is still to be said of an answer of which another pod has said a part.

    Nothing is taken for granted: only while the pieces repeat what was said are they held back.
    Once they differ (the manual was read anew in between) the answer must begin anew.
    """

    def __init__(self, said: str) -> None:
        self._said = said
        self._level = not said
        self.text = ""
        """All of the answer so far."""

    def add(self, piece: str) -> tuple[bool, str]:
        """Take the engine's next piece; returns (begin anew?, what to say now)."""
        self.text += piece
        if self._level:
            return False, piece
        if self._said.startswith(self.text):
            return False, ""
        self._level = True
        if self.text.startswith(self._said):
            return False, self.text[len(self._said) :]
        return True, self.text

    def end(self) -> tuple[bool, str]:
        """The engine has ended; the same."""
        if self._level or self.text == self._said:
            return False, ""
        return True, self.text
