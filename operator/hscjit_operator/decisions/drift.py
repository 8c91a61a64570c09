"""Which children differ from what is wanted, why, and which are wanted no more?"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hscjit_operator import names
from hscjit_operator.model.observed import Child, JobFacts, PodFacts, Scaled

Name = tuple[str, str]
"""Kind and name of a child."""

RETRY_JOB_S: Final = 60.0
"""A Job of ours that failed is made anew after so long: what it needed may be there by then."""

_APP: Final = (names.API, names.WORKER, names.BEAT)
_NEVER_PRUNED: Final = frozenset({"Pod", "PersistentVolumeClaim", "Secret"})
"""Pods are their controller's; claims and Secrets hold what cannot be made again."""


class Why(StrEnum):
    """Why a child is applied."""

    CREATE = "create"
    """It was never there."""
    UPDATE = "update"
    """Something else is wanted of it than before."""
    DRIFT = "drift"
    """Somebody changed or deleted it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One child that has to be applied."""

    name: Name
    why: Why
    known: Child | None


def changes(
    wanted: Mapping[Name, bytes],
    observed: Mapping[Name, Child],
    standing: Mapping[Name, bytes],
    rewritten: Mapping[Name, bytes],
    expected: Collection[Name],
) -> Iterator[Change]:
    """Return what has to be applied for the children to be as wanted.

    `wanted` and `standing` hold digests of manifests: those wanted, and those that were seen in
    place; `rewritten` of what the live object held then, where that was not the same. `expected`
    are those of which we know that they were in place before, with the same spec: where one is
    missing or another, somebody else did it.
    """
    for name, digest in wanted.items():
        child = observed.get(name)
        stood = standing.get(name)
        if child is None:
            lost = stood is not None or name in expected
            yield Change(name, Why.DRIFT if lost and name[0] != "Job" else Why.CREATE, None)
        elif child.deleting or (name[0] == "Job" and child.controller_uid):
            continue  # gone first, then made anew; and a Job's template can never change
        elif child.digest != digest and (stood != digest or rewritten.get(name) != child.digest):
            same = name in expected if stood is None else stood == digest
            yield Change(name, Why.DRIFT if same else Why.UPDATE, child)


def older_pods(observed: Mapping[Name, Child], rolled: Mapping[Name, int]) -> bool:
    """Tell whether pods of an older template may still run, or end what they have begun.

    `rolled` is the generation that brought the newest template. A pod of the app that is on its way
    out counts in no number of its Deployment, and hands its answers over meanwhile.
    """
    return any(_older(child, rolled.get(name, 0)) for name, child in observed.items())


def _older(child: Child, newest: int) -> bool:
    match child.facts:
        case Scaled() as found:
            return child.kind == "Deployment" and (found.rolling or found.seen < newest)
        case PodFacts() as pod:
            ended = pod.phase in ("Succeeded", "Failed")
            return child.deleting and not ended and pod.component in _APP
    return False


def superfluous(
    wanted: Collection[Name],
    kept: Collection[Name],
    observed: Mapping[Name, Child],
    uid: str,
) -> list[Child]:
    """Return the children of that HSCJit which are wanted no more.

    Known by their owner's UID, never by name alone: a former HSCJit of the same name had others.
    """
    return [
        child
        for name, child in observed.items()
        if name not in wanted
        and name not in kept
        and name[0] not in _NEVER_PRUNED
        and not child.deleting
        and uid == child.owner_uid
        and child.controller_uid in ("", uid)
    ]


def spent(wanted: Collection[Name], observed: Mapping[Name, Child], now: float) -> list[Child]:
    """Return the Jobs that failed long enough ago to be made anew."""
    return [
        child
        for name, child in observed.items()
        if name in wanted
        and isinstance(child.facts, JobFacts)
        and child.facts.outcome == "Failed"
        and not child.deleting
        and now - (child.facts.finished or now) >= RETRY_JOB_S
    ]
