"""Which Python runs the tests? A virtual environment of the locked packages, made once."""

import sys
import sysconfig
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.cluster import cache, debian
from tests.cluster.images import ROOT
from tests.cluster.shell import CommandFailed, Unavailable, run, succeeds

_LOCK = ROOT / "tests" / "requirements.txt"
_BENCH_LOCK = ROOT / "tests" / "bench" / "requirements.txt"
_LINK = ROOT / ".venv"
_UV = "uv==0.11.*"
_OLDEST = (3, 11)


def ensure(note: Callable[[str], None]) -> Path:
    """Return the folder of the environment, and let `.venv` in the clone point to it."""
    if sys.version_info[:2] < _OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        raise Unavailable(f"Python {found} is too old: put Python 3.11 or newer first in PATH")
    install = ("--require-hashes", "--requirement", str(_LOCK))
    folder = _ensure("venv", cache.digest(_LOCK, *_python()), install, note)
    _point_to(folder)
    return folder


def bench(note: Callable[[str], None]) -> Path:
    """Return the folder of the environment that benches run in: the app, and its peers."""
    install = ("--require-hashes", "--requirement", str(_BENCH_LOCK))
    return _ensure("bench-venv", cache.digest(_BENCH_LOCK, *_python()), install, note)


def uv(note: Callable[[str], None]) -> Path:
    """The program that writes the locks; it is needed for nothing else."""
    return _ensure("uv", cache.digest(_UV, *_python()), (_UV,), note) / "bin" / "uv"


def _python() -> tuple[str, str]:
    return sys.version, str(Path(sys.base_prefix))


def _ensure(thing: str, key: str, install: tuple[str, ...], note: Callable[[str], None]) -> Path:
    final = cache.root() / f"{thing}-{key}"
    return cache.ensure(thing, key, partial(_make, final=final, install=install, note=note))


def _make(folder: Path, final: Path, install: tuple[str, ...], note: Callable[[str], None]) -> None:
    if not succeeds(sys.executable, "-c", "import ensurepip"):
        if not debian.may_install():
            raise Unavailable(
                "Python's venv module is incomplete: install the package python3-venv"
            )
        version = sysconfig.get_python_version()
        debian.install("python3-venv", f"python{version}-venv", note=note)
    note(f"installing the packages for {final.name.partition('-')[0]}")
    run(sys.executable, "-m", "venv", folder, note=note, doing="making the environment")
    pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet")
    run(*pip, *install, note=note, doing="pip install")
    _move_scripts(folder, final)


def _move_scripts(folder: Path, final: Path) -> None:
    """Let the scripts name the place where the folder is going to be."""
    for script in (folder / "bin").iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        if not content.startswith(b"#!") and b"VIRTUAL_ENV" not in content:
            continue  # a program; a changed length would break it
        script.write_bytes(content.replace(bytes(folder), bytes(final)))


def _point_to(folder: Path) -> None:
    if _LINK.is_symlink():
        if _LINK.readlink() == folder:
            return
        _LINK.unlink()
    elif _LINK.exists():
        raise CommandFailed(f"{_LINK} is a folder of yours: move it away, it will be a link")
    _LINK.symlink_to(folder)
