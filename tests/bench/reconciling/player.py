"""Plays the controllers and the app: migrations end, pods run, /ready answers."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from hscjit_operator.cluster import kinds
from tests.bench.reconciling.cluster import Body, Cluster
from tests.bench.reconciling.observer import Observer
from tests.webserver import serving

_WORKLOADS = (kinds.DEPLOYMENT, kinds.STATEFUL_SET)


class Player:
    """What a cluster's own controllers would write."""

    def __init__(self, cluster: Cluster, observer: Observer, namespace: str) -> None:
        self._cluster = cluster
        self._observer = observer
        self._namespace = namespace

    async def settle(self, owners: list[str]) -> None:
        """Bring new resources to where nothing happens any more."""
        await asyncio.gather(*(self._settle(owner) for owner in owners))

    async def _settle(self, owner: str) -> None:
        children = self._observer.by_owner.setdefault(owner, {})

        def migrating() -> bool:
            return any(kind == "Job" for kind, _ in children)

        def working() -> bool:
            return sum(kind == "Deployment" for kind, _ in children) == 3

        await self._observer.until(migrating, 300)
        job = next(name for kind, name in children if kind == "Job")
        await self._end(job)
        await self._observer.until(working, 300)
        for kind in _WORKLOADS:
            for child in [name for k, name in children if k == kind.kind]:
                await self.run_pods(kind, child)

    async def run_pods(self, kind: kinds.Kind, name: str, missing: int = 0) -> None:
        """Report the pods of a workload as running, but for some."""
        found = await self._cluster.call("GET", kind.path(self._namespace, name))
        wanted = found["spec"]["replicas"]
        status = {
            "observedGeneration": found["metadata"]["generation"],
            "replicas": wanted,
            "readyReplicas": wanted - missing,
            "updatedReplicas": wanted,
        }
        await self._cluster.patch(kind, self._namespace, name, {"status": status}, "status")

    async def _end(self, job: str) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        conditions = [
            {"type": kind, "status": "True", "reason": "Bench", "lastTransitionTime": at}
            for kind in ("SuccessCriteriaMet", "Complete")
        ]
        status: Body = {"startTime": at, "completionTime": at, "succeeded": 1}
        patch = {"status": {**status, "conditions": conditions}}
        await self._cluster.patch(kinds.JOB, self._namespace, job, patch, "status")


@asynccontextmanager
async def door() -> AsyncIterator[str]:
    """Answer /ready as every app would; yields the address."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"ready": True, "degraded": []})

    async with serving(web.get("/ready", answer)) as address:
        yield address
