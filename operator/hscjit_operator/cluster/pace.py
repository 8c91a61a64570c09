"""How soon may something that ended begin again? At once, but not in a hot loop."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

GAPS_S: Final = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 5.0)
"""Least time from one beginning to the next, by how many followed each other closely."""
CALM_S: Final = 10.0
"""What went on for so long before it ended is no part of a loop."""


@dataclass(slots=True)
class _Begun:
    at: float
    close: int = 0


class Pace:
    """Spaces out beginnings, each kind of thing for itself."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is monotonic seconds."""
        self._clock = clock
        self._begun: dict[Hashable, _Begun] = {}

    def begin(self, what: Hashable) -> float:
        """Return how long to wait before it begins, and count on that it will."""
        now = self._clock()
        last = self._begun.get(what)
        if last is None:
            self._begun[what] = _Begun(now)
            return 0.0
        last.close = last.close + 1 if now - last.at < CALM_S else 0
        gap = GAPS_S[min(last.close, len(GAPS_S)) - 1] if last.close else 0.0
        wait = max(last.at + gap - now, 0.0)
        last.at = now + wait
        return wait
