"""May a page of this origin talk to us? Browsers say where a page is from; nobody else does."""

from collections.abc import Collection
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def allowed(origin: str | None, host: str | None, extra: Collection[str]) -> bool:
    """Return True for our own page, for what the settings add, and where there is no browser.

    `origin` and `host` are the headers; `extra` origins in lower case without a final slash.
    """
    if origin is None:
        return True
    origin = origin.strip().lower().rstrip("/")
    if origin in extra:
        return True
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in _DEFAULT_PORTS or parts.hostname is None or host is None:
        return False
    default = _DEFAULT_PORTS[parts.scheme]
    return _named(f"{parts.scheme}://{host.strip().lower()}", default) == (
        parts.hostname,
        port or default,
    )


def _named(url: str, default: int) -> tuple[str | None, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts.hostname, port or default
