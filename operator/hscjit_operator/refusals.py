"""What does a refused call mean for an HSCJit, and which field of its spec is at fault?"""

from typing import Final

from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.errors import FORBIDDEN, INVALID, ApiError
from hscjit_operator.cluster.rights import lacks
from hscjit_operator.decisions import immutable
from hscjit_operator.decisions.drift import Change, Name
from hscjit_operator.decisions.readiness import Gravity, Problem
from hscjit_operator.manifests.origin import origin
from hscjit_operator.model.spec import HSCJit

_CAUSES_SHOWN: Final = 3
"""Of one child: a field that is wrong once is often wrong in several ways."""


def problem_of(error: ApiError, name: Name, app: HSCJit | None = None) -> Problem:
    """Return what a refused call means for the HSCJit; `app` lets fields of the spec be named."""
    kind, child = name
    if error.code in INVALID:
        return Problem(Gravity.SPEC, "Refused", _refused(error, name, app), retry=True)
    if error.code == FORBIDDEN:
        said = (
            lacks(error.verb, f"{kind} {child}", error.right)
            if error.right
            else f"{error.verb} {kind} {child} is forbidden: {error.message}"
        )
        return Problem(Gravity.FAULT, "Forbidden", said, retry=True)
    said = f"{error.verb} {kind} {child}: {error.reason}"
    return Problem(Gravity.FAULT, "Failing", said, retry=True)


def stands_in_its_way(error: ApiError, change: Change) -> bool:
    """Tell whether a child that is there stands in its own way, and not the spec."""
    known = change.known is not None and change.name[0] != kinds.CLAIM.kind
    return known and error.code in INVALID and immutable.is_fixed(error.causes)


def _refused(error: ApiError, name: Name, app: HSCJit | None) -> str:
    """Return which fields are at fault and why: those of the spec, where they come from it."""
    kind, child = name
    told = []
    for field_path, why in error.causes[:_CAUSES_SHOWN]:
        asked = origin(app, kind, child, field_path) if app else None
        told.append(
            f"{asked}: {why} ({kind} {child})" if asked else f"{kind} {child}, {field_path}: {why}"
        )
    return "; ".join(told) or f"{kind} {child}: {error.message}"
