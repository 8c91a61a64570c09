"""A program is found in whichever layer of an image's archive holds it."""

import io
import tarfile
from pathlib import Path

import pytest
from tests.cluster import binaries
from tests.cluster.shell import CommandFailed


def layer(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def archive(path: Path, blobs: list[bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for number, content in enumerate(blobs):
            entry = tarfile.TarInfo(f"blobs/sha256/{number}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_it_comes_out_executable(tmp_path: Path) -> None:
    manifest = b'{"schemaVersion": 2}'
    layers = [layer({"etc/passwd": b"root"}), layer({"usr/local/bin/etcd": b"\x7fELF"})]
    image = archive(tmp_path / "image.tar", [manifest, *layers])
    target = tmp_path / "etcd"

    binaries.extract_program(image, "etcd", target)

    assert target.read_bytes() == b"\x7fELF"
    assert target.stat().st_mode & 0o111


def test_an_image_without_it_is_named(tmp_path: Path) -> None:
    image = archive(tmp_path / "image.tar", [layer({"etc/etcd": b""}), b"{}"])
    with pytest.raises(CommandFailed, match=r"image\.tar holds no kube-apiserver"):
        binaries.extract_program(image, "kube-apiserver", tmp_path / "kube-apiserver")
