"""The first layer: least recently used values of this process, with a time to live.

A hit is one look into cachebox's LRU and reads no clock: what is too old is taken out by `sweep`,
which its owner calls every `SWEEP_S`. So a value may be served that much longer than it should.
"""

from collections.abc import Callable

from cachebox import LRUCache

SWEEP_S = 0.25

NOTHING = b""
"""The remembered absence of a value; values themselves are never empty."""


class Memory:
    """Bytes by key; `max_size` fresh ones, and the stale ones that may still be served."""

    def __init__(self, max_size: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.fresh: LRUCache[str, bytes] = LRUCache(max_size)
        """What is not too old, NOTHING among it: for its owner to look into, not to change."""
        self._stale: LRUCache[str, tuple[bytes, float]] = LRUCache(max_size)
        self._until: dict[str, tuple[float, float]] = {}
        """Fresh until and served until, by the clock."""
        self.max_size = max_size
        self.evictions = 0
        """How many had to go before their time because there was no room."""

    def __len__(self) -> int:
        return len(self.fresh)

    def put(self, key: str, value: bytes, ttl_s: float, stale_s: float = 0.0) -> None:
        """Keep a value from now on."""
        if len(self.fresh) >= self.max_size and key not in self.fresh:
            self.evictions += 1
        self.fresh[key] = value
        if self._stale:
            self._stale.pop(key, None)
        until = self._clock() + ttl_s
        self._until[key] = (until, until + stale_s)

    def stale(self, key: str) -> bytes | None:
        """Return a value whose time is over but which may still be served."""
        found = self._stale.get(key)
        if found is None or found[1] <= self._clock():
            return None
        return found[0]

    def drop(self, key: str) -> None:
        """Forget one."""
        self.fresh.pop(key, None)
        self._stale.pop(key, None)
        self._until.pop(key, None)

    def drop_prefix(self, prefix: str) -> int:
        """Forget all whose keys begin so; returns how many fresh ones went."""
        found = [key for key in self.fresh if key.startswith(prefix)]
        for key in [*found, *(key for key in self._stale if key.startswith(prefix))]:
            self.drop(key)
        return len(found)

    def clear(self) -> None:
        """Forget everything."""
        self.fresh.clear()
        self._stale.clear()
        self._until.clear()

    def shorten(self, ttl_s: float) -> None:
        """Let nothing be served longer than this from now on."""
        end = self._clock() + ttl_s
        self._until = {k: (min(a, end), min(b, end)) for k, (a, b) in self._until.items()}

    def sweep(self) -> None:
        """Take out what is too old: a walk over all, some 0.1 ms by the thousand."""
        now = self._clock()
        for key, (fresh_until, stale_until) in list(self._until.items()):
            if fresh_until > now and key in self.fresh:
                continue
            del self._until[key]
            value = self.fresh.pop(key, None)
            if value and stale_until > now:
                self._stale[key] = (value, stale_until)
        for key in [key for key, (_, until) in self._stale.items() if until <= now]:
            self._stale.pop(key, None)
