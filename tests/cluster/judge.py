"""May this end talk to that one? NetworkPolicies, judged by the engine of cyclonus.

The engine is a Go library; `cyclonus/main.go` lets it answer questions that come as JSON. What it
does not know: a node may always reach its own pods, and an address that is translated on the way.
"""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.cluster import cache, gomodules
from tests.cluster.shell import CommandFailed

_ANSWER_TIMEOUT_S = 60


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod, or (without a namespace) an address outside."""

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = "10.244.0.9"
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    """Beside the one that every namespace has."""
    port_names: Mapping[int, str] = field(default_factory=dict)
    """What a pod's containers call their ports; a policy may name one."""

    @property
    def is_pod(self) -> bool:
        """Whether policies may select it."""
        return bool(self.namespace)

    @property
    def all_namespace_labels(self) -> dict[str, str]:
        """The labels of its namespace."""
        return {"kubernetes.io/metadata.name": self.namespace, **self.namespace_labels}


class Question(NamedTuple):
    """May `client` open a connection to a port of `server`? Both are names of ends."""

    client: str
    server: str
    port: int
    protocol: str = "TCP"


class Verdict(NamedTuple):
    """Whether the client's policies let it out, and the server's let it in."""

    egress: bool
    ingress: bool

    @property
    def allowed(self) -> bool:
        """Whether the connection comes about."""
        return self.egress and self.ingress


@dataclass(frozen=True)
class Case:
    """Policies that hold together, and what is asked about them."""

    policies: Sequence[Mapping[str, Any]]
    ends: Mapping[str, End]
    questions: Sequence[Question]


@dataclass(frozen=True)
class Judge:
    """The program that knows."""

    program: Path

    def verdicts(self, cases: Sequence[Case]) -> list[dict[Question, Verdict]]:
        """Return what the policies of each case say to each of its questions."""
        asked = json.dumps([_sent(case) for case in cases])
        done = subprocess.run(
            [self.program],
            input=asked,
            capture_output=True,
            text=True,
            check=False,
            timeout=_ANSWER_TIMEOUT_S,
        )
        if done.returncode:
            raise CommandFailed(f"{self.program.name}: {done.stderr.strip()}")
        return [
            {
                question: Verdict(answer["egress"], answer["ingress"])
                for question, answer in zip(case.questions, answers, strict=True)
            }
            for case, answers in zip(cases, json.loads(done.stdout), strict=True)
        ]


def ensure(note: Callable[[str], None]) -> Judge:
    """Find the program or build it; raises Unavailable where that can't be done."""

    def build(folder: Path) -> None:
        gomodules.fetch(gomodules.JUDGE_MODULE)
        gomodules.build((gomodules.OWN,), folder, note, gomodules.JUDGE_MODULE)

    key = gomodules.key((gomodules.OWN,), gomodules.JUDGE_MODULE)
    return Judge(cache.ensure("policy-judge", key, build) / "policy-judge")


def _sent(case: Case) -> dict[str, Any]:
    return {
        "policies": list(case.policies),
        "ends": {
            name: {
                "address": end.address,
                "namespace": end.namespace,
                "namespaceLabels": end.all_namespace_labels,
                "labels": dict(end.labels),
                "portNames": {str(port): said for port, said in end.port_names.items()},
            }
            for name, end in case.ends.items()
        },
        "questions": [question._asdict() for question in case.questions],
    }
