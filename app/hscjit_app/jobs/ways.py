"""Write down how the databases' tools find external stores: `python -m hscjit_app.jobs.ways <dir>`.

pg_dump, psql and redis-cli take no URL without showing its password in their arguments. So the
addresses that this process was told are written as the files they read, into memory that only the
pod sees: `pg_service.conf`, `queue.sh` (sourced by a shell, then `redis-cli "$@"`), and
`tables.sql`, which removes the app's own tables.
"""

import os
import shlex
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import make_url

from hscjit_app.db.models import Base
from hscjit_app.db.session import tls
from hscjit_app.jobs.outcome import JobFailed, Outcome, argument, main
from hscjit_app.settings import Settings

SERVICE = "hscjit"
_POSTGRES_PORT = 5432
_REDIS_PORT = 6379


def run(settings: Settings, folder: Path) -> Outcome:
    """Write the files of every store this process was told of."""
    written = []
    if not settings.sqlite:
        written += [
            _write(folder / "pg_service.conf", service(settings)),
            _write(folder / "tables.sql", tables()),
        ]
    if settings.redis_queue_url is not None:
        written.append(_write(folder / "queue.sh", queue(settings)))
    return Outcome(True, "WaysWritten", f"Wrote {', '.join(written)}")


def service(settings: Settings) -> str:
    """Return a libpq service file that leads to the database."""
    url = make_url(settings.database_url)
    found = {
        "host": url.host,
        "port": str(url.port or _POSTGRES_PORT),
        "dbname": url.database,
        "user": url.username,
        "password": url.password,
        **{key: value for key, value in url.query.items() if isinstance(value, str)},
        **tls(settings),
    }
    lines = [f"[{SERVICE}]"]
    for key, value in found.items():
        if value is None:
            continue
        # libpq cuts what stands at a line's end, and knows no quotes.
        if value != value.strip() or "\n" in value:
            raise JobFailed("BadAddress", f"The database's {key} begins or ends with white space")
        lines.append(f"{key}={value}")
    return "\n".join(lines) + "\n"


def queue(settings: Settings) -> str:
    """Return a shell script that sets the password, and the arguments that lead to the queue."""
    parts = urlsplit(settings.redis_queue_url or "")
    words = ["-h", parts.hostname or "", "-p", str(parts.port or _REDIS_PORT)]
    if parts.username:
        words += ["--user", unquote(parts.username)]
    if parts.scheme == "rediss":
        words += ["--tls", "--sni", parts.hostname or ""]
        if settings.redis_queue_ca is not None:
            words += ["--cacert", str(settings.redis_queue_ca)]
    password = shlex.quote(unquote(parts.password or ""))
    login = f"export REDISCLI_AUTH={password}\n" if parts.password else ""
    return f"{login}set -- {shlex.join(words)}\n"


def tables() -> str:
    """Return the SQL that removes the app's tables, and what it knows of their schema."""
    found = sorted([*Base.metadata.tables, "alembic_version"])
    return "".join(f'DROP TABLE IF EXISTS public."{name}" CASCADE;\n' for name in found)


def _write(path: Path, text: str) -> str:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return path.name


if __name__ == "__main__":
    sys.exit(main(lambda settings: run(settings, argument("folder"))))
