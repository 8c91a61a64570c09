"""How do the children come to be as wanted? Compare digests, then apply, restore and prune.

While nothing changed this builds no manifest and calls nobody.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from hscjit_operator import manifests, metrics, names
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.apply import Applier, Leaving, LeftBehind, NameConflict
from hscjit_operator.cluster.errors import GONE, INVALID, ApiError
from hscjit_operator.cluster.events import Events
from hscjit_operator.decisions import drift, immutable
from hscjit_operator.decisions.drift import Change, Name, Why
from hscjit_operator.decisions.readiness import Gravity, Problem
from hscjit_operator.memory import Memory
from hscjit_operator.model import facts, owned
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.observed import Child, Scaled
from hscjit_operator.model.pause import Pause
from hscjit_operator.model.spec import HSCJit
from hscjit_operator.refusals import problem_of, stands_in_its_way

log = structlog.stdlib.get_logger(__name__)

Manifest = Mapping[str, Any]

_LATER: Final = frozenset({"StatefulSet", "Deployment", "Job", "CronJob"})
"""Kinds whose pods need the others: made after them, so that no pod starts in vain."""
_UNTRIED: Final = frozenset({"Service"})
"""Kinds that the server may refuse though it let them pass when it was only asked: whether a node's
port is within the cluster's range is not looked at then. A new spec is begun with them."""
_USED_BY_PODS: Final = frozenset({"StatefulSet", "Service", "NetworkPolicy"})
"""Kinds that pods of an older template may need to their end: removed after them."""
_PODS: Final = frozenset({"StatefulSet", "Deployment"})
_OPTIONAL: Final = frozenset(kind.kind for kind in kinds.OPTIONAL)
_UNSERVED_S: Final = 60.0
"""How long a child is not tried again whose kind has left: by then the kinds are asked for anew."""


@dataclass(frozen=True)
class Order:
    """What one pass wants of the children."""

    app: HSCJit
    inputs: Inputs
    observed: Mapping[Name, Child]
    body: Mapping[str, Any]
    """Of the HSCJit, for Events."""
    settled_before: bool
    """The status says that everything was in place for the present generation."""
    try_first: bool
    """A new spec of an HSCJit that runs: the server is asked before anything is changed."""
    pause: Pause
    gathers: bool
    """Pods of the app that run keep their template: an image that is to come brings the new one."""
    now: float


class Upkeep:
    """Brings the children to what an order wants."""

    def __init__(self, applier: Applier, events: Events) -> None:
        """Write through `applier`, tell of drift through `events`."""
        self._applier = applier
        self._events = events

    async def tend(self, order: Order, memory: Memory) -> tuple[list[Problem], bool]:
        """Apply what differs, prune what is wanted no more.

        Returns what did not work, and whether anything was done.
        """
        fresh = memory.app is None
        built = self._imagine(order, memory)
        if order.gathers:
            built = built or self._build(order, memory)
        if order.pause.holds("all"):
            return [], False
        wanted = memory.wanted
        expected = wanted if fresh and order.settled_before else ()
        changed = [
            change
            for change in drift.changes(
                wanted, order.observed, memory.standing, memory.rewritten, expected
            )
            if not self._held(change, order, memory, built)
            and order.now - memory.unserved.get(change.name, -math.inf) >= _UNSERVED_S
        ]
        problems = [
            Problem(Gravity.FAULT, "StorageFixed", said) for said in self._fixed_said(memory)
        ]
        if changed:
            built = built or self._build(order, memory)
            if order.try_first:
                refused = await self._try(order, built, changed)
                if refused:
                    return problems + refused, False
            for wave in _waves(changed, careful=order.try_first):
                done = (self._apply(order, memory, built[change.name], change) for change in wave)
                problems += [problem for problem in await asyncio.gather(*done) if problem]
                if order.try_first and any(p.gravity is Gravity.SPEC for p in problems):
                    return problems, True  # refused in earnest only: the rest stays as it is
        self._remember(order, memory)
        if not (changed or memory.lean):
            memory.share(order.observed)
        problems += await self._clear(order, memory)
        return problems, bool(changed)

    def _imagine(self, order: Order, memory: Memory) -> dict[Name, Manifest] | None:
        """Find out what is wanted, unless that is known already; return what was built for it."""
        if memory.app is order.app and memory.inputs == order.inputs:
            return None
        memory.fixed.clear()
        built = self._build(order, memory)
        memory.wanted = {name: owned.digest(owned.wanted(m)) for name, m in built.items()}
        memory.app, memory.inputs, memory.lean = order.app, order.inputs, False
        return built

    @staticmethod
    def _build(order: Order, memory: Memory) -> dict[Name, Manifest]:
        """Build the manifests, with the claim templates that are in place: no others are taken."""
        built: dict[Name, Manifest] = {}
        for manifest in manifests.desired(order.app, order.inputs):
            name = _name(manifest)
            built[name] = manifest
            child = order.observed.get(name)
            wanted = manifest.get("spec", {}).get("volumeClaimTemplates")
            if child is None or not isinstance(child.facts, Scaled) or not wanted:
                continue
            if child.facts.claim_templates != facts.claim_templates(wanted):
                fixed = facts.read_claim_templates(child.facts.claim_templates)
                memory.fixed[name] = fixed
                spec = {**manifest["spec"], "volumeClaimTemplates": fixed}
                built[name] = {**manifest, "spec": spec}
        return built

    @staticmethod
    def _fixed_said(memory: Memory) -> list[str]:
        return [
            f"{kind} {name}: size or class of its volume differs from the spec and cannot be "
            "changed in place; set the spec back, or move the data through a backup"
            for kind, name in memory.fixed
        ]

    @staticmethod
    def _held(
        change: Change, order: Order, memory: Memory, built: Mapping[Name, Manifest] | None
    ) -> bool:
        kind = change.name[0]
        if change.known is None or change.why is not Why.UPDATE or kind not in _PODS:
            return False
        if order.gathers and built and kind == "Deployment":
            template = owned.digest(built[change.name]["spec"]["template"])
            if memory.templates.get(change.name) != template:
                return True
        return order.pause.holds("rollout")

    async def _try(
        self, order: Order, built: Mapping[Name, Manifest], changed: Sequence[Change]
    ) -> list[Problem]:
        """Ask the server what it would say to all changes; return its refusals."""

        async def ask(change: Change) -> Problem | None:
            manifest = built[change.name]
            try:
                await self._applier.try_out(manifest, change.known, order.app.uid)
            except ApiError as error:
                if error.code in INVALID and not stands_in_its_way(error, change):
                    return problem_of(error, change.name, order.app)
                return None
            except (NameConflict, Leaving, LeftBehind):
                return None  # said when it is applied in earnest
            return None

        asked = await asyncio.gather(*(ask(change) for change in changed))
        return [problem for problem in asked if problem]

    async def _apply(
        self, order: Order, memory: Memory, manifest: Manifest, change: Change
    ) -> Problem | None:
        kind, name = change.name
        reason = change.why.value
        try:
            where = await self._where(manifest, change) if change.why is Why.DRIFT else ""
            log.info("Applying child", kind=kind, name=name, reason=reason, diff=where)
            child = await self._applier.apply(
                manifest,
                change.known,
                order.app.uid,
                reason=reason,
                address=_address(order, change.name),
                adopt=order.app.bootstrap.adopt_volumes,
                taken=change.name in memory.taken,
            )
        except ApiError as error:
            if error.code == GONE and kind in _OPTIONAL:
                memory.unserved[change.name] = order.now
                return None  # its kind has just left; so will the wish for it, within a minute
            if stands_in_its_way(error, change):
                return await self._make_anew(order, change, error)
            return problem_of(error, change.name, order.app)
        except (NameConflict, LeftBehind, Leaving) as other:
            memory.taken.add(change.name)
            return _TAKEN[type(other)](str(other))
        memory.taken.discard(change.name)
        memory.note(change.name, child)
        self._note_template(memory, manifest, change.name, child)
        if where:
            await self._tell_drift(order, change, where)
        return None

    async def _make_anew(self, order: Order, change: Change, error: ApiError) -> Problem | None:
        """Delete what can never become as wanted, where nothing is lost by it; else say so."""
        kind, name = change.name
        if change.known is None or kind not in immutable.REMADE:
            said = immutable.way_out(kind, name, error.causes)
            return Problem(Gravity.FAULT, "Immutable", said, retry=True)
        log.info("Deleting child", kind=kind, name=name, reason="immutable")
        try:
            await self._applier.prune(change.known, order.app.namespace, "immutable", orphan=True)
        except ApiError as refused:
            return problem_of(refused, change.name)
        said = f"{kind} {name} is made anew: {error.causes[0][0]} can never change"
        if kind in _PODS:
            said += "; pods with other labels than its own stay, with their ReplicaSet"
        await self._events.post(order.body, "Normal", "MadeAnew", said)
        return Problem(Gravity.WAIT, "Leaving", said)

    @staticmethod
    def _note_template(memory: Memory, manifest: Manifest, name: Name, child: Child) -> None:
        if isinstance(child.facts, Scaled):
            template = owned.digest(manifest["spec"]["template"])
            if memory.templates.get(name) != template:
                memory.templates[name] = template
                memory.rolled[name] = child.facts.generation

    async def _where(self, manifest: Manifest, change: Change) -> str:
        """Return the path of the first field that somebody changed, or "deleted"."""
        live = await self._applier.read(manifest) if change.known is not None else None
        if live is None:
            return "deleted"
        return owned.first_difference(owned.wanted(manifest), owned.held(live)) or "owner"

    async def _tell_drift(self, order: Order, change: Change, where: str) -> None:
        """Say in a metric and in an Event what was changed behind our back, and restored."""
        kind, name = change.name
        metrics.DRIFT.labels(kind, where.partition("[")[0]).inc()
        did = "deleted" if where == "deleted" else f"changed at {where}"
        note = f"{kind} {name} was {did}; restored it"
        await self._events.post(order.body, "Normal", "DriftRestored", note)

    @staticmethod
    def _remember(order: Order, memory: Memory) -> None:
        """Note what was found in place, so that a later difference is known for drift."""
        for name, digest in memory.wanted.items():
            child = order.observed.get(name)
            if child is not None and child.digest == digest:
                memory.note(name, child)
        if not manifests.complete(order.app, order.inputs):
            return  # what is not wanted yet may have stood before, and may be wanted again
        for name in [name for name in memory.standing if name not in memory.wanted]:
            del memory.standing[name]
            memory.rewritten.pop(name, None)

    async def _clear(self, order: Order, memory: Memory) -> list[Problem]:
        app, wanted = order.app, memory.wanted
        kept = {
            ("ConfigMap", names.child(app.name, names.LEDGER)),
            ("ConfigMap", names.child(app.name, names.BACKUPS)),
        }
        gone = []
        if manifests.complete(app, order.inputs):
            older = drift.older_pods(order.observed, memory.rolled)
            not_yet = _USED_BY_PODS if older else frozenset()
            gone = [
                child
                for child in drift.superfluous(wanted, kept, order.observed, app.uid)
                if child.kind not in (_OPTIONAL - order.inputs.served) | not_yet
            ]
        problems = []
        for child, reason in [
            *((child, "prune") for child in gone),
            *((child, "retry") for child in drift.spent(wanted, order.observed, order.now)),
        ]:
            log.info("Deleting child", kind=child.kind, name=child.name, reason=reason)
            try:
                await self._applier.prune(child, app.namespace, reason)
            except ApiError as error:
                problems.append(problem_of(error, (child.kind, child.name)))
        return problems


_TAKEN: Final[Mapping[type[Exception], Callable[[str], Problem]]] = {
    NameConflict: partial(Problem, Gravity.STALL, "NameConflict"),
    LeftBehind: partial(Problem, Gravity.STALL, "VolumesLeftBehind"),
    Leaving: partial(Problem, Gravity.WAIT, "Leaving"),
}


def _address(order: Order, name: Name) -> str | None:
    """Return the address a Service is to be made with, where that matters to anybody."""
    manuals = ("Service", names.child(order.app.name, names.MANUALS))
    return order.inputs.manuals_ip if name == manuals else None


def _waves(changed: Sequence[Change], *, careful: bool) -> list[list[Change]]:
    """Return the changes in the order of their making; those made at once stand together."""
    doubtful = _UNTRIED if careful else frozenset()
    first = [change for change in changed if change.name[0] in doubtful]
    early = [change for change in changed if change.name[0] not in _LATER | doubtful]
    later = [change for change in changed if change.name[0] in _LATER]
    return [wave for wave in (first, early, later) if wave]


def _name(manifest: Manifest) -> Name:
    return manifest["kind"], manifest["metadata"]["name"]
