"""What would a newer operator change by itself, and may it? Nothing, until its plan is approved.

What an HSCJit runs is pinned: the images and the template version it was made with stay. Where the
operator brings others, and the spec leaves the choice to it, it offers a plan. The annotation
hscjit.dev/approve with the plan's hash has it carried out, in the next maintenance window. That it
begins is written into the status before anything is done, so it is carried out as a whole whatever
dies in between; taking the annotation away calls off what has not yet happened.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from hscjit_operator import names
from hscjit_operator.decisions.restart import stamp
from hscjit_operator.decisions.windows import opening
from hscjit_operator.model.spec import Window

_MAJOR: Final = re.compile(r":v?([0-9]+)(?:[.-][^:/]*)?$")


@dataclass(frozen=True, slots=True)
class Release:
    """What an HSCJit runs, or would."""

    image: str
    """Of API, workers, beat and the app's jobs."""
    version: str
    """Of the pod templates."""
    redis: str
    postgres: str

    def with_(self, changes: Mapping[str, str]) -> "Release":
        """Return it with the parts that a plan changes."""
        parts = {part: changes[key] for part, key in _KEYS.items() if key in changes}
        return replace(self, **parts)


_KEYS: Final = {
    "image": "image",
    "version": "version",
    "redis": "redisImage",
    "postgres": "postgresImage",
}
"""Part of a release → its key in `status.plan`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is offered, or being carried out."""

    changes: Mapping[str, str]
    """Key in `status.plan` → the new value."""
    hash: str
    approved: bool = False
    begun: bool = False
    """It is carried out, as the status will say."""
    due: datetime | None = None
    """When an approved one begins."""
    message: str = ""
    restarts: tuple[str, ...] = ()
    """Names of the Deployments and StatefulSets whose pods it replaces."""

    def as_dict(self) -> dict[str, Any]:
        """Return `status.plan`."""
        told: dict[str, Any] = {"hash": self.hash, **self.changes, "message": self.message}
        if self.restarts:
            told["restarts"] = list(self.restarts)
        if self.begun:
            told["begun"] = True
        if self.due is not None:
            told["dueTime"] = stamp(self.due)
        return told


def under_way(recorded: Mapping[str, Any], asked: str | None) -> Mapping[str, str]:
    """Return the changes of a plan that is being carried out, empty for none.

    `recorded` is `status.plan`, `asked` the value of the annotation.
    """
    if not recorded.get("begun") or asked != recorded.get("hash"):
        return {}
    return {key: recorded[key] for key in _KEYS.values() if key in recorded}


def decide(
    used: Release,
    newest: Release,
    *,
    fixed: frozenset[str],
    going: Mapping[str, str],
    asked: str | None,
    windows: Sequence[Window],
    held: str,
    now: datetime,
) -> Plan | None:
    """Return the plan there is, None when nothing newer is to be had.

    `used` is what the status will say is in use, `newest` what the operator brings, `fixed` the
    parts that the spec decides ("image", "version"), `going` the changes `under_way` and `asked`
    the annotation. `held` says why nothing may begin now; "" when it may.
    """
    if going and used.with_(going) != used:
        return Plan(going, _hash(going), begun=True, message="It is being carried out")
    changes = _changes(used, newest, fixed)
    if not changes:
        return None
    plan = Plan(changes, _hash(changes))
    if asked != plan.hash:
        other = f"; {asked[:64]!r} approves another one" if asked else ""
        said = f"To carry it out set {names.ANNOTATION_APPROVE}: {plan.hash}{other}"
        return replace(plan, message=said)
    plan = replace(plan, approved=True)
    if held:
        return replace(plan, message=f"Approved; it waits: {held}")
    due = opening(windows, now)
    if due > now:
        said = f"Approved; it begins at {stamp(due)}: the next maintenance window opens then"
        return replace(plan, due=due, message=said)
    return replace(plan, begun=True, message="It is being carried out")


def _changes(used: Release, newest: Release, fixed: frozenset[str]) -> dict[str, str]:
    now, then = asdict(used), asdict(newest)
    return {
        key: then[part]
        for part, key in _KEYS.items()
        if now[part] != then[part]
        and part not in fixed
        and not (part == "postgres" and _another_major(used.postgres, newest.postgres))
    }


def _another_major(used: str, newest: str) -> bool:
    """Tell whether two images of Postgres name different major versions.

    A newer server does not read an older one's files: a dump and a restore get there, no rollout.
    """
    majors = [found[1] for image in (used, newest) if (found := _MAJOR.search(image))]
    return len(set(majors)) > 1


def _hash(changes: Mapping[str, str]) -> str:
    text = json.dumps(dict(changes), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
