"""Which passwords and keys does an HSCJit have, and in which forms do its pods read them?

Made once and never again: another run would make other passwords. So it is no part of `desired`.
"""

import base64
import re
from collections.abc import Callable

from hscjit_operator import names
from hscjit_operator.manifests.meta import Manifest, kept_metadata
from hscjit_operator.manifests.pods import POSTGRES_PORT, REDIS_PORT
from hscjit_operator.model.spec import HSCJit

DATABASE = "hscjit"
"""Name of the database and of its user."""

_PLAIN = re.compile(r"[A-Za-z0-9_-]{20,}")


def generated(app: HSCJit, token: Callable[[], str]) -> Manifest:
    """Return the Secret of a new HSCJit; `token` makes one secret value at each call.

    Every value goes unquoted into a URL, a Redis configuration and a libpq service file, so a token
    is at least 20 of the characters that mean nothing in any of them; else ValueError.
    """
    postgres, redis, admin, session = (_checked(token()) for _ in range(4))
    values = {
        "postgres-password": postgres,
        "redis-password": redis,
        "admin-token": admin,
        "session-key": session,
        "redis-auth.conf": f"requirepass {redis}\n",
        "database-url": f"postgresql+psycopg://{DATABASE}:{postgres}@{_postgres(app)}"
        f":{POSTGRES_PORT}/{DATABASE}",
        "redis-cache-url": _redis_url(app, names.REDIS_CACHE, redis),
        "redis-queue-url": _redis_url(app, names.REDIS_QUEUE, redis),
        # libpq reads a service file whatever its mode is; a password file it would ignore, as the
        # volume's files are readable by the group.
        "pg_service.conf": f"[{DATABASE}]\nhost={_postgres(app)}\nport={POSTGRES_PORT}\n"
        f"dbname={DATABASE}\nuser={DATABASE}\npassword={postgres}\n",
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": kept_metadata(app, names.SECRET),
        "type": "Opaque",
        # Not stringData: what is applied there has no owner afterwards.
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in values.items()},
    }


def _redis_url(app: HSCJit, component: str, password: str) -> str:
    return f"redis://:{password}@{names.child(app.name, component)}:{REDIS_PORT}/0"


def _postgres(app: HSCJit) -> str:
    return names.child(app.name, names.POSTGRES)


def _checked(token: str) -> str:
    if not _PLAIN.fullmatch(token):
        raise ValueError("a token is at least 20 letters, digits, - or _; make another")
    return token
