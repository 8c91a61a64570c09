"""Load raises the floor within seconds; once it is gone the floor comes down, step by step."""

import json
import subprocess

import pytest

from tests.e2e.conftest import Customer, Support, ready_again
from tests.e2e.kubectl import Kubectl, eventually, is_ready

SOCKETS = 55
PER_POD = 20
"""55 sockets at 20 a pod want 3 pods."""

HOLD = f"""
import asyncio, sys
from websockets.asyncio.client import connect

async def main():
    sockets = [await connect(sys.argv[1]) for _ in range({SOCKETS})]
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for socket in sockets:
        await socket.close()

asyncio.run(main())
"""


@pytest.fixture
def eager(kubectl: Kubectl, support: Support):
    """The same HSCJit with thresholds that a small crowd passes, and quick to come down."""
    quick = {
        "thresholds": {"connectionsPerPod": PER_POD},
        "cooldownSeconds": 0,
        "stepDownAfterSeconds": 10,
        "stepDownSeconds": 5,
    }
    patch = json.dumps({"spec": {"autopilot": {"scale": quick}}})
    kubectl.run("patch", "hscjit", support.name, "--type=merge", "-p", patch)
    ready_again(kubectl, support.name)
    yield support
    kubectl.run(
        "patch", "hscjit", support.name, "--type=merge", "-p", '{"spec":{"autopilot":null}}'
    )


def floor(kubectl: Kubectl, support: Support) -> int:
    """Return the HPA's floor."""
    found = kubectl.get("hpa", f"{support.name}-api")
    assert found is not None
    return int(found["spec"]["minReplicas"])


def test_a_crowd_raises_the_floor_and_its_leaving_lowers_it(
    kubectl: Kubectl, customer: Customer, eager: Support
) -> None:
    assert floor(kubectl, eager) == 2

    address = f"{customer.url.replace('http', 'ws')}/ws"
    crowd = subprocess.Popen(
        kubectl.command("exec", "-i", customer.name, "--", "python", "-c", HOLD, address),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with crowd:
        assert crowd.stdin is not None
        assert crowd.stdout is not None
        assert crowd.stdout.readline().strip() == "open"
        eventually("the floor raised", lambda: floor(kubectl, eager) >= 3, timeout_s=8, every_s=0.2)
        eventually(
            "three ready pods or more",
            lambda: len([p for p in kubectl.pods(eager.name, "api") if is_ready(p)]) >= 3,
            timeout_s=40,
        )
        crowd.stdin.close()  # they leave

    eventually("the floor back at 2", lambda: floor(kubectl, eager) == 2, timeout_s=60)
