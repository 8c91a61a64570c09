"""Does this process act, or stand by? What that means for passes, and which of them have ended.

Who stands by is warm: its watches run and its caches are full. Only passes are left out, and with
them everything that they would have started: polls, knocks at doors, the autopilot. They are left
out as well until all that there is has been seen once: what a watch has yet to show is not missing.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from hscjit_operator import metrics
from hscjit_operator.cluster.observe import Apps
from hscjit_operator.names import Key
from hscjit_operator.queue import Outcome, Trigger

HEARTBEAT: Final = Key("", "")
"""No HSCJit has this key: its passes show that passes end, even while there is nothing to do."""


class Passes(Protocol):
    """What runs the passes."""

    def reconcile(self, key: Key, trigger: Trigger) -> Awaitable[Outcome]:
        """Run one pass."""

    def forget(self, key: Key) -> None:
        """Drop everything known of an HSCJit but what the watches show."""


class Duty:
    """Runs passes while on duty, and notes that they end either way."""

    def __init__(
        self,
        passes: Passes,
        apps: Apps,
        put: Callable[[Key, Trigger], None],
        clock: Callable[[], float],
    ) -> None:
        """`apps` are all HSCJits that the watches show; `put` asks for a pass."""
        self._passes = passes
        self._apps = apps
        self._put = put
        self._clock = clock
        self._on_duty = False
        self._sees = False
        self._last_pass = clock()

    @property
    def last_pass(self) -> float:
        """Return when a pass last ended, well or badly, on the monotonic clock."""
        return self._last_pass

    async def run(self, key: Key, trigger: Trigger) -> Outcome:
        """Run the pass, or leave it out; it has ended either way."""
        outcome = await self._run(key, trigger)
        metrics.LAST_PASS.set_to_current_time()
        self._last_pass = self._clock()
        return outcome

    async def _run(self, key: Key, trigger: Trigger) -> Outcome:
        if key == HEARTBEAT:
            return Outcome()
        if self._on_duty and self._sees:
            return await self._passes.reconcile(key, trigger)
        # What a pass that was under way when duty ended has left behind goes here.
        self._passes.forget(key)
        return Outcome(gone=self._apps.get(key) is None)

    def change(self, on_duty: bool) -> None:
        """Begin to act, or cease to.

        What was remembered is dropped each time: another has acted meanwhile, or will.
        """
        self._on_duty = on_duty
        self._begin()

    def see(self) -> None:
        """Take note that all that there is has been seen once."""
        self._sees = True
        self._begin()

    def _begin(self) -> None:
        for key in self._apps:
            self._passes.forget(key)
            self._put(key, Trigger.SPEC)
