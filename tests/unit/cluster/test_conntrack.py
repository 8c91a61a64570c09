"""The kernel's lines are read for who opened a connection and who answers it."""

import pytest
from tests.cluster import conntrack
from tests.cluster.conntrack import Flow, Seen

TCP = (
    "[1795477859.737249]\t    [NEW] tcp      6 120 SYN_SENT src=10.244.0.251 dst=10.96.115.196 "
    "sport=52320 dport=80 [UNREPLIED] src=10.244.0.248 dst=10.244.0.251 sport=8000 dport=52320"
)
LINES: dict[str, tuple[str, tuple[float, Flow] | None]] = {
    "through a Service": (
        TCP,
        (1795477859.737249, Flow("10.244.0.251", "10.244.0.248", 8000, "TCP")),
    ),
    "by UDP": (
        "[1795477860.000001]\t    [NEW] udp      17 30 src=10.244.0.9 dst=10.96.0.10 sport=41000 "
        "dport=53 [UNREPLIED] src=10.244.0.247 dst=10.244.0.9 sport=53 dport=41000",
        (1795477860.000001, Flow("10.244.0.9", "10.244.0.247", 53, "UDP")),
    ),
    "by IPv6": (
        "[1795477861.5     ]\t    [NEW] tcp      6 120 SYN_SENT src=fd00:1::9 dst=fd00:2::1 "
        "sport=4100 dport=443 [UNREPLIED] src=fd00:1::7 dst=fd00:1::9 sport=6443 dport=4100",
        (1795477861.5, Flow("fd00:1::9", "fd00:1::7", 6443, "TCP")),
    ),
    "met half-way": (TCP.replace("SYN_SENT", "ESTABLISHED"), None),
    "no new one": (TCP.replace("[NEW]", "[UPDATE]"), None),
    "a ping": (
        "[1795477861.5]\t    [NEW] icmp     1 30 src=10.244.0.9 dst=10.244.0.7 type=8 code=0 id=7 "
        "[UNREPLIED] src=10.244.0.7 dst=10.244.0.9 type=0 code=0 id=7",
        None,
    ),
    "other words": ("conntrack v1.4.7 (conntrack-tools): 42 flow events have been shown.", None),
}


@pytest.mark.parametrize(("line", "meant"), LINES.values(), ids=LINES)
def test_lines_of_the_kernel(line: str, meant: tuple[float, Flow] | None) -> None:
    assert conntrack.parse(line) == meant


def test_a_flow_that_comes_again_is_noted_again_only_later() -> None:
    seen, flow = Seen(), Flow("10.0.0.1", "10.0.0.2", 80, "TCP")

    for at in (100.0, 101.0, 104.9, 105.0, 109.9, 110.0):
        seen.note(at, flow)

    assert seen.flows == {flow: [100.0, 105.0, 110.0]}
    assert seen.lost == 0


def test_what_there_is_no_room_for_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conntrack, "AT_MOST", 2)
    seen = Seen()

    for port in (1, 2, 3, 1):
        seen.note(0.0, Flow("10.0.0.1", "10.0.0.2", port, "TCP"))

    assert len(seen.flows) == 2
    assert seen.lost == 1
