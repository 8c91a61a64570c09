"""Which programs are built from Go modules, and how? `node/go.mod` names and pins them."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cluster import cache, versions
from tests.cluster.shell import CommandFailed, Unavailable, output, run

HERE = Path(__file__).parent
MODULE = HERE / "node"
VOLUMES_MODULE = MODULE / "volumes"
"""A module of its own: its graph and the other one spell a package's name in two ways. Where both
have a module it is of one version, so that Go compiles it once."""
JUDGE_MODULE = HERE / "cyclonus"
"""A module of its own: a test's tool shall not change what nodes are made of. Of the same versions
as the node's for the same reason as above."""
POLICIES_MODULE = HERE / "netpol"
"""A module of its own: a node can do without it where it can't be had. Of the same versions too."""

TOOLS = ("sigs.k8s.io/kind", "k8s.io/kubernetes/cmd/kubectl", "helm.sh/helm/v4/cmd/helm")
METRICS_SERVER = "sigs.k8s.io/metrics-server/cmd/metrics-server"

KUBERNETES = tuple(
    f"k8s.io/kubernetes/cmd/{name}"
    for name in (
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kube-proxy",
        "kubelet",
        "kubeadm",
        "kubectl",
    )
)
CONTAINERD = tuple(
    f"github.com/containerd/containerd/v2/cmd/{name}"
    for name in ("containerd", "containerd-shim-runc-v2", "ctr")
)
NETWORK = tuple(
    f"github.com/containernetworking/plugins/plugins/{name}"
    for name in ("main/bridge", "main/loopback", "ipam/host-local", "meta/portmap")
)
NODE = (
    *KUBERNETES,
    *CONTAINERD,
    *NETWORK,
    "./coredns",
    "go.etcd.io/etcd/server/v3",
    "./pause",
)
PROVISIONER = "github.com/rancher/local-path-provisioner"
OWN = "."
"""The program of a module that has one of its own."""

_FETCH_TIMEOUT_S = 240
_LEAN = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
_CONTAINERD_TAGS = "no_aufs,no_zfs,no_btrfs,no_devmapper"


def key(packages: Sequence[str], module: Path = MODULE) -> str:
    """Changes with the packages, the module's pins, our own Go code and the way of building."""
    mains = sorted(MODULE.glob("*/main.go"))
    pins = (module / "go.mod", module / "go.sum", *mains)
    own = sorted(module.glob("*.go"))
    return cache.digest(*pins, *own, *packages, _linker_flags(), _CONTAINERD_TAGS)


def fetch(module: Path) -> None:
    """Have the sources of everything that a module's own program is made of, or say what lacks."""
    require_go(module)
    try:
        output("go", "-C", module, "list", "-deps", ".", timeout_s=_FETCH_TIMEOUT_S)
    except CommandFailed as failed:
        said = str(failed).strip().splitlines()[-1]
        raise Unavailable(f"Go can't fetch the modules of {module.name}: {said}") from failed


def build(
    packages: Sequence[str],
    folder: Path,
    note: Callable[[str], None],
    module: Path = MODULE,
) -> None:
    """Build static programs into the folder, each named as its package ends."""
    require_go(module)
    note(f"building {len(packages)} programs from Go modules")
    options = ("-v", "-trimpath", "-tags", _CONTAINERD_TAGS, "-ldflags", _linker_flags())
    command = ("go", "build", *options, "-o", f"{folder}/", *packages)
    run(*command, note=note, doing="compiling", env=_LEAN, cwd=module)
    etcd = folder / "server"  # the program of the module go.etcd.io/etcd/server
    if etcd.exists():
        etcd.rename(folder / "etcd")


def require_go(module: Path = MODULE) -> None:
    """Raise Unavailable where there is no Go."""
    if shutil.which("go") is None:
        raise Unavailable(f"Go is missing: install Go {go_version(module)} or newer")


def go_version(module: Path) -> str:
    """The release of Go that a module asks for."""
    lines = (module / "go.mod").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("go "))


def _linker_flags() -> str:
    major, minor, _ = versions.KUBERNETES.removeprefix("v").split(".")
    facts = {"gitVersion": versions.KUBERNETES, "gitMajor": major, "gitMinor": minor}
    stamps = (f"-X k8s.io/component-base/version.{name}={value}" for name, value in facts.items())
    return " ".join(("-s", "-w", *stamps))
