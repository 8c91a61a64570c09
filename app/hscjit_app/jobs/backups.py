"""What lies on the claim for backups, and what of it may go?

A backup is a folder `<stamp>` with a `manifest.json`: it is written last, and the folder gets its
name after that. Anything else is unfinished and counts for nothing.
"""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
POSTGRES_DUMP = "postgres.dump"
REDIS_DUMP = "redis-queue.rdb"
STALE_AFTER = timedelta(hours=6)
"""Unfinished this long: nobody works on it any more (a backup has an hour)."""
_PARTIAL = ".partial-"
_FORMAT = "%Y%m%dT%H%M%SZ"
_STAMP = re.compile(r"\d{8}T\d{6}Z")


class BadBackup(Exception):
    """This is no backup to restore from; the message says why."""


@dataclass(frozen=True)
class Retention:
    """What is kept at least."""

    keep_last: int
    """This many newest; at least 1, whatever is asked for."""
    keep_daily: int
    """And the newest of each of this many days (UTC) that have one."""


def made_at(stamp: str) -> datetime | None:
    """Return the moment a stamp names; None = this is no stamp."""
    if not _STAMP.fullmatch(stamp):
        return None
    try:
        return datetime.strptime(stamp, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def expired(stamps: Sequence[str], retention: Retention) -> list[str]:
    """Return the complete backups that may go, oldest first; the newest never may."""
    newest_first = sorted((s for s in stamps if made_at(s)), reverse=True)
    kept = set(newest_first[: max(1, retention.keep_last)])
    of_day: dict[str, str] = {}
    for stamp in newest_first:
        of_day.setdefault(stamp[:8], stamp)
    kept.update(list(of_day.values())[: retention.keep_daily])
    return [stamp for stamp in reversed(newest_first) if stamp not in kept]


def complete(folder: Path) -> list[str]:
    """Return the stamps of complete backups, oldest first."""
    return sorted(
        entry.name
        for entry in _folders(folder)
        if made_at(entry.name) and (entry / MANIFEST).is_file()
    )


def stale(folder: Path, now: datetime) -> list[Path]:
    """Return folders of backups that were begun and never finished, by now abandoned."""
    found = []
    for entry in _folders(folder):
        begun = made_at(entry.name.removeprefix(_PARTIAL))
        finished = not entry.name.startswith(_PARTIAL) and (entry / MANIFEST).is_file()
        if begun and not finished and now - begun >= STALE_AFTER:
            found.append(entry)
    return found


def retain(folder: Path, retention: Retention, now: datetime) -> list[str]:
    """Remove what may go; returns the names of what went. A folder that is not there is empty."""
    gone = stale(folder, now) + [folder / s for s in expired(complete(folder), retention)]
    for entry in gone:
        # Without its manifest it is no backup: a removal cut short leaves none that looks whole.
        (entry / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(entry)
    return [entry.name for entry in gone]


def index(folder: Path, newest: int = 30) -> list[dict[str, Any]]:
    """Return stamp and size in bytes of the newest backups, newest first."""
    return [
        {"stamp": stamp, "size": manifest_of(folder / stamp)["size"]}
        for stamp in reversed(complete(folder)[-newest:])
    ]


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return a backup's manifest; raises `BadBackup`."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise BadBackup(f"{folder.name} has no {MANIFEST}: it was never completed") from e
    except (OSError, ValueError) as e:
        raise BadBackup(f"{folder.name}/{MANIFEST} can't be read: {e}") from e
    if not isinstance(manifest, dict) or manifest.get("format") != 1:
        raise BadBackup(f"{folder.name}/{MANIFEST} has a format this version does not know")
    return manifest


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(e for e in folder.iterdir() if e.is_dir() and not e.is_symlink())
