"""What do the watches show right now? The cache of children, fed by events and by our own writes.

Both ways in compare resource versions, so that an event which was under way while we wrote never
brings back what the object was before.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from hscjit_operator import metrics, names
from hscjit_operator.model import facts
from hscjit_operator.model.observed import Child, Stored
from hscjit_operator.names import Key

Name = tuple[str, str]
"""Kind and name of a child."""

_ECHOES: Final = 4096
"""Own writes that are known for their echo; one that is not costs no more than any event."""


class Children:
    """Every child of every HSCJit, by owner, as digests and facts."""

    def __init__(self, changed: Callable[[Key], None]) -> None:
        """Call `changed` with the owner whenever an event brought news."""
        self._changed = changed
        self._by_owner: dict[Key, dict[Name, Child]] = {}
        self._seen: dict[tuple[str, str | None], set[str]] = {}
        self._written: OrderedDict[str, int] = OrderedDict()
        """UID → version of what our own writes returned and no event has told of yet."""

    def of(self, key: Key) -> Mapping[Name, Child]:
        """Return the children of one HSCJit; a view that stays live until `release`."""
        return self._by_owner.setdefault(key, {})

    def all(self) -> Iterator[tuple[Key, Child]]:
        """Return every child of every HSCJit with its owner."""
        for key, children in self._by_owner.items():
            for child in children.values():
                yield key, child

    def release(self, key: Key) -> None:
        """Forget an HSCJit that is gone; what is left of it stays for who comes after."""
        if not self._by_owner.get(key, True):
            del self._by_owner[key]

    def see(self, body: Mapping[str, Any]) -> None:
        """Take an object from a watch or a list; tell its owner's queue if it is news."""
        key = names.owner_of(body)
        if key is None:
            return
        for seen in self._listings(body["kind"], key.namespace):
            seen.add(body["metadata"]["uid"])
        newer = self._is_newer(key, body["kind"], body["metadata"])
        if newer and self._keep(key, facts.child(body)):
            self._leave_others(key, body)
            self._changed(key)

    def learn(self, body: Mapping[str, Any]) -> Child:
        """Take what our own write returned: no news to anybody. Return it as it is kept."""
        new = facts.child(body)
        key = names.owner_of(body)
        if key is not None:
            for seen in self._listings(new.kind, key.namespace):
                seen.add(new.uid)
            if self._is_newer(key, new.kind, body["metadata"]):
                self._keep(key, new)
                self._written[new.uid] = new.version
                if len(self._written) > _ECHOES:
                    self._written.popitem(last=False)
        return new

    def is_echo(self, uid: str, version: int) -> bool:
        """Tell whether an event is about what our own last write returned, or about older."""
        written = self._written.get(uid, 0)
        if version == written:
            del self._written[uid]
        return version <= written

    def lose(self, body: Mapping[str, Any]) -> None:
        """Take an object's end, or the loss of the label by which the watch selects it.

        It may come late: what was seen since, with the label back, is there.
        """
        key = names.owner_of(body)
        if key is None:
            return
        metadata = body["metadata"]
        name = (body["kind"], metadata["name"])
        known = self._by_owner.get(key, {}).get(name)
        late = known is not None and known.version > int(metadata["resourceVersion"])
        if known is not None and known.uid == metadata["uid"] and not late:
            self._drop(key, name)

    def listing_began(self, kind: str, namespace: str | None) -> None:
        """Note that a kind is listed anew: what the list does not show will have gone unseen."""
        self._seen[kind, namespace] = set()

    def listing_ended(self, kind: str, namespace: str | None) -> None:
        """Drop what the list did not show.

        A child dropped by mistake is read by name before it is applied, and found: no harm.
        """
        seen = self._seen.pop((kind, namespace), None)
        if seen is None:
            return
        gone = [
            (key, name)
            for key, children in self._by_owner.items()
            for name, child in children.items()
            if name[0] == kind and namespace in (None, key.namespace) and child.uid not in seen
        ]
        for key, name in gone:
            self._drop(key, name)

    def listing_broken(self, kind: str, namespace: str | None) -> None:
        """Note that a list came to no end: what it did not show may well be there."""
        self._seen.pop((kind, namespace), None)

    def forget(self, key: Key, name: Name) -> None:
        """Drop one child that turned out not to be there."""
        if self._by_owner.get(key, {}).pop(name, None) is not None:
            metrics.CHILDREN.dec()

    def _leave_others(self, key: Key, body: Mapping[str, Any]) -> None:
        """Drop a child without owner where it was known before somebody changed its label."""
        metadata = body["metadata"]
        name = (body["kind"], metadata["name"])
        parts = metadata["name"].split("-")
        for length in range(1, len(parts)):
            other = Key(key.namespace, "-".join(parts[:length]))  # children are named after it
            known = self._by_owner.get(other, {}).get(name) if other != key else None
            if known is not None and known.uid == metadata["uid"]:
                self._drop(other, name)

    def _listings(self, kind: str, namespace: str) -> Iterator[set[str]]:
        for scope in (None, namespace):
            if (kind, scope) in self._seen:
                yield self._seen[kind, scope]

    def _is_newer(self, key: Key, kind: str, metadata: Mapping[str, Any]) -> bool:
        """Tell whether an object is newer than what is known; most events echo our own writes."""
        known = self._by_owner.get(key, {}).get((kind, metadata["name"]))
        return known is None or known.version < int(metadata["resourceVersion"])

    def _keep(self, key: Key, new: Child) -> bool:
        """Keep a child; return whether it is news."""
        children = self._by_owner.setdefault(key, {})
        old = children.get((new.kind, new.name))
        children[new.kind, new.name] = new
        metrics.CHILDREN.inc(old is None)
        return old is None or not _alike(old, new)

    def _drop(self, key: Key, name: Name) -> None:
        del self._by_owner[key][name]
        metrics.CHILDREN.dec()
        self._changed(key)


def _alike(old: Child, new: Child) -> bool:
    return (
        old.uid == new.uid
        and old.digest == new.digest
        and old.facts == new.facts
        and old.deleting == new.deleting
        and old.owner_uid == new.owner_uid
        and old.controller_uid == new.controller_uid
    )


class Apps:
    """Every HSCJit as the watch shows it, or as our own status write returned it."""

    def __init__(
        self,
        lost: Callable[[Key], None],
        changed: Callable[[Key, bool], None] = lambda _key, _asked: None,
    ) -> None:
        """Call `lost` with the key of an HSCJit that is gone, `changed` with the key of one that
        came or changed, and whether something was asked of us by it."""
        self._lost = lost
        self._changed = changed
        self._stored: dict[Key, Stored] = {}
        self._seen: dict[str | None, set[str]] = {}

    def __iter__(self) -> Iterator[Key]:
        """Return the keys of all."""
        return iter(tuple(self._stored))

    def get(self, key: Key) -> Stored | None:
        """Return the newest known body, None once it is gone."""
        return self._stored.get(key)

    def see(self, body: Mapping[str, Any]) -> None:
        """Take an HSCJit from a watch or a list, and tell if it is news."""
        before = self.take(body)
        if before is None:
            return  # our own status write, which we know already
        metadata, old = body["metadata"], before.read()["metadata"]
        asked = any(
            metadata.get(field) != old.get(field) for field in ("generation", "annotations")
        )
        new = before.version == int(metadata["resourceVersion"])
        self._changed(Key(metadata["namespace"], metadata["name"]), asked or new)

    def take(self, body: Mapping[str, Any]) -> Stored | None:
        """Keep a body that is newer than the known one; return the one it replaced.

        Returns the new one itself when there was none, and None when the body is no news.
        """
        metadata = body["metadata"]
        key = Key(metadata["namespace"], metadata["name"])
        for scope in (None, key.namespace):
            self._seen.get(scope, set()).add(metadata["uid"])
        known = self._stored.get(key)
        if known is not None and known.version >= int(metadata["resourceVersion"]):
            return None
        new = self._stored[key] = Stored.of(body)
        metrics.OBJECTS.set(len(self._stored))
        return known or new

    def lose(self, body: Mapping[str, Any]) -> None:
        """Forget an HSCJit that is gone, unless another of its name is here already."""
        metadata = body["metadata"]
        key = Key(metadata["namespace"], metadata["name"])
        known = self._stored.get(key)
        if known is not None and known.uid == metadata["uid"]:
            self._drop(key)

    def listing_began(self, namespace: str | None) -> None:
        """Note that all are listed anew: what the list does not show will have gone unseen."""
        self._seen[namespace] = set()

    def listing_ended(self, namespace: str | None) -> None:
        """Forget what the list did not show."""
        seen = self._seen.pop(namespace, None)
        if seen is None:
            return
        for key, stored in tuple(self._stored.items()):
            listed = namespace in (None, key.namespace)
            if listed and stored.uid not in seen:
                self._drop(key)

    def _drop(self, key: Key) -> None:
        del self._stored[key]
        metrics.OBJECTS.set(len(self._stored))
        self._lost(key)
