"""Which rights are missing for what is not done in passes? Remembered until they are there.

A pass tries again by itself, and says itself what it may not do. Events, polls and the autopilot's
acts happen beside it, some once in a month: what was forbidden to them is asked again from time to
time, without any effect, so that it is told for as long as it is true and no longer.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.errors import ApiError

log = structlog.stdlib.get_logger(__name__)

_NAMESPACES: Final = "/namespaces/"
_BELOW: Final = 3
"""In a path, a subresource comes behind namespace, plural and name."""


class _Where(NamedTuple):
    verb: str
    kind: str
    namespace: str | None
    """None: in all namespaces."""
    subresource: str


class Lack(NamedTuple):
    """A right that is missing."""

    kind: str
    message: str


class Rights:
    """What was forbidden and has not been allowed since."""

    def __init__(self, api: Api, changed: Callable[[], None], *, period_s: float) -> None:
        """Ask through `api` every `period_s` seconds; call `changed` when another thing is true."""
        self._api = api
        self._changed = changed
        self._period_s = period_s
        self._lacking: dict[_Where, ApiError] = {}

    def note(self, error: ApiError) -> None:
        """Remember a call that failed for want of a right; of other failures nothing is kept."""
        where = _where(error)
        if error.right and where not in self._lacking:
            log.warning("Right is missing", right=error.right, namespace=where.namespace)
            self._lacking[where] = error
            self._changed()

    def lacking(self, namespace: str) -> list[Lack]:
        """Return what is missing in a namespace, in a steady order."""
        return sorted(
            Lack(where.kind, lacks(where.verb, where.kind, error.right))
            for where, error in self._lacking.items()
            if where.namespace in (None, namespace)
        )

    async def run(self) -> None:
        """Ask again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._period_s)
            await self.look()

    async def look(self) -> None:
        """Ask once for each right that is missing."""
        for where, error in list(self._lacking.items()):
            if await self._api.rehearse(error):
                log.info("Right is there", right=error.right, namespace=where.namespace)
                del self._lacking[where]
                self._changed()


def lacks(verb: str, what: str, right: str) -> str:
    """Return the sentence for a condition: which call, and what has to be granted."""
    return f"{verb} {what} is forbidden: grant the operator the right to {right}"


def _where(error: ApiError) -> _Where:
    _, _, rest = error.path.partition(_NAMESPACES)
    namespace, *steps = rest.split("/")
    subresource = steps[_BELOW - 1] if len(steps) >= _BELOW else ""
    return _Where(error.verb, error.kind, namespace or None, subresource)
