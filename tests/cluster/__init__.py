"""A real Kubernetes cluster for `make demo` and `make test`, with or without a registry.

Start reading at `up.py`; one file answers one question. Standard library only: this code runs
before anything is installed.
"""

from tests.cluster.up import Cluster, ensure

__all__ = ["Cluster", "ensure"]
