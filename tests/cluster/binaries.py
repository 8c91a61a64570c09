"""Where do a test's own etcd and kube-apiserver come from? Out of the node image."""

import os
from pathlib import Path

PROGRAMS = ("etcd", "kube-apiserver", "kubeadm")


def control_plane_binaries() -> Path:
    """The folder that holds them; HSCJIT_CONTROL_PLANE_BIN names another one."""
    return Path(os.environ["HSCJIT_CONTROL_PLANE_BIN"])
