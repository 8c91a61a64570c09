"""How is a manual brought in without being led elsewhere or flooded?

Each hop: on the list of hosts, resolved once, every address judged, then connected to by that very
address (a name that resolves differently a moment later changes nothing). Bodies are taken raw: a
compressed one is refused, so a small download can't become a large one. One deadline spans it all.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from http.client import HTTPException
from typing import Any
from urllib.parse import urljoin

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

from hscjit_app.manuals.addresses import AddressRefused, Target, judge, target
from hscjit_app.settings import AllowedHost

DEADLINE_S = 60.0
"""From the first look-up to the last byte, redirects included."""
MAX_REDIRECTS = 5
_CONNECT_TIMEOUT_S = 5.0
_READ_TIMEOUT_S = 15.0
_BLOCK = 64 * 1024
_MAGIC = b"%PDF-"
_MAGIC_WITHIN = 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_RETRYABLE = (408, 425, 429)
_HTTP_OK = 200
_SERVER_ERROR = 500
_HEADERS = {
    "User-Agent": "hscjit",
    "Accept": "application/pdf",
    "Accept-Encoding": "identity",
}

Resolve = Callable[[str, int], Sequence[str]]


class FetchError(Exception):
    """The manual did not come; the message says why."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent
        """True = asking again would end in the same way."""


def resolve(host: str, port: int) -> Sequence[str]:
    """Return every address the system's resolver has for a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def fetch_pdf(
    url: str,
    allowed: Sequence[AllowedHost],
    max_bytes: int,
    *,
    resolve: Resolve = resolve,
    deadline_s: float = DEADLINE_S,
) -> bytes:
    """Return the bytes of the PDF at `url`; raises `FetchError`."""
    ends = time.monotonic() + deadline_s
    for _ in range(MAX_REDIRECTS + 1):
        try:
            hop = target(url, allowed)
            answer = _get(hop, _address(hop, resolve), max_bytes, ends)
        except AddressRefused as e:
            raise FetchError(str(e), permanent=True) from e
        if isinstance(answer, bytes):
            return answer
        url = urljoin(url, answer.location)
        if hop.scheme == "https" and not url.startswith("https:"):
            raise FetchError(f"{hop.host} redirects from https to less", permanent=True)
    raise FetchError(f"More than {MAX_REDIRECTS} redirects", permanent=True)


class _Redirect:
    def __init__(self, location: str) -> None:
        self.location = location


def _address(hop: Target, resolve: Resolve) -> str:
    """Resolve once; one bad address among several spoils the name."""
    try:
        addresses = resolve(hop.host, hop.port)
    except OSError as e:
        raise FetchError(f"{hop.host} can't be resolved: {e}", permanent=False) from e
    for address in addresses:
        judge(address, hop.allowed.private_cidr)
    if not addresses:
        raise FetchError(f"{hop.host} has no address", permanent=False)
    return addresses[0]


def _get(hop: Target, address: str, max_bytes: int, ends: float) -> bytes | _Redirect:
    """Make one request to one address."""
    connection = _connection(hop, address)
    watchdog = _Watchdog(ends)
    try:
        connection.connect()
        watchdog.watch(connection.sock)
        answer = _exchange(connection, hop, max_bytes)
        if not watchdog.barked:  # else the end of what came was our doing
            return answer
    except FetchError:
        if not watchdog.barked:
            raise
    except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as e:
        if not watchdog.barked:
            raise FetchError(
                f"{hop.host} did not deliver: {type(e).__name__}", permanent=False
            ) from e
    finally:
        watchdog.rest()
        connection.close()
    raise FetchError(f"{hop.host} did not deliver: the deadline passed", permanent=False)


class _Watchdog:
    """Cuts a connection at the deadline.

    Drop by drop, every single read is in time: only this ends the whole. It holds the socket
    itself, because the connection lets go of it once the head is read.
    """

    def __init__(self, ends: float) -> None:
        self._ends = ends
        self._timer: threading.Timer | None = None
        self.barked = False

    def watch(self, sock: Any) -> None:
        self._timer = threading.Timer(self._ends - time.monotonic(), self._cut, args=(sock,))
        self._timer.daemon = True
        self._timer.start()

    def rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _cut(self, sock: Any) -> None:
        self.barked = True
        with contextlib.suppress(OSError):  # it is closed already
            sock.shutdown(socket.SHUT_RDWR)


def _exchange(connection: HTTPConnection, hop: Target, max_bytes: int) -> bytes | _Redirect:
    connection.timeout = _READ_TIMEOUT_S
    connection.request(
        "GET",
        hop.path,
        headers={**_HEADERS, "Host": hop.host_header},
        preload_content=False,
        decode_content=False,
    )
    response = connection.getresponse()
    try:
        return _read(hop, response, max_bytes)
    finally:
        response.close()


def _connection(hop: Target, address: str) -> HTTPConnection:
    """Aim at the judged address; the name lives on in `Host` and in what the certificate says."""
    if hop.scheme == "http":
        return HTTPConnection(address, hop.port, timeout=_CONNECT_TIMEOUT_S)
    return HTTPSConnection(
        address,
        hop.port,
        timeout=_CONNECT_TIMEOUT_S,
        server_hostname=hop.host,
        assert_hostname=hop.host,
        cert_reqs="CERT_REQUIRED",
    )


def _read(hop: Target, response: HTTPResponse, max_bytes: int) -> bytes | _Redirect:
    """Judge the head, then take the body up to its limit."""
    status, headers = response.status, response.headers
    if status in _REDIRECTS:
        location = headers.get("Location")
        if not location:
            raise FetchError(f"{hop.host} redirects to nowhere", permanent=True)
        return _Redirect(location)
    if status != _HTTP_OK:
        later = status >= _SERVER_ERROR or status in _RETRYABLE
        raise FetchError(f"{hop.host} answered {status}", permanent=not later)
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchError(f"{hop.host} compressed it although asked not to", permanent=True)
    declared = headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(int(declared), max_bytes)

    body = bytearray()
    while block := response.read1(_BLOCK, decode_content=False):
        body += block
        if len(body) > max_bytes:
            raise _too_large(len(body), max_bytes)
        if len(body) >= _MAGIC_WITHIN and _MAGIC not in body[:_MAGIC_WITHIN]:
            break
    if _MAGIC not in body[:_MAGIC_WITHIN]:
        kind = headers.get("Content-Type", "no Content-Type")[:80]
        raise FetchError(f"{hop.host} sent something that is not a PDF ({kind})", permanent=True)
    if declared.isdecimal() and len(body) < int(declared):
        raise FetchError(f"{hop.host} stopped in the middle", permanent=False)
    return bytes(body)


def _too_large(size: int, max_bytes: int) -> FetchError:
    return FetchError(
        f"The manual is larger than {max_bytes} bytes (found {size}); "
        "raise catalog.manuals.maxBytes to allow it",
        permanent=True,
    )
