"""Deleting leaves only what Retain keeps; the name's next owner is told, and may adopt it."""

from typing import Any

from tests.e2e.conftest import example, ready_again
from tests.e2e.kubectl import Kubectl, condition, eventually

NAME = "leaver"
SMALL = {"resources": {"requests": {"cpu": "20m", "memory": "128Mi"}}}
SPEC: dict[str, Any] = {
    "api": {"replicas": 1, "autoscaling": {"enabled": False}, **SMALL},
    "worker": {"concurrency": 1, **SMALL},
}
ALL_KINDS = (
    "deployments,statefulsets,services,configmaps,secrets,serviceaccounts,hpa,pdb,"
    "networkpolicies,cronjobs,jobs,pvc"
)


def test_delete_keeps_the_volumes_and_adopting_gives_them_back(kubectl: Kubectl) -> None:
    resource = example("minimal.yaml", name=NAME) | {"spec": SPEC}
    kubectl.apply(resource)
    ready_again(kubectl, NAME, timeout_s=120)

    kubectl.run("delete", "hscjit", NAME, timeout_s=60)

    kept = eventually("only what Retain keeps", lambda: only_kept(kubectl), timeout_s=60)
    assert kept == {
        "PersistentVolumeClaim/data-leaver-postgres-0",
        "PersistentVolumeClaim/data-leaver-redis-queue-0",
        "PersistentVolumeClaim/leaver-backup",
        "Secret/leaver-secret",
    }

    kubectl.apply(resource)
    told = eventually(
        "the next owner told",
        lambda: stalled_because(kubectl, "VolumesLeftBehind"),
        timeout_s=20,
    )
    assert "bootstrap.adoptVolumes" in told["message"]
    assert kubectl.get("statefulset", f"{NAME}-postgres") is None

    kubectl.run("delete", "hscjit", NAME, timeout_s=60)
    resource["spec"] = SPEC | {"bootstrap": {"adoptVolumes": True}}
    kubectl.apply(resource)
    ready_again(kubectl, NAME, timeout_s=120)
    kubectl.run("delete", "hscjit", NAME, timeout_s=60)


def only_kept(kubectl: Kubectl) -> set[str]:
    """Return what is left of the HSCJit, once nothing is left that has an owner."""
    left = kubectl.find(ALL_KINDS, f"app.kubernetes.io/instance={NAME}")
    if any("ownerReferences" in o["metadata"] for o in left):
        return set()
    return {f"{o['kind']}/{o['metadata']['name']}" for o in left}


def stalled_because(kubectl: Kubectl, reason: str) -> dict[str, Any] | None:
    """Return the Stalled condition when it is true for this reason."""
    found = condition(kubectl.get("hscjit", NAME), "Stalled")
    return found if found.get("status") == "True" and found["reason"] == reason else None
