"""What does the cluster need beside what kind gives it? A metrics-server, and one CoreDNS less."""

import json
import subprocess
from collections.abc import Callable

from tests.cluster import gomodules, images, kind
from tests.cluster.node import render
from tests.cluster.shell import CommandFailed, output
from tests.cluster.tools import Tools

_METRICS = ("--namespace", "kube-system", "deployment/metrics-server")


def ensure(tools: Tools, note: Callable[[str], None]) -> None:
    """Install the metrics-server in the version that `node/go.mod` names."""
    image = images.metrics_server(note)
    if _installed_image(tools) == image and image not in kind.lacking([image]):
        return
    note("installing the metrics-server")
    kind.load(tools, [image], note)
    manifest = (gomodules.MODULE / "metrics-server.yaml").read_text()
    apply(tools, render(manifest, {"IMAGE": image}))
    # Two answer no better than one on a single node, and each asks for a tenth of a core.
    scale = ("scale", "--namespace", "kube-system", "deployment/coredns", "--replicas=1")
    output(tools.kubectl, "--kubeconfig", kind.kubeconfig(), *scale)


def apply(tools: Tools, manifest: str) -> None:
    """Apply a manifest to the cluster."""
    command = [str(tools.kubectl), f"--kubeconfig={kind.kubeconfig()}", "apply", "-f", "-"]
    result = subprocess.run(command, input=manifest, capture_output=True, text=True, check=False)
    if result.returncode:
        raise CommandFailed(f"kubectl apply: {result.stderr.strip()}")


def _installed_image(tools: Tools) -> str | None:
    get = (tools.kubectl, "--kubeconfig", kind.kubeconfig(), "get", *_METRICS, "-o", "json")
    try:
        found = json.loads(output(*get))
    except CommandFailed:
        return None
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])
