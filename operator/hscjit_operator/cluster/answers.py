"""What becomes of an answer on its way to kopf? Objects are shown to their caches, past it.

What kopf makes of one event costs as much as a write, and what it lists it holds until every kind
is listed. So it hears only what moves it on: where a list continues, where a watch is, and its end.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol, Self

import aiohttp
import structlog

from hscjit_operator.cluster.kinds import HSCJIT

log = structlog.stdlib.get_logger(__name__)

Scope = tuple[str, str | None]
"""Plural of a kind, and the namespace it is watched in (None: all)."""

Show = Callable[[Mapping[str, Any]], None]

OK: Final = 200
_MARK: Final = b'"ERROR"'
_ERROR: Final = re.compile(rb'\{\s*"type"\s*:\s*"ERROR"')
"""How error events begin, whoever writes them; objects may hold the mark, but not there."""
BEGINS: Final = re.compile(
    rb'\{"type":"(?:ADDED|MODIFIED)","object":\{"kind":"\w+","apiVersion":"[\w./]+",'
    rb'"metadata":\{"name":"[^"]+","namespace":"[^"]+","uid":"([^"]+)","resourceVersion":"(\d+)"'
)
"""How events about the kinds of Kubernetes itself begin: enough to know an echo without reading
all of it."""
LIST_ANEW: Final = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n'


class Caches(Protocol):
    """Who is shown what there is."""

    def is_echo(self, uid: str, version: int) -> bool:
        """Tell whether that is what our own write returned already: no news to anybody."""

    def show(self, body: Mapping[str, Any]) -> None:
        """Take an object as a list or a watch shows it."""

    def lose(self, body: Mapping[str, Any]) -> None:
        """Take the end of a child."""


class Fabricated:
    """An answer of our own making, as much of one as kopf reads."""

    status: Final = OK
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

    status: Final = OK

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        scope: Scope,
        caches: Caches,
    ) -> None:
        """Pass on what a response brings, but for children: they are given to the caches."""
        self._response = response
        self._scope = scope
        self._caches = caches
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
                    yield b"".join(before + b"\n" for before in news[:n]) + LIST_ANEW
                    return
            if news:
                yield b"\n".join(news) + b"\n"

    def _shown(self, line: bytes) -> bool:
        if self._scope[0] == HSCJIT.plural:
            return False
        begins = BEGINS.match(line)
        if begins and self._caches.is_echo(begins[1].decode(), int(begins[2])):
            return True
        try:
            told = json.loads(line)
        except ValueError:
            return False
        show, lose = self._caches.show, self._caches.lose
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
