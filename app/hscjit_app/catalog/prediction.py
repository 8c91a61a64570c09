"""What is asked of an index of products, however it is built? Light: indexes themselves are not."""

from typing import NamedTuple, Protocol

from hscjit_app.catalog.products import Product

LIMIT = 5
"""Candidates of a prediction, if not asked otherwise."""
MAX_TEXT = 256
"""Characters looked at while somebody types."""


class Match(NamedTuple):
    """One candidate; what `confidence` means is said in `matching`."""

    product: Product
    confidence: float
    match_text: str
    """The words of the product that were recognised, as the catalogue writes them."""


class Predictor(Protocol):
    """What a conversation needs of an index, however large the catalogue behind it is."""

    def predict(self, text: str, limit: int = LIMIT) -> list[Match]:
        """Return the products most likely meant by unfinished text, best first."""

    def identify(self, question: str) -> Match | None:
        """Return the product a whole sentence speaks of; None = it names none."""
