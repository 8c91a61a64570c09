"""Is there a whole cluster of ours? `kind create cluster` where there is not.

A cluster counts as whole when the state file, written last, names its container. What was left
half-made, or made of other inputs, is deleted and made again.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.cluster import cache, docker
from tests.cluster.node import POD_SUBNET, Node
from tests.cluster.ports import wanted_or_free
from tests.cluster.shell import CommandFailed, run, succeeds
from tests.cluster.tools import Tools

_USUAL_NAME = "hscjit"
NAME = os.environ.get("HSCJIT_CLUSTER") or _USUAL_NAME
"""HSCJIT_CLUSTER names another one, to have two side by side."""

CONTAINER = f"{NAME}-control-plane"
PAGE_NODE_PORT = 30080
PROMETHEUS_NODE_PORT = 30090
_PAGE_PORT = 8000
_PROMETHEUS_PORT = 9090
_READY_TIMEOUT_S = 120
_AWAKE_TIMEOUT_S = 60
_SERVICES = ("containerd", "kubelet")


@dataclass(frozen=True)
class State:
    """What is fixed when a cluster is made."""

    container_id: str
    inputs: str
    page_port: int
    prometheus_port: int


def folder() -> Path:
    """Where the state and the kubeconfig of the cluster lie."""
    path = cache.root() / ("cluster" if NAME == _USUAL_NAME else f"cluster-{NAME}")
    path.mkdir(exist_ok=True)
    return path


def kubeconfig() -> Path:
    """The kubeconfig of the cluster's admin; the user's own file is never touched."""
    return folder() / "kubeconfig"


def read_state() -> State | None:
    """The state of the last cluster that was made whole, or None."""
    try:
        return State(**json.loads((folder() / "state.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def ensure(tools: Tools, node: Node, note: Callable[[str], None]) -> tuple[State, str]:
    """Return the state of a cluster that answers, and how it came to be."""
    inputs = cache.digest(node.image, json.dumps(config(node, 0, 0)))
    state = read_state()
    broken = unfit(state, inputs)
    if state and not broken:
        if _answers(tools):
            return state, "running"
        note("waking up the cluster")
        if _wake(tools):
            return state, "woken"
        broken = "it does not come back"
    note(f"making a new cluster: {broken}")
    return _create(tools, node, inputs, note), "created"


def unfit(state: State | None, inputs: str) -> str:
    """Why the cluster that the state tells of can't be used; empty when it can."""
    if state is None:
        return "none was finished" if docker.state(CONTAINER) else "there is none"
    if state.inputs != inputs:
        return "the node image or its settings changed"
    try:
        found = docker.container_id(CONTAINER)
    except CommandFailed:
        return "its container is gone"
    return "" if found == state.container_id else "its container was replaced"


def delete(kind: Path) -> None:
    """Remove the cluster in whatever state it is."""
    for name in ("state.json", "kubeconfig"):
        (folder() / name).unlink(missing_ok=True)
    succeeds(kind, "delete", "cluster", "--name", NAME, "--kubeconfig", kubeconfig())
    docker.remove_container(CONTAINER)


def _answers(tools: Tools) -> bool:
    """Whether the node's two services run, and the API server knows it as ready.

    The services are asked for themselves: a node is called ready for most of a minute after its
    kubelet has died. An API server that lost its data has no kubeadm-config.
    """
    ready = ("wait", "--for=condition=Ready", "node", "--all", "--timeout=4s")
    return (
        docker.is_running(CONTAINER)
        and all(_systemctl("is-active", "--quiet", service) for service in _SERVICES)
        and _kubectl(tools, "get", "--namespace=kube-system", "configmap/kubeadm-config")
        and _kubectl(tools, *ready)
    )


def _systemctl(*words: str) -> bool:
    return succeeds("docker", "exec", CONTAINER, "systemctl", *words)


def _kubectl(tools: Tools, *words: str) -> bool:
    command: tuple[str | Path, ...] = (
        tools.kubectl,
        "--kubeconfig",
        kubeconfig(),
        "--request-timeout=5s",
        *words,
    )
    return succeeds(*command, timeout_s=10)


def _wake(tools: Tools) -> bool:
    """Start what stopped, the node's container or a service in it; restart it if that is not it."""
    if not docker.is_running(CONTAINER) and not succeeds("docker", "start", CONTAINER):
        return False
    if _systemctl("start", *_SERVICES) and _answers_within(tools, _AWAKE_TIMEOUT_S):
        return True
    return succeeds("docker", "restart", CONTAINER) and _answers_within(tools, _AWAKE_TIMEOUT_S)


def _answers_within(tools: Tools, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if _answers(tools):
            return True
        time.sleep(1)
    return False


def _create(tools: Tools, node: Node, inputs: str, note: Callable[[str], None]) -> State:
    delete(tools.kind)
    page, prometheus = wanted_or_free(_PAGE_PORT), wanted_or_free(_PROMETHEUS_PORT)
    file = folder() / "kind.json"
    file.write_text(json.dumps(config(node, page, prometheus), indent=2))
    ready = f"--wait={_READY_TIMEOUT_S}s"
    options = ("--config", file, "--kubeconfig", kubeconfig(), ready)
    command = (tools.kind, "create", "cluster", "--name", NAME, *options)
    run(*command, note=note, doing="kind create cluster")
    _wait_for_default_account(tools)
    state = State(docker.container_id(CONTAINER), inputs, page, prometheus)
    partial = folder() / "state.json.partial"
    partial.write_text(json.dumps(asdict(state), indent=2))
    partial.rename(folder() / "state.json")
    return state


def _wait_for_default_account(tools: Tools) -> None:
    """A pod can be made in a namespace once its account is there."""
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while not _kubectl(tools, "get", "serviceaccount", "default"):
        if time.monotonic() > deadline:
            raise CommandFailed("The new cluster's controllers do not work: no default account")
        time.sleep(0.5)


def config(node: Node, page_port: int, prometheus_port: int) -> dict[str, Any]:
    """kind's configuration: one node, two ports, and settings that make small tests quick."""
    ports = {PAGE_NODE_PORT: page_port, PROMETHEUS_NODE_PORT: prometheus_port}
    mappings = [
        {"containerPort": inside, "hostPort": outside, "listenAddress": "127.0.0.1"}
        for inside, outside in ports.items()
    ]
    own_network = {"disableDefaultCNI": True, "podSubnet": POD_SUBNET} if node.built else {}
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": NAME,
        "networking": own_network,
        "kubeadmConfigPatches": [json.dumps(patch) for patch in _kubeadm_patches()],
        "nodes": [
            {"role": "control-plane", "image": node.image, "extraPortMappings": mappings},
        ],
    }


def _kubeadm_patches() -> list[dict[str, Any]]:
    kubelet = {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "failCgroupV1": False,  # an older host still is a good host for a test
        "serializeImagePulls": False,
    }
    cluster = {
        "kind": "ClusterConfiguration",
        "controllerManager": {
            "extraArgs": [
                # Decide on each new measurement; and take a pod's first minutes as seriously as
                # the rest: a test does not last five of them.
                {"name": "horizontal-pod-autoscaler-sync-period", "value": "5s"},
                {"name": "horizontal-pod-autoscaler-cpu-initialization-period", "value": "30s"},
            ]
        },
        # The node dies with its data, so a crash of the host has nothing to spare.
        "etcd": {"local": {"extraArgs": [{"name": "unsafe-no-fsync", "value": "true"}]}},
    }
    return [kubelet, cluster]


def lacking(images: list[str]) -> list[str]:
    """Those of the images that the node does not hold."""
    held = docker.inside(CONTAINER, "ctr", "-n", "k8s.io", "images", "list", "-q").splitlines()
    return [image for image in images if not _held(image, held)]


def _held(image: str, held: list[str]) -> bool:
    """Whether one of containerd's full names ends in this short one."""
    return any(name == image or name.endswith(f"/{image}") for name in held)


def load(tools: Tools, images: list[str], note: Callable[[str], None]) -> None:
    """Copy images from Docker into the node."""
    command: tuple[str | Path, ...] = (tools.kind, "load", "docker-image", "--name", NAME, *images)
    run(*command, note=note, doing=f"loading {len(images)} images into the node")
