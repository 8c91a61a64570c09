"""How fresh is the newest backup? What the backup pods said at their end, kept in the status.

A pod's last word lists every complete backup on the claim, so the index is written from it alone.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from hscjit_operator import conditions as c
from hscjit_operator import names, sight
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.actuator import record
from hscjit_operator.cluster.apply import Applier, Leaving, NameConflict
from hscjit_operator.cluster.errors import ApiError
from hscjit_operator.conditions import Condition
from hscjit_operator.model import owned
from hscjit_operator.model.backups import INDEX, NAME
from hscjit_operator.model.observed import Observed
from hscjit_operator.model.spec import HSCJit
from hscjit_operator.report import Told

log = structlog.stdlib.get_logger(__name__)


class Backups:
    """Reads what backup pods said, and keeps the index of backups in a ConfigMap."""

    def __init__(self, applier: Applier, failed: Callable[[ApiError], None]) -> None:
        """Write the index through `applier`; `failed` is told when that was refused."""
        self._applier = applier
        self._failed = failed

    async def tell(self, app: HSCJit, body: Mapping[str, Any], observed: Observed) -> Told:
        """Return what there is to say of the backups, after bringing the index up to date."""
        before = body.get("status") or {}
        newest = _newest(observed)
        kept: dict[str, Any] = dict(before.get("backup") or {})
        told = newest
        if newest is not None and newest["ok"]:
            if _stamp(newest) <= _stamp(kept, "lastName") and "index" in kept:
                told = None  # no news, and one that failed since may be gone already
            if _stamp(newest) >= _stamp(kept, "lastName"):
                kept |= _success(newest)
                await self._index(app, body, observed, newest.get("backups"))
        index = names.child(app.name, names.BACKUPS)
        if (kinds.CONFIG_MAP.kind, index) in observed:
            kept["index"] = index
        return Told(kept, _condition(app, told, c.read(before, c.BACKUP_SUCCEEDED)))

    async def _index(
        self, app: HSCJit, body: Mapping[str, Any], observed: Observed, entries: Any
    ) -> None:
        if entries is None:
            return  # its last word was too long to hold them
        text = json.dumps(entries, sort_keys=True, indent=1)
        manifest = record(body, names.BACKUPS, {INDEX: text})
        known = observed.get((kinds.CONFIG_MAP.kind, manifest["metadata"]["name"]))
        if known is not None and known.digest == owned.digest(owned.wanted(manifest)):
            return
        try:
            await self._applier.apply(manifest, known, app.uid, reason="backup-index")
        except (ApiError, NameConflict, Leaving) as error:
            # The status still names the newest backup; the next pass tries again.
            log.warning("Could not write backup index", hscjit=app.name, error=str(error))
            if isinstance(error, ApiError):
                self._failed(error)


def _newest(observed: Observed) -> Mapping[str, Any] | None:
    """Return the last word of the backup pod that ended last, None when none has."""
    ended = [
        (pod.ended, pod.said)
        for _, pod in sight.pods(observed)
        if pod.component == names.BACKUP and pod.ended is not None
    ]
    if not ended:
        return None
    said = max(ended)[1]
    told = sight.outcome(said)
    if told is not None:
        return told
    return {"ok": False, "reason": "NoLastWord", "message": said or "It ended without a word"}


def _stamp(told: Mapping[str, Any], key: str = "stamp") -> str:
    return str(told.get(key, ""))


def _success(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of `status.backup` that a good backup gives."""
    stamp = _stamp(told)
    if not NAME.fullmatch(stamp):
        return {}
    made = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return {
        "lastSuccessTime": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lastSize": int(told.get("size", 0)),
        "lastName": stamp,
    }


def _condition(app: HSCJit, newest: Mapping[str, Any] | None, before: Condition) -> Condition:
    if newest is not None:
        if newest["ok"]:
            reason = "PostgresOnly" if newest["reason"] == "PostgresOnly" else "BackupComplete"
            return Condition(c.BACKUP_SUCCEEDED, "True", reason, newest["message"])
        said = f"{newest['reason']}: {newest['message']}"
        return Condition(c.BACKUP_SUCCEEDED, "False", "BackupFailed", said)
    if before.status != "Unknown":
        return before
    if not app.backup.enabled:
        said = "spec.backup.enabled is false"
        return Condition(c.BACKUP_SUCCEEDED, "Unknown", "BackupDisabled", said)
    return Condition(c.BACKUP_SUCCEEDED, "Unknown", "NeverMade", "No backup has ended yet")
