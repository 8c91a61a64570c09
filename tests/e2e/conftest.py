"""One cluster, one operator and one HSCJit named `support` for the whole end-to-end run."""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.up import Cluster, ensure
from tests.e2e.kubectl import Kubectl, KubectlFailed, condition, eventually
from tests.e2e.witness import Witness, watching

NAMESPACE = "hscjit-e2e"
SCRIPT = (Path(__file__).parent / "customer.py").read_text()
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def example(file: str, **changes: Any) -> dict[str, Any]:
    """Return a documented example as an object, with metadata fields changed."""
    loaded = yaml.safe_load((EXAMPLES / file).read_text())
    loaded["metadata"] |= changes
    return dict(loaded)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The kind cluster with our images and the operator in it; made or mended if need be."""
    return ensure()


@pytest.fixture(scope="session", autouse=True)
def witness(cluster: Cluster) -> Iterator[Witness]:
    """Who sees every connection of the run; `test_flows.py` asks it at the end."""
    everywhere = Kubectl(str(cluster.kubectl), cluster.kubeconfig, NAMESPACE)
    with watching(cluster.node, everywhere) as seen:
        yield seen


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let those who judge the whole run come last."""
    items.sort(key=lambda item: item.path.name == "test_flows.py")


@pytest.fixture(scope="session")
def kubectl(cluster: Cluster) -> Iterator[Kubectl]:
    """kubectl in a namespace of the run's own, under the strictest pod security."""
    bound = Kubectl(str(cluster.kubectl), cluster.kubeconfig, NAMESPACE)
    bound.run("delete", "namespace", NAMESPACE, "--ignore-not-found", timeout_s=180)
    bound.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": NAMESPACE,
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
            },
        }
    )
    yield bound
    bound.run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


@dataclass(frozen=True)
class Support:
    """The HSCJit of the run, and how long it took from apply to Ready."""

    name: str
    seconds_to_ready: float


@pytest.fixture(scope="session")
def support(kubectl: Kubectl) -> Support:
    """The example with an empty spec, applied and waited for as a user does."""
    started = time.monotonic()
    kubectl.apply(example("minimal.yaml", name="support"))
    kubectl.run("wait", "--for=condition=Ready", "hscjit/support", "--timeout=180s", timeout_s=200)
    return Support("support", time.monotonic() - started)


@dataclass(frozen=True)
class Customer:
    """A pod inside the cluster that speaks the assistant's protocol through the Service."""

    kubectl: Kubectl
    name: str
    url: str

    def say(self, deed: str, *words: str, timeout_s: float = 60) -> list[dict[str, Any]]:
        """Do one deed of `customer.py` in the pod; return the objects it printed."""
        printed = self.kubectl.run(
            "exec", "-i", self.name, "--", "python", "-", self.url, deed, *words,
            given=SCRIPT, timeout_s=timeout_s,
        )  # fmt: skip
        return [json.loads(line) for line in printed.splitlines() if line.strip()]


@pytest.fixture(scope="session")
def customer(kubectl: Kubectl, cluster: Cluster, support: Support) -> Customer:
    """A customer next door: our own client library in a pod of its own."""
    kubectl.apply(client_pod("customer", cluster.images["app"]))
    kubectl.run("wait", "--for=condition=Ready", "pod/customer", "--timeout=60s", timeout_s=70)
    return Customer(kubectl, "customer", f"http://{support.name}-api")


def client_pod(name: str, image: str) -> dict[str, Any]:
    """Return a pod that waits for `kubectl exec`, admitted under restricted pod security."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "client",
                    "image": image,
                    "command": ["sleep", "3600"],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                    },
                    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
                }
            ],
        },
    }


def ready_again(kubectl: Kubectl, name: str, timeout_s: float = 90) -> dict[str, Any]:
    """Wait until an HSCJit is Ready for its present generation, and return it."""

    def look() -> dict[str, Any] | None:
        found = kubectl.get("hscjit", name)
        ready = condition(found, "Ready")
        current = found is not None and (
            ready.get("observedGeneration") == found["metadata"]["generation"]
        )
        return found if current and ready.get("status") == "True" else None

    return eventually(f"{name} Ready", look, timeout_s)


@pytest.fixture(autouse=True)
def evidence(request: pytest.FixtureRequest) -> Iterator[None]:
    """Show what the cluster looked like when a test failed: the next reader has only the log."""
    failed_before = request.session.testsfailed
    yield
    if request.session.testsfailed == failed_before or "kubectl" not in request.fixturenames:
        return
    kubectl: Kubectl = request.getfixturevalue("kubectl")
    for words in (
        ("get", "hscjit,pods,pvc,jobs,hpa", "-o", "wide"),
        ("get", "hscjit", "-o", "yaml"),
        ("get", "events", "--sort-by=.lastTimestamp"),
        ("logs", "-n", "hscjit-system", "deploy/hscjit-operator", "--tail=80"),
    ):
        try:
            print(f"\n$ kubectl {' '.join(words)}\n{kubectl.run(*words)}")  # noqa: T201
        except (KubectlFailed, subprocess.TimeoutExpired) as error:
            print(f"\n$ kubectl {' '.join(words)}: {error}")  # noqa: T201
