"""How late does the event loop run? A ticker's worst delay over the last seconds."""

import asyncio
from collections import deque
from collections.abc import Callable

TICK_S = 0.1
WINDOW_S = 5.0


class LoopLag:
    """Keeps the worst lateness of a ticker in a sliding window.

    `clock` is monotonic seconds. A delay still going on counts too, so a reader that gets its turn
    before the ticker does after a long block sees the truth.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._due = clock() + TICK_S
        self._late: deque[tuple[float, float]] = deque()  # (when, lateness), lateness falling

    def tick(self) -> None:
        """Note how late this tick is, and when the next is due."""
        now = self._clock()
        self._note(now, max(0.0, now - self._due))
        self._due = now + TICK_S

    def worst(self) -> float:
        """The largest lateness, in seconds, of the last `WINDOW_S`."""
        now = self._clock()
        self._forget(now)
        return max(self._late[0][1] if self._late else 0.0, now - self._due, 0.0)

    async def run(self) -> None:
        """Tick until cancelled."""
        self._due = self._clock() + TICK_S
        while True:
            await asyncio.sleep(max(0.0, self._due - self._clock()))
            self.tick()

    def _note(self, now: float, lateness: float) -> None:
        # Smaller, older values can never be the worst again: the deque stays sorted and short.
        while self._late and self._late[-1][1] <= lateness:
            self._late.pop()
        self._late.append((now, lateness))
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._late and now - self._late[0][0] > WINDOW_S:
            self._late.popleft()
