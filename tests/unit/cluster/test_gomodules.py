"""What is built from Go modules is built anew when any of its inputs changed, and only then."""

import re
import shutil
from pathlib import Path

import pytest
from tests.cluster import gomodules
from tests.cluster.shell import Unavailable


@pytest.fixture
def module(tmp_path: Path) -> Path:
    copy = tmp_path / "cyclonus"
    shutil.copytree(gomodules.JUDGE_MODULE, copy)
    return copy


@pytest.mark.parametrize("file", ["main.go", "go.mod", "go.sum"])
def test_a_changed_file_is_another_program(module: Path, file: str) -> None:
    before = gomodules.key((gomodules.OWN,), module)
    assert before == gomodules.key((gomodules.OWN,), gomodules.JUDGE_MODULE)

    (module / file).write_text((module / file).read_text() + "\n")

    assert gomodules.key((gomodules.OWN,), module) != before


def test_without_go_one_line_says_what_to_install(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(Unavailable, match=r"install Go 1\.26\.0 or newer"):
        gomodules.fetch(module)


def versions(module: Path) -> dict[str, str]:
    """What a module's graph is made of; where it replaces a version, that one counts."""
    text = (module / "go.mod").read_text()
    asked = dict(re.findall(r"^(?:\t|require )([^\s]+) (v[^\s]+)", text, re.MULTILINE))
    return asked | dict(re.findall(r"^replace (\S+) => \1 (v\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("module", [gomodules.VOLUMES_MODULE, gomodules.JUDGE_MODULE])
def test_what_two_graphs_share_is_compiled_once(module: Path) -> None:
    """Another version of one library means to compile all that is built on it again: minutes."""
    node, other = versions(gomodules.MODULE), versions(module)

    assert len(node.keys() & other.keys()) > 20
    assert {name: other[name] for name in node.keys() & other.keys()} == {
        name: node[name] for name in node.keys() & other.keys()
    }
