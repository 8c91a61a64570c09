"""What becomes of a child with a field that differs and that the server never changes?"""

import re
from collections.abc import Iterable
from typing import Final

_NEVER: Final = re.compile(r"immutable|updates to statefulset spec for fields other than")
"""How the API server says of a field that it stays as it was made."""

REMADE: Final = frozenset({"ConfigMap", "Deployment"})
"""Kinds that are made anew without a loss: a ConfigMap is a function of the spec, and the pods of a
Deployment outlive it and are taken up by the next one where they bear its labels."""


def is_fixed(causes: Iterable[tuple[str, str]]) -> bool:
    """Tell whether a refusal is about a field that can never change; `causes` are the server's."""
    return any(_NEVER.search(why) for _, why in causes)


def way_out(kind: str, name: str, causes: Iterable[tuple[str, str]]) -> str:
    """Return what to say of a child that data hang on, which the operator leaves as it is."""
    fields = ", ".join(dict.fromkeys(field for field, why in causes if _NEVER.search(why)))
    said = f"{kind} {name}: {fields} differs from what it was made with and can never change"
    if kind == "StatefulSet":
        return (
            f"{said}; kubectl delete statefulset {name} --cascade=orphan, and it is made anew "
            "around its pod and its volume"
        )
    return f"{said}; put it back, or move the data through a backup"
