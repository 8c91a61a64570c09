"""Every connection of the whole run was meant: the policies allow what the node's kernel saw.

This file runs last, whatever its name: `conftest.py` sees to it.
"""

import json
import time
from collections.abc import Iterator

import pytest

from tests.cluster import judge, progress
from tests.cluster.conntrack import Flow
from tests.cluster.judge import Judge, Question, Verdict
from tests.cluster.shell import Unavailable
from tests.cluster.up import Cluster
from tests.e2e.conftest import Customer, Support, client_pod
from tests.e2e.kubectl import Kubectl, eventually
from tests.e2e.witness import Witness, forbidden

# Without a cache the engine is compiled first: some minutes on a small machine.
pytestmark = pytest.mark.timeout(900)

INTRUDER = "intruder"
EDGES = {
    ("api", "postgres", 5432),
    ("api", "redis-cache", 6379),
    ("api", "redis-queue", 6379),
    ("worker", "postgres", 5432),
    ("worker", "redis-queue", 6379),
    ("beat", "redis-queue", 6379),
    ("mig", "postgres", 5432),
    ("operator", "api", 8000),
    ("operator", "worker", 8001),
    ("customer", "api", 8000),
    ("api", "kube-dns", 53),
}
"""Some of what any run brings about: a witness that is blind can't have seen them all."""

ENFORCED_WITHIN_S = 6
"""What a network needs, with much to spare, to put a new policy into effect."""

KNOCK = """
import json, socket, sys
opened = []
for door in sys.argv[1:]:
    host, port = door.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
        opened.append(door)
    except OSError:
        pass
print(json.dumps(opened))
"""


@pytest.fixture(scope="module")
def engine() -> Judge:
    """The policy engine, or the reason why it can't be had on this machine."""
    try:
        return judge.ensure(progress.say)
    except Unavailable as lacking:
        pytest.skip(str(lacking))


def test_every_connection_of_the_run_is_allowed(
    witness: Witness, engine: Judge, customer: Customer
) -> None:
    customer.say("predict", "rolnd td17")

    eventually(
        "the witness has seen what surely happened",
        lambda: {connection.edge for connection, _ in witness.connections()} >= EDGES,
        timeout_s=20,
    )
    assert len(witness.policies) >= 10
    wrong = {
        question: verdict
        for question, verdict in forbidden(witness, engine).items()
        if not question.client.endswith(f"/{INTRUDER}")
    }
    assert not witness.problems()
    assert not wrong, "no policy allows:\n" + "\n".join(map(told, wrong.items()))


def told(found: tuple[Question, Verdict]) -> str:
    """Say who may not talk to whom, and whose policies close it."""
    question, verdict = found
    closed = "the client's" if not verdict.egress else "the server's"
    path = f"{question.client} -> {question.server}:{question.port}/{question.protocol}"
    return f"{path}: closed by {closed} policies"


@pytest.fixture(scope="module")
def intruder(kubectl: Kubectl, cluster: Cluster, support: Support) -> Iterator[Kubectl]:
    """A pod next door that knocks where it has no business."""
    kubectl.apply(client_pod(INTRUDER, cluster.images["app"]))
    kubectl.run("wait", "--for=condition=Ready", f"pod/{INTRUDER}", "--timeout=60s", timeout_s=70)
    yield kubectl
    kubectl.run("delete", "pod", INTRUDER, "--wait=false")


def knock(kubectl: Kubectl, *doors: str) -> list[str]:
    """Try doors from the intruder's pod; return which opened."""
    program = ("python", "-c", KNOCK)
    return list(json.loads(kubectl.run("exec", INTRUDER, "--", *program, *doors)))


@pytest.fixture(scope="module")
def enforced(intruder: Kubectl, support: Support, cluster: Cluster) -> bool:
    """Whether policies have an effect here: a pod that may talk to nobody is seen to be cut off."""
    front = f"{support.name}-api:80"
    assert knock(intruder, front) == [front]
    nobody = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "nobody"},
        "spec": {"podSelector": {"matchLabels": {"run": INTRUDER}}, "policyTypes": ["Egress"]},
    }
    intruder.run("label", "pod", INTRUDER, f"run={INTRUDER}")
    intruder.apply(nobody)
    try:
        deadline = time.monotonic() + ENFORCED_WITHIN_S
        while not (cut_off := not knock(intruder, front)) and time.monotonic() < deadline:
            time.sleep(0.5)
    finally:
        intruder.run("delete", "networkpolicy", "nobody")
    if cut_off:
        eventually("the intruder let go", lambda: knock(intruder, front) == [front], timeout_s=30)
    assert cut_off == cluster.enforces_policies
    return cut_off


def closed_doors(kubectl: Kubectl, support: Support) -> dict[tuple[str, int], str]:
    """Return doors that are none of a neighbour's business: pod and port, and their address."""
    doors = {"postgres": 5432, "redis-cache": 6379, "redis-queue": 6379, "worker": 8001}
    pods = {component: kubectl.pods(support.name, component)[0] for component in doors}
    return {
        (pods[component]["metadata"]["name"], port): f"{pods[component]['status']['podIP']}:{port}"
        for component, port in doors.items()
    }


def test_an_intruder_is_named(
    witness: Witness, engine: Judge, intruder: Kubectl, support: Support, enforced: bool
) -> None:
    """The judgement of the run bites: here are connections that it must not let pass."""
    doors = closed_doors(intruder, support)
    if enforced:
        # Nothing comes about, so the witness is told what the kernel would have said.
        mine = intruder.get("pod", INTRUDER)
        assert mine is not None
        for door in doors.values():
            server, _, port = door.rpartition(":")
            flow = Flow(mine["status"]["podIP"], server, int(port), "TCP")
            witness.seen.note(time.time(), flow)
    else:
        assert len(knock(intruder, *doors.values())) == len(doors)

    def named() -> set[tuple[str, int]]:
        found = forbidden(witness, engine)
        return {
            (question.server.rsplit("/")[-1], question.port)
            for question, verdict in found.items()
            if question.client.endswith(f"/{INTRUDER}") and not verdict.ingress
        }

    eventually("all four named", lambda: doors.keys() <= named(), timeout_s=20)


def test_doors_that_are_closed_do_not_open(
    intruder: Kubectl, support: Support, enforced: bool
) -> None:
    if not enforced:
        pytest.skip(
            "nothing puts NetworkPolicies into effect here: a pod whose policy lets it talk to "
            "nobody still reached the API"
        )
    assert knock(intruder, *closed_doors(intruder, support).values()) == []
