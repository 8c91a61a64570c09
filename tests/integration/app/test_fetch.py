"""Fetching from hostile sites: real sockets, and nobody led elsewhere or flooded."""

import contextlib
import gzip
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from hscjit_app.manuals.fetch import FetchError, fetch_pdf
from hscjit_app.settings import AllowedHost

LOOPBACK = ipaddress.ip_network("127.0.0.1/32")
PDF = b"%PDF-1.4\n" + b"x" * 5000
Answer = Callable[[socket.socket, str], None]


class Site:
    """Answers each request as it is told; knows what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                head = connection.recv(65536).decode()
                self.asked.append(head)
                self._answer(connection, head.split()[1])

    def close(self) -> None:
        self._listener.close()

    def fetch(self, path: str = "/a.pdf", max_bytes: int = 100_000, **kwargs: object) -> bytes:
        allowed = (AllowedHost(f"manuals.test:{self.port}", LOOPBACK),)
        return fetch_pdf(
            f"http://manuals.test:{self.port}{path}",
            allowed,
            max_bytes,
            resolve=lambda *_: ["127.0.0.1"],
            **kwargs,
        )


@pytest.fixture
def site() -> Iterator[Callable[[Answer], Site]]:
    made: list[Site] = []

    def make(answer: Answer) -> Site:
        made.append(Site(answer))
        return made[-1]

    yield make
    for one in made:
        one.close()


def reply(head: str, body: bytes = b"") -> Answer:
    def answer(connection: socket.socket, _path: str) -> None:
        text = f"HTTP/1.1 {head}\r\nConnection: close\r\n\r\n"
        connection.sendall(text.encode() + body)

    return answer


def test_a_manual_comes_as_it_is(site):
    found = site(reply(f"200 OK\r\nContent-Length: {len(PDF)}", PDF))

    assert found.fetch() == PDF
    head = found.asked[0].lower()
    assert f"host: manuals.test:{found.port}" in head
    assert "accept-encoding: identity" in head


def test_a_manual_in_chunks_comes_too(site):
    body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (PDF[:100], PDF[100:])) + b"0\r\n\r\n"

    assert site(reply("200 OK\r\nTransfer-Encoding: chunked", body)).fetch() == PDF


BOMB = gzip.compress(b"%PDF-1.4" + b"\0" * 5_000_000)
REFUSED = {
    "compressed": (reply("200 OK\r\nContent-Encoding: gzip", BOMB), True, "compressed"),
    "twice compressed": (reply("200 OK\r\nContent-Encoding: gzip, gzip", BOMB), True, "compressed"),
    "compressed, but not saying so": (reply("200 OK", BOMB), True, "not a PDF"),
    "a page instead": (reply("200 OK\r\nContent-Type: text/html", b"<html>"), True, "text/html"),
    "nothing": (reply("200 OK\r\nContent-Length: 0"), True, "not a PDF"),
    "too large, and saying so": (
        reply("200 OK\r\nContent-Length: 100001", PDF),
        True,
        "maxBytes",
    ),
    "too large, and not saying so": (reply("200 OK", PDF * 40), True, "maxBytes"),
    "cut off": (reply("200 OK\r\nContent-Length: 9000", PDF), False, "did not deliver"),
    "not there": (reply("404 Not Found"), True, "404"),
    "forbidden": (reply("403 Forbidden"), True, "403"),
    "too many requests": (reply("429 Too Many Requests"), False, "429"),
    "broken": (reply("500 Oops"), False, "500"),
    "redirect to nowhere": (reply("302 Found"), True, "nowhere"),
    "not http": (lambda c, _: c.sendall(b"SSH-2.0-x\r\n"), False, "did not deliver"),
    "hangs up": (lambda *_: None, False, "did not deliver"),
    "endless head": (
        lambda c, _: c.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500),
        False,
        "did not deliver",
    ),
}


@pytest.mark.parametrize(("answer", "permanent", "word"), REFUSED.values(), ids=REFUSED)
def test_bad_answers(site, answer, permanent, word):
    with pytest.raises(FetchError, match=word) as failed:
        site(answer).fetch()

    assert failed.value.permanent is permanent


def test_a_limit_is_for_larger_ones_only(site):
    assert len(site(reply("200 OK", PDF)).fetch(max_bytes=len(PDF))) == len(PDF)
    with pytest.raises(FetchError, match="maxBytes"):
        site(reply("200 OK", PDF)).fetch(max_bytes=len(PDF) - 1)


ELSEWHERE = {
    "metadata service": "http://169.254.169.254/latest/",
    "loopback": "http://127.0.0.1/",
    "file": "file:///etc/passwd",
    "another host": "http://other.test/a.pdf",
    "without scheme": "//other.test/a.pdf",
    "another port of the host": "http://manuals.test:81/a.pdf",
}


@pytest.mark.parametrize("location", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_redirect_elsewhere_is_refused(site, location):
    found = site(reply(f"302 Found\r\nLocation: {location}"))

    with pytest.raises(FetchError) as failed:
        found.fetch()

    assert failed.value.permanent
    assert len(found.asked) == 1


def test_a_redirect_within_the_allowed_host_is_followed(site):
    def answer(connection: socket.socket, path: str) -> None:
        moved = reply("301 Moved\r\nLocation: /b.pdf")
        (moved if path == "/a.pdf" else reply("200 OK", PDF))(connection, path)

    assert site(answer).fetch() == PDF


def test_redirects_end(site):
    found = site(reply("302 Found\r\nLocation: /a.pdf"))

    with pytest.raises(FetchError, match="redirects"):
        found.fetch()

    assert len(found.asked) == 6


def drip(before: bytes) -> Answer:
    def answer(connection: socket.socket, _path: str) -> None:
        connection.sendall(before)
        for _ in range(100):
            time.sleep(0.05)
            connection.sendall(b"x")

    return answer


SLOW = {
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n%PDF-1.4 ",
    "body without length": b"HTTP/1.1 200 OK\r\n\r\n%PDF-1.4 ",
    "body of one who hangs up after": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%PDF-1.4 ",
    "head": b"HTTP/1.1 200 OK\r\nX-Slow: ",
}


@pytest.mark.parametrize("before", SLOW.values(), ids=SLOW)
def test_drop_by_drop_ends_at_the_deadline(site, before):
    begun = time.monotonic()

    with pytest.raises(FetchError, match="deadline") as failed:
        site(drip(before)).fetch(deadline_s=0.6)

    assert not failed.value.permanent
    assert time.monotonic() - begun < 2
