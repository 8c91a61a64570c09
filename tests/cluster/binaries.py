"""Where do a test's own etcd and kube-apiserver come from? Out of the node image.

What was built here lies in the cache beside the image; a published image is opened for it.
"""

import os
import tarfile
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.cluster import cache, docker, engine, images, node
from tests.cluster.progress import Progress
from tests.cluster.shell import CommandFailed, output, run

PROGRAMS = {"etcd": "etcd", "kube-apiserver": "kube-apiserver", "kubeadm": ""}
"""Each program and the image of the node's containerd that holds it; none = the node itself."""

_OPENER = "hscjit-node-open"
_EXPORT = """
set -e
containerd > /tmp/containerd.log 2>&1 & pid=$!
until ctr info > /dev/null 2>&1; do kill -0 $pid; sleep 0.2; done
for part in "$@"; do
  name=$(ctr -n k8s.io images list -q | grep "/$part:" | head -n 1)
  ctr -n k8s.io images export --platform "linux/$(dpkg --print-architecture)" "/$part.tar" "$name"
done
kill $pid
"""


def control_plane_binaries() -> Path:
    """The folder that holds them; HSCJIT_CONTROL_PLANE_BIN names another one."""
    named = os.environ.get("HSCJIT_CONTROL_PLANE_BIN")
    if named:
        return Path(named)
    built = cache.find("node-programs", node.programs_key())
    if built:
        return built
    progress = Progress(2)
    with progress.step("engine", "Docker") as step:
        step.subject = f"Docker {engine.ensure(step.note)}"
    with progress.step("node", "etcd, kube-apiserver") as step:
        image = node.ensure(step.note)
        if image.built:
            return node.programs(step.note)
        return taken_out_of(image.image, step.note)


def promtool() -> Path:
    """Prometheus' tool that checks and tests rules, out of the image that runs on the cluster."""

    def fill(folder: Path) -> None:
        progress = Progress(3)
        with progress.step("engine", "Docker") as step:
            step.subject = f"Docker {engine.ensure(step.note)}"
        with progress.step("node", "Kubernetes") as step:
            built = node.ensure(step.note).built
        with progress.step("images", "prometheus") as step:
            _copy_program(images.prometheus(step.note, published=not built), "promtool", folder)

    return cache.ensure("promtool", images.prometheus_key(), fill) / "promtool"


def _copy_program(image: str, program: str, folder: Path) -> None:
    container = output("docker", "create", image)
    try:
        place = f"{container}:/bin/{program}"
        output("docker", "cp", "--follow-link", place, folder / program)
    finally:
        docker.remove_container(container)


def taken_out_of(image: str, note: Callable[[str], None]) -> Path:
    """The folder with the programs of this node image; they are copied out of it once."""
    key = cache.digest(image, _EXPORT)
    return cache.ensure("control-plane", key, partial(_copy_out, image=image, note=note))


def _copy_out(folder: Path, image: str, note: Callable[[str], None]) -> None:
    note("taking the API server out of the node image")
    docker.remove_container(_OPENER)
    start = ("docker", "run", "--detach", "--name", _OPENER, "--privileged")
    output(*start, "--entrypoint", "sleep", image, "infinity")
    try:
        parts = [part for part in PROGRAMS.values() if part]
        script = ("docker", "exec", _OPENER, "bash", "-c", _EXPORT, "export", *parts)
        run(*script, note=note, doing="exporting images")
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            for program, part in PROGRAMS.items():
                if part:
                    archive = Path(temporary) / f"{part}.tar"
                    output("docker", "cp", f"{_OPENER}:/{part}.tar", archive, timeout_s=120)
                    extract_program(archive, program, folder / program)
                else:
                    place = f"{_OPENER}:/usr/bin/{program}"
                    output("docker", "cp", "--follow-link", place, folder / program)
    finally:
        docker.remove_container(_OPENER)


def extract_program(archive: Path, program: str, target: Path) -> None:
    """Find a program in the layers of an image's archive and write it to the target."""
    with tarfile.open(archive) as whole:
        for blob in whole:
            if not blob.isfile() or "blobs/" not in blob.name:
                continue
            layer = whole.extractfile(blob)
            try:
                with tarfile.open(fileobj=layer) as files:
                    _extract(files, program, target)
            except tarfile.ReadError:
                continue  # a manifest or a configuration
            if target.exists():
                return
    raise CommandFailed(f"{archive.name} holds no {program}")


def _extract(files: tarfile.TarFile, program: str, target: Path) -> None:
    for entry in files:
        if entry.isfile() and Path(entry.name).name == program:
            content = files.extractfile(entry)
            if content is not None:
                target.write_bytes(content.read())
                target.chmod(0o755)
                return
