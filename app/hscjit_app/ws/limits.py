"""How much may one socket, one session, one address ask for?"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from hscjit_app.settings import Network

MESSAGES_PER_S, MESSAGES_BURST = 30.0, 60.0
"""Of one socket: faster than anyone types."""
QUESTIONS_PER_S, QUESTIONS_BURST = 0.5, 8.0
"""Of one session, over all its sockets."""
ANSWERS_AT_ONCE = 3
"""Of one socket."""
REFUSALS_PER_S, REFUSALS_BURST = 0.5, 30.0
"""Of one socket: more than this many refused messages is abuse, and it is closed."""
SOCKETS_PER_ADDRESS = 100
"""Behind trusted proxies only: elsewhere the address is the proxy's or a whole office's."""
IDLE_S = 1800.0
"""A socket whose client said nothing for this long is closed; it may come back and resume."""


class Bucket:
    """A token bucket; `now` is monotonic seconds."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at = now

    def take(self, now: float) -> float:
        """Take one; returns 0 if there was one, else the seconds until there will be."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._rate


class Buckets:
    """A bucket for each of the most recent names; forgotten names begin full again."""

    def __init__(self, rate: float, burst: float, most: int = 10_000) -> None:
        self._rate = rate
        self._burst = burst
        self._most = most
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, name: str, now: float) -> float:
        """Take one from a name's bucket; see `Bucket.take`."""
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(self._rate, self._burst, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(name)
        return bucket.take(now)


class Addresses:
    """How many sockets each client address holds."""

    def __init__(self, most: int = SOCKETS_PER_ADDRESS) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def enter(self, address: str | None) -> bool:
        """Count a socket in; False = this address has enough. An unknown address always may."""
        if address is None:
            return True
        if self._open[address] >= self._most:
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str | None) -> None:
        """Count a socket out."""
        if address is not None:
            self._open[address] -= 1
            if self._open[address] <= 0:
                del self._open[address]


def client_address(
    peer: str | None, forwarded: Iterable[str], trusted: Sequence[Network]
) -> str | None:
    """Return the client's own address, or None if nobody trusted says what it is.

    `forwarded` are the X-Forwarded-For headers in order. The right-most address no trusted proxy
    holds is the client's: what stands left of it the client may have written itself.
    """
    if peer is None or not _within(peer, trusted):
        return None
    hops = [hop.strip() for header in forwarded for hop in header.split(",")]
    for hop in reversed(hops):
        if not _within(hop, trusted):
            return hop if _is_address(hop) else None
    return None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _within(text: str, networks: Sequence[Network]) -> bool:
    if not _is_address(text):
        return False
    address = ip_address(text)
    return any(address.version == n.version and address in n for n in networks)
