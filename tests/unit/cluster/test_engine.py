"""Where Docker can't be had, one line says why; what a killed engine left behind is removed."""

import os
from pathlib import Path

import pytest
from tests.cluster import debian, engine
from tests.cluster.shell import Unavailable

BOTH = ("docker", "dockerd")
MISSING = "Docker is missing: install Docker Engine 20.10 or newer and start it"
NOT_YOURS = "Docker runs, but not for this user: add it to the group `docker`, or be root"
REFUSALS = {
    "nothing there, no root": ((), False, False, False, MISSING),
    "nothing there, root elsewhere than on Debian": ((), True, False, False, MISSING),
    "installed, no root": (BOTH, False, True, False, "Docker does not run, and only root may"),
    "a socket of others": (BOTH, False, True, True, NOT_YOURS),
    "a client alone, root elsewhere": (("docker",), True, False, False, "Docker does not run: s"),
}
STARTABLE = {
    "nothing there, root on Debian": ((), True),
    "installed, root anywhere": (BOTH, False),
}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A machine of our making: its programs, its user, its socket. No engine answers."""

    def make(programs: tuple[str, ...], root: bool, is_debian: bool, socket: bool) -> None:
        for name in programs:
            (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("DOCKER_HOST", raising=False)
        monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
        monkeypatch.setattr(debian, "may_install", lambda: root and is_debian)
        monkeypatch.setattr(engine, "_is_of_others", lambda _: socket)

    return make


@pytest.mark.parametrize("case", REFUSALS)
def test_one_line_says_what_is_missing(case: str, machine) -> None:
    *facts, message = REFUSALS[case]
    machine(*facts)
    with pytest.raises(Unavailable) as refusal:
        engine.check()
    assert str(refusal.value).startswith(message)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("programs", "is_debian"), STARTABLE.values(), ids=STARTABLE)
def test_where_it_can_be_started_nothing_is_refused(machine, programs, is_debian) -> None:
    machine(programs, True, is_debian, False)
    engine.check()


def test_an_engine_elsewhere_is_not_replaced_by_one_here(
    machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(BOTH, True, True, False)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with pytest.raises(Unavailable, match=r"at DOCKER_HOST=tcp://127\.0\.0\.1:9"):
        engine.check()


PID_FILES = {
    "a process that is gone": "4194399\n",
    "another program by now": f"{os.getpid()}\n",
    "no number": "\n",
}


@pytest.mark.parametrize("content", PID_FILES.values(), ids=PID_FILES)
def test_a_stale_pid_file_goes(content: str, tmp_path: Path) -> None:
    file = tmp_path / "docker.pid"
    file.write_text(content)
    engine.remove_stale(file, {"dockerd"})
    assert not file.exists()


def test_the_pid_file_of_a_living_engine_stays(tmp_path: Path) -> None:
    file = tmp_path / "docker.pid"
    file.write_text(f"{os.getpid()}\n")
    engine.remove_stale(file, {Path("/proc/self/comm").read_text().strip()})
    assert file.exists()
