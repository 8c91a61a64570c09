"""Which optional kinds does the API server serve, and what is there of ours of them?

Their CRDs come and go with other people's software, so nobody watches them: once a minute the
server is asked which it serves, and our objects of those are listed. What the lists show goes into
the same cache as what the watches show; so drift is found within a minute, what is there already
is not written again, and a kind that is served no more leaves nothing behind but forgotten facts.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from hscjit_operator import names
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.errors import FORBIDDEN, ApiError
from hscjit_operator.cluster.kinds import Kind
from hscjit_operator.cluster.observe import Children

log = structlog.stdlib.get_logger(__name__)

_SELECTOR: Final = ",".join(f"{label}={value}" for label, value in names.OWNED.items())


class Discovery:
    """Asks, lists, and tells when another set of kinds is served."""

    def __init__(
        self,
        api: Api,
        children: Children,
        namespaces: tuple[str, ...],
        *,
        changed: Callable[[], None],
        period_s: float,
        failed: Callable[[ApiError], None] = lambda _error: None,
    ) -> None:
        """Tell `children` what is there in `namespaces` (none: in all); call `changed` when kinds
        came or went, and `failed` with why one may not be listed."""
        self._failed = failed
        self._api = api
        self._children = children
        self._scopes: tuple[str | None, ...] = namespaces or (None,)
        self._changed = changed
        self._period_s = period_s
        self._served: dict[str | None, frozenset[str]] = dict.fromkeys(self._scopes, frozenset())

    def served(self, namespace: str) -> frozenset[str]:
        """Return the optional kinds that are ours to make there, as far as anybody has asked."""
        none: frozenset[str] = frozenset()
        return self._served.get(namespace, self._served.get(None, none))

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._period_s)
            try:
                await self.look()
            except ApiError as error:
                # What was known stays true until we know better; the next round asks again.
                log.warning("Could not ask for optional kinds", error=str(error))

    async def look(self) -> None:
        """Ask once. Raises ApiError."""
        groups = sorted({(kind.group, kind.version) for kind in kinds.OPTIONAL})
        known = {group: await self._api.resources(*group) for group in groups}
        found = [k for k in kinds.OPTIONAL if k.plural in known[k.group, k.version]]
        before = self._served
        gone = frozenset().union(*before.values()) - {kind.kind for kind in found}
        # First, so that no pass tries to make again what is gone with its kind.
        self._served = {scope: served - gone for scope, served in before.items()}
        for kind in sorted(gone):
            self._forget(kind)
        listed = {
            scope: frozenset([kind.kind for kind in found if await self._list(kind, scope)])
            for scope in self._scopes
        }
        # Last, so that no pass makes what only was not listed yet.
        self._served = listed
        if listed != before:
            log.info("Optional kinds", served=sorted(frozenset().union(*listed.values())))
            self._changed()

    async def _list(self, kind: Kind, scope: str | None) -> bool:
        """Take over what is there; False where we may not look: then the kind is not for us."""
        self._children.listing_began(kind.kind, scope)
        try:
            async for body in self._api.pages(kind, scope, _SELECTOR):
                self._children.see(body)
        except ApiError as error:
            self._children.listing_broken(kind.kind, scope)
            if error.code != FORBIDDEN:
                raise
            log.warning("Could not list optional kind", kind=kind.kind, error=str(error))
            self._failed(error)
            return False
        self._children.listing_ended(kind.kind, scope)
        return True

    def _forget(self, kind: str) -> None:
        for scope in self._scopes:
            self._children.listing_began(kind, scope)
            self._children.listing_ended(kind, scope)
