"""Which addresses a manual may be fetched from, and that nothing is connected to before."""

import ipaddress
import socket

import pytest

from hscjit_app.manuals.addresses import AddressRefused, judge, target
from hscjit_app.manuals.fetch import FetchError, fetch_pdf
from hscjit_app.settings import AllowedHost

ALLOWED = (
    AllowedHost("manuals.example.com"),
    AllowedHost("files.example.com:8443"),
    AllowedHost("inside.example.com:80", ipaddress.ip_network("10.96.7.7/32")),
    AllowedHost("[2606:4700::1111]"),
)

REACHED = {
    "plain": ("http://manuals.example.com/a.pdf", ("http", "manuals.example.com", 80, "/a.pdf")),
    "default port of https": (
        "https://manuals.example.com/a.pdf",
        ("https", "manuals.example.com", 443, "/a.pdf"),
    ),
    "case and final dot": (
        "https://Manuals.Example.COM./a.pdf",
        ("https", "manuals.example.com", 443, "/a.pdf"),
    ),
    "port of its own": (
        "https://files.example.com:8443/x?y=1",
        ("https", "files.example.com", 8443, "/x?y=1"),
    ),
    "no path": ("http://manuals.example.com", ("http", "manuals.example.com", 80, "/")),
    "fragment is left out": (
        "http://manuals.example.com/a.pdf#page=3",
        ("http", "manuals.example.com", 80, "/a.pdf"),
    ),
    "ipv6": ("http://[2606:4700::1111]/a", ("http", "2606:4700::1111", 80, "/a")),
}


@pytest.mark.parametrize(("url", "expected"), REACHED.values(), ids=REACHED)
def test_allowed_hosts_are_understood(url, expected):
    hop = target(url, ALLOWED)

    assert (hop.scheme, hop.host, hop.port, hop.path) == expected


REFUSED = {
    "file": "file:///etc/passwd",
    "ftp": "ftp://manuals.example.com/a.pdf",
    "gopher": "gopher://manuals.example.com/_x",
    "no scheme": "//manuals.example.com/a.pdf",
    "other host": "https://evil.example.com/a.pdf",
    "allowed host as a prefix": "https://manuals.example.com.evil.com/a.pdf",
    "allowed host as a suffix": "https://evilmanuals.example.com/a.pdf",
    "allowed host as a user": "https://manuals.example.com@evil.com/a.pdf",
    "user and password": "https://user:pass@manuals.example.com/a.pdf",
    "other port": "http://manuals.example.com:8080/a.pdf",
    "port of the other scheme": "http://manuals.example.com:443/a.pdf",
    "backslash": "http://evil.com\\@manuals.example.com/",
    "line break": "http://manuals.example.com/a\r\nHost: evil",
    "space": "http://manuals.example.com/a b",
    "null": "http://manuals.example.com/\x00",
    "not ascii": "http://mänuals.example.com/",
    "port out of range": "http://manuals.example.com:99999/",
    "empty host": "http:///a.pdf",
    "loopback": "http://127.0.0.1/a.pdf",
    "loopback as a number": "http://2130706433/",
    "loopback in octal": "http://0177.0.0.1/",
    "loopback shortened": "http://127.1/",
    "metadata service": "http://169.254.169.254/latest/meta-data/",
    "too long": "http://manuals.example.com/" + "a" * 2048,
    "open bracket": "http://[::1/a",
}


@pytest.mark.parametrize("url", REFUSED.values(), ids=REFUSED)
def test_everything_else_is_refused(url):
    with pytest.raises(AddressRefused):
        target(url, ALLOWED)


PUBLIC = ["93.184.216.34", "1.1.1.1", "172.15.255.255", "172.32.0.0", "2606:4700::1111"]
NOT_PUBLIC = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "100::1",
    "3fff::1",
    "5f00::1",
    "fe80::1%eth0",
    "manuals.example.com",
    "",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_accepted(address):
    judge(address, None)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_special_addresses_are_refused(address):
    with pytest.raises(AddressRefused):
        judge(address, None)


OWN_RANGE = {
    "inside": ("10.96.7.7", True),
    "mapped into ipv6": ("::ffff:10.96.7.7", True),
    "its neighbour": ("10.96.7.8", False),
    "loopback": ("127.0.0.1", False),
    "public all the same": ("93.184.216.34", True),
}


@pytest.mark.parametrize(("address", "accepted"), OWN_RANGE.values(), ids=OWN_RANGE)
def test_a_private_range_opens_itself_and_nothing_more(address, accepted):
    if accepted:
        judge(address, ipaddress.ip_network("10.96.7.7/32"))
    else:
        with pytest.raises(AddressRefused):
            judge(address, ipaddress.ip_network("10.96.7.7/32"))


@pytest.fixture
def connects(monkeypatch):
    """Every connect that is tried anywhere in this process; none gets through."""
    tried = []

    def refuse(_self, address):
        tried.append(address)
        raise ConnectionRefusedError("no network in unit tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    return tried


RESOLVED = {
    "loopback": ["127.0.0.1"],
    "metadata service": ["169.254.169.254"],
    "private": ["10.0.0.1"],
    "public and private": ["93.184.216.34", "10.0.0.1"],
    "mapped": ["::ffff:169.254.169.254"],
    "none": [],
}


@pytest.mark.parametrize("addresses", RESOLVED.values(), ids=RESOLVED)
def test_nothing_is_connected_to_when_a_name_resolves_badly(connects, addresses):
    with pytest.raises(FetchError):
        fetch_pdf("http://manuals.example.com/a.pdf", ALLOWED, 1000, resolve=lambda *_: addresses)

    assert connects == []


def test_nothing_is_resolved_or_connected_to_when_the_host_is_not_allowed(connects):
    asked = []

    with pytest.raises(FetchError) as refused:
        fetch_pdf("http://169.254.169.254/", ALLOWED, 1000, resolve=lambda *a: asked.append(a))

    assert refused.value.permanent
    assert "allowedHosts" in str(refused.value)
    assert (asked, connects) == ([], [])


def test_a_name_is_resolved_once_and_its_judged_address_is_the_one_connected_to(connects):
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])

    with pytest.raises(FetchError) as failed:
        fetch_pdf(
            "http://manuals.example.com/a.pdf", ALLOWED, 1000, resolve=lambda *_: next(answers)
        )

    assert not failed.value.permanent
    assert connects == [("93.184.216.34", 80)]
    assert next(answers) == ["127.0.0.1"]
