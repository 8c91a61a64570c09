"""A cluster is used again only when it is whole and ours; its ports are fixed when it is made."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cluster import docker, kind
from tests.cluster.node import Node
from tests.cluster.shell import CommandFailed

STATE = kind.State(container_id="c1", inputs="i1", page_port=8000, prometheus_port=9090)


def found(container: str | None) -> Callable[[str], str]:
    """A Docker whose container of our name has this id; None = it has none."""

    def container_id(_: str) -> str:
        if container is None:
            raise CommandFailed("no such container")
        return container

    return container_id


CASES = {
    "whole": (STATE, "i1", "c1", ""),
    "other settings": (STATE, "i2", "c1", "the node image or its settings changed"),
    "container gone": (STATE, "i1", None, "its container is gone"),
    "somebody else's container": (STATE, "i1", "c2", "its container was replaced"),
    "half-made": (None, "i1", "c1", "none was finished"),
    "nothing": (None, "i1", None, "there is none"),
}


@pytest.mark.parametrize(("state", "inputs", "container", "reason"), CASES.values(), ids=CASES)
def test_why_a_cluster_is_made_anew(
    state: kind.State | None, inputs: str, container: str | None, reason: str, monkeypatch
) -> None:
    monkeypatch.setattr(docker, "container_id", found(container))
    monkeypatch.setattr(docker, "state", lambda _: "exited" if container else None)
    assert kind.unfit(state, inputs) == reason


STATE_FILES = {
    "none": None,
    "cut short": '{"container_id": "c1", "inp',
    "of another version": '{"container": "c1"}',
}


@pytest.mark.parametrize("content", STATE_FILES.values(), ids=STATE_FILES)
def test_a_state_that_cannot_be_read_is_none(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HSCJIT_CACHE", str(tmp_path))
    if content is not None:
        (kind.folder() / "state.json").write_text(content)
    assert kind.read_state() is None


HELD = """\
registry.test/library/hscjit-app:aaa
registry.test/library/redis:7
registry.test/prom/prometheus:v2
sha256:redis:8
"""
WANTED = {
    "ours": ("hscjit-app:aaa", True),
    "ours under another tag": ("hscjit-app:bbb", False),
    "an official one": ("redis:7", True),
    "one of an organisation": ("prom/prometheus:v2", True),
    "the end of another name": ("app:aaa", False),
    "a digest that looks alike": ("redis:8", False),
}


@pytest.mark.parametrize(("image", "held"), WANTED.values(), ids=WANTED)
def test_the_node_is_asked_what_it_holds(
    image: str, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker, "inside", lambda *_: HELD)
    assert kind.lacking([image]) == ([] if held else [image])


def test_both_node_ports_are_mapped_to_the_loopback_alone() -> None:
    config = kind.config(Node("node:1", built=False, source="pulled"), 8001, 9091)
    (node,) = config["nodes"]
    assert node["extraPortMappings"] == [
        {"containerPort": 30080, "hostPort": 8001, "listenAddress": "127.0.0.1"},
        {"containerPort": 30090, "hostPort": 9091, "listenAddress": "127.0.0.1"},
    ]


@pytest.mark.parametrize("built", [True, False])
def test_only_a_node_built_here_goes_without_a_network_plugin(built: bool) -> None:
    config = kind.config(Node("node:1", built=built, source="cached"), 8000, 9090)
    assert ("disableDefaultCNI" in config["networking"]) is built


def test_the_patches_are_what_kind_reads() -> None:
    config = kind.config(Node("node:1", built=True, source="cached"), 8000, 9090)
    kinds = [json.loads(patch)["kind"] for patch in config["kubeadmConfigPatches"]]
    assert kinds == ["KubeletConfiguration", "ClusterConfiguration"]
