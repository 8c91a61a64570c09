"""What runs behind an API server and changes what a user asked for: played for one namespace.

Pods run as soon as they are asked for, Jobs end well, StatefulSets get their claims, and what an
owner left behind is collected. Everything that ever happened in the namespace is kept.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from tests.integration.operator.user import Refused
from tests.integration.operator.world import RUN_PODS, Body, World

from hscjit_operator.cluster import kinds

KINDS: Final = (*kinds.WATCHED, kinds.HSCJIT, kinds.SECRET)
BROKEN: Final = "broken"
"""Pods of an image whose name holds this never start."""
Name = tuple[str, str]
"""Kind and name."""


@dataclass
class Controllers:
    """The controllers of one namespace, and all that they have seen."""

    world: World
    there: dict[Name, Body] = field(default_factory=dict)
    """Every object as it is now."""
    history: list[tuple[str, Body]] = field(default_factory=list)
    """Every version of every object since the beginning, with ADDED, MODIFIED or DELETED."""
    _work: asyncio.Queue[Name] = field(default_factory=asyncio.Queue)
    _listed: int = 0

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind in KINDS:
                group.create_task(self._watch(kind))
            group.create_task(self._serve())

    async def ready(self) -> None:
        """Wait until every kind is watched."""
        while self._listed < len(KINDS):
            await asyncio.sleep(0.01)

    def children(self, name: str) -> dict[Name, Body]:
        """Return what is there of one HSCJit, what outlives it included, but for pods."""
        return {
            key: body
            for key, body in self.there.items()
            if key[0] not in ("HSCJit", "Pod")
            and (body["metadata"].get("labels") or {}).get("app.kubernetes.io/instance") == name
        }

    def versions(self, kind: str, name: str) -> list[Body]:
        """Return all versions of one object, oldest first, those of its predecessors included."""
        return [
            body
            for event, body in self.history
            if event != "DELETED" and (body["kind"], body["metadata"]["name"]) == (kind, name)
        ]

    def rollouts(self, name: str) -> dict[Name, int]:
        """Return how often each workload of an HSCJit got another pod template."""
        found: dict[Name, int] = {}
        last: dict[tuple[Name, str], Any] = {}
        for event, body in self.history:
            key = (body["kind"], body["metadata"]["name"])
            if event == "DELETED" or key[0] not in RUN_PODS or not key[1].startswith(f"{name}-"):
                continue
            found.setdefault(key, 0)
            template = body["spec"]["template"]
            before = last.setdefault((key, body["metadata"]["uid"]), template)
            if before != template:
                found[key] += 1
                last[key, body["metadata"]["uid"]] = template
        return found

    # --- watching -----------------------------------------------------------------------------

    async def _watch(self, kind: kinds.Kind) -> None:
        path = kind.path(self.world.namespace)
        listed = await self.world.call("GET", path)
        for body in listed["items"]:
            self._see("ADDED", {"kind": kind.kind, "apiVersion": kind.api_version, **body})
        version = listed["metadata"]["resourceVersion"]
        self._listed += 1
        query = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": "3600"}
        forever = aiohttp.ClientTimeout(total=None)
        while True:
            asked = {**query, "resourceVersion": version}
            async with self.world.session.get(path, params=asked, timeout=forever) as answer:
                async for line in answer.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise AssertionError(event["object"])
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self._see(event["type"], event["object"])

    def _see(self, event: str, body: Body) -> None:
        name = (body["kind"], body["metadata"]["name"])
        kept = {k: v for k, v in body["metadata"].items() if k != "managedFields"}
        self.history.append((event, {**body, "metadata": kept}))
        if event == "DELETED":
            self.there.pop(name, None)
            for other, held in self.there.items():
                if body["metadata"]["uid"] in _owners(held):
                    self._work.put_nowait(other)
        else:
            self.there[name] = body
            self._work.put_nowait(name)

    # --- controlling --------------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            batch = {await self._work.get()}
            while not self._work.empty():
                batch.add(self._work.get_nowait())
            await asyncio.gather(*(self._control(name) for name in batch))

    async def _control(self, name: Name) -> None:
        body = self.there.get(name)
        if body is None:
            return
        try:
            if await self._leaves(name, body):
                return
            if name[0] in RUN_PODS:
                await self._run_pods(name, body)
            if name[0] == "StatefulSet":
                await self._make_claims(body)
            if name[0] == "Job" and not _broken(body) and not (body.get("status") or {}):
                await self.world.end_job(name[1])
        except Refused as refused:
            # Somebody else was faster; what they did comes by the watch. Nothing else may be.
            if not {"not found", "modified", "UID", "exists"} & set(_words(refused)):
                raise

    async def _leaves(self, name: Name, body: Body) -> bool:
        """Collect what has no owner left, and take finalizers off what is being deleted."""
        metadata = body["metadata"]
        path = kinds.by_name(name[0]).path(self.world.namespace, name[1])
        if "deletionTimestamp" in metadata:
            if metadata.get("finalizers"):
                await self.world.patch(*name, {"metadata": {"finalizers": None}})
            return True
        owners = metadata.get("ownerReferences") or []
        if not owners or any([await self._lives(owner) for owner in owners]):
            return False
        options = {"preconditions": {"uid": metadata["uid"]}, "propagationPolicy": "Background"}
        await self.world.call("DELETE", path, options)
        return True

    async def _lives(self, owner: Mapping[str, Any]) -> bool:
        known = self.there.get((owner["kind"], owner["name"]))
        if known is not None and known["metadata"]["uid"] == owner["uid"]:
            return True
        # The watch may be behind: ask before anything is deleted for it.
        path = kinds.by_name(owner["kind"]).path(self.world.namespace, owner["name"])
        try:
            found = await self.world.call("GET", path)
        except Refused:
            return False
        return bool(found["metadata"]["uid"] == owner["uid"])

    async def _run_pods(self, name: Name, body: Body) -> None:
        wanted = body["spec"]["replicas"]
        if not _broken(body):
            await self.world.report_pods(*name, body)
        elif (body.get("status") or {}).get("replicas"):
            # The old pods go on; one of the new template is there and never gets ready.
            started = {"replicas": wanted + 1, "updatedReplicas": 1}
            await self.world.report_pods(*name, body, **started)
        else:
            await self.world.report_pods(*name, body, readyReplicas=0)

    async def _make_claims(self, body: Body) -> None:
        metadata = body["metadata"]
        owner = {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
        }
        policy = body["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
        owners = [owner] if policy.get("whenDeleted") == "Delete" else []
        for template in body["spec"].get("volumeClaimTemplates") or []:
            name = f"{template['metadata']['name']}-{metadata['name']}-0"
            known = self.there.get(("PersistentVolumeClaim", name))
            if known is None:
                claim = {
                    "metadata": {
                        "name": name,
                        "labels": template["metadata"]["labels"],
                        "ownerReferences": owners,
                    },
                    "spec": template["spec"],
                }
                await self.world.call("POST", kinds.CLAIM.path(self.world.namespace), claim)
            elif (known["metadata"].get("ownerReferences") or []) != owners:
                await self.world.patch(
                    "PersistentVolumeClaim", name, {"metadata": {"ownerReferences": owners or None}}
                )


def _owners(body: Body) -> set[str]:
    return {owner["uid"] for owner in body["metadata"].get("ownerReferences") or []}


def _broken(body: Body) -> bool:
    return any(BROKEN in c["image"] for c in body["spec"]["template"]["spec"]["containers"])


def _words(refused: Refused) -> list[str]:
    said = str(refused)
    return [word for word in ("not found", "modified", "UID", "exists") if word in said]


@asynccontextmanager
async def controllers(world: World) -> AsyncIterator[Controllers]:
    """Run the controllers of a world's namespace."""
    made = Controllers(world)
    task = asyncio.create_task(made.run())
    ready = asyncio.create_task(made.ready())
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield made
    finally:
        ready.cancel()
        if not task.done():
            task.cancel()
        await asyncio.gather(task, ready, return_exceptions=True)
        if task.done() and not task.cancelled() and task.exception():
            raise task.exception() or AssertionError
