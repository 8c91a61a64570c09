"""A host that keeps CAP_SYS_RESOURCE for itself is recognised, and containers do without it."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.cluster import capabilities

STATUS = (
    "Name:\tpython\nCapEff:\t000001ffffffffff\nCapBnd:\t{bounding}\nCapAmb:\t0000000000000000\n"
)
CASES = {
    "everything allowed": ("000001ffffffffff", False),
    "all but bit 24": ("000001fffeffffff", True),
    "bit 24 alone": ("0000000001000000", False),
    "its neighbours only": ("0000000002800000", True),
    "nothing allowed": ("0000000000000000", True),
}


@pytest.mark.parametrize(("bounding", "lacks"), CASES.values(), ids=CASES)
def test_the_bounding_set_is_read(bounding: str, lacks: bool) -> None:
    status = STATUS.format(bounding=bounding)
    assert capabilities.lacks(status, capabilities.CAP_SYS_RESOURCE) is lacks


def test_a_system_without_bounding_sets_is_not_bounded() -> None:
    assert not capabilities.lacks("Name:\tpython\n", capabilities.CAP_SYS_RESOURCE)


ALL = {"bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"], "effective": ["CAP_SYS_RESOURCE"]}
LESS = {"bounding": ["CAP_CHOWN"], "effective": []}


@pytest.fixture
def wrapper(tmp_path: Path) -> Path:
    """A wrapper around a runc that only repeats its arguments."""
    runc = tmp_path / "runc"
    runc.write_text('#!/bin/sh\necho "$@"\n')
    path = tmp_path / "wrapper"
    path.write_text(capabilities.wrapper(str(runc)))
    for program in (runc, path):
        program.chmod(0o755)
    return path


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_new_container_asks_for_less(wrapper: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"process": {"args": ["sh"], "capabilities": ALL}, "root": {}}))

    arguments = run(wrapper, "--log", "x", "create", "--bundle", tmp_path, "id")

    assert json.loads(config.read_text()) == {
        "process": {"args": ["sh"], "capabilities": LESS},
        "root": {},
    }
    assert arguments == f"--log x create --bundle {tmp_path} id"


def test_a_process_in_a_container_asks_for_less(wrapper: Path, tmp_path: Path) -> None:
    process = tmp_path / "process.json"
    process.write_text(json.dumps({"args": ["ls"], "capabilities": ALL}))

    run(wrapper, "exec", "--process", process, "id")

    assert json.loads(process.read_text()) == {"args": ["ls"], "capabilities": LESS}


def test_a_container_without_capabilities_stays_as_it_is(wrapper: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"process": {"args": ["sh"]}}))

    run(wrapper, "create", "-b", tmp_path, "id")

    assert json.loads(config.read_text()) == {"process": {"args": ["sh"]}}
