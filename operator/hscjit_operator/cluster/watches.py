"""Are the watches alive, and did a list replace what they had shown?

kopf watches and lists, but says nothing of either. It lets us bring the HTTP session, so a trace
on that session sees each list and each watch begin. After a list (the first one, or one forced by
410 Gone) whatever the cache holds and the list did not show was deleted unseen.
"""

import asyncio
import re
from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
from yarl import URL

from hscjit_operator import metrics
from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.kinds import HSCJIT, WATCHED
from hscjit_operator.cluster.observe import Apps, Children

SERVER_TIMEOUT_S: Final = 240
"""The API server ends each watch after so long; it is taken up where it ended, without a list."""
_OVERDUE_S: Final = SERVER_TIMEOUT_S + 90
"""No new watch for so long: nobody watches that kind any more, whatever the process looks like."""
_SETTLE_S: Final = 1.0
"""After a list, how long its objects may take to the cache."""

_PATH: Final = re.compile(r"/(?:api|apis/[^/]+)/[^/]+/(?:namespaces/([^/]+)/)?([a-z]+)")
_KINDS: Final = {kind.plural: kind.kind for kind in (*WATCHED, HSCJIT)}

Scope = tuple[str, str | None]
"""Kind, and the namespace it is watched in (None: all)."""


class Watches:
    """When each watch last began, and the session that kopf uses."""

    def __init__(
        self,
        apps: Apps,
        children: Children,
        namespaces: Collection[str],
        clock: Callable[[], float],
    ) -> None:
        """`namespaces` are those watched, none meaning all; `clock` is monotonic seconds."""
        self._apps = apps
        self._children = children
        self._clock = clock
        scopes = tuple(namespaces) or (None,)
        self._expected = {(kind, scope) for kind in _KINDS.values() for scope in scopes}
        self._began: dict[Scope, float] = {}
        self._sweeps: set[asyncio.Task[None]] = set()

    def missing(self) -> list[str]:
        """Return the kinds that are not watched now: never listed yet, or the watch is dead."""
        now = self._clock()
        alive = {scope for scope, began in self._began.items() if now - began < _OVERDUE_S}
        gaps = sorted({kind for kind, _ in self._expected - alive})
        metrics.WATCHES_SYNCED.set(not gaps)
        return gaps

    def dead(self) -> list[str]:
        """Return the kinds whose watch once lived and is overdue: only a restart brings it back."""
        now = self._clock()
        return sorted(
            {kind for (kind, _), began in self._began.items() if now - began > _OVERDUE_S}
        )

    def session(self, api: Api) -> aiohttp.ClientSession:
        """Return a session for kopf: traced, and with a token that is always the present one."""
        trace = aiohttp.TraceConfig()

        async def begins(
            _session: aiohttp.ClientSession,
            _context: SimpleNamespace,
            request: aiohttp.TraceRequestStartParams,
        ) -> None:
            await self._authorize(api, request.headers)
            self._note(request.url)

        trace.on_request_start.append(begins)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=api.ssl_context), trace_configs=[trace]
        )

    @staticmethod
    async def _authorize(api: Api, headers: Any) -> None:
        # A pod's token is replaced within the hour; the configuration rereads its file.
        token = await api.configuration.get_api_key_with_prefix(
            "BearerToken", alias="authorization"
        )
        if token:
            headers["Authorization"] = token

    def _note(self, url: URL) -> None:
        found = _PATH.fullmatch(url.path)
        if found is None or found.group(2) not in _KINDS:
            return
        if "continue" in url.query:
            return  # a further page of the list that began before
        kind, namespace = _KINDS[found.group(2)], found.group(1)
        if "watch" not in url.query:
            if kind == HSCJIT.kind:
                self._apps.listing_began(namespace)
            else:
                self._children.listing_began(kind, namespace)
            return
        self._began[kind, namespace] = self._clock()
        task = asyncio.get_running_loop().create_task(self._sweep(kind, namespace))
        self._sweeps.add(task)
        task.add_done_callback(self._sweeps.discard)

    async def _sweep(self, kind: str, namespace: str | None) -> None:
        await asyncio.sleep(_SETTLE_S)
        if kind == HSCJIT.kind:
            self._apps.listing_ended(namespace)
        else:
            self._children.listing_ended(kind, namespace)
