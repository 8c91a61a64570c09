"""Programs of the distribution: where are they, and what if several processes lack one at once?"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.cluster import debian
from tests.cluster.shell import Unavailable

APT = """#!/bin/sh
# Fails beside another one, as the real one does while it reads the archive's lists.
mkdir {folder}/busy || exit 100
sleep 0.05
echo "$@" >> {folder}/asked
case "$*" in *install*) printf '#!/bin/sh' > {folder}/tool; chmod +x {folder}/tool;; esac
rmdir {folder}/busy
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs in front of all others, with an apt that makes `tool` there."""
    apt = tmp_path / "apt-get"
    apt.write_text(APT.format(folder=tmp_path))
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("HSCJIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def silent(text: str) -> None:
    """Hear what is told."""


def test_of_several_that_lack_a_program_at_once_one_installs_it(machine):
    with ThreadPoolExecutor(4) as lanes:
        asked = [lanes.submit(debian.program, "tool", "tools", silent) for _ in range(4)]
        found = {one.result() for one in asked}

    assert found == {str(machine / "tool")}
    words = (machine / "asked").read_text().splitlines()
    assert [line for line in words if "install" in line.split()] == [words[1]]
    assert words[1].endswith(" tools")


def test_what_is_there_is_not_installed_and_its_own_folder_comes_first(machine):
    own = machine / "own" / "bin"
    own.mkdir(parents=True)
    for folder in (own, machine):
        (folder / "tool").write_text("#!/bin/sh")
        (folder / "tool").chmod(0o755)

    assert debian.program("tool", "tools", silent) == str(machine / "tool")
    assert debian.program("tool", "tools", silent, f"{machine}/own/*") == str(own / "tool")
    assert not (machine / "asked").exists()


def test_who_may_not_install_is_told_what_to(machine, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(Unavailable, match=r"^tool is missing: install the package tools$"):
        debian.program("tool", "tools", silent)
