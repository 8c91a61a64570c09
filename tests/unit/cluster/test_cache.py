"""A cached thing is complete or not there, and its key covers what it is made of."""

import os
from pathlib import Path

import pytest
from tests.cluster import cache


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HSCJIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.py").write_text("a = 1\n")
    (folder / "inner" / "b.sh").write_text("true\n")
    return folder


def renamed(folder: Path) -> None:
    (folder / "a.py").rename(folder / "c.py")


def moved(folder: Path) -> None:
    (folder / "a.py").rename(folder / "inner" / "a.py")


def made_executable(folder: Path) -> None:
    (folder / "inner" / "b.sh").chmod(0o755)


def edited(folder: Path) -> None:
    (folder / "a.py").write_text("a = 2\n")


def added(folder: Path) -> None:
    (folder / "new.py").touch()


@pytest.mark.parametrize("change", [renamed, moved, made_executable, edited, added])
def test_a_change_of_content_changes_the_digest(change, source: Path) -> None:
    before = cache.digest(source)
    change(source)
    assert cache.digest(source) != before


def touched(folder: Path) -> None:
    os.utime(folder / "a.py", (0, 0))


def compiled(folder: Path) -> None:
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_bytes(b"\0")


@pytest.mark.parametrize("change", [touched, compiled])
def test_what_is_no_content_does_not_count(change, source: Path) -> None:
    before = cache.digest(source)
    change(source)
    assert cache.digest(source) == before


def test_inputs_do_not_run_into_each_other() -> None:
    assert cache.digest("ab", "c") != cache.digest("a", "bc")


def test_a_thing_is_built_once() -> None:
    builds = []

    def build(folder: Path) -> None:
        builds.append(folder)
        (folder / "content").write_text("whole")

    first = cache.ensure("thing", "k1", build)
    second = cache.ensure("thing", "k1", build)

    assert first == second == cache.find("thing", "k1")
    assert (first / "content").read_text() == "whole"
    assert len(builds) == 1


def test_an_interrupted_build_does_not_count(own_cache: Path) -> None:
    def interrupted(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.ensure("thing", "k1", interrupted)

    assert cache.find("thing", "k1") is None
    assert not list(own_cache.glob(".partial-*"))


def test_what_a_killed_build_left_is_swept_away(own_cache: Path) -> None:
    remains = own_cache / ".partial-thing-k1-xyz"
    remains.mkdir(parents=True)
    (remains / "half").touch()

    found = cache.ensure("thing", "k1", lambda _: None)

    assert not remains.exists()
    assert list(found.iterdir()) == []
