"""Which images do ours start from? Published ones, or Debian unpacked here."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.cluster import cache, debian, docker
from tests.cluster.shell import run

NODE_PACKAGES = [
    *("systemd", "systemd-sysv", "util-linux", "mount", "kmod", "procps", "hostname"),
    *("iproute2", "iptables", "nftables", "conntrack", "ethtool", "ca-certificates", "runc"),
]
PYTHON_PACKAGES = ["python3", "ca-certificates", "tzdata"]
PYTHON_BUILD_PACKAGES = [
    *("python3-pip-whl", "python3-setuptools-whl", "python3-venv", "python3.11-venv"),
    *("binutils", "binutils-common", "binutils-x86-64-linux-gnu", "libbinutils"),
    *("libctf0", "libctf-nobfd0", "libgprofng0", "libjansson4"),
]
"""What `python3 -m venv` and leaner libraries need, and a running program doesn't."""


def node_key() -> str:
    """Changes with what the node's base is made of."""
    return cache.digest(debian.SUITE, *NODE_PACKAGES, *debian.UNWANTED)


def node(note: Callable[[str], None]) -> str:
    """The image of a Debian with systemd and what a node needs of the distribution."""
    key = node_key()
    name = f"hscjit-base-node:{key}"
    if not docker.has_image(name):
        fill = partial(_archives, packages=NODE_PACKAGES, build_only=[], note=note)
        docker.import_root(cache.ensure("base-node", key, fill) / "root.tar", name)
    return name


def python(note: Callable[[str], None]) -> tuple[str, str]:
    """Two images: a Debian with Python 3.11 to run on, and the same with pip to build on."""
    packages = [*PYTHON_PACKAGES, *PYTHON_BUILD_PACKAGES]
    key = cache.digest(debian.SUITE, *packages, *debian.UNWANTED)
    names = (f"hscjit-base-python:{key}", f"hscjit-base-python-build:{key}")
    if not all(map(docker.has_image, names)):
        fill = partial(_archives, packages=packages, build_only=PYTHON_BUILD_PACKAGES, note=note)
        folder = cache.ensure("base-python", key, fill)
        docker.import_root(folder / "root.tar", names[0])
        docker.import_root(folder / "build.tar", names[1])
    return names


def _archives(
    folder: Path, packages: list[str], build_only: list[str], note: Callable[[str], None]
) -> None:
    """Write `root.tar`, and before that `build.tar` with the packages that only builds need."""
    root = folder / "root"
    note(f"unpacking a Debian with {', '.join(packages[:3])} and {len(packages) - 3} more")
    debian.bootstrap(root, packages, note)
    if build_only:
        _archive(root, folder / "build.tar", note)
        debian.purge(root, build_only)
    _archive(root, folder / "root.tar", note)
    shutil.rmtree(root)


def _archive(root: Path, file: Path, note: Callable[[str], None]) -> None:
    command = ("tar", "--numeric-owner", "-C", root, "-cf", file, ".")
    run(*command, note=note, doing="writing the archive")
