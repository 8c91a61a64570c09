"""Who owns a conversation? Whoever holds its session secret: `<id>.<signature>`.

The signature is made with the session key all pods share, so any pod can check it without asking
anybody. The id alone opens nothing and may be logged; the database knows only the secret's hash.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Session:
    """One customer's right to one conversation."""

    id: str
    """32 hexadecimal digits; public."""
    secret: str
    """What the customer keeps."""

    @property
    def hash(self) -> str:
        """SHA-256 of the secret in hexadecimal: how the database knows the owner."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


class SessionSigner:
    """Makes and checks session secrets."""

    def __init__(self, key: str | None) -> None:
        self._key = (key or secrets.token_hex(32)).encode()

    def new(self) -> Session:
        """Return a fresh session."""
        return self._signed(secrets.token_hex(_ID_BYTES))

    def of(self, session_id: str) -> Session:
        """Return the session of an id that was checked when its question was accepted."""
        return self._signed(session_id)

    def check(self, secret: str | None) -> Session | None:
        """Return the session a secret opens; None if it opens none."""
        if not secret or not secret.isascii():
            return None
        expected = self._signed(secret.partition(".")[0])
        return expected if hmac.compare_digest(expected.secret, secret) else None

    def _signed(self, session_id: str) -> Session:
        signature = hmac.new(self._key, session_id.encode(), hashlib.sha256).hexdigest()
        return Session(session_id, f"{session_id}.{signature}")
