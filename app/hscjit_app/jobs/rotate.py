"""Give one of the database's logins a password: `python -m hscjit_app.jobs.rotate <login> …`.

The database has two logins that take turns, and this one is the login that no pod uses now. It may
run twice, and die anywhere: it does the same again. Only a verifier of the password goes to the
server, so that no log of statements ever holds the password.
"""

import argparse
import base64
import hashlib
import sys
import time
from pathlib import Path
from typing import Any

import structlog
from psycopg import sql
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from hscjit_app.db.session import sync_engine
from hscjit_app.jobs.outcome import JobFailed, Outcome, main
from hscjit_app.settings import Settings

PATIENCE_S = 60.0
"""How long pods that still use the login may take to leave."""
_ASK_S = 0.5
_CONNECT_TIMEOUT_S = 5

_SESSIONS = text(
    "SELECT pid, application_name, coalesce(host(client_addr), 'local') FROM pg_stat_activity"
    " WHERE usename = :login AND pid <> pg_backend_pid()"
)

log = structlog.stdlib.get_logger(__name__)


def run(settings: Settings, login: str, password: str, patience_s: float = PATIENCE_S) -> Outcome:
    """Set the password, and prove that it opens the door.

    Sessions of our own pods under that login are waited for: they could not come back. Those of
    anybody else are ended, as who had the former password may have opened them.
    """
    engine = sync_engine(settings)
    try:
        with engine.connect() as connection:
            _wait(connection, login, f"{settings.name}-", patience_s)
            _set(connection, login, password)
            ended = _end(connection, login)
        _prove(settings, login, password)
    except SQLAlchemyError as e:
        cause = getattr(e, "orig", None) or e
        raise JobFailed("RotationFailed", f"{type(cause).__name__}: {cause}".strip()) from e
    finally:
        engine.dispose()
    said = f"The login {login} has its password"
    return Outcome(
        True, "Rotated", f"{said}; sessions of others that were ended: {ended}" if ended else said
    )


def _wait(connection: Connection, login: str, ours: str, patience_s: float) -> None:
    ends = time.monotonic() + patience_s
    while found := [one for one in _sessions(connection, login) if one[1].startswith(ours)]:
        who = ", ".join(sorted({f"{name} at {address}" for _, name, address in found}))
        if time.monotonic() >= ends:
            raise JobFailed(
                "StillInUse", f"The login {login} is still used by {who}; delete that pod"
            )
        log.info("Waiting for sessions to end", login=login, sessions=who)
        time.sleep(_ASK_S)


def _sessions(connection: Connection, login: str) -> list[tuple[int, str, str]]:
    """Return the other sessions that logged in so: process, program and address of each."""
    found = [tuple(row) for row in connection.execute(_SESSIONS, {"login": login})]
    connection.rollback()  # what is seen of sessions stays as it is until a transaction's end
    return [(pid, name or "", address) for pid, name, address in found]


def _set(connection: Connection, login: str, password: str) -> None:
    """Make the login if need be, the owner's deputy, with this password."""
    owner = connection.execute(text("SELECT current_user")).scalar_one()
    driver: Any = connection.connection.driver_connection
    verifier = driver.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256")
    known = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": login})
    steps = [] if known.scalar() else ["CREATE ROLE {login}"]
    if login != owner:
        # Whoever logs in so is the owner from the first moment on: what is made belongs to the
        # owner, whichever login made it.
        steps += ["GRANT {owner} TO {login}", "ALTER ROLE {login} SET role TO {owner}"]
    steps.append("ALTER ROLE {login} LOGIN PASSWORD {verifier}")
    words = {
        "login": sql.Identifier(login),
        "owner": sql.Identifier(owner),
        "verifier": sql.Literal(verifier.decode()),
    }
    for step in steps:
        connection.exec_driver_sql(sql.SQL(step).format(**words).as_string(driver))
    connection.commit()


def _end(connection: Connection, login: str) -> int:
    """End the sessions that logged in so; return how many there were."""
    found = _sessions(connection, login)
    for pid, _, _ in found:
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    connection.commit()
    return len(found)


def _prove(settings: Settings, login: str, password: str) -> None:
    url = make_url(settings.database_url).set(username=login, password=password)
    engine = create_engine(url, connect_args={"connect_timeout": _CONNECT_TIMEOUT_S})
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    finally:
        engine.dispose()


def mark(password: str) -> str:
    """Return 7 hex digits that stand for the password, as the operator made them of its Secret."""
    return hashlib.sha256(base64.b64encode(password.encode())).hexdigest()[:7]


def _read(path: Path, wanted: str) -> str:
    password = path.read_text(encoding="utf-8")
    if mark(password) != wanted:
        raise JobFailed("SecretOutdated", "The Secret's files are not those of this job; try again")
    return password


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m hscjit_app.jobs.rotate")
    parser.add_argument("login")
    parser.add_argument("file", type=Path, help="holds the login's password")
    parser.add_argument("mark", help="of that password")
    given = parser.parse_args()
    sys.exit(main(lambda settings: run(settings, given.login, _read(given.file, given.mark))))
