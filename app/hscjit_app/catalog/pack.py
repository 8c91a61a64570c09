"""Arrays in a file that every process maps: nothing is read before it is needed, nothing twice.

The file appears whole or not at all. It is a cache: one that is damaged or of another format is
made anew, so it is read strictly and only from a folder of our own.
"""

import json
import mmap
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

FORMAT = 2
"""Raised whenever what is inside changes its meaning; part of every file's name."""
PARTIAL = ".partial-"
"""How the name of a file begins that is still being written."""
_MAGIC = b"HSCJPACK"
_ALIGN = 64

Arrays = Mapping[str, npt.NDArray[np.generic]]


class NotAPack(ValueError):
    """The file is cut short, damaged or something else."""


def write(path: Path, arrays: Arrays) -> None:
    """Write flat arrays under their names; who maps the path sees the old file or all of this."""
    places: dict[str, tuple[str, int, int]] = {}
    end = 0
    for name, array in arrays.items():
        begin = -(-end // _ALIGN) * _ALIGN
        places[name] = (array.dtype.str, begin, len(array))
        end = begin + array.nbytes
    head = json.dumps({"format": FORMAT, "bytes": end, "arrays": places}).encode()
    start = _start(head)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=PARTIAL)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + len(head).to_bytes(8, "little") + head)
            for name, array in arrays.items():
                file.seek(start + places[name][1])
                file.write(np.ascontiguousarray(array).view(np.uint8).data)
            file.truncate(start + end)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def read(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Map a file's arrays, read-only; raises `NotAPack`, OSError."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < len(_MAGIC) + 8:
            raise NotAPack(f"{path.name}: too short")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    size = int.from_bytes(mapped[8:16], "little")
    try:
        head = json.loads(mapped[16 : 16 + size])
        start = _start(mapped[16 : 16 + size])
        if mapped[:8] != _MAGIC or head["format"] != FORMAT or start + head["bytes"] != len(mapped):
            raise NotAPack(f"{path.name}: of another format, or cut short")
        return {
            name: np.frombuffer(mapped, dtype=kind, count=count, offset=start + begin)
            for name, (kind, begin, count) in head["arrays"].items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise NotAPack(f"{path.name}: {e}") from e


def _start(head: bytes) -> int:
    return -(-(16 + len(head)) // _ALIGN) * _ALIGN
