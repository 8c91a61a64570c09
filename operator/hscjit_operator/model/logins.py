"""By which login do pods reach the embedded database, and what does the Secret say of the next?

There are two logins, which take turns: the role that owns everything, and one that becomes the
owner as it logs in. So a password can be exchanged while both the former and the next are good.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

OWNER: Final = "hscjit"
"""The role that the database is made with: it owns everything, whoever logged in."""
SECOND: Final = f"{OWNER}_b"
"""The other login. It is in a database only once a password was exchanged there."""

PASSWORD: Final = "postgres-password"  # noqa: S105  a key
NEXT: Final = "postgres-password-next"
"""The user's wish: the password that the database shall have. Empty: one that we make. It may stay
afterwards: what the database has already is no wish."""
LOGIN: Final = "postgres-login"
"""The present login; without the key it is the owner."""
FORMER: Final = "postgres-login-former"
"""The login that pods used before, as long as it may still have the former password."""
VOLUME: Final = "postgres-volume"
"""UID of the claim under the database that knows the second login."""

_USABLE: Final = re.compile(r"[A-Za-z0-9_-]{20,128}")


class Logins(NamedTuple):
    """What the Secret says: digests alone, its values never stay in memory."""

    password: str
    """Digest of the present password."""
    next: str | None
    """Digest of the wished one; None where nothing else is wished than what there is."""
    blank: bool
    """The next password is for us to make."""
    usable: bool
    """The next password can be written wherever it has to be."""
    second: bool
    """Pods log in by the second login."""
    former: bool
    """The login that is not the present one may still have the former password."""
    volume: str
    """Digest of the UID of the claim whose database has the second login; empty for none."""

    @property
    def present(self) -> str:
        """The login that the Secret leads to."""
        return SECOND if self.second else OWNER

    @property
    def other(self) -> str:
        """The one that it will lead to next."""
        return OWNER if self.second else SECOND


def read(digests: Mapping[str, str], *, usable: bool) -> Logins:
    """Return what the Secret's digests say."""
    password = digests.get(PASSWORD, "")
    wished = digests.get(NEXT)
    return Logins(
        password=password,
        next=wished if wished != password else None,
        blank=wished == _BLANK,
        usable=usable,
        second=digests.get(LOGIN) == _SECOND,
        former=FORMER in digests,
        volume=digests.get(VOLUME, ""),
    )


def usable(text: str) -> bool:
    """Tell whether a password goes unquoted into a URL and a libpq service file, and is no word."""
    return _USABLE.fullmatch(text) is not None


def digest(encoded: str) -> str:
    """Return 16 hex digits that stand for a value, given as it is in a Secret's `data`."""
    return hashlib.sha256(encoded.encode()).hexdigest()[:16]


def digest_of(value: str) -> str:
    """Return the same, given the value itself."""
    return digest(base64.b64encode(value.encode()).decode())


_BLANK: Final = digest_of("")
_SECOND: Final = digest_of(SECOND)
