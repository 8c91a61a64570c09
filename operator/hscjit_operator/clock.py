"""What time is it, for whoever counts seconds and writes them down?"""

import time
from collections.abc import Callable
from typing import Final

CLOCK_SLACK_S: Final = 5.0


class SteadyClock:
    """The time of day on a monotonic base, set anew only when the machine's clock was set."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._base = wall() - monotonic()

    def __call__(self) -> float:
        """Return seconds since the epoch."""
        base = self._wall() - self._monotonic()
        if abs(base - self._base) > CLOCK_SLACK_S:
            self._base = base
        return self._base + self._monotonic()
