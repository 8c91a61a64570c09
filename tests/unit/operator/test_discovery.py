"""Which optional kinds are served, and what is there of ours: asked, listed, and forgotten."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hscjit_operator import names
from hscjit_operator.cluster.discovery import Discovery
from hscjit_operator.cluster.errors import FORBIDDEN, ApiError, Request
from hscjit_operator.cluster.kinds import OPTIONAL, Kind
from hscjit_operator.cluster.observe import Children
from hscjit_operator.names import Key

SUPPORT = Key("shop", "support")
MONITORING = ("monitoring.coreos.com", "v1")
MONITORS = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}


def monitor(kind: str = "ServiceMonitor", version: int = 5) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {
            "name": f"support-{kind.lower()}",
            "namespace": "shop",
            "uid": f"uid-{kind}",
            "resourceVersion": str(version),
            "labels": names.labels("support", "api", "uid-1"),
        },
    }


class Server:
    """An API server with other people's kinds, and objects of ours of them."""

    def __init__(self) -> None:
        self.served: dict[tuple[str, str], frozenset[str]] = {}
        self.objects: list[dict[str, Any]] = []
        self.refuses: dict[str, int] = {}
        self.refuses_in: set[str | None] = {None, "shop"}
        self.listed: list[tuple[str, str | None]] = []
        self.served_while_listing: set[str] = set()
        self.discovery: Discovery | None = None

    def install(self) -> None:
        plurals = {kind.plural for kind in OPTIONAL if kind.group == MONITORING[0]}
        self.served[MONITORING] = frozenset(plurals)

    async def resources(self, group: str, version: str) -> frozenset[str]:
        return self.served.get((group, version), frozenset())

    async def pages(
        self, kind: Kind, namespace: str | None, _selector: str
    ) -> AsyncIterator[dict[str, Any]]:
        self.listed.append((kind.kind, namespace))
        if self.discovery is not None:
            self.served_while_listing |= self.discovery.served("shop")
        if kind.kind in self.refuses and namespace in self.refuses_in:
            request = Request("GET", kind, kind.collection(namespace))
            raise ApiError(request, self.refuses[kind.kind], "Reason", "no")
        for body in self.objects:
            if body["kind"] == kind.kind:
                yield body


class Cluster:
    """A discovery over such a server, and what it told."""

    def __init__(self, *namespaces: str) -> None:
        self.server = Server()
        self.news: list[Key] = []
        self.changes = 0
        self.children = Children(self.news.append)
        self.discovery = Discovery(
            self.server,  # type: ignore[arg-type]
            self.children,
            namespaces,
            changed=self._count,
            period_s=60,
        )
        self.server.discovery = self.discovery

    def _count(self) -> None:
        self.changes += 1

    def known(self) -> set[str]:
        return {kind for kind, _ in self.children.of(SUPPORT)}


async def test_nothing_is_listed_of_what_is_not_served() -> None:
    cluster = Cluster()
    await cluster.discovery.look()

    assert (cluster.discovery.served("shop"), cluster.server.listed, cluster.changes) == (
        set(),
        [],
        0,
    )


async def test_what_is_there_is_known_before_its_kind_counts_as_served() -> None:
    """A pass in between would take what was not listed yet for missing, and make it again."""
    cluster = Cluster()
    cluster.server.install()
    cluster.server.objects = [monitor()]
    await cluster.discovery.look()

    assert cluster.discovery.served("shop") == MONITORS
    assert cluster.server.served_while_listing == set()
    assert cluster.known() == {"ServiceMonitor"}
    assert cluster.changes == 1

    await cluster.discovery.look()
    assert cluster.changes == 1, "nothing came, nothing went"


async def test_what_a_list_does_not_show_was_deleted() -> None:
    cluster = Cluster()
    cluster.server.install()
    cluster.server.objects = [monitor(), monitor("PodMonitor")]
    await cluster.discovery.look()
    cluster.server.objects = [monitor("PodMonitor")]
    cluster.news.clear()
    await cluster.discovery.look()

    assert cluster.known() == {"PodMonitor"}
    assert cluster.news == [SUPPORT]


async def test_a_kind_that_goes_takes_its_children_out_of_mind() -> None:
    cluster = Cluster()
    cluster.server.install()
    cluster.server.objects = [monitor()]
    await cluster.discovery.look()
    cluster.server.served.clear()
    await cluster.discovery.look()

    assert (cluster.discovery.served("shop"), cluster.known(), cluster.changes) == (set(), set(), 2)


async def test_a_kind_that_may_not_be_listed_is_none_for_us() -> None:
    cluster = Cluster()
    cluster.server.install()
    cluster.server.refuses = {"PrometheusRule": FORBIDDEN}
    await cluster.discovery.look()

    assert cluster.discovery.served("shop") == MONITORS - {"PrometheusRule"}


async def test_a_kind_that_may_not_be_listed_in_one_namespace_is_there_in_the_others() -> None:
    cluster = Cluster("shop", "stage")
    cluster.server.install()
    cluster.server.refuses = {"PrometheusRule": FORBIDDEN}
    await cluster.discovery.look()

    assert cluster.discovery.served("shop") == MONITORS - {"PrometheusRule"}
    assert cluster.discovery.served("stage") == MONITORS

    cluster.server.refuses.clear()
    await cluster.discovery.look()
    assert cluster.discovery.served("shop") == MONITORS


async def test_a_list_that_breaks_off_loses_nothing() -> None:
    cluster = Cluster()
    cluster.server.install()
    cluster.server.objects = [monitor()]
    await cluster.discovery.look()
    cluster.server.refuses = {"ServiceMonitor": 500}
    with pytest.raises(ApiError):
        await cluster.discovery.look()

    assert cluster.discovery.served("shop") == MONITORS
    assert cluster.known() == {"ServiceMonitor"}


async def test_only_the_namespaces_that_are_served_are_listed() -> None:
    cluster = Cluster("shop", "stage")
    cluster.server.install()
    await cluster.discovery.look()

    assert {namespace for _, namespace in cluster.server.listed} == {"shop", "stage"}
