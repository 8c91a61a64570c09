"""What does a cluster of settled resources cost, and how soon is something mended in it?"""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass

from hscjit_operator import names
from hscjit_operator.cluster import kinds
from tests.bench.reconciling.cluster import Call, Cluster, reads, writes
from tests.bench.reconciling.observer import Name, Observer
from tests.bench.reconciling.player import Player

_MENDED_WITHIN_S = 30.0
_TELLING_S = 1.0
_NOT_DISTURBED = {"PersistentVolumeClaim", "Secret", "HSCJit", "Job", "Pod"}
"""Claims and Jobs come back only once the old ones are gone; Secrets are not watched."""
_STATUS = "hscjits/status"
_RUN_PODS = {"Deployment", "StatefulSet"}


@dataclass(frozen=True)
class Ground:
    """A namespace of settled resources."""

    cluster: Cluster
    namespace: str
    observer: Observer
    player: Player
    owners: list[str]

    async def asked_for(self, seconds: float) -> tuple[Counter[Call], Counter[Call]]:
        """Return the writes and the reads of some quiet seconds."""
        before = await self.cluster.counted()
        await asyncio.sleep(seconds)
        calls = await self.cluster.counted() - before
        return writes(calls), reads(calls)

    def pick(self, chance: random.Random) -> tuple[str, Name]:
        """Choose a watched child of any resource."""
        owner = chance.choice(self.owners)
        children = self.observer.by_owner[owner]
        return owner, chance.choice(sorted(c for c in children if c[0] not in _NOT_DISTURBED))

    async def delete(self, owner: str, child: Name) -> float:
        """Delete a child; return the seconds until it is there again."""
        children = self.observer.by_owner[owner]
        uid, begun = children[child].uid, time.perf_counter()
        await self.cluster.delete(kinds.by_name(child[0]), self.namespace, child[1])
        await self.observer.until(
            lambda: child in children and children[child].uid != uid, _MENDED_WITHIN_S
        )
        return children[child].first - begun

    async def edit(self, owner: str, child: Name) -> float:
        """Change a label of a child; return the seconds until it is changed back."""
        seen = self.observer.by_owner[owner][child]
        before, begun = seen.changes, time.perf_counter()
        await self.tamper(child)
        await self.observer.until(lambda: seen.changes >= before + 2, _MENDED_WITHIN_S)
        return seen.last - begun

    async def tamper(self, child: Name) -> None:
        """Change a label of a child."""
        patch = {"metadata": {"labels": {names.LABEL_PART_OF: "somebody"}}}
        await self.cluster.patch(kinds.by_name(child[0]), self.namespace, child[1], patch)

    async def mended(self, times: int) -> list[float]:
        """Delete and edit children in turns; return how long each took to be as before."""
        chance = random.Random(7)  # noqa: S311  the same children each time
        took = []
        for n in range(times):
            owner, child = self.pick(chance)
            took.append(await (self.edit if n % 2 else self.delete)(owner, child))
            if child[0] in _RUN_PODS:
                await self.player.run_pods(kinds.by_name(child[0]), child[1])
            await asyncio.sleep(0.05)
        await self.observer.calm(_TELLING_S)
        return took

    async def told(self, changes: int) -> float:
        """Let pods fail and come back, one at a time; return the status writes per change."""
        before = await self.cluster.counted()
        for n in range(changes):
            owner = self.owners[n // 2 % len(self.owners)]
            name = names.child(owner, names.WORKER)
            await self.player.run_pods(kinds.DEPLOYMENT, name, missing=1 - n % 2)
            await self.observer.calm(_TELLING_S / 10)
        await self.observer.calm(_TELLING_S)
        calls = await self.cluster.counted() - before
        return sum(n for call, n in writes(calls).items() if call[1] == _STATUS) / changes

    async def churn(self, changes: int, in_flight: int = 8) -> None:
        """Change pods' numbers, children and specs, as fast as the API server takes it."""
        numbers = iter(range(changes))
        chance = random.Random(8)  # noqa: S311

        async def work() -> None:
            for n in numbers:
                await self._change(n, chance)

        await asyncio.gather(*(work() for _ in range(in_flight)))
        await self.observer.calm(3.0)

    async def _change(self, n: int, chance: random.Random) -> None:
        owner = self.owners[n % len(self.owners)]
        match n % 50:
            case 0:
                origins = {"network": {"allowedOrigins": [f"https://shop-{n}.example.com"]}}
                await self.cluster.patch(kinds.HSCJIT, self.namespace, owner, {"spec": origins})
            case 10 | 20 | 30 | 40:
                await self.tamper(self.pick(chance)[1])
            case _:
                ready = n // len(self.owners) % 2
                counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": ready}
                status = {"status": counts}
                name = names.child(owner, names.WORKER)
                await self.cluster.patch(kinds.DEPLOYMENT, self.namespace, name, status, "status")
