"""How fast do the children of many new resources appear? One contender at a time, in turns."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from tests.bench.reconciling import template
from tests.bench.reconciling.cluster import Cluster
from tests.bench.reconciling.contenders import Running, running
from tests.bench.reconciling.observer import Name, Observer, observing

PATIENCE_S = 240.0


@dataclass(frozen=True)
class Burst:
    """Many resources that came at once."""

    took: list[float]
    """Seconds from applying a resource until all its children were there."""
    whole_s: float
    """From the first resource to the last child."""
    cpu_s: float
    """CPU of the contender meanwhile."""
    objects: int

    @property
    def rate(self) -> float:
        """Return children per second."""
        return self.objects / self.whole_s


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile of at least two values."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


@dataclass(frozen=True)
class Field:
    """A namespace in which a contender is at work."""

    cluster: Cluster
    namespace: str
    observer: Observer
    contender: Running
    children: Sequence[Name]
    """Of each resource, the names with a hole."""

    async def one(self, owner: str) -> float:
        """Apply a resource; return the seconds until all its children are there."""
        hole = template.HOLES["name"]
        names = [(kind, name.replace(hole, owner)) for kind, name in self.children]
        begun = time.perf_counter()
        await self.cluster.make(self.namespace, owner)
        await self.observer.until(lambda: self.observer.complete(owner, names) > 0, PATIENCE_S)
        return self.observer.complete(owner, names) - begun

    async def singly(self, owners: Sequence[str]) -> list[float]:
        """Apply resources, each when the one before gives no more news."""
        took = []
        for owner in owners:
            took.append(await self.one(owner))
            await self.observer.calm(0.3)
        return took

    async def many(self, owners: Sequence[str]) -> Burst:
        """Apply resources at once."""
        cpu, begun = self.contender.cpu_s(), time.perf_counter()
        took = await asyncio.gather(*(self.one(owner) for owner in owners))
        return Burst(
            took=took,
            whole_s=time.perf_counter() - begun,
            cpu_s=self.contender.cpu_s() - cpu,
            objects=len(owners) * len(self.children),
        )


@asynccontextmanager
async def field(cluster: Cluster, who: str, namespace: str, folder: Path) -> AsyncIterator[Field]:
    """Let a contender work on a new namespace; it has made its first resource already."""
    bodies = folder / "bodies.json"
    children = template.write(bodies)
    await cluster.make_namespace(namespace)
    async with observing(cluster, namespace) as observer:
        with running(
            who,
            folder=folder,
            kubeconfig=cluster.server.kubeconfig,
            namespace=namespace,
            bodies=bodies,
        ) as contender:
            made = Field(cluster, namespace, observer, contender, children)
            await made.one("first")
            await observer.calm(1.0)
            yield made
