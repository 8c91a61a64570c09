"""Which manual is asked for? Light: those who ask need nothing of what fetches and parses."""

from dataclasses import dataclass

TASK = "manuals.fetch"
"""The task's name, as senders know it."""


@dataclass(frozen=True)
class Wanted:
    """Which manual is to be brought in, and for whom; travels in the outbox."""

    product_id: str
    url: str
    """As the catalogue says it."""
    title: str
    """What it is called where the document itself does not say."""

    @property
    def key(self) -> str:
        """The outbox key: one fetch per product at a time."""
        return f"{TASK}/{self.product_id}"
