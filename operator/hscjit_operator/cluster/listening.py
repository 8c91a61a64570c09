"""What do kopf's lists and watches get to hear? Any trouble, in a form that they survive.

kopf gives a watch up for good, and says so nowhere, on an answer that it does not know: an ERROR
event that is no 410, a 404 while the CRD is replaced, half a line. And it watches again without a
pause when streams end as soon as they began. So it is given this in place of an HTTP session.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

import aiohttp
import structlog

from hscjit_operator.cluster.answers import (
    LIST_ANEW,
    OK,
    Caches,
    Fabricated,
    Scope,
    Stream,
    listed,
)
from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.errors import FORBIDDEN, TOO_MANY
from hscjit_operator.cluster.pace import Pace

log = structlog.stdlib.get_logger(__name__)

LOOK_AGAIN_S: Final = 5.0
"""How often a right that was missing is tried anew."""
LONGEST_RETRY_AFTER_S: Final = 30.0

_UNAUTHORIZED: Final = 401
_SERVER_ERROR: Final = 500
_PATH: Final = re.compile(r"/(?:api|apis/[^/]+)/[^/]+/(?:namespaces/([^/]+)/)?([a-z]+)")


class Asked(NamedTuple):
    """What a call asks for."""

    scope: Scope | None
    """None: neither a list nor a watch."""
    watching: bool
    further: bool
    """A further page, which belongs to the list that began before."""


def asked(call: str) -> Asked:
    """Return what is asked by a path with its query."""
    path, _, query = call.partition("?")
    found = _PATH.fullmatch(path)
    scope = (found.group(2), found.group(1)) if found else None
    words = [word.partition("=")[0] for word in query.split("&")]
    return Asked(scope, "watch" in words, "continue" in words)


class Listener(Caches, Protocol):
    """Who keeps account of lists and watches, and is shown what they bring."""

    def is_ours(self, scope: Scope) -> bool:
        """Tell whether that is watched for us."""

    def tried(self, scope: Scope, *, watching: bool) -> None:
        """Take note that a list or a watch is asked for."""

    def began(self, scope: Scope, *, watching: bool) -> None:
        """Take note that it was granted."""

    def forbidden(self, scope: Scope, *, watching: bool, why: str) -> bool:
        """Take note that it was refused; tell whether to go on without it."""

    def is_unlisted(self, scope: Scope) -> bool:
        """Tell whether the last list was refused: then there is nothing to watch from."""


class Listening:
    """What kopf takes for its HTTP session."""

    def __init__(self, api: Api, listener: Listener, pace: Pace) -> None:
        """Reach the API server as `api` does, with connections of its own."""
        self._api = api
        self._listener = listener
        self._pace = pace
        # What pages of all kinds at once take in memory is never given back: one at a time.
        self._page = asyncio.Lock()
        connector = aiohttp.TCPConnector(limit=0, ssl=api.ssl_context)
        self._session = aiohttp.ClientSession(connector=connector)
        self.headers = self._session.headers

    @property
    def closed(self) -> bool:
        """Tell whether it is over."""
        return self._session.closed

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> aiohttp.ClientResponse | Fabricated | Stream:
        """Ask, as soon as the pace allows; raises what kopf answers by asking again."""
        scope, watching, further = asked(url.removeprefix(self._api.configuration.host))
        if not further:
            await asyncio.sleep(self._pace.begin((scope or url, watching)))
        if scope is None or not self._listener.is_ours(scope):
            return await self._ask(method, url, headers, options)
        if not further:
            self._listener.tried(scope, watching=watching)
        if watching and self._listener.is_unlisted(scope):
            return await self._without(watching=True)
        response = await self._ask(method, url, headers, options)
        return await self._heard(response, scope, watching=watching)

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str] | None, options: Mapping[str, Any]
    ) -> aiohttp.ClientResponse:
        # A pod's token is replaced within the hour; the configuration rereads its file.
        token = await self._api.configuration.get_api_key_with_prefix(
            "BearerToken", alias="authorization"
        )
        sent = {**(headers or {}), **({"Authorization": token} if token else {})}
        return await self._session.request(method, url, headers=sent, **options)

    async def _heard(
        self, response: aiohttp.ClientResponse, scope: Scope, *, watching: bool
    ) -> aiohttp.ClientResponse | Fabricated | Stream:
        code = response.status
        if code == FORBIDDEN:
            why = await _why(response)
            if not self._listener.forbidden(scope, watching=watching, why=why):
                raise aiohttp.ClientConnectionError(why)
            return await self._without(watching=watching)
        if code >= _SERVER_ERROR or (code == TOO_MANY and _is_bearable(response)):
            return response  # kopf tries again, as late as it is asked to
        if code != OK or response.content_type != "application/json":
            why = await _why(response)
            if watching and code in (_UNAUTHORIZED, TOO_MANY):
                raise aiohttp.ClientConnectionError(f"{code}: {why}")  # the same is asked again
            asked = "Watch" if watching else "List"
            log.warning(f"{asked} was refused", kind=scope[0], code=code, error=why)
            if not watching:
                raise aiohttp.ClientPayloadError(f"{code}: {why}")  # it is listed from the start
            return Fabricated(LIST_ANEW)
        self._listener.began(scope, watching=watching)
        if not watching:
            async with self._page:
                return await listed(response, scope, self._listener.show)
        return Stream(response, scope, self._listener)

    @staticmethod
    async def _without(*, watching: bool) -> Fabricated:
        """Go on as if there were nothing of that kind, and look again soon."""
        if not watching:
            return Fabricated(b'{"items":[],"metadata":{"resourceVersion":"0"}}')
        await asyncio.sleep(LOOK_AGAIN_S)
        return Fabricated(LIST_ANEW)


def _is_bearable(response: aiohttp.ClientResponse) -> bool:
    """Tell whether kopf can wait for as long as a 429 asks for: it takes whole seconds only."""
    asked = response.headers.get("Retry-After", "1")
    return asked.isdecimal() and int(asked) <= LONGEST_RETRY_AFTER_S


async def _why(response: aiohttp.ClientResponse) -> str:
    """Return what a refusal says, and close it."""
    async with response:
        text = await response.text(errors="replace")
    try:
        return str(json.loads(text)["message"])[:256]
    except (ValueError, TypeError, KeyError):
        return text[:256]
