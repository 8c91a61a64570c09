"""Real faults: a hung event loop, a dead Redis. What must be healed is; what must not, is not."""

import json
import signal
import time

from tests.cluster.up import Cluster
from tests.e2e import node
from tests.e2e.conftest import Support, ready_again
from tests.e2e.kubectl import Kubectl, condition, eventually, is_ready, uid


def test_a_pod_with_a_hung_event_loop_is_replaced_within_ten_seconds(
    kubectl: Kubectl, cluster: Cluster, support: Support
) -> None:
    ready_again(kubectl, support.name)
    eventually(
        "nothing in the way of healing",  # such as a store that came up within the last 30 seconds
        lambda: (
            condition(kubectl.get("hscjit", support.name), "RemediationAllowed")["status"] == "True"
        ),
        timeout_s=60,
    )
    victim = kubectl.pods(support.name, "api")[0]
    pids = node.processes(cluster.node, uid(victim), "hscjit_app.serve")

    node.send(cluster.node, pids, signal.SIGSTOP)
    stopped = time.monotonic()
    eventually(
        "the hung pod evicted",
        lambda: uid(victim) not in map(uid, kubectl.pods(support.name, "api")),
        timeout_s=20,
        every_s=0.2,
    )
    took_s = time.monotonic() - stopped

    assert took_s <= 12, "10 s for the decision, 2 s for what this test needs to see it"
    entry = eventually("a ledger entry", lambda: ledger_entry(kubectl, support, victim), 10)
    assert entry["reason"] == "Unresponsive"
    eventually(
        "two ready pods again",
        lambda: len([p for p in kubectl.pods(support.name, "api") if is_ready(p)]) == 2,
        timeout_s=60,
    )
    ready_again(kubectl, support.name)


def ledger_entry(kubectl: Kubectl, support: Support, victim: dict) -> dict | None:
    """Return the ledger's entry about a pod."""
    found = kubectl.get("configmap", f"{support.name}-ledger") or {"data": {}}
    entries = [e for text in found["data"].values() for e in json.loads(text)]
    about = [e for e in entries if victim["metadata"]["name"] in e["target"]]
    return about[-1] if about else None


def test_with_redis_down_no_api_pod_is_restarted(
    kubectl: Kubectl, cluster: Cluster, support: Support
) -> None:
    ready_again(kubectl, support.name)
    api_before = {uid(p) for p in kubectl.pods(support.name, "api")}
    down = [
        pid
        for component in ("redis-cache", "redis-queue")
        for pod in kubectl.pods(support.name, component)
        for pid in node.processes(cluster.node, uid(pod), "redis-server")
    ]

    node.send(cluster.node, down, signal.SIGSTOP)
    refusal = eventually(
        "remediation refused",
        lambda: refused(kubectl, support),
        timeout_s=30,
    )
    time.sleep(10)  # long past the ten seconds in which a hung pod is healed
    during = {uid(p) for p in kubectl.pods(support.name, "api")}
    still_stopped = [
        pid
        for component in ("redis-cache", "redis-queue")
        for pod in kubectl.pods(support.name, component)
        for pid in node.processes(cluster.node, uid(pod), "redis-server")
        if pid in down
    ]
    if still_stopped:
        node.send(cluster.node, still_stopped, signal.SIGCONT)

    assert refusal["reason"] == "DependencyDown"
    assert during == api_before
    ready_again(kubectl, support.name, timeout_s=120)
    assert {uid(p) for p in kubectl.pods(support.name, "api")} == api_before


def refused(kubectl: Kubectl, support: Support) -> dict | None:
    """Return the condition that says remediation is not allowed now."""
    found = condition(kubectl.get("hscjit", support.name), "RemediationAllowed")
    return found if found.get("status") == "False" else None
