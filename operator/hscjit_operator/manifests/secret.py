"""Which passwords and keys does an HSCJit have, and in which forms do its pods read them?

Made once and never again: another run would make other passwords. So it is no part of `desired`.
The database's password alone is exchanged, on demand: what changes for it is told here too.
"""

import base64
from collections.abc import Callable, Mapping

from hscjit_operator import names
from hscjit_operator.manifests.meta import Manifest, kept_metadata
from hscjit_operator.manifests.pods import POSTGRES_PORT, REDIS_PORT
from hscjit_operator.model import logins
from hscjit_operator.model.spec import HSCJit

DATABASE = logins.OWNER
"""Name of the database and of the role that owns it."""

Values = Mapping[str, str | None]
"""Values of the Secret by their keys; None: the key goes."""


def generated(app: HSCJit, token: Callable[[], str]) -> Manifest:
    """Return the Secret of a new HSCJit; `token` makes one secret value at each call.

    Every value goes unquoted into a URL, a Redis configuration and a libpq service file, so a token
    is at least 20 of the characters that mean nothing in any of them; else ValueError.
    """
    postgres, redis, admin, session = (_checked(token()) for _ in range(4))
    values = {
        **_database(app, logins.OWNER, postgres),
        "redis-password": redis,
        "admin-token": admin,
        "session-key": session,
        "redis-auth.conf": f"requirepass {redis}\n",
        "redis-cache-url": _redis_url(app, names.REDIS_CACHE, redis),
        "redis-queue-url": _redis_url(app, names.REDIS_QUEUE, redis),
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": kept_metadata(app, names.SECRET),
        "type": "Opaque",
        # Not stringData: what is applied there has no owner afterwards.
        "data": data(values),
    }


def data(values: Values) -> dict[str, str | None]:
    """Return values as a Secret holds them."""
    return {
        key: None if text is None else base64.b64encode(text.encode()).decode()
        for key, text in values.items()
    }


def wished(password: str) -> Values:
    """Return what changes once a next password was made."""
    return {logins.NEXT: _checked(password)}


def moved(app: HSCJit, found: logins.Logins, password: str, volume: str) -> Values:
    """Return what changes once the other login has the next password: pods use that login."""
    return {
        **_database(app, found.other, _checked(password)),
        logins.LOGIN: found.other,
        logins.FORMER: found.present,
        logins.VOLUME: volume,
    }


def closed() -> Values:
    """Return what changes once the former password is good for nothing."""
    return {logins.FORMER: None}


def begun_anew(app: HSCJit, password: str) -> Values:
    """Return what changes for an empty database: it was made with the owner, and this password."""
    gone = {logins.LOGIN: None, logins.FORMER: None, logins.VOLUME: None}
    return {**_database(app, logins.OWNER, password), **gone}


def _database(app: HSCJit, login: str, password: str) -> dict[str, str]:
    """Return the database's password, and the forms in which pods read it."""
    host = names.child(app.name, names.POSTGRES)
    return {
        logins.PASSWORD: password,
        "database-url": f"postgresql+psycopg://{login}:{password}@{host}:{POSTGRES_PORT}/{DATABASE}",
        # libpq reads a service file whatever its mode is; a password file it would ignore, as the
        # volume's files are readable by the group.
        "pg_service.conf": f"[{DATABASE}]\nhost={host}\nport={POSTGRES_PORT}\n"
        f"dbname={DATABASE}\nuser={login}\npassword={password}\n",
    }


def _redis_url(app: HSCJit, component: str, password: str) -> str:
    return f"redis://:{password}@{names.child(app.name, component)}:{REDIS_PORT}/0"


def _checked(token: str) -> str:
    if not logins.usable(token):
        raise ValueError("a token is at least 20 letters, digits, - or _; make another")
    return token
