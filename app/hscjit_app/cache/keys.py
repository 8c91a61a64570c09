"""Under which names are things cached, for how long, and who shares them? Said here and only here.

A key that holds a digest of what its value was made of can never be outdated; every other one is
invalidated where its source changes, and its time to live is the backstop.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

PREFIX = "hscjit:cache:"
"""Every key of ours in Redis begins so."""
CHANNEL = "hscjit:invalidate"
"""The Pub/Sub channel in redis-queue on which keys are declared outdated; workers reach it too."""

JITTER = 0.1
"""Times to live are shortened by up to this share: what was stored together expires apart."""
LEASE_S = 5.0
"""A pod that loads for others has this long; then another may, and the first's value is dropped."""
WAIT_S = 2.0
"""How long other pods wait for it before they load for themselves."""
UNHEARD_S = 10.0
"""What memory keeps at most while invalidations can't be heard."""


@dataclass(frozen=True)
class Space:
    """How one kind of thing is kept."""

    name: str
    ttl_s: float
    """As long as this it is served as it is."""
    negative_s: float = 0.0
    """How long "there is nothing" is remembered; 0 = it is not."""
    stale_s: float = 0.0
    """After its time it may be served so much longer, while it is loaded anew behind the scenes."""
    shared: bool = True
    """Kept in Redis too; False for what is quicker made than fetched."""

    def key(self, *parts: str) -> str:
        """Return the key of one thing in this space."""
        return f"{PREFIX}{self.name}:{':'.join(parts)}"


MANUAL = Space("manual", ttl_s=60.0, stale_s=60.0)
"""A product's manual as the database knows it; invalidated when it is read anew."""
PASSAGES = Space("passages", ttl_s=24 * 3600.0, negative_s=600.0)
"""What a document says to a question; the document's digest is in the key."""
PRODUCT = Space("product", ttl_s=600.0, shared=False)
"""Answers of the REST API about products; forgotten when the catalogue is swapped."""


def manual(product_id: str) -> str:
    """Return the key of a product's manual."""
    return MANUAL.key(product_id)


def passages(content_hash: str, words: Iterable[str], k: int) -> str:
    """Return the key of a search: the same words in any order find the same passages."""
    asked = "\0".join(sorted(set(words)))
    digest = hashlib.blake2b(asked.encode(), digest_size=16).hexdigest()
    return PASSAGES.key(content_hash, digest, str(k))


def product(kind: str, *parts: object) -> str:
    """Return the key of an answer about products."""
    return PRODUCT.key(kind, *map(str, parts))
