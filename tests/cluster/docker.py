"""What do we ask of a Docker engine? That it holds, makes, pulls and tells of images."""

import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.cluster.shell import CommandFailed, output, run, succeeds

PULL_TIMEOUT_S = 900


def has_image(name: str) -> bool:
    """Whether the engine holds an image of this name."""
    return succeeds("docker", "image", "inspect", name)


def pull(name: str) -> bool:
    """Fetch an image, if a registry serves it to us."""
    return succeeds("docker", "pull", "--quiet", name, timeout_s=PULL_TIMEOUT_S)


def image_id(name: str) -> str:
    """The digest of an image's configuration, which covers its layers."""
    return output("docker", "image", "inspect", "--format", "{{.Id}}", name)


def image_mb(name: str) -> int:
    """The size of an image, unpacked, in MB (10^6 bytes)."""
    size = output("docker", "image", "inspect", "--format", "{{.Size}}", name)
    return round(int(size) / 1e6)


def import_root(tar: Path, name: str) -> None:
    """Make an image out of a root folder's archive."""
    path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    output("docker", "import", "--change", path, tar, name, timeout_s=300)


def image_of_program(name: str, program: Path) -> None:
    """Make an image that holds one static program and starts it."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "root.tar"
        place = f"usr/local/bin/{program.name}"
        with tarfile.open(archive, "w") as tar:
            tar.add(program, place, filter=_owned_by_root)
        changes = [f'ENTRYPOINT ["/{place}"]', "ENV PATH=/usr/local/bin"]
        options = [part for change in changes for part in ("--change", change)]
        output("docker", "import", *options, archive, name, timeout_s=300)


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def build(
    name: str, context: Path, args: Mapping[str, str], note: Callable[[str], None], doing: str
) -> None:
    """Build the Dockerfile of a folder under this name."""
    options = [part for key, value in args.items() for part in ("--build-arg", f"{key}={value}")]
    command: tuple[str | Path, ...] = ("docker", "build", "--tag", name, *options, context)
    run(*command, note=note, doing=doing, env=_builder())


def _builder() -> dict[str, str]:
    """The classic builder where the newer one is not installed."""
    if os.environ.get("DOCKER_BUILDKIT"):
        return {}
    return {} if succeeds("docker", "buildx", "version") else {"DOCKER_BUILDKIT": "0"}


def remove_container(name: str) -> None:
    """Remove a container in whatever state it is; none of that name is fine."""
    subprocess.run(["docker", "rm", "-f", "-v", name], capture_output=True, check=False)


def tagged(pattern: str) -> list[str]:
    """The names with tags of all images that match the pattern, such as `hscjit-*`."""
    listing = ("docker", "images", "--filter", f"reference={pattern}")
    return output(*listing, "--format", "{{.Repository}}:{{.Tag}}").split()


def untag(names: Sequence[str]) -> None:
    """Take these names off their images; what nothing else needs goes away."""
    subprocess.run(["docker", "rmi", *names], capture_output=True, check=False)


def save(names: Sequence[str], file: Path) -> None:
    """Write images into one archive."""
    output("docker", "save", "--output", file, *names, timeout_s=300)


def inside(container: str, *command: str, timeout_s: float = 60) -> str:
    """Run a command in a container; returns what it wrote."""
    return output("docker", "exec", container, *command, timeout_s=timeout_s)


def is_running(container: str) -> bool:
    """Whether the container is there and runs."""
    return state(container) == "running"


def state(container: str) -> str | None:
    """Docker's word for the state of a container, or None when there is none of that name."""
    try:
        return output("docker", "inspect", "--format", "{{.State.Status}}", container)
    except CommandFailed:
        return None


def container_id(container: str) -> str:
    """The full id of a container."""
    return output("docker", "inspect", "--format", "{{.Id}}", container)
