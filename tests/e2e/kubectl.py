"""How do the end-to-end tests talk to the cluster? As a user does: with kubectl."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

T = TypeVar("T")


class KubectlFailed(AssertionError):
    """kubectl ended with an error; its own words are the message."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl, bound to one cluster and one namespace."""

    program: str
    kubeconfig: Path
    namespace: str

    def within(self, namespace: str) -> "Kubectl":
        """Return the same, bound to another namespace."""
        return replace(self, namespace=namespace)

    def command(self, *words: str) -> list[str]:
        """Return the whole command line, for tests that start kubectl themselves."""
        return [self.program, f"--kubeconfig={self.kubeconfig}", f"-n={self.namespace}", *words]

    def run(self, *words: str, given: str | None = None, timeout_s: float = 60) -> str:
        """Run kubectl and return what it printed; its refusal raises KubectlFailed."""
        done = subprocess.run(
            self.command(*words),
            input=given,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode != 0:
            raise KubectlFailed(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """Return one object, or None when there is none."""
        found = self.run("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(found) if found.strip() else None

    def find(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """Return the objects of a kind that match the label selector."""
        return json.loads(self.run("get", kind, "-o", "json", "-l", selector))["items"]

    def apply(self, *objects: dict[str, Any]) -> str:
        """Apply objects the way `kubectl apply -f` does, defaults and refusals included."""
        return self.run("apply", "-f", "-", given=yaml.safe_dump_all(objects))

    def pods(self, instance: str, component: str) -> list[dict[str, Any]]:
        """Return the live pods of one component of one HSCJit, the oldest first."""
        labels = f"app.kubernetes.io/instance={instance},app.kubernetes.io/component={component}"
        living = [p for p in self.find("pods", labels) if "deletionTimestamp" not in p["metadata"]]
        return sorted(living, key=lambda p: p["metadata"]["creationTimestamp"])


def eventually(
    what: str, question: Callable[[], T | None], timeout_s: float, every_s: float = 0.5
) -> T:
    """Ask until the answer is truthy and return it; after the time say what was last found."""
    deadline = time.monotonic() + timeout_s
    answer: T | None = None
    problem: Exception | None = None
    while time.monotonic() < deadline:
        try:
            answer, problem = question(), None
        except (KubectlFailed, OSError, KeyError, IndexError) as error:
            problem = error
        if answer and problem is None:
            return answer
        time.sleep(every_s)
    raise AssertionError(f"{what}: not within {timeout_s} s; last found {problem or answer!r}")


def uid(found: dict[str, Any] | None) -> str:
    """Return an object's UID."""
    assert found is not None
    return str(found["metadata"]["uid"])


def condition(hscjit: dict[str, Any] | None, kind: str) -> dict[str, Any]:
    """Return one condition of an HSCJit, or an empty one."""
    conditions = (hscjit or {}).get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == kind), {})


def is_ready(pod: dict[str, Any]) -> bool:
    """Tell whether the kubelet calls a pod ready."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
