"""What is sent to who is typing? The frame of each text is made once for all sockets.

Everybody's first letters are the same, and so is what they are answered, until the catalogue is
swapped.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

from hscjit_app.catalog import views
from hscjit_app.catalog.prediction import Predictor
from hscjit_app.ws.protocol import prediction

REMEMBERED = 4096
"""Texts whose frames are kept, a good kB each."""


class Guess(NamedTuple):
    """What a text is answered."""

    frame: str
    product_id: str | None
    """The likeliest product; None = nothing is meant, as far as we see."""
    confidence: float


class Guesses:
    """The frames of one process's catalogue."""

    def __init__(self) -> None:
        self._index: Predictor | None = None
        self._guess = _remembering(None)

    def of(self, content: str, index: Predictor | None) -> Guess:
        """Return what a text is answered from an index; None = there is no product."""
        if index is not self._index:
            self._index, self._guess = index, _remembering(index)
        return self._guess(content)


def _remembering(index: Predictor | None) -> Callable[[str], Guess]:
    return lru_cache(REMEMBERED)(partial(_guess, index))


def _guess(index: Predictor | None, content: str) -> Guess:
    matches = index.predict(content) if index is not None else []
    frame = prediction(content, [views.line(match) for match in matches])
    if not matches:
        return Guess(frame, None, 0.0)
    return Guess(frame, matches[0].product.id, matches[0].confidence)
