"""Who writes the status? One place, one write per real change, and the Event that tells of it."""

from collections.abc import Mapping
from typing import Any, Final

import structlog

from hscjit_operator import conditions, names
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.errors import CONFLICT, GONE, ApiError
from hscjit_operator.cluster.events import Events
from hscjit_operator.cluster.observe import Apps
from hscjit_operator.cluster.rights import lacks
from hscjit_operator.model import owned
from hscjit_operator.names import Key

log = structlog.stdlib.get_logger(__name__)

_QUIET: Final = frozenset({"Progressing", "NotYetKnown"})
"""Reasons of Ready that are no news to anybody who waits."""
_WRONG: Final = "InvalidSpec"
"""Another field that is wrong is news, though Ready has the same reason as before."""
_GOOD_NEWS: Final = frozenset({"Answering", "Restoring"})


class Scribe:
    """Writes what a pass has to say, if it is new."""

    def __init__(self, api: Api, apps: Apps, events: Events) -> None:
        """Write through `api`, remember in `apps`, tell through `events`."""
        self._api = api
        self._apps = apps
        self._events = events
        self._written: dict[Key, tuple[bytes, bytes]] = {}
        """Digests of what we sent last, and of what the server made of it."""

    def forget(self, key: Key) -> None:
        """Drop what is remembered of an HSCJit that is gone."""
        self._written.pop(key, None)

    async def write(self, key: Key, uid: str, said: dict[str, Any]) -> bool | None:
        """Write a status; return whether it was new, None when it could not be written.

        What we sent is compared as well as what is stored: a server that keeps it in another form
        than we sent it shall not be written to for ever.
        """
        stored = self._apps.get(key)
        if stored is None or stored.uid != uid:
            return False
        before = stored.read().get("status") or {}
        if said == before or _digests(said, before) == self._written.get(key):
            return False
        manifest = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": uid},
            "status": said,
        }
        try:
            body = await self._api.apply(
                kinds.HSCJIT, manifest, reason="status", subresource="status"
            )
        except ApiError as error:
            if error.code in (GONE, CONFLICT):
                return False  # it was deleted meanwhile, and perhaps made again
            log.warning("Could not write status", error=str(error))
            if error.right:  # there is no other place left to say it
                note = lacks(error.verb, f"{kinds.HSCJIT.kind} {key.name}", error.right)
                await self._events.post(stored.read(), "Warning", "Forbidden", note)
            return None
        self._written[key] = _digests(said, body.get("status"))
        self._apps.take(body)
        await self._announce(body, before)
        return True

    async def _announce(self, body: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        """Post an Event when Ready turned to something that somebody may want to know."""
        old = conditions.read(before, conditions.READY)
        new = conditions.read(body.get("status") or {}, conditions.READY)
        same = (old.status, old.reason) == (new.status, new.reason)
        if new.reason in _QUIET or (same and (new.reason != _WRONG or old.message == new.message)):
            return
        log.info("Ready changed", status=new.status, reason=new.reason)
        good = new.reason in _GOOD_NEWS
        await self._events.post(body, "Normal" if good else "Warning", new.reason, new.message)


def _digests(said: Any, stored: Any) -> tuple[bytes, bytes]:
    return owned.digest(said), owned.digest(stored)
