"""What comes by the clock or by the queue: cleaning up, more workers, quiet hours."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Support, ready_again
from tests.e2e.kubectl import Kubectl, eventually, is_ready

QUICK = {
    "worker": {
        "queueLatencyTargetSeconds": 1,
        # More of them have to fit on a node that a crowd before may have filled with API pods.
        "resources": {"requests": {"cpu": "10m", "memory": "128Mi"}},
    },
    "autopilot": {
        "scale": {"cooldownSeconds": 60, "stepDownAfterSeconds": 10, "stepDownSeconds": 5}
    },
}
SLOW_S = 25
"""At most: the app gives no statement more than 30 s."""
PILE = f"""
import os, select, sys
from sqlalchemy import text
from hscjit_app import broker
from hscjit_app.db.session import sync_engine
from hscjit_app.settings import Settings

settings = Settings.from_env(os.environ)
broker.configure(settings)
with sync_engine(settings).begin() as database:
    database.execute(text("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"))
    for number in range(30):
        broker.send_now("manuals.fetch", key=f"none/{{number}}")
    print("piled up", flush=True)
    select.select([sys.stdin], [], [], {SLOW_S})
"""
"""Tasks that are slow because the database is: none gets on until the lock is let go."""


def test_a_cleanup_runs_and_its_last_word_is_told(kubectl: Kubectl, support: Support) -> None:
    job = "cleanup-by-hand"
    kubectl.run("create", "job", job, f"--from=cronjob/{support.name}-cleanup")
    try:
        kubectl.run(
            "wait", "--for=condition=Complete", f"job/{job}", "--timeout=90s", timeout_s=100
        )
        (event,) = eventually("its Event", lambda: told(kubectl, support), timeout_s=15)
    finally:
        kubectl.run("delete", "job", job, "--ignore-not-found")

    assert event["type"] == "Normal"
    assert event["message"].startswith("Removed ")
    assert "conversations" in event["message"]


def told(kubectl: Kubectl, support: Support) -> list[dict]:
    """Return the Events of cleanups that ended well."""
    about = f"reason=CleanedUp,involvedObject.name={support.name}"
    found = kubectl.run("get", "events", "--field-selector", about, "-o", "json")
    return list(json.loads(found)["items"])


@pytest.fixture(scope="module")
def quick(kubectl: Kubectl, support: Support) -> Iterator[Support]:
    """The same HSCJit, with little patience upwards and downwards."""
    change(kubectl, support, QUICK)
    yield support
    change(
        kubectl,
        support,
        {"worker": None, "autopilot": None, "maintenance": None},
    )
    ready_again(kubectl, support.name)


def change(kubectl: Kubectl, support: Support, spec: dict) -> None:
    kubectl.run("patch", "hscjit", support.name, "--type=merge", "-p", json.dumps({"spec": spec}))


def targets(kubectl: Kubectl, support: Support) -> dict[str, int]:
    """Return what the autopilot wants."""
    found = kubectl.get("hscjit", support.name) or {}
    return dict(found["status"]["autopilot"]["targets"])


def bounds(kubectl: Kubectl, support: Support) -> tuple[int, int]:
    """Return the HPA's floor and ceiling."""
    found = kubectl.get("hpa", f"{support.name}-api") or {}
    return found["spec"]["minReplicas"], found["spec"]["maxReplicas"]


def decided(kubectl: Kubectl, support: Support) -> set[tuple[str, str]]:
    """Return action and reason of each entry of the ledger."""
    found = kubectl.get("configmap", f"{support.name}-ledger") or {"data": {}}
    entries = [entry for text in found["data"].values() for entry in json.loads(text)]
    return {(entry["action"], entry["reason"]) for entry in entries}


def test_slow_tasks_that_pile_up_raise_the_workers_for_a_while(
    kubectl: Kubectl, quick: Support
) -> None:
    ready_again(kubectl, quick.name)
    assert targets(kubectl, quick)["workers"] == 1
    pod = kubectl.pods(quick.name, "api")[0]["metadata"]["name"]

    with subprocess.Popen(
        kubectl.command("exec", "-i", pod, "--", "python", "-c", PILE),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as pile:
        assert pile.stdout is not None
        assert pile.stdout.readline().strip() == "piled up"
        eventually(
            "more workers wanted",
            lambda: targets(kubectl, quick)["workers"] >= 2,
            timeout_s=SLOW_S,
            every_s=0.2,
        )
        pile.communicate("enough\n", timeout=SLOW_S)
    eventually(
        "the reason in the ledger",
        lambda: ("RaiseWorkers", "QueueAgeAboveTarget") in decided(kubectl, quick),
        timeout_s=10,
    )
    eventually(
        "two ready workers or more",
        lambda: len([p for p in kubectl.pods(quick.name, "worker") if is_ready(p)]) >= 2,
        timeout_s=40,
    )
    eventually("one worker again", lambda: targets(kubectl, quick)["workers"] == 1, timeout_s=150)


def test_a_quiet_hour_lowers_floor_and_ceiling_and_gives_them_back(
    kubectl: Kubectl, quick: Support
) -> None:
    eventually("the usual bounds", lambda: bounds(kubectl, quick) == (2, 10), timeout_s=10)
    now = {"name": "now", "schedule": "* * * * *", "duration": "1h", "apiMaxReplicas": 3}
    change(kubectl, quick, {"maintenance": {"offPeak": [now]}})

    eventually("the quiet bounds", lambda: bounds(kubectl, quick) == (1, 3), timeout_s=60)
    wanted = {("SetCeiling", "OffPeak"), ("LowerFloor", "OffPeak")}
    eventually("their reasons", lambda: wanted <= decided(kubectl, quick), timeout_s=10)

    change(kubectl, quick, {"maintenance": None})
    eventually("the usual bounds again", lambda: bounds(kubectl, quick) == (2, 10), timeout_s=15)
