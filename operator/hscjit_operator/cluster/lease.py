"""Who acts, of several operators? The one that holds the Lease, and only while it renews it.

The Lease is the operator's heartbeat, too: it is renewed only while passes end. All instants are
counted on a monotonic clock; the times of day in the Lease are for its readers. A holder whose
renewals fail stops writing well before anybody else may begin.
"""

import asyncio
import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, Final

import structlog

from hscjit_operator import metrics
from hscjit_operator.cluster.client import Api, Body
from hscjit_operator.cluster.errors import CONFLICT, FORBIDDEN, GONE, UNREACHED, ApiError
from hscjit_operator.cluster.gate import Gate
from hscjit_operator.cluster.kinds import LEASE

log = structlog.stdlib.get_logger(__name__)

CALL_S: Final = 2.0
"""How long one call may take: several fit into the renew deadline."""
SHORTEST_PAUSE_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Terms:
    """For how long a Lease is good. In seconds."""

    duration_s: float = 10.0
    """So long after the last renewal that others saw, one of them takes it."""
    renew_deadline_s: float = 6.0
    """So long after its last renewal the holder stops writing."""
    retry_s: float = 1.5
    """How often the holder renews, and how often the others look."""


@dataclass(frozen=True, slots=True)
class Record:
    """A Lease as the API server keeps it."""

    holder: str
    """Empty when it was let go."""
    version: str
    duration_s: float
    acquired: str
    transitions: int


class Course(Enum):
    """What to do about the Lease now."""

    CREATE = "create"
    RENEW = "renew"
    TAKE = "take"
    WAIT = "wait"


def identity(pod: str) -> str:
    """Return a name for this process: a container that starts anew is another holder."""
    return f"{pod}_{uuid.uuid4().hex[:8]}"


def read(body: Body, terms: Terms) -> Record:
    """Return what a Lease says; what somebody left out by hand is as our terms have it."""
    spec = body.get("spec") or {}
    return Record(
        holder=spec.get("holderIdentity") or "",
        version=body["metadata"]["resourceVersion"],
        duration_s=float(spec.get("leaseDurationSeconds") or terms.duration_s),
        acquired=spec.get("acquireTime") or "",
        transitions=int(spec.get("leaseTransitions") or 0),
    )


def judge(seen: Record | None, me: str, unchanged_s: float, terms: Terms, *, leads: bool) -> Course:
    """Return what follows from a look at the Lease.

    `unchanged_s` says for how long every look has shown the same. One that is missing was deleted
    by hand: who holds it makes it anew at once, the others give it the time to.
    """
    if seen is None:
        return Course.CREATE if leads or unchanged_s >= terms.duration_s else Course.WAIT
    if seen.holder == me:
        return Course.RENEW
    if not seen.holder or unchanged_s >= seen.duration_s:
        return Course.TAKE
    return Course.WAIT


class Lease:
    """Asks for the Lease, renews it, lets go of it."""

    def __init__(
        self,
        api: Api,
        gate: Gate,
        *,
        namespace: str,
        name: str,
        me: str,
        alive: Callable[[], bool],
        changed: Callable[[bool], None],
        clock: Callable[[], float],
        now: Callable[[], datetime],
        terms: Terms = Terms(),
    ) -> None:
        """`api` is for the Lease alone and passes no gate.

        `alive` says whether passes end; `changed` is told when we begin or cease to lead.
        `clock` is monotonic seconds, `now` the time of day.
        """
        self._api = api
        self._gate = gate
        self._namespace = namespace
        self._name = name
        self._me = me
        self._alive = alive
        self._changed = changed
        self._clock = clock
        self._now = now
        self._terms = terms
        self._leads = False
        self._deadline = -math.inf
        self._seen: Record | None = None
        self._seen_since = -math.inf
        """Since when every look has shown the same. Who never saw any makes one at once."""
        self._answered = clock()
        self._refused = ""
        self._troubled = False

    @property
    def leads(self) -> bool:
        """Tell whether this process acts."""
        return self._leads and self._gate.is_open

    @property
    def answered(self) -> float:
        """Return when the API server last answered, on the monotonic clock."""
        return self._answered

    @property
    def refused(self) -> str:
        """Return why the Lease may not be had at all, empty while it may."""
        return self._refused

    async def run(self) -> None:
        """Ask, renew or look, until cancelled."""
        while True:
            await self._round()
            await asyncio.sleep(self._pause())

    async def release(self) -> None:
        """Let go, so that another takes over at once."""
        held = self._seen if self._leads else None
        self._cease("let go")
        if held is None:
            return
        try:
            async with asyncio.timeout(CALL_S):
                await self._let_go(held)
        except (ApiError, TimeoutError) as error:
            log.warning("Could not release Lease", error=str(error))

    async def _let_go(self, held: Record) -> None:
        body = self._body(replace(held, holder=""))
        try:
            await self._api.replace(LEASE, self._namespace, body, reason="release", retries=0)
        except ApiError as error:
            if error.code != CONFLICT:
                raise
            # A renewal that was broken off has arrived all the same.
            found = await self._api.get(LEASE, self._namespace, self._name)
            if found is None or (now := read(found, self._terms)).holder != self._me:
                return
            body = self._body(replace(now, holder=""))
            await self._api.replace(LEASE, self._namespace, body, reason="release", retries=0)

    async def _round(self) -> None:
        if not self._alive():
            # Nobody is told that we are well when we are not; whoever else is there takes over.
            log.error("Not renewing Lease: no pass ended", lease=self._name)
        else:
            left = self._deadline - self._clock() if self._leads else CALL_S
            try:
                async with asyncio.timeout(min(CALL_S, max(left, 0.0))):
                    await self._try()
            except (ApiError, TimeoutError) as error:
                self._note(error)
        if self._leads and self._clock() >= self._deadline:
            self._cease("no renewal in time")

    def _pause(self) -> float:
        """Return how long to wait: to the next renewal or look, or until something is over."""
        now = self._clock()
        ends = [self._terms.retry_s]
        if self._leads:
            ends.append(self._deadline - now)
        elif self._seen is not None and self._seen.holder != self._me:
            ends.append(self._seen_since + self._seen.duration_s - now)
        return min((end for end in ends if end > 0), default=SHORTEST_PAUSE_S) + SHORTEST_PAUSE_S

    async def _try(self) -> None:
        """Renew by what we know; if that is outdated, look and do what follows."""
        began = self._clock()
        if began >= self._deadline:
            self._cease("no renewal in time")
        if self._leads and self._seen is not None:
            try:
                await self._write(replace(self._seen, holder=self._me), began)
            except ApiError as error:
                if error.code not in (CONFLICT, GONE):
                    raise
            else:
                return
        self._look(await self._api.get(LEASE, self._namespace, self._name))
        unchanged = self._clock() - self._seen_since
        match judge(self._seen, self._me, unchanged, self._terms, leads=self._leads):
            case Course.CREATE:
                await self._create(began)
            case Course.RENEW if self._seen is not None:
                await self._write(self._seen, began)
            case Course.TAKE if self._seen is not None:
                said, count = self._said_now(), self._seen.transitions + 1
                taken = replace(self._seen, holder=self._me, acquired=said, transitions=count)
                await self._write(taken, began)
            case _:
                self._cease("another holds it")

    def _look(self, found: Body | None) -> None:
        self._answered = self._clock()
        self._refused, self._troubled = "", False
        seen = None if found is None else read(found, self._terms)
        if seen != self._seen:
            self._seen, self._seen_since = seen, self._clock()

    async def _create(self, began: float) -> None:
        fresh = Record(self._me, "", self._terms.duration_s, self._said_now(), 0)
        body = self._body(fresh)
        self._lead(
            await self._api.create(LEASE, self._namespace, body, reason="acquire", retries=0), began
        )

    async def _write(self, record: Record, began: float) -> None:
        """Write the Lease as ours, in place of the version that was seen: one of two wins."""
        body = self._body(replace(record, duration_s=self._terms.duration_s))
        self._lead(
            await self._api.replace(LEASE, self._namespace, body, reason="renew", retries=0), began
        )

    def _body(self, record: Record) -> Body:
        metadata: dict[str, Any] = {"name": self._name, "namespace": self._namespace}
        if record.version:
            metadata["resourceVersion"] = record.version
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": metadata,
            "spec": {
                "holderIdentity": record.holder,
                "leaseDurationSeconds": math.ceil(record.duration_s),
                "acquireTime": record.acquired or self._said_now(),
                "renewTime": self._said_now(),
                "leaseTransitions": record.transitions,
            },
        }

    def _said_now(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _lead(self, body: Body, began: float) -> None:
        self._look(body)
        self._deadline = began + self._terms.renew_deadline_s
        self._gate.open_until(self._deadline)
        metrics.LEADER.set(1)
        if not self._leads:
            self._leads = True
            log.info("Leading", lease=self._name, holder=self._me)
            self._changed(True)

    def _cease(self, why: str) -> None:
        if not self._leads:
            return
        self._leads, self._deadline = False, -math.inf
        self._gate.shut()
        metrics.LEADER.set(0)
        log.warning("Standing by", lease=self._name, reason=why)
        self._changed(False)

    def _note(self, error: ApiError | TimeoutError) -> None:
        """Keep in mind what a failed round tells of the API server and of our rights."""
        if isinstance(error, ApiError) and error.code != UNREACHED:
            self._answered = self._clock()
            if error.code == FORBIDDEN and str(error) != self._refused:
                self._refused = str(error)
                log.error("May not use Lease", error=self._refused)
        if not self._troubled:
            self._troubled = True
            log.warning("Could not use Lease", error=str(error) or type(error).__name__)
