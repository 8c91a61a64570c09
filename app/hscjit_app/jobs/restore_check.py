"""Is this backup whole? `python -m hscjit_app.jobs.restore_check <backups>/<stamp>`.

Asked before anything is replaced: a damaged backup must leave the present data alone.
"""

import hashlib
import sys
from pathlib import Path

from hscjit_app.jobs import backups
from hscjit_app.jobs.outcome import JobFailed, Outcome, argument, main
from hscjit_app.settings import Settings


def run(_settings: Settings, folder: Path) -> Outcome:
    """Compare every file with what the manifest says of it."""
    if not folder.is_dir():
        held = ", ".join(backups.complete(folder.parent)[-5:]) or "none"
        raise JobFailed("NoSuchBackup", f"There is no backup {folder.name}; the newest: {held}")
    try:
        manifest = backups.manifest_of(folder)
        for name, said in manifest["files"].items():
            check(folder / name, said["size"], said["sha256"])
    except backups.BadBackup as e:
        raise JobFailed("BackupDamaged", str(e)) from e
    return Outcome(True, "BackupWhole", f"Backup {folder.name} is whole", {"stamp": folder.name})


def check(path: Path, size: int, sha256: str) -> None:
    """Raise `BadBackup` unless the file is the one that was sealed."""
    try:
        with path.open("rb") as file:
            found_size = path.stat().st_size
            found = hashlib.file_digest(file, "sha256").hexdigest() if found_size == size else ""
    except OSError as e:
        raise backups.BadBackup(f"{path.name} can't be read: {e}") from e
    if found_size != size:
        raise backups.BadBackup(f"{path.name} has {found_size} bytes, sealed were {size}")
    if found != sha256:
        raise backups.BadBackup(f"{path.name} has other bytes than were sealed (sha256 differs)")


if __name__ == "__main__":
    sys.exit(main(lambda settings: run(settings, argument("folder"))))
