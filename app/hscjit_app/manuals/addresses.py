"""Which addresses may a manual be fetched from? Pure: decided before anything is connected.

Only hosts on the list, only http and https, only public addresses, unless the list gives this very
host a private range. What a name resolves to is judged after unwrapping, because IPv6 has several
ways to say an IPv4 address.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from hscjit_app.settings import AllowedHost, Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_URL = 2048
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        # is_global of older Pythons calls some of these public.
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOW_32_BITS = 0xFFFFFFFF


class AddressRefused(Exception):
    """We don't go there; the message says where and why."""


@dataclass(frozen=True)
class Target:
    """One hop of a fetch, allowed by name but not resolved yet."""

    scheme: str
    host: str
    """Without brackets."""
    port: int
    path: str
    """With its query."""
    allowed: AllowedHost

    @property
    def host_header(self) -> str:
        """What the `Host` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def target(url: str, allowed: Sequence[AllowedHost]) -> Target:
    """Understand an absolute URL and find it on the list; raises `AddressRefused`."""
    if len(url) > _MAX_URL or not url.isascii() or not url.isprintable() or set(url) & set(" \\"):
        raise AddressRefused("The address holds characters that no address holds, or is too long")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as e:
        raise AddressRefused(f"{url[:200]!r} is no address: {e}") from e
    if parts.scheme not in _DEFAULT_PORTS:
        raise AddressRefused(f"{parts.scheme or 'no scheme'}: only http and https are fetched")
    if "@" in parts.netloc:
        raise AddressRefused("The address holds a user name; manuals are public")
    host = (parts.hostname or "").removesuffix(".")
    port = _DEFAULT_PORTS[parts.scheme] if port is None else port
    entry = next((a for a in allowed if _matches(a.host, parts.scheme, host, port)), None)
    if entry is None:
        raise AddressRefused(
            f"{host}:{port} is not among the allowed hosts; add it to catalog.manuals.allowedHosts"
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path, entry)


def _matches(entry: str, scheme: str, host: str, port: int) -> bool:
    wanted = urlsplit(f"//{entry}")
    wanted_port = wanted.port or _DEFAULT_PORTS[scheme]
    return wanted.hostname == host and wanted_port == port


def judge(text: str, private_range: Network | None) -> None:
    """Accept an address a name resolved to, or raise `AddressRefused`."""
    try:
        address = unwrap(ipaddress.ip_address(text))
    except ValueError as e:
        raise AddressRefused(f"{text!r} is no address") from e
    if private_range is not None and address in private_range:
        return
    if not _is_public(address):
        raise AddressRefused(
            f"{text} is not a public address; only a host's own privateCIDR opens one"
        )


def unwrap(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or int(address) <= _LOW_32_BITS:
        return ipaddress.IPv4Address(int(address) & _LOW_32_BITS)
    return address


def _is_public(address: Address) -> bool:
    special = any(net.version == address.version and address in net for net in _SPECIAL)
    return address.is_global and not address.is_multicast and not special
