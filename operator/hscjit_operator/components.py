"""How do the parts of an HSCJit stand? Of what is observed: pods wanted, ready, on their way."""

from collections.abc import Mapping
from typing import Any, Final

from hscjit_operator import names
from hscjit_operator.decisions.readiness import EXTERNAL, Component
from hscjit_operator.model import status as s
from hscjit_operator.model.observed import Observed, PodFacts, Scaled
from hscjit_operator.model.spec import HSCJit

KINDS: Final[Mapping[str, str]] = {
    names.API: "Deployment",
    names.WORKER: "Deployment",
    names.BEAT: "Deployment",
    names.REDIS_CACHE: "StatefulSet",
    names.REDIS_QUEUE: "StatefulSet",
    names.POSTGRES: "StatefulSet",
}
"""Component → kind of what runs it."""


def scaled(observed: Observed, name: str, component: str) -> Scaled | None:
    """Return what runs a component, None when it does not exist."""
    child = observed.get((KINDS[component], names.child(name, component)))
    return child.facts if child is not None and isinstance(child.facts, Scaled) else None


def rolling(observed: Observed, rolled: Mapping[tuple[str, str], int], name: str, of: str) -> bool:
    """Tell whether a component's pods are being replaced by those of a newer template."""
    found = scaled(observed, name, of)
    if found is None:
        return False
    newest = rolled.get((KINDS[of], names.child(name, of)), 0)
    return found.desired > 0 and (found.rolling or found.seen < newest)


def standing(
    observed: Observed,
    rolled: Mapping[tuple[str, str], int],
    name: str,
    before: Mapping[str, Any],
    app: HSCJit | None,
) -> dict[str, Component]:
    """Return every component as it is observed, absent ones included; `before` is the status.

    Without a spec that can be read, those stay external which the status calls so.
    """
    found = {}
    written = before.get("components") or {}
    for component in KINDS:
        reason, _ = _before(written.get(s.COMPONENTS[component]) or {})
        if component in app.outside if app is not None else reason == EXTERNAL:
            found[component] = Component(0, 0, external=True)
            continue
        facts = scaled(observed, name, component)
        if facts is None:
            found[component] = Component(0, 0, present=False)
            continue
        found[component] = Component(
            desired=facts.desired,
            ready=facts.ready,
            rolling=rolling(observed, rolled, name, component),
            stuck=facts.stuck,
            trouble=facts.refused or (_trouble(observed, component) if facts.short else ""),
            before=_before(written.get(s.COMPONENTS[component]) or {}),
        )
    return found


def _before(written: Mapping[str, Any]) -> tuple[str, int]:
    return str(written.get("reason", "")), int(written.get("ready", 0))


def total(observed: Observed, name: str) -> int:
    """Return how many API pods there are."""
    found = scaled(observed, name, names.API)
    return found.total if found else 0


def _trouble(observed: Observed, component: str) -> str:
    pods = (
        child.facts
        for (kind, _), child in sorted(observed.items())
        if kind == "Pod" and not child.deleting
    )
    return next(
        (
            pod.trouble
            for pod in pods
            if isinstance(pod, PodFacts) and pod.component == component and pod.trouble
        ),
        "",
    )
