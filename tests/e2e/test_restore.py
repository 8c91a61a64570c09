"""A backup is worth what comes back from it: the volumes are lost, the data is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.up import Cluster
from tests.e2e.conftest import Customer, Support, ready_again
from tests.e2e.kubectl import Kubectl, condition, eventually, uid

OPERATOR = Path(__file__).parents[2] / "operator"


@pytest.fixture
def backed_up(kubectl: Kubectl, customer: Customer, support: Support) -> list[dict]:
    """Hold a conversation, then back up; return the conversation's frames."""
    ready_again(kubectl, support.name)
    frames = customer.say("ask", "roland-td17kvx2", "how do I reset it?")
    kubectl.run("create", "job", "backup-by-hand", f"--from=cronjob/{support.name}-backup")
    kubectl.run(
        "wait", "--for=condition=Complete", "job/backup-by-hand", "--timeout=120s", timeout_s=130
    )
    return frames


def test_lost_volumes_are_restored_from_the_backup(
    kubectl: Kubectl, cluster: Cluster, customer: Customer, support: Support, backed_up: list[dict]
) -> None:
    eventually(
        "the backup reported",
        lambda: (
            condition(kubectl.get("hscjit", support.name), "BackupSucceeded").get("status")
            == "True"
        ),
        timeout_s=20,
    )
    session = next(f["session"] for f in backed_up if f["type"] == "session")
    assert customer.say("history", session), "the conversation is there before"

    lose_volumes(kubectl, support)
    ready_again(kubectl, support.name, timeout_s=180)
    assert not customer.say("history", session), "the volumes are truly lost"

    printed = restore(cluster, kubectl, support)

    assert "Done" in printed
    ready_again(kubectl, support.name, timeout_s=120)
    history = customer.say("history", session)
    assert any("reset" in message["content"] for message in history)


def lose_volumes(kubectl: Kubectl, support: Support) -> None:
    """Delete the claims of Postgres and the Redis queue, data and all."""
    pods = [f"{support.name}-{component}-0" for component in ("postgres", "redis-queue")]
    before = {claim: uid(kubectl.get("pvc", claim)) for claim in (f"data-{pod}" for pod in pods)}
    kubectl.run("delete", "pvc", *before, "--wait=false")
    kubectl.run("delete", "pod", *pods, "--grace-period=1", "--wait=false")

    def anew() -> bool:
        found = {claim: kubectl.get("pvc", claim) for claim in before}
        return all(one is not None and uid(one) != before[name] for name, one in found.items())

    eventually("both claims made anew", anew, timeout_s=60)


def restore(cluster: Cluster, kubectl: Kubectl, support: Support) -> str:
    """Run the plugin's verb as a user does."""
    words = ("restore", support.name, "-n", kubectl.namespace, "--from", "latest", "--wait")
    done = subprocess.run(
        [sys.executable, "-m", "hscjit_operator.cli", *words],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env=os.environ | {"KUBECONFIG": str(cluster.kubeconfig), "PYTHONPATH": str(OPERATOR)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
