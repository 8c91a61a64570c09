"""Which connections did the node's kernel see? Its own record of them, told line by line.

kube-proxy's translation is in that record: where a connection went and who answered it, so that a
Service's address is never mistaken for a pod's.
"""

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

LISTEN: Final = (
    "exec 3<&0; timeout 2400 conntrack -E -e NEW -o timestamp --buffer-size 8388608 & pid=$!; "
    "(cat <&3 > /dev/null 2>&1; kill $pid) & wait $pid"
)
"""A shell line to run on the node: prints each new connection until its standard input is closed,
be it by the death of whoever listens; and not for ever even then. The buffer outlasts a busy
moment."""

AT_MOST: Final = 20_000
"""Different flows that are kept; a run of the end-to-end tests sees some hundreds."""
APART_S: Final = 5.0
"""A flow that comes again is noted again only so much later."""

_LINE: Final = re.compile(
    r"^\[(?P<at>[\d.]+)\s*\]\s+\[NEW\] (?P<protocol>tcp|udp|sctp)\s+\d+ \d+ (?P<state>[A-Z_]*) ?"
    r"src=(?P<client>\S+) dst=\S+ sport=\d+ dport=\d+ \[UNREPLIED\] "
    r"src=(?P<server>\S+) dst=\S+ sport=(?P<port>\d+) dport=\d+"
)


class Flow(NamedTuple):
    """Somebody opened a connection: who, and to which port of whom in the end."""

    client: str
    server: str
    port: int
    protocol: str


def parse(line: str) -> tuple[float, Flow] | None:
    """Return when a connection was opened, in epoch seconds, and what it is; else None.

    A TCP connection that does not begin with a SYN was met half-way, after its record had gone:
    nobody knows who opened it.
    """
    found = _LINE.match(line)
    if found is None or (found["protocol"] == "tcp" and found["state"] != "SYN_SENT"):
        return None
    flow = Flow(found["client"], found["server"], int(found["port"]), found["protocol"].upper())
    return float(found["at"]), flow


@dataclass
class Seen:
    """The flows of a run, each with the moments at which it was seen; bounded."""

    flows: dict[Flow, list[float]] = field(default_factory=dict)
    lost: int = 0
    """Flows that there was no room for."""

    def note(self, at: float, flow: Flow) -> None:
        """Take down a flow."""
        moments = self.flows.get(flow)
        if moments is None:
            if len(self.flows) >= AT_MOST:
                self.lost += 1
                return
            self.flows[flow] = [at]
        elif at - moments[-1] >= APART_S:
            moments.append(at)
