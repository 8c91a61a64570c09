"""As whom do the pods run? As accounts that may do nothing: the app never asks the API server."""

from hscjit_operator import names
from hscjit_operator.manifests.meta import Manifest, metadata
from hscjit_operator.model.spec import HSCJit

JOB = "job"
"""Suffix of the account of all jobs."""


def service_accounts(app: HSCJit) -> list[Manifest]:
    """Return the ServiceAccounts of API, worker (and beat) and jobs."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(app, suffix),
            "automountServiceAccountToken": False,
        }
        for suffix in (names.API, JOB, names.WORKER)
    ]
