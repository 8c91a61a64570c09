"""How does a manifest become a child? Guarded against strangers, known to the cache at once."""

from collections.abc import Mapping
from typing import Any, Final

from hscjit_operator import names
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.client import Api, Body
from hscjit_operator.cluster.errors import CONFLICT, INVALID, ApiError
from hscjit_operator.cluster.observe import Children
from hscjit_operator.model import facts
from hscjit_operator.model.observed import Child

Manifest = Mapping[str, Any]

_NEVER_A_VERSION: Final = "1"
"""No object has it: the first that etcd ever stores gets 2. An apply that insists on it is refused
where there is an object, whoever's, and makes one where there is none."""


class NameConflict(Exception):
    """An object that is not ours has the child's name: it is left alone."""

    def __init__(self, kind: str, name: str) -> None:
        """Say which."""
        self.kind, self.name = kind, name
        super().__init__(
            f"{kind} {name} exists and is not ours; remove or rename it, or give the HSCJit "
            "another name"
        )


class Leaving(Exception):
    """The child's name is still taken by what a former HSCJit owned and is being deleted."""

    def __init__(self, kind: str, name: str) -> None:
        """Say which."""
        super().__init__(f"{kind} {name} of a former resource is still being deleted")


class LeftBehind(Exception):
    """The child's name is taken by a volume that a former HSCJit of this name left."""

    def __init__(self, name: str) -> None:
        """Say which."""
        super().__init__(
            f"PersistentVolumeClaim {name}: left behind by a former HSCJit of this name; delete it "
            "to start afresh, or recreate this one with spec.bootstrap.adoptVolumes: true"
        )


class Applier:
    """Applies, prunes and reads children, and tells the cache what came back."""

    def __init__(self, api: Api, children: Children) -> None:
        """Write through `api`, remember in `children`."""
        self._api = api
        self._children = children

    async def apply(
        self,
        manifest: Manifest,
        known: Child | None,
        uid: str,
        *,
        reason: str,
        address: str | None = None,
        adopt: bool = False,
        taken: bool = False,
    ) -> Child:
        """Apply one child of the HSCJit with that UID; return it as the server keeps it.

        A child the watch does not show may still be there: a label-selected watch hides strangers,
        and a forced apply would overwrite them. So it is applied in a way that only makes it; what
        stands in the way is read by name. The UID of what was found goes along, so that what took
        its place in between is refused by the server. A Service that is not there is made with
        `address`, if that is still free. `adopt`: a volume that a former HSCJit left behind is
        taken over. `taken`: the name was found to be somebody else's before, so look first.

        Raises ApiError, NameConflict, Leaving, LeftBehind.
        """
        kind = kinds.of(manifest)
        if known is None and taken:
            known = await self._look(kind, manifest)
        if known is None:
            made = await self._make(kind, manifest, reason, address)
            if made is not None:
                return self._children.learn(made)
            known = await self._look(kind, manifest)
        guarded = _guarded(manifest, known, uid, adopt=adopt)
        try:
            body = await self._api.apply(kind, guarded, reason=reason)
        except ApiError as error:
            if error.code == CONFLICT and known is not None:
                # It was deleted, or replaced by another, before the watch could say so.
                self._children.forget(_key(manifest), (kind.kind, manifest["metadata"]["name"]))
            raise
        return self._children.learn(body)

    async def _make(
        self, kind: kinds.Kind, manifest: Manifest, reason: str, address: str | None
    ) -> Body | None:
        """Make what is not there, or return None because something is.

        A Service gets a certain address if that is still to be had. What is applied next leaves
        the field out: the Service keeps its address, and the field is nobody's, as on one that the
        server chose.
        """
        new = _new(manifest)
        try:
            if address is not None:
                body = await self._made_at(address, kind, new)
                if body is not None:
                    # As from now on: without the address.
                    uid = {**manifest["metadata"], "uid": body["metadata"]["uid"]}
                    return await self._api.apply(kind, {**manifest, "metadata": uid}, reason=reason)
            return await self._api.apply(kind, new, reason=reason)
        except ApiError as error:
            if error.code == CONFLICT:
                return None
            raise

    async def _made_at(self, address: str, kind: kinds.Kind, new: Manifest) -> Body | None:
        spec = {**new["spec"], "clusterIP": address}
        try:
            return await self._api.apply(kind, {**new, "spec": spec}, reason="same-address")
        except ApiError as error:
            if error.code in INVALID:
                return None
            raise

    async def try_out(self, manifest: Manifest, known: Child | None, uid: str) -> None:
        """Ask the server what it would say; nothing is changed. Raises what `apply` would.

        What a stranger in the way says to the manifest is no answer: that is an ApiError 409.
        """
        guarded = _guarded(manifest, known, uid) if known is not None else _new(manifest)
        await self._api.apply(kinds.of(manifest), guarded, reason="try", dry_run=True)

    async def _look(self, kind: kinds.Kind, manifest: Manifest) -> Child | None:
        metadata = manifest["metadata"]
        found = await self._api.get(kind, metadata["namespace"], metadata["name"])
        return facts.child({"kind": kind.kind, **found}) if found else None

    async def hand_over(self, deployment: Child, namespace: str, replicas: int) -> None:
        """Let the handover manager take hold of a Deployment's number of pods.

        The version that was seen goes along: if the HPA wrote in between, the server refuses, and
        the next pass hands over what the HPA wanted.
        """
        manifest = {
            "apiVersion": kinds.DEPLOYMENT.api_version,
            "kind": kinds.DEPLOYMENT.kind,
            "metadata": {
                "name": deployment.name,
                "namespace": namespace,
                "uid": deployment.uid,
                "resourceVersion": str(deployment.version),
            },
            "spec": {"replicas": replicas},
        }
        body = await self._api.apply(
            kinds.DEPLOYMENT, manifest, reason="handover", manager=names.HANDOVER
        )
        self._children.learn(body)

    async def read(self, manifest: Manifest) -> Body | None:
        """Return the whole live object a manifest is about."""
        metadata = manifest["metadata"]
        return await self._api.get(kinds.of(manifest), metadata["namespace"], metadata["name"])

    async def prune(
        self, child: Child, namespace: str, reason: str, *, orphan: bool = False
    ) -> None:
        """Delete a child; with `orphan`, what it owns stays."""
        kind = kinds.by_name(child.kind)
        await self._api.delete(
            kind, namespace, child.name, uid=child.uid, reason=reason, orphan=orphan
        )

    async def relabel(
        self, kind: kinds.Kind, found: Body, labels: Mapping[str, str], owner: Body | None
    ) -> Body:
        """Make what a former HSCJit left behind ours: its labels, and its owner if it gets one."""
        metadata = found["metadata"]
        patch = {
            "metadata": {
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
                "labels": dict(labels),
                "ownerReferences": [owner] if owner else None,
            }
        }
        body = await self._api.merge(
            kind, metadata["namespace"], metadata["name"], patch, reason="adopt"
        )
        if kind in kinds.WATCHED:
            self._children.learn(body)
        return body


def is_ours(child: Child, uid: str) -> bool:
    """Tell whether a child belongs to the HSCJit with that UID.

    The controlling owner decides; without one (Retain, or somebody took it off) the label does.
    """
    return uid == (child.controller_uid or child.owner_uid)


def _new(manifest: Manifest) -> Manifest:
    """Return a manifest that can only make its object, and is refused where there is one."""
    metadata = {**manifest["metadata"], "resourceVersion": _NEVER_A_VERSION}
    return {**manifest, "metadata": metadata}


def _guarded(manifest: Manifest, known: Child | None, uid: str, *, adopt: bool = False) -> Manifest:
    """Return the manifest with the UID of the object it is for; raise if that is not ours."""
    if known is None:
        return manifest
    _check(known, uid, _instance(manifest), adopt=adopt)
    return {**manifest, "metadata": {**manifest["metadata"], "uid": known.uid}}


def _check(known: Child, uid: str, instance: str, *, adopt: bool) -> None:
    if is_ours(known, uid):
        return
    kept = known.kind == kinds.CLAIM.kind and not known.controller_uid and not known.deleting
    if kept and known.owner_uid and instance:
        if adopt:
            return
        raise LeftBehind(known.name)
    if known.owner_uid and known.controller_uid in ("", known.owner_uid) and instance:
        raise Leaving(known.kind, known.name)
    raise NameConflict(known.kind, known.name)


_NO_LABELS: Final[Mapping[str, str]] = {}


def _instance(manifest: Manifest) -> str:
    labels = manifest["metadata"].get("labels", _NO_LABELS)
    return str(labels.get(names.LABEL_INSTANCE, ""))


def _key(manifest: Manifest) -> names.Key:
    return names.Key(manifest["metadata"]["namespace"], _instance(manifest))
