"""Where does the node's image come from? Published, where Docker can pull it; else built here."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import bases, cache, docker, gomodules, versions
from tests.cluster.shell import output, run

POD_SUBNET = "10.244.0.0/24"
"""Of a node built here: one node, one bridge, no network plugin that runs as a pod."""

_BUILDER = "hscjit-node-build"
_IMPORT = """
set -e
containerd > /tmp/containerd.log 2>&1 & pid=$!
until ctr info > /dev/null 2>&1; do kill -0 $pid; sleep 0.2; done
ctr -n k8s.io images import --label=io.cri-containerd.pinned=pinned --no-unpack /in/images.tar
kill $pid && wait $pid || true
"""
_ON_BASE = """\
ARG BASE
FROM ${BASE}
COPY program /usr/local/bin/
"""
_PLACES = {
    "usr/bin": ("kubeadm", "kubelet", "kubectl"),
    "usr/local/bin": ("containerd", "containerd-shim-runc-v2", "ctr"),
    "opt/cni/bin": ("bridge", "loopback", "host-local", "portmap"),
}


@dataclass(frozen=True)
class Node:
    """The image to make a cluster of."""

    image: str
    built: bool
    source: str


def ensure(note: Callable[[str], None]) -> Node:
    """Find the node's image in Docker, or pull it, or build it."""
    own = f"hscjit-node:{_key()}"
    if docker.has_image(own):
        return Node(own, built=True, source="cached")
    if docker.has_image(versions.PUBLISHED_NODE):
        return Node(versions.PUBLISHED_NODE, built=False, source="present")
    note("asking for the published node image")
    if docker.pull(versions.PUBLISHED_NODE):
        return Node(versions.PUBLISHED_NODE, built=False, source="pulled")
    _build(own, note)
    return Node(own, built=True, source="built")


def programs(note: Callable[[str], None]) -> Path:
    """The folder with the node's programs, built from Go modules."""
    fill = lambda folder: gomodules.build(gomodules.NODE, folder, note)  # noqa: E731
    return cache.ensure("node-programs", gomodules.key(gomodules.NODE), fill)


def programs_key() -> str:
    """Names the programs that `programs` returns."""
    return gomodules.key(gomodules.NODE)


def parse_images(listing: str) -> dict[str, str]:
    """Kubeadm's list of images, as {last part of the name: whole name with tag}."""
    names = [line.strip() for line in listing.splitlines() if ":" in line]
    return {name.rpartition(":")[0].rpartition("/")[2]: name for name in names}


def render(text: str, values: Mapping[str, str]) -> str:
    """Put the values where the text says `@NAME@`."""
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _key() -> str:
    provisioner = gomodules.key((gomodules.PROVISIONER,), gomodules.VOLUMES_MODULE)
    built = (programs_key(), provisioner)
    files = (gomodules.MODULE / "root", gomodules.MODULE / "Dockerfile")
    return cache.digest(*built, *files, _IMPORT, _ON_BASE, bases.node_key())


def _build(name: str, note: Callable[[str], None]) -> None:
    note("no registry answers: building Kubernetes here, the first time takes about 10 min")
    base = bases.node(note)
    binaries = programs(note)
    fill = lambda folder: gomodules.build(  # noqa: E731
        (gomodules.PROVISIONER,), folder, note, gomodules.VOLUMES_MODULE
    )
    key = gomodules.key((gomodules.PROVISIONER,), gomodules.VOLUMES_MODULE)
    provisioner = cache.ensure("provisioner", key, fill) / "local-path-provisioner"

    note("putting the node's image together")
    listing = ("config", "images", "list", "--kubernetes-version", versions.KUBERNETES)
    images = parse_images(output(binaries / "kubeadm", *listing))
    with tempfile.TemporaryDirectory(dir=cache.root(), prefix=".node-") as temporary:
        folder = Path(temporary)
        images["local-path-provisioner"] = f"hscjit-local-path-provisioner:{key}"
        for program, image in images.items():
            if program in {"kube-proxy", "local-path-provisioner"}:
                path = provisioner if program == provisioner.name else binaries / program
                _image_on_base(image, base, path, folder / program, note)
            else:
                docker.image_of_program(image, binaries / program)
        docker.save(list(images.values()), folder / "images.tar")
        _lay_out(folder / "context", binaries, images)
        docker.build(f"{name}-empty", folder / "context", {"BASE": base}, note, "laying out")
        _import_images(f"{name}-empty", name, folder, note)
        docker.untag([*images.values(), f"{name}-empty"])


def _image_on_base(
    name: str, base: str, program: Path, context: Path, note: Callable[[str], None]
) -> None:
    """An image for a program that calls others: kube-proxy nft, the provisioner a shell."""
    context.mkdir()
    shutil.copy2(program, context / program.name)
    (context / "Dockerfile").write_text(_ON_BASE.replace("program", program.name))
    docker.build(name, context, {"BASE": base}, note, f"image of {program.name}")


def _lay_out(context: Path, binaries: Path, images: Mapping[str, str]) -> None:
    """Write the node's files and programs where `node/Dockerfile` takes them from."""
    root = context / "root"
    shutil.copytree(gomodules.MODULE / "root", root)
    shutil.copy2(gomodules.MODULE / "Dockerfile", context)
    values = {
        "PAUSE": images["pause"],
        "PROVISIONER": images["local-path-provisioner"],
        "POD_SUBNET": POD_SUBNET,
    }
    for template in root.rglob("*.in"):
        template.with_suffix("").write_text(render(template.read_text(), values))
        template.unlink()
    for place, names in _PLACES.items():
        (root / place).mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy2(binaries / name, root / place)
    (root / "kind" / "version").write_text(versions.KUBERNETES)
    (root / "etc/kubernetes/manifests").mkdir(parents=True)


def _import_images(empty: str, name: str, folder: Path, note: Callable[[str], None]) -> None:
    """Put the images into the node's containerd, and keep the result under its final name."""
    docker.remove_container(_BUILDER)
    start = ("docker", "run", "--detach", "--name", _BUILDER, "--privileged")
    output(*start, "--volume", f"{folder}:/in:ro", "--entrypoint", "sleep", empty, "infinity")
    try:
        inside = ("docker", "exec", _BUILDER, "bash", "-c", _IMPORT)
        run(*inside, note=note, doing="importing images")
        entry = 'ENTRYPOINT ["/usr/local/bin/start-node", "/sbin/init"]'
        changes = ("--change", entry, "--change", "CMD []")
        output("docker", "commit", *changes, _BUILDER, name, timeout_s=300)
    finally:
        docker.remove_container(_BUILDER)


def kubernetes_of(node: Node) -> str:
    """The Kubernetes release of a node image, as `1.37`."""
    version = versions.KUBERNETES if node.built else node.image.partition("@")[0].rpartition(":")[2]
    return ".".join(version.removeprefix("v").split(".")[:2])
