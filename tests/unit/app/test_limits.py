"""Limits, on both sides of each threshold, and who is believed about addresses and origins."""

import ipaddress

import pytest

from hscjit_app.ws import limits, origin

TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


def test_a_bucket_gives_its_burst_and_then_its_rate():
    bucket = limits.Bucket(rate=2, burst=3, now=0)

    assert [bucket.take(0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take(0.49) > 0
    assert bucket.take(1.0) == 0


def test_a_bucket_never_holds_more_than_its_burst():
    bucket = limits.Bucket(rate=1, burst=2, now=0)

    assert [bucket.take(1000) for _ in range(3)] == [0, 0, 1]


def test_each_name_has_its_own_bucket_and_the_oldest_is_forgotten():
    buckets = limits.Buckets(rate=0.1, burst=1, most=2)
    assert buckets.take("a", 0) == 0
    assert buckets.take("a", 0) > 0
    assert buckets.take("b", 0) == 0
    assert buckets.take("c", 0) == 0
    assert buckets.take("a", 0) == 0


def test_addresses_count_in_and_out():
    addresses = limits.Addresses(most=2)

    assert [addresses.enter("a") for _ in range(3)] == [True, True, False]
    addresses.leave("a")
    assert addresses.enter("a")
    assert addresses.enter("b")
    assert all(addresses.enter(None) for _ in range(9))


ADDRESSES = {
    "no proxy in between": ("203.0.113.7", ["198.51.100.1"], None),
    "one trusted proxy": ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
    "what the client wrote itself is not believed": (
        "10.0.0.1",
        ["1.2.3.4, 203.0.113.7"],
        "203.0.113.7",
    ),
    "two trusted proxies": ("10.0.0.1", ["203.0.113.7, 10.0.0.2"], "203.0.113.7"),
    "two headers": ("10.0.0.1", ["1.2.3.4", "203.0.113.7"], "203.0.113.7"),
    "nothing forwarded": ("10.0.0.1", [], None),
    "only proxies": ("10.0.0.1", ["10.0.0.3"], None),
    "no address at all": ("10.0.0.1", ["unknown"], None),
    "IPv6": ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
    "no peer": (None, ["203.0.113.7"], None),
}


@pytest.mark.parametrize(("peer", "forwarded", "client"), ADDRESSES.values(), ids=ADDRESSES)
def test_whose_address_it_is(peer, forwarded, client):
    assert limits.client_address(peer, forwarded, TRUSTED) == client


ORIGINS = {
    "not a browser": (None, "a.example", True),
    "the same host": ("https://a.example", "a.example", True),
    "the same host in capitals": ("https://A.Example", "a.example", True),
    "the same port": ("http://a.example:8000", "a.example:8000", True),
    "the default port written out": ("https://a.example", "a.example:443", True),
    "another port": ("http://a.example:8000", "a.example:8001", False),
    "no port against one": ("http://a.example", "a.example:8000", False),
    "a subdomain": ("https://b.a.example", "a.example", False),
    "a longer name": ("https://a.example.evil", "a.example", False),
    "allowed by the settings": ("https://shop.example", "a.example", True),
    "allowed, with a final slash": ("https://shop.example/", "a.example", True),
    "allowed with another scheme": ("http://shop.example", "a.example", False),
    "null": ("null", "a.example", False),
    "empty": ("", "a.example", False),
    "a file": ("file://", "a.example", False),
    "a bad port": ("https://a.example:x", "a.example", False),
    "no host": ("https://a.example", None, False),
}


@pytest.mark.parametrize(("given", "host", "expected"), ORIGINS.values(), ids=ORIGINS)
def test_whose_pages_may_talk_to_us(given, host, expected):
    assert origin.allowed(given, host, {"https://shop.example"}) is expected
