"""Large catalogues are read and indexed by a process of their own, into a file all others map.

`python -m hscjit_app.catalog.packing <folder of catalogue files> <folder of packs>` prints the name
of the pack. The name is a digest of the files' content: who finds it there has nothing to build.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from hscjit_app.catalog import large, pack, products, records
from hscjit_app.catalog.large import LargeIndex
from hscjit_app.catalog.records import Records
from hscjit_app.errors import CatalogError

PATIENCE_S = 300.0
KEEP = 2
"""Packs in the folder at most, the one being written among them: the other is what processes serve
from, or are about to map. A pod's scratch space has room for no more of a large catalogue."""

Files = Sequence[tuple[str, bytes]]


def mapped(files: Files, folder: Path, packs: Path) -> tuple[Records, LargeIndex]:
    """Return the catalogue of these files, built first if nobody has; raises `CatalogError`.

    Waits for the building process, so it belongs into a thread.
    """
    try:
        packs.mkdir(mode=0o700, parents=True, exist_ok=True)
        if packs.stat().st_uid != os.getuid():
            raise CatalogError(f"{packs} belongs to somebody else: no index is taken from there")
        path = packs / name_of(files)
        try:
            arrays = pack.read(path)
            os.utime(path)  # it is used from now on: others go first
        except (FileNotFoundError, pack.NotAPack):
            arrays = pack.read(packs / _build(folder, packs))
    except (OSError, pack.NotAPack) as e:
        raise CatalogError(f"The catalogue can't be indexed in {packs}: {e}") from e
    found = Records(arrays)
    return found, LargeIndex(arrays, found)


def name_of(files: Files) -> str:
    """Return the file name of these files' pack."""
    digest = hashlib.blake2b(f"{pack.FORMAT}".encode(), digest_size=16)
    for name, text in files:
        digest.update(f"\0{name}\0{len(text)}\0".encode())
        digest.update(text)
    return f"{digest.hexdigest()}.pack"


def write(files: Files, packs: Path) -> str:
    """Read and index files into a pack and return its name; raises `CatalogError`, OSError."""
    read = ((name, product) for name, text in files for product in products.parse(name, text))
    found = list(products.unique(read).values())
    if not found:
        raise CatalogError(products.NOTHING)
    name = name_of(files)
    arrays = {**large.encode(found), **records.encode(found)}
    _make_room(packs, name)
    pack.write(packs / name, arrays)
    return name


def _build(folder: Path, packs: Path) -> str:
    command = [sys.executable, "-m", __name__, str(folder), str(packs)]
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and module
            command,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    except subprocess.TimeoutExpired as e:
        raise CatalogError(f"Indexing the catalogue took more than {PATIENCE_S:.0f} s") from e
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise CatalogError(said[0])
    return done.stdout.strip()


def _make_room(packs: Path, name: str) -> None:
    """Drop all but the newest packs, and what builders left behind that were killed meanwhile.

    A process that has a pack mapped keeps it until it ends.
    """
    others = sorted((p for p in packs.glob("*.pack") if p.name != name), key=_made, reverse=True)
    given_up = time.time() - 2 * PATIENCE_S
    left = [p for p in packs.glob(f"{pack.PARTIAL}*") if _made(p) < given_up]
    for path in [*others[KEEP - 1 :], *left]:
        with contextlib.suppress(OSError):
            path.unlink()


def _made(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def default_folder() -> Path:
    """Return where packs lie if nothing else is said: the machine's scratch space."""
    return Path(tempfile.gettempdir()) / "hscjit-catalog"


def main(arguments: Iterable[str]) -> int:
    """Build one pack; what is wrong with the files is the last line of stderr."""
    from hscjit_app.catalog import store  # noqa: PLC0415  it maps what we build

    folder, packs = map(Path, arguments)
    try:
        sys.stdout.write(write(store.read(folder), packs))
    except (CatalogError, OSError) as e:
        sys.stderr.write(f"{e}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
