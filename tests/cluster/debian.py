"""What can Debian give us? Its packages on this machine, and whole root folders for images."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from tests.cluster import cache
from tests.cluster.shell import CommandFailed, Unavailable, run

SUITE = "bookworm"
"""The release that our images are made of; `python:3.11-slim-bookworm` is its online twin."""

UNWANTED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/lintian",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "usr/lib/x86_64-linux-gnu/gconv",
)
"""Folders that no container of ours reads: papers, caches, character sets of another age."""


def may_install() -> bool:
    """Whether this process may install Debian packages here."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def program(
    name: str, package: str, note: Callable[[str], None], elsewhere: str = "nowhere"
) -> str:
    """Return where a program is; where it is missing, its package is installed first.

    `elsewhere` is a pattern of folders that are looked through before those of PATH. Processes that
    ask at once take turns, so that none meets a package that is half there.
    """
    with _turn():
        found = shutil.which(name, path=places(elsewhere))
        if found is None and may_install():
            _install(package, note=note)
            found = shutil.which(name, path=places(elsewhere))
    if found is None:
        raise Unavailable(f"{name} is missing: install the package {package}")
    return found


def places(elsewhere: str) -> str:
    """The search path; Debian's own folder first, because others may hold only a part."""
    own = sorted((str(path) for path in Path("/").glob(elsewhere.lstrip("/"))), reverse=True)
    return os.pathsep.join([*own, os.environ.get("PATH", "")])


def install(*packages: str, note: Callable[[str], None]) -> None:
    """Install packages of the distribution on this machine; says so first."""
    with _turn():
        _install(*packages, note=note)


def _turn() -> AbstractContextManager[None]:
    """apt waits while another one installs, but fails while one reads the archive's lists."""
    return cache.lock("debian")


def _install(*packages: str, note: Callable[[str], None]) -> None:
    note(f"installing {', '.join(packages)} from the distribution")
    apt = ("apt-get", "-o", "DPkg::Lock::Timeout=300")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(*apt, "update", note=note, doing="apt-get update", env=quiet)
    install_them = ("install", "-y", "--no-install-recommends", *packages)
    run(*apt, *install_them, note=note, doing="apt-get install", env=quiet)


def mirror() -> str:
    """The address of the Debian archive that this machine itself uses."""
    folder = Path("/etc/apt/sources.list.d")
    sources = [Path("/etc/apt/sources.list"), *sorted(folder.glob("*"))]
    text = "\n".join(path.read_text(errors="replace") for path in sources if path.is_file())
    found = parse_mirror(text)
    if found is None:
        raise Unavailable(
            "apt on this machine names no Debian mirror: add one to /etc/apt/sources.list"
        )
    return found


def parse_mirror(sources: str) -> str | None:
    """The first archive of Debian itself in the text of apt sources, in either of their formats."""
    pattern = r"^(?:deb\s+(?:\[[^]]*\]\s+)?|URIs:\s*)(https?://\S*/debian/?)(?=\s|$)"
    found = re.search(pattern, sources, re.MULTILINE)
    return found.group(1).rstrip("/") if found else None


def bootstrap(folder: Path, packages: list[str], note: Callable[[str], None]) -> None:
    """Fill the folder with a minimal Debian and these packages, without papers and caches."""
    if not may_install():
        raise Unavailable(
            "No container registry answers, and images can be built here only as root on Debian: "
            "run as root on Debian, or give Docker access to a registry"
        )
    if shutil.which("debootstrap") is None:
        install("debootstrap", note=note)
    include = f"--include={','.join(packages)}"
    # In a mount namespace of its own: killed half-way, it leaves no /proc mounted below the folder.
    command = ("unshare", "--mount", "debootstrap", "--variant=minbase", include)
    run(*command, SUITE, folder, mirror(), note=note, doing="unpacking Debian")
    lean(folder)


def lean(root: Path) -> None:
    """Empty the folders that a container never reads."""
    for name in UNWANTED:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True)
    (root / "etc/machine-id").write_text("")


def purge(root: Path, packages: list[str]) -> None:
    """Take packages out of a root folder again; only dpkg is asked, nothing is fetched."""
    command = ["chroot", str(root), "dpkg", "--purge", "--force-depends", *packages]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise CommandFailed(f"{' '.join(command)}: {result.stderr.strip()}")
