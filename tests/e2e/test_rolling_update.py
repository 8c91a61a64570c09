"""A new version rolls out while customers search, type and ask: none of them may notice."""

import json
import threading
from typing import Any

from tests.e2e.conftest import Customer, Support, ready_again
from tests.e2e.kubectl import Kubectl, eventually

SECONDS = 25
"""Two API pods are replaced within this time; the test says so if they were not."""


def rolled(kubectl: Kubectl, support: Support, stamp: str) -> bool:
    """Tell whether only pods of the new template are left, and they are Ready."""
    pods = kubectl.pods(support.name, "api")
    deployment = kubectl.get("deployment", f"{support.name}-api")
    assert deployment is not None
    new = [p for p in pods if p["metadata"].get("annotations", {}).get("rolled") == stamp]
    ready = deployment["status"].get("readyReplicas", 0)
    return len(new) == len(pods) == ready == deployment["spec"]["replicas"]


def test_a_rollout_under_load_fails_no_request_and_loses_no_frame(
    kubectl: Kubectl, customer: Customer, support: Support
) -> None:
    ready_again(kubectl, support.name)
    told: list[dict[str, Any]] = []
    words = ("shop", str(SECONDS), "roland-td17kv", "how do I set the kick sensitivity?")
    crowd = threading.Thread(
        target=lambda: told.extend(customer.say(*words, timeout_s=SECONDS + 60))
    )
    crowd.start()
    stamp = f"run-{ready_again(kubectl, support.name)['metadata']['generation']}"
    patch = json.dumps({"spec": {"api": {"podAnnotations": {"rolled": stamp}}}})
    kubectl.run("patch", "hscjit", support.name, "--type=merge", "-p", patch)

    eventually("the rollout", lambda: rolled(kubectl, support, stamp), timeout_s=SECONDS)
    shopping_on = crowd.is_alive()
    crowd.join()

    assert shopping_on, "the rollout took longer than the customers stayed"
    (found,) = told
    assert found["failed"] == []
    assert (found["lost"], found["doubled"], found["wrong"]) == (0, 0, 0)
    assert found["requests"] > 20
    assert found["answers"] > 20
