"""When did each child come, change and go? The metadata of all kinds, watched as it happens."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hscjit_operator import names
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.kinds import Kind
from tests.bench.reconciling.cluster import Cluster

Name = tuple[str, str]
"""Kind and name."""

_METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


@dataclass(slots=True)
class Seen:
    """One object as it was last seen."""

    first: float
    """When it was first seen; as all instants here by `time.perf_counter`."""
    last: float
    uid: str
    changes: int = 0
    """How often it changed since it was made."""


@dataclass
class Observer:
    """What one namespace held and holds."""

    by_owner: dict[str, dict[Name, Seen]] = field(default_factory=dict)
    """Children that are there, by the name of their HSCJit."""
    events: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def complete(self, owner: str, wanted: Collection[Name]) -> float:
        """Return when the last of the wanted children was made, 0 while one is missing."""
        found = self.by_owner.get(owner, {})
        if len(found) < len(wanted) or any(name not in found for name in wanted):
            return 0.0
        return max(found[name].first for name in wanted)

    def count(self) -> Counter[str]:
        """Return how many children of each kind there are."""
        return Counter(kind for found in self.by_owner.values() for kind, _ in found)

    async def until(self, what: Callable[[], bool], within_s: float) -> None:
        """Wait until something is true of what was seen; TimeoutError if it never is."""
        async with asyncio.timeout(within_s):
            while not what():
                self._news.clear()
                await self._news.wait()

    async def calm(self, seconds: float, within_s: float = 300.0) -> None:
        """Wait until nothing happened for so long."""
        async with asyncio.timeout(within_s):
            before = -1
            while before != self.events:
                before = self.events
                await asyncio.sleep(seconds)

    def take(self, kind: str, event: dict[str, Any]) -> None:
        """Note one watch event."""
        metadata = event["object"]["metadata"]
        owner = (metadata.get("labels") or {}).get(names.LABEL_INSTANCE)
        self.events += 1
        self._news.set()
        if owner is None:
            return
        now = time.perf_counter()
        name, found = (kind, metadata["name"]), self.by_owner.setdefault(owner, {})
        if event["type"] == "DELETED":
            found.pop(name, None)
        elif name in found:
            found[name].last = now
            found[name].changes += 1
        else:
            found[name] = Seen(now, now, metadata["uid"])


@asynccontextmanager
async def observing(cluster: Cluster, namespace: str) -> AsyncIterator[Observer]:
    """Watch a namespace that is still empty."""
    observer = Observer()
    listens = [asyncio.Event() for _ in range(len(kinds.WATCHED) + 2)]
    watched = (*kinds.WATCHED, kinds.SECRET, kinds.HSCJIT)
    tasks = [
        asyncio.create_task(_watch(cluster, kind, namespace, observer, begun))
        for kind, begun in zip(watched, listens, strict=True)
    ]
    try:
        await asyncio.gather(*(begun.wait() for begun in listens))
        yield observer
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)


async def _watch(
    cluster: Cluster, kind: Kind, namespace: str, observer: Observer, begun: asyncio.Event
) -> None:
    url = f"{cluster.server.url}{kind.path(namespace)}?watch=true&timeoutSeconds=3600"
    headers = {"Accept": _METADATA_ONLY}
    async with cluster.session.get(url, headers=headers, timeout=None) as answer:
        answer.raise_for_status()
        begun.set()
        async for line in answer.content:
            observer.take(kind.kind, json.loads(line))
