"""What does the cluster need beside what kind gives it? Metrics, policies that act, one DNS."""

import json
import subprocess
from collections.abc import Callable

from tests.cluster import gomodules, images, kind
from tests.cluster.node import Node, render
from tests.cluster.shell import CommandFailed, Unavailable, output
from tests.cluster.tools import Tools

_METRICS = "deployment/metrics-server"
_POLICIES = "daemonset/network-policies"
_ROLLED_OUT_S = 60


def ensure(tools: Tools, node: Node, note: Callable[[str], None]) -> bool:
    """Install what lacks; return whether NetworkPolicies have an effect.

    On a published node they have: its network sees to that.
    """
    _metrics_server(tools, note)
    return not node.built or _network_policies(tools, note)


def _metrics_server(tools: Tools, note: Callable[[str], None]) -> None:
    """Install the metrics-server in the version that `node/go.mod` names."""
    image = images.metrics_server(note)
    if _runs(tools, _METRICS, image):
        return
    note("installing the metrics-server")
    kind.load(tools, [image], note)
    manifest = (gomodules.MODULE / "metrics-server.yaml").read_text()
    apply(tools, render(manifest, {"IMAGE": image}))
    # Two answer no better than one on a single node, and each asks for a tenth of a core.
    _kubectl(tools, "scale", "deployment/coredns", "--replicas=1")


def _network_policies(tools: Tools, note: Callable[[str], None]) -> bool:
    """Install what `netpol/go.mod` names; where that can't be had, the tests do without it."""
    try:
        image = images.network_policies(note)
    except Unavailable as lacking:
        note(f"NetworkPolicies will have no effect: {lacking}")
        return False
    if not _runs(tools, _POLICIES, image):
        note("putting NetworkPolicies into effect")
        kind.load(tools, [image], note)
        manifest = (gomodules.POLICIES_MODULE / "daemonset.yaml").read_text()
        apply(tools, render(manifest, {"IMAGE": image}))
        _kubectl(tools, "rollout", "status", _POLICIES, f"--timeout={_ROLLED_OUT_S}s")
    return True


def apply(tools: Tools, manifest: str) -> None:
    """Apply a manifest to the cluster."""
    command = [str(tools.kubectl), f"--kubeconfig={kind.kubeconfig()}", "apply", "-f", "-"]
    result = subprocess.run(command, input=manifest, capture_output=True, text=True, check=False)
    if result.returncode:
        raise CommandFailed(f"kubectl apply: {result.stderr.strip()}")


def _runs(tools: Tools, what: str, image: str) -> bool:
    """Whether a workload was made with this image, and the node holds it."""
    try:
        found = json.loads(_kubectl(tools, "get", what, "-o", "json"))
    except CommandFailed:
        return False
    made_with = found["spec"]["template"]["spec"]["containers"][0]["image"]
    return made_with == image and image not in kind.lacking([image])


def _kubectl(tools: Tools, *words: str) -> str:
    command = (tools.kubectl, "--kubeconfig", kind.kubeconfig(), "--namespace", "kube-system")
    return output(*command, *words, timeout_s=2 * _ROLLED_OUT_S)
