"""Make dumps a backup: `python -m hscjit_app.jobs.backup_seal <backups>/.partial-<stamp>`.

The dumps lie in the folder already. They are checked, measured and described in a manifest; only
then does the folder get its name. Whatever stops this before leaves something that is no backup.
"""

import hashlib
import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hscjit_app import __version__
from hscjit_app.jobs import backups, rdb
from hscjit_app.jobs.outcome import JobFailed, Outcome, argument, main
from hscjit_app.settings import Settings

_REFUSED = re.compile(r"SYNC with master failed: -(NOPERM|ERR unknown command)", re.IGNORECASE)
"""What redis-cli says when the server lets nobody replicate. A wrong password is no such answer."""
_MISMATCH = "server version mismatch"
"""What pg_dump says when the server is newer than itself."""


def run(settings: Settings, folder: Path) -> Outcome:
    """Seal one backup, then let the old ones go."""
    stamp = folder.name.removeprefix(".partial-")
    if backups.made_at(stamp) is None or stamp == folder.name or not folder.is_dir():
        raise JobFailed("NoSuchFolder", f"{folder} is no folder named .partial-<stamp>")
    manifest = describe(folder, stamp, may_refuse=settings.backup_queue_may_refuse)
    seal(folder, manifest)
    now = datetime.now(UTC)
    retention = backups.Retention(settings.backup_keep_last, settings.backup_keep_daily)
    removed = backups.retain(folder.parent, retention, now)
    facts = {
        "stamp": stamp,
        "size": manifest["size"],
        "revision": manifest["postgres"]["revision"],
        "removed": removed,
        "backups": backups.index(folder.parent),
    }
    said = f"Backup {stamp}, {manifest['size']} bytes"
    if manifest["left_out"]:
        return Outcome(True, "PostgresOnly", f"{said}; {manifest['left_out']}", facts)
    return Outcome(True, "BackupComplete", said, facts)


def describe(folder: Path, stamp: str, *, may_refuse: bool = False) -> dict[str, Any]:
    """Return the manifest of what lies in the folder; raises `JobFailed`.

    `may_refuse`: a queue that refuses to be dumped is left out, and said to be.
    """
    postgres = _postgres(folder)
    redis, left_out = _redis(folder, may_refuse=may_refuse)
    dumps = (backups.POSTGRES_DUMP, *(() if left_out else (backups.REDIS_DUMP,)))
    files = {
        name: {"size": (folder / name).stat().st_size, "sha256": _sha256(folder / name)}
        for name in dumps
    }
    return {
        "format": 1,
        "stamp": stamp,
        "app_version": __version__,
        "size": sum(entry["size"] for entry in files.values()),
        "files": files,
        "postgres": postgres,
        "redis": redis,
        "left_out": left_out,
    }


def seal(folder: Path, manifest: dict[str, Any]) -> Path:
    """Write everything through to the disk, the manifest last, and give the folder its name."""
    for name in manifest["files"]:
        _sync(folder / name)
    with (folder / backups.MANIFEST).open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=2, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    _sync(folder)
    final = folder.with_name(manifest["stamp"])
    folder.rename(final)
    _sync(final.parent)
    return final


def _postgres(folder: Path) -> dict[str, Any]:
    """Read what the dumping step noted: `server`, `tool`, `revision` and one `rows` a table."""
    dump = folder / backups.POSTGRES_DUMP
    if not dump.is_file():
        said = _said(dump)
        reason = "ServerNewerThanDump" if _MISMATCH in said else "PostgresDumpFailed"
        raise JobFailed(reason, f"pg_dump failed: {said or 'it said nothing'}")
    with dump.open("rb") as file:
        if file.read(5) != b"PGDMP":
            raise JobFailed("PostgresDumpFailed", f"{dump.name} is no dump of pg_dump")
    facts: dict[str, Any] = {"rows": {}}
    try:
        for line in dump.with_name(f"{dump.name}.facts").read_text(encoding="utf-8").splitlines():
            key, *values = line.split()
            if key == "rows":
                facts["rows"][values[0]] = int(values[1])
            else:
                facts[key] = values[0]
    except (OSError, ValueError, IndexError) as e:
        raise JobFailed("PostgresDumpUnreadable", f"The dump's facts can't be read: {e}") from e
    missing = {"server", "tool", "revision"} - facts.keys()
    if missing or not facts["rows"]:
        raise JobFailed("PostgresDumpUnreadable", f"The dump does not tell {sorted(missing)}")
    return facts


def _redis(folder: Path, *, may_refuse: bool) -> tuple[dict[str, Any] | None, str]:
    """Return what the dump of the queue holds, or None and why there is none."""
    dump = folder / backups.REDIS_DUMP
    if not dump.is_file():
        said = _said(dump) or "no words"
        if may_refuse and _REFUSED.search(said):
            return None, f"Postgres only: the external Redis refuses --rdb ({said[-200:]})"
        raise JobFailed("RedisDumpFailed", f"redis-cli --rdb failed: {said}")
    try:
        facts = rdb.read(dump)
    except rdb.BadDump as e:
        raise JobFailed("RedisDumpFailed", str(e)) from e
    held = {"version": facts.redis_version, "keys": facts.keys, "expiring": facts.expiring}
    return held, ""


def _said(dump: Path) -> str:
    """Return what a dump's tool said before it failed, shortened."""
    try:
        text = dump.with_name(f"{dump.name}.log").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return " ".join(text.split())[-600:]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


if __name__ == "__main__":
    sys.exit(main(lambda settings: run(settings, argument("folder"))))
