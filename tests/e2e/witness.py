"""What did the network carry while the tests ran, and was it meant to?

The node's kernel tells of every connection, two watches of who had which address and of which
policies held. A policy engine judges it all at the end: a cluster whose network enforces nothing
would let a missing opening pass unseen.
"""

import calendar
import contextlib
import ipaddress
import json
import subprocess
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tests.cluster import conntrack, past
from tests.cluster.conntrack import Flow
from tests.cluster.judge import Case, End, Judge, Question, Verdict
from tests.e2e.kubectl import Kubectl

_PODS: Final = (
    "metadata.uid",
    "metadata.namespace",
    "metadata.name",
    "metadata.creationTimestamp",
    "status.podIP",
    "spec.hostNetwork",
    "spec.containers[*].ports",
    "metadata.labels",
)
_POLICIES: Final = ("metadata.namespace", "metadata.name", "spec")


@dataclass
class Listener:
    """A program that is listened to, line by line, in a thread of its own."""

    command: list[str]
    hear: Callable[[str], None]
    again: bool = False
    """Start it anew when it ends: an API server closes every watch some day."""
    ended: str = ""
    """What it said when it ended although nobody had stopped it."""
    _stopping: threading.Event = field(default_factory=threading.Event)
    _process: subprocess.Popen[str] | None = None

    def run(self) -> None:
        """Listen until stopped."""
        while not self._stopping.is_set():
            with (
                tempfile.TemporaryFile("w+") as errors,
                subprocess.Popen(
                    self.command,
                    stdin=subprocess.PIPE,  # closed with us: it shall not outlive us
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                ) as process,
            ):
                self._process = process
                if self._stopping.is_set():
                    process.terminate()
                assert process.stdout is not None
                for line in process.stdout:
                    self.hear(line.rstrip("\n"))
                process.wait()
                if not (self.again or self._stopping.is_set()):
                    errors.seek(0)
                    self.ended = f"{self.command[0]} ended: {errors.read().strip()[-300:]}"
                    return
            self._stopping.wait(0.5)

    def stop(self) -> None:
        """End the program."""
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()


@dataclass
class Witness:
    """What was seen since the run began."""

    node: set[str]
    """The node's own addresses: a node may always reach its pods."""
    inside: list[ipaddress.IPv4Network | ipaddress.IPv6Network]
    """Ranges of pods and Services. Where nobody of the run had the address there is no receiver: a
    Service without a pod behind it, or a pod that was gone before."""
    seen: conntrack.Seen = field(default_factory=conntrack.Seen)
    pods: past.Pods = field(default_factory=past.Pods)
    policies: past.Policies = field(default_factory=past.Policies)
    kernel: Listener | None = None

    def problems(self) -> list[str]:
        """Say what went unseen."""
        lost = [f"no room for {self.seen.lost} flows"] if self.seen.lost else []
        deaf = [self.kernel.ended] if self.kernel is not None and self.kernel.ended else []
        return lost + deaf

    def hear_flow(self, line: str) -> None:
        """Take down what the kernel tells."""
        told = conntrack.parse(line)
        if told is not None:
            self.seen.note(*told)

    def hear_pod(self, line: str) -> None:
        """Take down where a pod is."""
        uid, namespace, name, created, address, host, ports, labels = line.split("|", 7)
        end = End(
            namespace,
            json.loads(labels or "{}"),
            address,
            port_names={port["containerPort"]: port["name"] for port in _joined(ports)},
        )
        at = calendar.timegm(time.strptime(created, "%Y-%m-%dT%H:%M:%SZ"))
        self.pods.see(past.Pod(uid, end, name, at, host_network=host == "true"))

    def hear_policy(self, line: str) -> None:
        """Take down a policy."""
        namespace, name, spec = line.split("|", 2)
        self.policies.see(namespace, name, json.loads(spec), time.time())

    def connections(self) -> Iterator[tuple["Connection", float]]:
        """Return who talked to whom when, but for what nodes ask and what is no pod's affair."""
        for flow, moments in list(self.seen.flows.items()):
            if flow.client in self.node:
                continue
            for when in list(moments):
                client = self.pods.at(flow.client, when)
                server = self.pods.at(flow.server, when)
                if client is not server and (
                    server is not None or not self._is_inside(flow.server)
                ):
                    yield Connection(flow, client, server), when

    def _is_inside(self, address: str) -> bool:
        at = ipaddress.ip_address(address)
        return address not in self.node and any(at in network for network in self.inside)


@dataclass(frozen=True)
class Connection:
    """A flow between two ends; an end that is no pod is an address."""

    flow: Flow
    client: past.Pod | None
    server: past.Pod | None

    @property
    def question(self) -> Question:
        """What to ask about it."""
        client = self.client.place if self.client else self.flow.client
        server = self.server.place if self.server else self.flow.server
        return Question(client, server, self.flow.port, self.flow.protocol)

    @property
    def ends(self) -> dict[str, End]:
        """Both ends by their names in the question."""
        return {
            self.question.client: self.client.end if self.client else End(address=self.flow.client),
            self.question.server: self.server.end if self.server else End(address=self.flow.server),
        }

    @property
    def edge(self) -> tuple[str, str, int]:
        """Which kind of pod asks which, at which port; an address for an end that is no pod."""
        return (
            _kind(self.client, self.flow.client),
            _kind(self.server, self.flow.server),
            self.flow.port,
        )


def _joined(lists: str) -> Iterator[dict[str, Any]]:
    """Return what is in the JSON lists that kubectl prints one after the other."""
    for one in lists.replace("] [", "]\n[").splitlines():
        yield from (entry for entry in json.loads(one) if "name" in entry)


def _end(pod: past.Pod | None, address: str) -> End:
    return pod.end if pod is not None else End(address=address)


def _kind(pod: past.Pod | None, address: str) -> str:
    if pod is None:
        return address
    labels = pod.end.labels
    return labels.get("app.kubernetes.io/component") or labels.get("k8s-app") or pod.name


def forbidden(witness: Witness, engine: Judge) -> dict[Question, Verdict]:
    """Return every connection that no policy of its moment allows."""
    tried: defaultdict[Question, list[set[int]]] = defaultdict(list)
    ends: dict[str, End] = {}
    for connection, when in witness.connections():
        epochs = witness.policies.around(when)
        if epochs not in tried[connection.question]:
            tried[connection.question].append(epochs)
            ends |= connection.ends
    asked: defaultdict[int, list[Question]] = defaultdict(list)
    for question, moments in tried.items():
        for epoch in set().union(*moments):
            asked[epoch].append(question)
    cases = [Case(witness.policies.of(epoch), ends, asked[epoch]) for epoch in asked]
    answers = dict(zip(asked, engine.verdicts(cases), strict=True))
    return {
        question: answers[min(epochs)][question]
        for question, moments in tried.items()
        for epochs in moments
        if not any(answers[epoch][question].allowed for epoch in epochs)
    }


@contextlib.contextmanager
def watching(node: str, kubectl: Kubectl) -> Iterator[Witness]:
    """Watch the node's network and the cluster's pods and policies, until the block ends."""
    addresses = _output("docker", "exec", node, "hostname", "-I").split()
    ranges = [
        *kubectl.run("get", "servicecidrs", "-o", "jsonpath={.items[*].spec.cidrs[*]}").split(),
        *kubectl.run("get", "nodes", "-o", "jsonpath={.items[*].spec.podCIDRs[*]}").split(),
    ]
    witness = Witness(set(addresses), [ipaddress.ip_network(network) for network in ranges])

    def watch(kind: str, fields: tuple[str, ...]) -> list[str]:
        line = "|".join(f"{{.object.{field}}}" for field in fields)  # tabs it makes into columns
        options = ("--watch", "--output-watch-events", "-o", f'jsonpath={line}{{"\\n"}}')
        return kubectl.command("get", kind, "--all-namespaces", *options)

    on_node = ["docker", "exec", "--interactive", node, "sh", "-c", conntrack.LISTEN]
    witness.kernel = Listener(on_node, witness.hear_flow)
    listeners = [
        witness.kernel,
        Listener(watch("pods", _PODS), witness.hear_pod, again=True),
        Listener(watch("networkpolicies", _POLICIES), witness.hear_policy, again=True),
    ]
    threads = [threading.Thread(target=listener.run, daemon=True) for listener in listeners]
    for thread in threads:
        thread.start()
    try:
        yield witness
    finally:
        for listener in listeners:
            listener.stop()
        for thread in threads:
            thread.join(timeout=10)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
