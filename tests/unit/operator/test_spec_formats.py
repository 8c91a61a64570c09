"""Both sides of what a single value may look like: quantities, durations, cron lines, networks."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hscjit_operator.model.formats import amount, cidr, private_cidr
from hscjit_operator.model.schedule import Lasting, cron, duration, time_zone

AMOUNTS = {
    "150m": Decimal("0.15"),
    "2": Decimal(2),
    "1.5": Decimal("1.5"),
    "1k": Decimal(1000),
    "1Ki": Decimal(1024),
    "256Mi": Decimal(256 * 1024**2),
    "1G": Decimal(10**9),
    "1Gi": Decimal(1024**3),
    "1Ti": Decimal(1024**4),
    "1P": Decimal(10**15),
}


@pytest.mark.parametrize(("text", "value"), AMOUNTS.items(), ids=AMOUNTS)
def test_amounts(text: str, value: Decimal):
    assert amount(text) == value


@pytest.mark.parametrize("text", ["", "m", "-1", "+1", "1e3", "1.5Gi5", "1 Gi", "1gi", "INVALID"])
def test_no_amounts(text: str):
    with pytest.raises(ValueError, match="is not a quantity"):
        amount(text)


DURATIONS = {"8h": 480, "90m": 90, "1h30m": 90, "0h1m": 1, "168h": 10080}


@pytest.mark.parametrize(("text", "minutes"), DURATIONS.items(), ids=DURATIONS)
def test_durations(text: str, minutes: int):
    assert duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "8", "h", "0h", "0h0m", "30m1h", "1d", "-1h", "1.5h", "10s"])
def test_no_durations(text: str):
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)


SPANS = {
    "just too short": (59, False),
    "the shortest": (60, True),
    "the longest": (3600, True),
    "just too long": (3601, False),
}


@pytest.mark.parametrize(("seconds", "accepted"), SPANS.values(), ids=SPANS)
def test_spans(seconds: int, accepted: bool):
    within = Lasting(timedelta(minutes=1), timedelta(hours=1))
    span = timedelta(seconds=seconds)
    if accepted:
        assert within(span) == span
    else:
        with pytest.raises(ValueError, match="set 1m to 1h"):
            within(span)


CRON_LINES = {
    "0 2 * * *": "0 2 * * *",
    "*/15 * * * *": "*/15 * * * *",
    "59 23 31 12 6": "59 23 31 12 6",
    "0  8-18/2  1,15  jan,JUL  mon-fri": "0 8-18/2 1,15 jan,JUL mon-fri",
    "0 0 29 2 *": "0 0 29 2 *",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
    "@weekly": "0 0 * * 0",
}


@pytest.mark.parametrize(("line", "canonical"), CRON_LINES.items(), ids=CRON_LINES)
def test_cron_lines(line: str, canonical: str):
    assert cron(line) == canonical


NO_CRON_LINES = {
    "nothing": "",
    "words": "every day",
    "minute 60": "60 * * * *",
    "hour 24": "0 24 * * *",
    "day 0": "0 0 0 * *",
    "day 32": "0 0 32 * *",
    "month 13": "0 0 1 13 *",
    "Sunday as 7, which Kubernetes refuses": "0 0 * * 7",
    "the last Friday, which only cronsim knows": "0 0 * * 5L",
    "the second Monday, which only cronsim knows": "0 0 * * 1#2",
    "four fields": "0 2 * *",
    "six fields": "0 0 2 * * *",
    "a time zone in the line": "TZ=UTC 0 2 * * *",
    "a range the wrong way round": "30-10 * * * *",
    "a step of nothing": "*/0 * * * *",
    "a day that never comes": "0 0 31 2 *",
    "another day that never comes": "0 0 31 4,6 *",
    "an unknown macro": "@reboot",
    "two lines": "0 2 * * *\n0 3 * * *",
    "a line break at the end": "0 2 * * *\n",
}


@pytest.mark.parametrize("line", NO_CRON_LINES.values(), ids=NO_CRON_LINES)
def test_no_cron_lines(line: str):
    with pytest.raises(ValueError, match=r"write five fields, such as"):
        cron(line)


@pytest.mark.parametrize("name", ["Etc/UTC", "UTC", "Europe/Berlin", "America/Port-au-Prince"])
def test_time_zones(name: str):
    assert time_zone(name) == name


@pytest.mark.parametrize(
    "name", ["", "Local", "Mars/Base", "../etc/passwd", "/etc/localtime", "Europe"]
)
def test_no_time_zones(name: str):
    with pytest.raises(ValueError, match="is not a time zone; write a name such as"):
        time_zone(name)


@pytest.mark.parametrize("text", ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "2001:db8::/32"])
def test_networks(text: str):
    assert cidr(text) == text


@pytest.mark.parametrize("text", ["", "x", "10.0.0.1", "10.0.0.1/8", "10.0.0.0/33", "::1"])
def test_no_networks(text: str):
    with pytest.raises(ValueError, match="write "):
        cidr(text)


PRIVATE = {
    "10.0.0.0/8": True,
    "10.255.255.255/32": True,
    "11.0.0.0/32": False,
    "172.16.0.0/12": True,
    "172.15.255.255/32": False,
    "172.31.255.255/32": True,
    "172.32.0.0/32": False,
    "192.168.0.0/16": True,
    "192.167.0.0/16": False,
    "100.64.0.0/10": True,
    "100.128.0.0/32": False,
    "fc00::/7": True,
    "fe80::/64": False,
    "127.0.0.1/32": False,
    "169.254.169.254/32": False,
    "0.0.0.0/0": False,
    "10.0.0.0/7": False,
    "::/0": False,
}


@pytest.mark.parametrize(("text", "accepted"), PRIVATE.items(), ids=PRIVATE)
def test_private_networks(text: str, accepted: bool):
    if accepted:
        assert private_cidr(text) == text
    else:
        with pytest.raises(ValueError, match=r"is not within|host bits set"):
            private_cidr(text)
