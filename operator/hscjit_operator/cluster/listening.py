"""What do kopf's lists and watches get to hear? Any trouble, in a form that they survive.

kopf gives a watch up for good, and says so nowhere, on an answer that it does not know: an ERROR
event that is no 410, a 404 while the CRD is replaced, half a line. It watches again without a
pause when streams end as soon as they began. And it lets nothing through while one kind cannot be
listed. So it is given this in place of an HTTP session.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, Self

import aiohttp
import structlog

from hscjit_operator.cluster.client import FORBIDDEN, TOO_MANY, Api
from hscjit_operator.cluster.kinds import HSCJIT
from hscjit_operator.cluster.pace import Pace

log = structlog.stdlib.get_logger(__name__)

Scope = tuple[str, str | None]
"""Plural of a kind, and the namespace it is watched in (None: all)."""

Show = Callable[[Mapping[str, Any]], None]

LOOK_AGAIN_S: Final = 5.0
"""How often a right that was missing is tried anew."""
LONGEST_RETRY_AFTER_S: Final = 30.0

_OK: Final = 200
_UNAUTHORIZED: Final = 401
_SERVER_ERROR: Final = 500
_PATH: Final = re.compile(r"/(?:api|apis/[^/]+)/[^/]+/(?:namespaces/([^/]+)/)?([a-z]+)")
_MARK: Final = b'"ERROR"'
_ERROR: Final = re.compile(rb'\{\s*"type"\s*:\s*"ERROR"')
"""How error events begin, whoever writes them; objects may hold the mark, but not there."""
BEGINS: Final = re.compile(
    rb'\{"type":"(?:ADDED|MODIFIED)","object":\{"kind":"\w+","apiVersion":"[\w./]+",'
    rb'"metadata":\{"name":"[^"]+","namespace":"[^"]+","uid":"([^"]+)","resourceVersion":"(\d+)"'
)
"""How events about the kinds of Kubernetes itself begin: enough to know an echo without reading
all of it."""
_LIST_ANEW: Final = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n'


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


class Listener(Protocol):
    """Who keeps account of lists and watches."""

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

    def is_echo(self, uid: str, version: int) -> bool:
        """Tell whether that is what our own write returned already: no news to anybody."""

    def show(self, body: Mapping[str, Any]) -> None:
        """Take an object as a list or a watch shows it."""

    def lose(self, body: Mapping[str, Any]) -> None:
        """Take the end of a child."""


class Fabricated:
    """An answer of our own making, as much of one as kopf reads."""

    status: Final = _OK
    headers: Final[Mapping[str, str]] = {}

    def __init__(self, text: bytes) -> None:
        """Say `text` and end."""
        self._text = text
        self.content = self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        """There is nothing to close."""

    async def json(self) -> Any:
        """Return what is said."""
        return json.loads(self._text)

    async def iter_chunked(self, _size: int) -> AsyncIterator[bytes]:
        """Return what is said as a stream."""
        yield self._text


class Stream:
    """A watch's answer: whole lines only, and every error a reason to list anew.

    kopf hears nothing of children, for what it makes of one event costs as much as a write: they
    are shown to their cache from here, and echoes of our own writes to nobody.
    """

    status: Final = _OK

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        scope: Scope,
        listener: Listener,
    ) -> None:
        """Pass on what a response brings, but for children: they are given to the listener."""
        self._response = response
        self._scope = scope
        self._listener = listener
        self.headers = response.headers
        self.content = self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._response.close()

    def close(self) -> None:
        """Break off."""
        self._response.close()

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Return the events as they come; what was cut off in the middle is no event."""
        rest = b""
        async for piece in self._response.content.iter_chunked(size):
            lines, newline, rest = (rest + piece).rpartition(b"\n")
            if not newline:
                continue
            news = [line for line in lines.split(b"\n") if not self._shown(line)]
            for n, line in enumerate(news):
                if _MARK in line and _ERROR.match(line):
                    said = line[:256].decode(errors="replace")
                    log.warning("Watch ended with an error", kind=self._scope[0], error=said)
                    yield b"".join(before + b"\n" for before in news[:n]) + _LIST_ANEW
                    return
            if news:
                yield b"\n".join(news) + b"\n"

    def _shown(self, line: bytes) -> bool:
        if self._scope[0] == HSCJIT.plural:
            return False
        begins = BEGINS.match(line)
        if begins and self._listener.is_echo(begins[1].decode(), int(begins[2])):
            return True
        try:
            told = json.loads(line)
        except ValueError:
            return False
        show, lose = self._listener.show, self._listener.lose
        take = {"ADDED": show, "MODIFIED": show, "DELETED": lose}.get(told.get("type"))
        if take is None:
            return False  # where the watch is, or its end
        _give(take, self._scope, lambda: told["object"])
        return True


def _give(take: Show, scope: Scope, read: Callable[[], Mapping[str, Any]]) -> None:
    try:
        take(read())
    except Exception:
        # One object that nobody can read must not end the watch of all others.
        log.exception("Object cannot be read", kind=scope[0])


async def listed(response: aiohttp.ClientResponse, scope: Scope, show: Show) -> Fabricated:
    """Show a page of objects to their cache; return what kopf needs to ask for the next one.

    It would hold on to every body until all kinds are listed, and take ten times as long.
    """
    async with response:
        page = await response.json()
    kind = {"kind": page["kind"].removesuffix("List"), "apiVersion": page["apiVersion"]}
    for body in page.get("items") or ():
        _give(show, scope, partial(dict, kind, **body))
    return Fabricated(json.dumps({**page, "items": []}).encode())


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
        if code != _OK or response.content_type != "application/json":
            why = await _why(response)
            if watching and code in (_UNAUTHORIZED, TOO_MANY):
                raise aiohttp.ClientConnectionError(f"{code}: {why}")  # the same is asked again
            asked = "Watch" if watching else "List"
            log.warning(f"{asked} was refused", kind=scope[0], code=code, error=why)
            if not watching:
                raise aiohttp.ClientPayloadError(f"{code}: {why}")  # it is listed from the start
            return Fabricated(_LIST_ANEW)
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
        return Fabricated(_LIST_ANEW)


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
