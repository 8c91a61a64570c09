"""What may a single value look like? Each format returns the value, or raises with the way out.

A format is a callable that stands in an `Annotated` hint of the model. It takes a value that
already has the right JSON type and returns it, perhaps in its canonical form.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final

from hscjit_operator.model.schedule import cron, time_zone

INT_OR_STRING: Final = "int-or-string"
"""Marks a text that may also be written as a whole number, as quantities may."""


@dataclass(frozen=True)
class Between:
    """A number from `low` to `high`, both included."""

    low: int
    high: int

    def __call__(self, value: int) -> int:
        if not self.low <= value <= self.high:
            raise ValueError(f"{value} is out of range; set {self.low} to {self.high}")
        return value


@dataclass(frozen=True)
class UpTo:
    """Any text of at most `longest` characters."""

    longest: int

    def __call__(self, value: str) -> str:
        if len(value) > self.longest:
            raise ValueError(f"has {len(value)} characters; at most {self.longest} are allowed")
        return value


@dataclass(frozen=True)
class Text:
    """A text that matches `pattern` as a whole and is at most `longest` characters."""

    pattern: str
    wanted: str
    longest: int

    def __call__(self, value: str) -> str:
        UpTo(self.longest)(value)
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"{value!r} is not {self.wanted}")
        return value


@dataclass(frozen=True)
class AtMost:
    """A list or map of at most `count` entries; `key` names what must differ between them."""

    count: int
    key: str | None = None

    def __call__(self, value: Any) -> Any:
        if len(value) > self.count:
            raise ValueError(f"has {len(value)} entries; at most {self.count} are allowed")
        if self.key is None:
            return value
        seen = set()
        for entry in value:
            mark = entry if self.key == "" else getattr(entry, self.key)
            if mark in seen:
                raise ValueError(f"{mark!r} stands there twice; keep one of the two")
            seen.add(mark)
        return value


# --- quantities ---------------------------------------------------------------------------------

_QUANTITY: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|[MGTP]|[KMGTP]i)?")
_UNITS: Final[dict[str | None, Decimal]] = {
    None: Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** (i + 1) for i, unit in enumerate("kMGTP")},
    **{f"{unit}i": Decimal(1024) ** (i + 1) for i, unit in enumerate("KMGTP")},
}


def amount(quantity_text: str) -> Decimal:
    """Return a quantity in its base unit (cores, bytes): `150m` is 0.15, `1Ki` is 1024."""
    match = _QUANTITY.fullmatch(quantity_text)
    if match is None:
        raise ValueError(
            f"{quantity_text!r} is not a quantity; write a number with an optional unit, "
            "such as 150m, 2, 256Mi or 1Gi"
        )
    return Decimal(match[1]) * _UNITS[match[2]]


def quantity(value: str) -> str:
    """Accept a quantity above zero; Kubernetes' signs and exponents are left out."""
    if amount(value) <= 0:
        raise ValueError(f"{value!r} must be above zero")
    return value


# --- addresses ----------------------------------------------------------------------------------

_PRIVATE: Final = tuple(
    ipaddress.ip_network(net)
    for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
"""Where a manuals host may live inside: never loopback, never link-local (cloud metadata)."""


def cidr(value: str) -> str:
    """Accept a network such as 10.0.0.0/8, with no bit set behind its mask."""
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"{error}; write a network such as 10.0.0.0/8 or fd00::/8") from error
    if "/" not in value:
        raise ValueError(f"{value!r} has no mask; write {value}/32 for this one address")
    return value


def private_cidr(value: str) -> str:
    """Accept a network inside the private ranges: the only way in which we reach one."""
    network = ipaddress.ip_network(cidr(value))
    if not any(network.version == p.version and network.subnet_of(p) for p in _PRIVATE):  # type: ignore[arg-type]
        ranges = ", ".join(str(p) for p in _PRIVATE)
        raise ValueError(f"{value} is not within {ranges}; leave it out for a public host")
    return value


# --- labels and annotations ---------------------------------------------------------------------

_LABEL_NAME: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_KEY: Final = re.compile(rf"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_LABEL_NAME}")
_LABEL_VALUE: Final = re.compile(rf"({_LABEL_NAME})?")
RESERVED: Final = ("app.kubernetes.io/", "hscjit.dev/")
"""Prefixes of the labels and annotations the operator itself sets."""


def labels(value: Mapping[str, str]) -> Mapping[str, str]:
    """Accept labels of Kubernetes' syntax."""
    for key, text in value.items():
        if not _LABEL_KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not a label's name; write it as team or example.com/team")
        if not _LABEL_VALUE.fullmatch(text):
            raise ValueError(
                f"{text!r} is not a value for the label {key}; use at most 63 letters, digits, "
                "'-', '_' and '.', the first and the last a letter or digit"
            )
    return value


def annotations(value: Mapping[str, str]) -> Mapping[str, str]:
    """Accept annotations: a label's names, any text."""
    for key, text in value.items():
        if not _LABEL_KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not an annotation's name; write it as example.com/note")
        if len(text) > ANNOTATION_LENGTH:
            raise ValueError(
                f"{key} has {len(text)} characters; at most {ANNOTATION_LENGTH} are allowed"
            )
    return value


ANNOTATION_LENGTH: Final = 1024


def unreserved(value: Mapping[str, str]) -> Mapping[str, str]:
    """Refuse the names that the operator keeps for itself."""
    for key in value:
        if key.startswith(RESERVED):
            raise ValueError(
                f"{key} is the operator's own (as is all of {', '.join(RESERVED)}); rename it"
            )
    return value


# --- what the model writes in its hints ---------------------------------------------------------

_DNS_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_NAME: Final = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
_PORT: Final = (
    ":([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)

Quantity = Annotated[str, INT_OR_STRING, UpTo(16), quantity]
Storage = Annotated[str, UpTo(16), quantity]
Cron = Annotated[str, UpTo(100), cron]
TimeZone = Annotated[str, UpTo(64), time_zone]
ObjectName = Annotated[str, Text(_DNS_NAME, "the name of an object", 253)]
Labels = Annotated[Mapping[str, str], AtMost(32), labels]
PodLabels = Annotated[Mapping[str, str], AtMost(32), labels, unreserved]
Annotations = Annotated[Mapping[str, str], AtMost(32), annotations, unreserved]
Cidr = Annotated[str, UpTo(43), cidr]
PrivateCidr = Annotated[str, UpTo(43), private_cidr]
HostPort = Annotated[
    str,
    Text(rf"{_DNS_NAME}({_PORT})?", "a host, such as manuals.example.com or 10.0.0.7:8080", 259),
]
HostName = Annotated[str, Text(_DNS_NAME, "a host name, such as support.example.com", 253)]
Origin = Annotated[
    str,
    Text(rf"https?://{_DNS_NAME}({_PORT})?", "an origin, such as https://shop.example.com", 266),
]
