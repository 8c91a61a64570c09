"""What does `kubectl describe` tell beside the conditions? Few Events, each with a reason."""

import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

import structlog

from hscjit_operator import metrics, names
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.errors import ApiError

log = structlog.stdlib.get_logger(__name__)

QUIET_S: Final = 300.0
"""The same Event on the same object is not posted again for so long."""
_REMEMBERED: Final = 4096
_NOTE_AT_MOST: Final = 1000

Kind = Literal["Normal", "Warning"]


class Events:
    """Posts Events on HSCJits; one that cannot be posted is only logged."""

    def __init__(
        self,
        api: Api,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        failed: Callable[[ApiError], None] = lambda _error: None,
    ) -> None:
        """`clock` is monotonic seconds, `now` the time of day with its zone.

        `failed` is told of each Event that could not be posted.
        """
        self._api = api
        self._clock = clock
        self._now = now
        self._failed = failed
        self._posted: OrderedDict[tuple[str, str, str], float] = OrderedDict()

    async def post(self, body: Mapping[str, Any], kind: Kind, reason: str, note: str) -> None:
        """Post one Event on an HSCJit, unless the same was posted a moment ago."""
        metadata = body["metadata"]
        told = (metadata["uid"], reason, note)
        at = self._clock()
        if self._posted.get(told, at - QUIET_S) > at - QUIET_S:
            return
        self._posted[told] = at
        self._posted.move_to_end(told)
        if len(self._posted) > _REMEMBERED:
            self._posted.popitem(last=False)
        event = {
            "apiVersion": kinds.EVENT.api_version,
            "kind": kinds.EVENT.kind,
            "metadata": {
                "name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}",
                "namespace": metadata["namespace"],
            },
            "eventTime": self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": names.MANAGER,
            "reportingInstance": names.MANAGER,
            "action": "Reconcile",
            "type": kind,
            "reason": reason,
            "note": note[:_NOTE_AT_MOST],
            "regarding": {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
        }
        metrics.EVENTS.labels(reason).inc()
        try:
            await self._api.create(kinds.EVENT, metadata["namespace"], event)
        except ApiError as error:
            log.warning("Could not post Event", reason=reason, error=str(error))
            self._failed(error)
