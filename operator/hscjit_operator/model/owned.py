"""Which fields of a live object are ours, and do they still hold what we would apply?

Server-side apply notes in `managedFields` exactly the fields our last apply held; a field that
somebody else changed is theirs from then on. So the fields we own, with their values, equal the
manifest for as long as nobody touched it: two digests tell, without a body kept in memory and
without a checksum annotated on anybody's object.

The server rewrites some values (quantities, defaults inside atomic lists, empty values left out);
`canonical` brings both sides to one form. Where a rewriting is not known here, nothing breaks: the
digest that our own apply resulted in is remembered beside the manifest's.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from types import NoneType
from typing import Any, Final

from hscjit_operator import names

EMPTY: Final = "\u2205"
"""Stands for every value that an API server leaves out when it is empty: null, "", 0, false…"""

_QUANTITIES: Final = frozenset({"requests", "limits", "capacity"})
"""Keys whose values are maps of quantities."""
_QUANTITY: Final = frozenset({"sizeLimit", "averageValue", "divisor", "storage"})
"""Keys whose value is one quantity."""
_FACTORS: Final[Mapping[str, Decimal]] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
}
_LEAVES: Final = (str, int, float, NoneType)
_IDENTITY: Final = frozenset({"name", "namespace", "uid", "resourceVersion"})
"""Metadata that says which object is meant: nobody owns it."""


def digest(value: Any) -> bytes:
    """Return 12 bytes that stand for a canonical value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=12).digest()


def wanted(manifest: Mapping[str, Any]) -> Any:
    """Return what a manifest says about its object, in canonical form."""
    said = {k: v for k, v in manifest.items() if k not in ("apiVersion", "kind")}
    metadata = said.get("metadata", {})
    said["metadata"] = {k: v for k, v in metadata.items() if k not in _IDENTITY}
    return canonical(said)


def held(body: Mapping[str, Any]) -> Any:
    """Return what a live object holds in the fields our apply owns, in canonical form."""
    return canonical(_pick(body, fields(body) or {".": {}}))


def fields(body: Mapping[str, Any], manager: str = names.MANAGER) -> Mapping[str, Any]:
    """Return the `fieldsV1` that a manager's apply owns, empty if it owns none."""
    for entry in body.get("metadata", {}).get("managedFields", ()):
        if (
            entry.get("manager") == manager
            and entry.get("operation") == "Apply"
            and not entry.get("subresource")
        ):
            owned: Mapping[str, Any] = entry.get("fieldsV1", {})
            return owned
    return {}


def owns(body: Mapping[str, Any], *path: str) -> bool:
    """Tell whether our main apply owns a field, such as `owns(body, "spec", "replicas")`."""
    found: Any = fields(body)
    for step in path:
        found = found.get(f"f:{step}")
        if found is None:
            return False
    return True


def _pick(value: Any, owned: Mapping[str, Any]) -> Any:
    """Return the part of a value that a `fieldsV1` tree names; {} in the tree means all of it."""
    if not owned:
        return value
    if isinstance(value, Mapping):
        return {
            key[2:]: _pick(value.get(key[2:]), tree)
            for key, tree in owned.items()
            if key.startswith("f:")
        }
    if isinstance(value, list):
        keyed = [(json.loads(key[2:]), tree) for key, tree in owned.items() if key[:2] == "k:"]
        single = [json.loads(key[2:]) for key in owned if key[:2] == "v:"]
        picked = []
        for item in value:
            if item in single:
                picked.append(item)
            for keys, tree in keyed:
                if isinstance(item, Mapping) and all(item.get(k) == v for k, v in keys.items()):
                    picked.append(_pick(item, tree))
        return picked
    return value


def canonical(value: Any, key: str = "") -> Any:
    """Return the one form in which a sent value and its stored twin are equal."""
    if isinstance(value, _LEAVES):  # most values, and far sooner told than a Mapping
        return quantity(value) if key in _QUANTITY else value or EMPTY
    if isinstance(value, Mapping):
        if key in _QUANTITIES:
            return {k: quantity(v) for k, v in value.items()} or EMPTY
        value = _DEFAULTED[key](value) if key in _DEFAULTED else value
        return {k: canonical(v, k) for k, v in value.items()} or EMPTY
    if isinstance(value, list | tuple):
        return [canonical(item, key) for item in value] or EMPTY
    return value or EMPTY


def quantity(value: Any) -> Any:
    """Return a Kubernetes quantity as a plain number's text; what is none stays as it is."""
    text = str(value)
    number = text.rstrip("numkMGTPi")
    try:
        amount = Decimal(number) * _FACTORS.get(text[len(number) :], Decimal(1))
    except InvalidOperation:
        return value or EMPTY
    return format(amount.normalize(), "f")


def _claim_template(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Drop what the server adds to each of a StatefulSet's claim templates."""
    kept = {k: v for k, v in value.items() if k not in ("apiVersion", "kind", "status")}
    metadata = {k: v for k, v in kept.get("metadata", {}).items() if v is not None}
    return {
        **kept,
        "metadata": metadata,
        "spec": {"volumeMode": "Filesystem", **kept.get("spec", {})},
    }


def _field_ref(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"apiVersion": "v1", **value}


def _port(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"protocol": "TCP", **value}


_DEFAULTED: Final[Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]] = {
    "volumeClaimTemplates": _claim_template,
    "fieldRef": _field_ref,
    "ports": _port,
}
"""Defaults the server writes into values that are owned as a whole, by the key they stand under."""


def first_difference(asked: Any, found: Any, path: str = "") -> str:
    """Return the path of the first field in which two canonical values differ, "" if none."""
    if asked == found:
        return ""
    if isinstance(asked, Mapping) and isinstance(found, Mapping):
        for key in sorted({*asked, *found}):
            if asked.get(key) != found.get(key):
                step = f"{path}.{key}" if path else key
                return first_difference(asked.get(key), found.get(key), step)
    if isinstance(asked, list) and isinstance(found, list) and len(asked) == len(found):
        for index, (one, other) in enumerate(zip(asked, found, strict=True)):
            if one != other:
                name = one.get("name", index) if isinstance(one, Mapping) else index
                return first_difference(one, other, f"{path}[{name}]")
    return path
