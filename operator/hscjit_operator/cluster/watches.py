"""Are the watches alive, may we watch at all, and did a list replace what they had shown?

kopf watches and lists, but says nothing of either; the session that it is given tells us here.
After a list (the first one, or one forced by 410 Gone) whatever the cache holds and the list did
not show was deleted unseen.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import aiohttp
import structlog

from hscjit_operator import metrics
from hscjit_operator.cluster.answers import Scope
from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.kinds import HSCJIT, WATCHED
from hscjit_operator.cluster.listening import Listening
from hscjit_operator.cluster.observe import Apps, Children
from hscjit_operator.cluster.pace import Pace

log = structlog.stdlib.get_logger(__name__)

SERVER_TIMEOUT_S: Final = 240
"""The API server ends each watch after so long; it is taken up where it ended, without a list."""
SILENCE_S: Final = 70.0
"""A watch that brings nothing for so long is begun anew: bookmarks come once a minute."""
_OVERDUE_S: Final = SERVER_TIMEOUT_S + 90
"""No new watch for so long: nobody watches that kind any more, whatever the process looks like."""
_SETTLE_S: Final = 1.0
"""After a list, how long events from before it may take to the cache."""
_BEAR_S: Final = 10.0
"""A right that is missing for so long is told of: while a cluster is upgraded it may flicker."""

_KINDS: Final = {kind.plural: kind.kind for kind in (*WATCHED, HSCJIT)}


@dataclass(slots=True)
class _Refusal:
    since: float
    verb: str
    why: str


def _said(plural: str, refusal: _Refusal) -> str:
    return f"{refusal.verb} {_KINDS[plural]} is forbidden: {refusal.why}"


class Watches:
    """When each watch last began, and the session that kopf uses."""

    def __init__(
        self,
        apps: Apps,
        children: Children,
        namespaces: Collection[str],
        clock: Callable[[], float],
        *,
        changed: Callable[[], None] = lambda: None,
        all_seen: Callable[[], None] = lambda: None,
    ) -> None:
        """`namespaces` are those watched, none meaning all; `clock` is monotonic seconds.

        `changed` is called when rights were found missing, or are there again, and `all_seen`
        once, when all that there is has been listed for the first time.
        """
        self._apps = apps
        self._children = children
        self._clock = clock
        self._changed = changed
        self._all_seen = all_seen
        scopes = tuple(namespaces) or (None,)
        self._expected: set[Scope] = {(kind, scope) for kind in _KINDS for scope in scopes}
        self._unseen = self._expected.copy()
        self._began: dict[Scope, float] = {}
        self._tried: dict[Scope, float] = {}
        self._refusals: dict[Scope, _Refusal] = {}
        self._sweeps: set[asyncio.Task[None]] = set()

    def missing(self) -> list[str]:
        """Return the kinds that are not watched now: never listed yet, or the watch is dead."""
        now = self._clock()
        alive = {scope for scope, began in self._began.items() if now - began < _OVERDUE_S}
        alive -= self._refusals.keys()
        gaps = sorted({_KINDS[plural] for plural, _ in self._expected - alive})
        metrics.WATCHES_SYNCED.set(not gaps)
        return gaps

    def dead(self) -> list[str]:
        """Return the kinds that nobody even tries to watch any more: only a restart helps."""
        now = self._clock()
        return sorted(
            {_KINDS[plural] for (plural, _), at in self._tried.items() if now - at > _OVERDUE_S}
        )

    def blind(self, namespace: str) -> list[str]:
        """Return what may not be listed or watched there, each with verb and kind, in order."""
        now = self._clock()
        return sorted(
            _said(plural, refusal)
            for (plural, scope), refusal in self._refusals.items()
            if scope in (None, namespace)
            and (now - refusal.since > _BEAR_S or (plural, scope) not in self._began)
        )

    def refused(self) -> list[str]:
        """Return whatever may not be listed or watched anywhere, as `blind` says it."""
        return sorted({_said(plural, refusal) for (plural, _), refusal in self._refusals.items()})

    def session(self, api: Api) -> aiohttp.ClientSession:
        """Return what kopf takes for a session, with a token that is always the present one."""
        return cast(aiohttp.ClientSession, Listening(api, self, Pace(self._clock)))

    def is_ours(self, scope: Scope) -> bool:
        """Tell whether that is watched for us."""
        return scope in self._expected

    def tried(self, scope: Scope, *, watching: bool) -> None:
        """Take note that a list or a watch is asked for."""
        if watching:  # from where its list ended, which was whole then, or refused
            self._tried[scope] = self._clock()
            if self._unseen == {scope}:
                self._all_seen()
            self._unseen.discard(scope)
            return
        plural, namespace = scope
        if plural == HSCJIT.plural:
            self._apps.listing_began(namespace)
        else:
            self._children.listing_began(_KINDS[plural], namespace)

    def began(self, scope: Scope, *, watching: bool) -> None:
        """Take note that it was granted: what the list did not show is gone."""
        refusal = self._refusals.get(scope)
        if refusal is not None and (watching or refusal.verb == "LIST"):
            del self._refusals[scope]
            self._changed()
        if not watching:
            return
        self._began[scope] = self._clock()
        task = asyncio.get_running_loop().create_task(self._sweep(*scope))
        self._sweeps.add(task)
        task.add_done_callback(self._sweeps.discard)

    def forbidden(self, scope: Scope, *, watching: bool, why: str) -> bool:
        """Take note that it was refused; tell whether to go on without it.

        Children may stay unseen for a while, and every HSCJit is told. Without the HSCJits there
        is nobody to tell.
        """
        verb = "WATCH" if watching else "LIST"
        known = self._refusals.get(scope)
        if known is None or known.verb != verb:
            since = self._clock() if known is None else known.since
            self._refusals[scope] = refusal = _Refusal(since, verb, why)
            log.warning("Right is missing", error=_said(scope[0], refusal))
        if scope[0] == HSCJIT.plural:
            return False
        self._changed()
        return True

    def is_unlisted(self, scope: Scope) -> bool:
        """Tell whether the last list was refused: then there is nothing to watch from."""
        refusal = self._refusals.get(scope)
        return refusal is not None and refusal.verb == "LIST"

    def is_echo(self, uid: str, version: int) -> bool:
        """Tell whether that is what our own write returned already: no news to anybody."""
        return self._children.is_echo(uid, version)

    def show(self, body: Mapping[str, Any]) -> None:
        """Take an object as a list or a watch shows it."""
        (self._apps if body["kind"] == HSCJIT.kind else self._children).see(body)

    def lose(self, body: Mapping[str, Any]) -> None:
        """Take the end of a child."""
        self._children.lose(body)

    async def _sweep(self, plural: str, namespace: str | None) -> None:
        await asyncio.sleep(_SETTLE_S)
        if plural == HSCJIT.plural:
            self._apps.listing_ended(namespace)
        else:
            self._children.listing_ended(_KINDS[plural], namespace)
