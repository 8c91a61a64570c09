"""What may the autopilot do to the cluster? Its few verbs, each guarded by the object's UID."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import structlog

from hscjit_operator import names
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.apply import Applier, Leaving, NameConflict
from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.errors import CONFLICT, GONE, TOO_MANY, ApiError
from hscjit_operator.cluster.events import Events
from hscjit_operator.cluster.observe import Apps, Children
from hscjit_operator.model.autopilot import Eviction, PodRef
from hscjit_operator.names import Key

log = structlog.stdlib.get_logger(__name__)

_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_LEDGER = "ledger.json"


class ClusterActuator:
    """Implements `model.autopilot.Actuator` on the API server."""

    def __init__(
        self,
        api: Api,
        apps: Apps,
        children: Children,
        events: Events,
        failed: Callable[[ApiError], None] = lambda _error: None,
    ) -> None:
        """Act through `api` on behalf of the resources in `apps`; `failed` is told of each act that
        was refused."""
        self._failed = failed
        self._api = api
        self._apps = apps
        self._children = children
        self._events = events
        self._applier = Applier(api, children)

    async def evict(self, key: Key, pod: PodRef) -> Eviction:
        """Ask for the pod's eviction, with its UID as a precondition: never another's."""
        try:
            await self._api.evict(key.namespace, pod.name, uid=pod.uid)
        except ApiError as error:
            match error.code:
                case code if code == TOO_MANY:
                    return Eviction.REFUSED
                case code if code in (GONE, CONFLICT):
                    return Eviction.GONE
                case _:
                    self._failed(error)
                    return Eviction.FAILED
        return Eviction.DONE

    async def tail_logs(self, key: Key, pod: PodRef, lines: int) -> str:
        """Return the last lines of the main container's log."""
        with self._telling():
            return await self._api.logs(key.namespace, pod.name, lines=lines)

    async def scale_api(self, key: Key, replicas: int) -> None:
        """Raise the API Deployment at once, not at the HPA's next look."""
        name = names.child(key.name, names.API)
        with self._telling():
            await self._api.scale(kinds.DEPLOYMENT, key.namespace, name, replicas)

    async def mark_costs(self, key: Key, costs: Mapping[str, int]) -> None:
        """Tell the ReplicaSet which pods to give up first: those with the lowest cost."""
        for pod, cost in costs.items():
            patch = {"metadata": {"annotations": {_DELETION_COST: str(cost)}}}
            with self._telling():
                await self._api.merge(kinds.POD, key.namespace, pod, patch, reason="deletion-cost")

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except ApiError as error:
            self._failed(error)
            raise

    async def event(self, key: Key, kind: str, reason: str, message: str) -> None:
        """Post one Event on the HSCJit; kind is Normal or Warning."""
        stored = self._apps.get(key)
        if stored is not None:
            warns = kind == "Warning"
            await self._events.post(
                stored.read(), "Warning" if warns else "Normal", reason, message
            )

    async def read_ledger(self, key: Key) -> str | None:
        """Return the text of the ledger, None when there is none, as the watch says."""
        if (kinds.CONFIG_MAP.kind, _ledger_name(key)) not in self._children.of(key):
            return None
        with self._telling():
            found = await self._api.get(kinds.CONFIG_MAP, key.namespace, _ledger_name(key))
        return None if found is None else (found.get("data") or {}).get(_LEDGER)

    async def write_ledger(self, key: Key, text: str) -> None:
        """Apply the ConfigMap that holds the ledger; it goes with its HSCJit."""
        stored = self._apps.get(key)
        if stored is not None:
            manifest = record(stored.read(), names.LEDGER, {_LEDGER: text})
            known = self._children.of(key).get((kinds.CONFIG_MAP.kind, _ledger_name(key)))
            try:
                with self._telling():
                    await self._applier.apply(manifest, known, stored.uid, reason="ledger")
            except (NameConflict, Leaving) as conflict:
                log.warning("Could not write ledger", hscjit=key.name, error=str(conflict))


def _ledger_name(key: Key) -> str:
    return names.child(key.name, names.LEDGER)


def record(body: Mapping[str, Any], suffix: str, data: Mapping[str, str]) -> dict[str, Any]:
    """Return a ConfigMap in which the operator keeps what is too large for the status.

    It is no part of `desired`: its content is history, not a function of the spec.
    """
    metadata = body["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.child(metadata["name"], suffix),
            "namespace": metadata["namespace"],
            "labels": names.labels(metadata["name"], suffix, metadata["uid"]),
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.KIND,
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "data": dict(data),
    }
