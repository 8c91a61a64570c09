"""Which of the things we lean on answer right now? Looked at in the background, never on a request.

A dependency counts as lost after two failed checks in a row (one slow answer is no outage) and as
back after one good one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from hscjit_app import metrics
from hscjit_app.loops import going_on

log = structlog.get_logger(__name__)

PERIOD_S = 1.0
TIMEOUT_S = 0.8
FAILURES_TO_LOSE = 2

Check = Callable[[], Awaitable[object]]


class Dependencies:
    """The last known state of each dependency, by name (database, redis_cache, redis_queue)."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = dict(checks)
        self._failures = dict.fromkeys(checks, FAILURES_TO_LOSE)
        self._met: set[str] = set()
        for name in checks:
            metrics.DEPENDENCY_UP.labels(name).set(0)

    def up(self, name: str) -> bool:
        """True while it answers; also when it is not configured, for then nothing is missing."""
        return self._failures.get(name, 0) < FAILURES_TO_LOSE

    @property
    def lost(self) -> list[str]:
        """Names of those that don't answer, in order."""
        return sorted(name for name in self._checks if not self.up(name))

    @property
    def all_met(self) -> bool:
        """True once each has answered at least once since this process began."""
        return self._met == self._checks.keys()

    async def check_once(self) -> None:
        """Ask all of them at the same time, each within `TIMEOUT_S`."""
        await asyncio.gather(*(self._check(name, check) for name, check in self._checks.items()))

    async def run(self) -> None:
        """Check again every second until cancelled."""
        while going_on():
            await asyncio.sleep(PERIOD_S)
            await self.check_once()

    async def _check(self, name: str, check: Check) -> None:
        was_up = self.up(name)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await check()
        except Exception as e:  # noqa: BLE001 whatever a client library raises, it means "away"
            self._failures[name] += 1
            reason = type(e).__name__
        else:
            self._failures[name] = 0
            self._met.add(name)
            reason = ""
        is_up = self.up(name)
        metrics.DEPENDENCY_UP.labels(name).set(is_up)
        if was_up and not is_up:
            log.warning("Lost a dependency", dependency=name, reason=reason)
        elif is_up and not was_up:
            log.info("Reached a dependency", dependency=name)
