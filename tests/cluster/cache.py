"""Where are slow things kept? One folder per thing and hash of its inputs: complete, or not there.

A build works in a folder beside the final one and is renamed when done, so what was interrupted
never counts. Locks are held by the kernel for a process, so that a killed one leaves none behind.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".DS_Store"}
"""Names that say nothing about what is built from a folder."""

_PARTIAL = ".partial-"


def root() -> Path:
    """The cache's folder: HSCJIT_CACHE, else `~/.cache/hscjit`. It is made when missing."""
    path = Path(os.environ.get("HSCJIT_CACHE") or Path.home() / ".cache" / "hscjit").absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def digest(*inputs: str | Path) -> str:
    """Twelve hex digits that change whenever one of the inputs does.

    A string counts as itself; a path as its content: for a folder, the relative names, modes and
    bytes of all files in it. Where the folder lies and when it was written does not count.
    """
    whole = hashlib.sha256()
    for item in inputs:
        for part in _parts(item):
            whole.update(len(part).to_bytes(8, "big"))
            whole.update(part)
    return whole.hexdigest()[:12]


def _parts(item: str | Path) -> Iterator[bytes]:
    if isinstance(item, str):
        yield item.encode()
    elif item.is_dir():
        for path in files(item):
            yield path.relative_to(item).as_posix().encode()
            yield b"x" if path.stat().st_mode & 0o100 else b"-"
            yield path.read_bytes()
    else:
        yield item.name.encode()
        yield item.read_bytes()


def files(folder: Path) -> list[Path]:
    """Every file below the folder that counts as its content, in a fixed order."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not IGNORED & set(path.relative_to(folder).parts)
    )


@contextmanager
def lock(name: str, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the named lock; another process that has it is waited for, after calling `on_wait`."""
    folder = root() / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait is not None:
                on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find(thing: str, key: str) -> Path | None:
    """The finished folder of this thing, or None."""
    path = root() / f"{thing}-{key}"
    return path if path.is_dir() else None


def ensure(thing: str, key: str, build: Callable[[Path], None]) -> Path:
    """Return the folder of this thing, building it first where it is not there.

    `build` fills the empty folder it is given. A second process waits for the first one's result.
    """
    with lock(f"{thing}-{key}"):
        found = find(thing, key)
        if found is not None:
            return found
        for remains in root().glob(f"{_PARTIAL}{thing}-{key}-*"):
            shutil.rmtree(remains, ignore_errors=True)  # its orphans may still be writing
        partial = Path(tempfile.mkdtemp(prefix=f"{_PARTIAL}{thing}-{key}-", dir=root()))
        partial.chmod(0o755)
        try:
            build(partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        final = root() / f"{thing}-{key}"
        partial.rename(final)
        return final
