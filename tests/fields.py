"""Every optional field of the spec with a value that is not its default, read from the schema.

A new field takes part by itself, or whoever imports this is told that it needs a value here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

SOURCE: Final = Path(__file__).parents[1] / "crds" / "hscjit.yaml"
CRD: Final[Mapping[str, Any]] = yaml.load(SOURCE.read_text(), yaml.CSafeLoader)
"""Read once for all tests of a process, by the quick reader: it is long."""
SPEC: Final = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
NAMED: Final = "named"
"""Whatever a spec names is called so."""
ADDRESSES: Final = {
    "cache": "rediss://cache.example.com:6379/0",
    "queue": "rediss://queue.example.com:6379/0",
    "dsn": "postgresql://user:password@db.example.com:5432/hscjit",
}
"""What the Secret of that name holds."""

Spec = dict[str, Any]
Path_ = tuple[str, ...]


class Field(NamedTuple):
    """One optional field, or a block that stands or falls as a whole."""

    path: Path_
    schema: Mapping[str, Any]

    @property
    def dotted(self) -> str:
        """Return it as a user writes it, without `spec`."""
        return ".".join(self.path)

    @property
    def base(self) -> Spec:
        """Return the spec in which it may be absent: the blocks around it, where they need more."""
        around = (_known(self.path[:length]) for length in range(1, len(self.path)))
        return merged(*(spec for spec in around if spec))

    @property
    def sample(self) -> Spec:
        """Return a spec in which it has a value that is not its default."""
        return merged(self.base, _known(self.path) or _nested(self.path, _value(self)))

    @property
    def taken_away(self) -> Path_:
        """Return what has to be removed for its sample to be gone: the block, if it set several."""
        return self.path[:2] if self.dotted in _BY_PATH else self.path

    @property
    def is_switch(self) -> bool:
        """Tell whether it turns something on and off, or one thing into another, all by itself."""
        block = "properties" in self.schema and "default" not in self.schema
        turns = block or self.schema.get("type") == "boolean" or "enum" in self.schema
        return turns and not self.base


_BY_PATH: Final[Mapping[str, Any]] = {
    "redis.external": {
        "redis": {
            "external": {
                "cache": {"urlSecretRef": {"name": NAMED, "key": "cache"}},
                "queue": {"urlSecretRef": {"name": NAMED, "key": "queue"}},
            }
        }
    },
    "postgres.external": {
        "postgres": {"external": {"dsnSecretRef": {"name": NAMED, "key": "dsn"}}}
    },
    "network.service.nodePort": {"network": {"service": {"type": "NodePort", "nodePort": 30099}}},
}
"""Specs for fields that cannot stand alone."""
_NODE: Final = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
_BY_NAME: Final[Mapping[str, Any]] = {
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [_NODE]}
        }
    },
    "allowedHosts": [{"host": "manuals.example.com"}],
    "allowedOrigins": ["https://shop.example.com"],
    "annotations": {"team": "a"},
    "bundled": {},
    "caSecretRef": {"name": NAMED, "key": "ca"},
    "className": "edge",
    "clientsFrom": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
    "controllers": [{"podSelector": {}}],
    "digest": "sha256:" + "0" * 64,
    "dns": [{"ipBlock": {"cidr": "192.0.2.53/32"}}],
    "env": [{"name": "COLOUR", "value": "blue"}],
    "extraEgress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 443}]}],
    "gatewayRef": {"name": "front", "host": "support.example.com"},
    "grafanaLabels": {"team": "a"},
    "ingress": {"host": "support.example.com"},
    "labels": {"team": "a"},
    "metricsFrom": [{"podSelector": {}}],
    "nodeSelector": {"disk": "fast"},
    "offPeak": [{"name": "nights", "schedule": "0 22 * * *", "duration": "8h"}],
    "podAnnotations": {"team": "a"},
    "podLabels": {"team": "a"},
    "priorityClassName": "high",
    "pullSecrets": [{"name": NAMED}],
    "namespace": "edges",
    "repository": "registry.example.com/app",
    "sectionName": "https",
    "spot": {},
    "storageClass": "fast",
    "tag": "2",
    "timeZone": "Europe/Berlin",
    "tolerations": [{"key": "spot", "operator": "Exists"}],
    "topologySpread": [{"topologyKey": "topology.kubernetes.io/zone"}],
    "trustedProxies": ["192.0.2.0/24"],
    "version": "1",
    "windows": [{"schedule": "0 2 * * 6", "duration": "2h"}],
}
"""Values for fields of which the schema does not say one."""
_FIXED: Final = re.compile(
    r"bootstrap\..*|api\.replicas|(postgres\.embedded|redis\.embedded\.queue|.*persistentVolumeClaim)"
    r"\.storage(Class)?"
)
"""What may not change once it is made."""
_PINNED: Final = re.compile(r"image\.(repository|tag|digest)")
"""What goes on as it is when it is taken away: nothing restarts for it."""
_ONE_CHOICE: Final = frozenset({"answers.provider"})
"""The schema knows one value only."""


def _walk(schema: Mapping[str, Any], path: Path_ = ()) -> Iterator[Field]:
    for name, child in schema.get("properties", {}).items():
        field = Field((*path, name), child)
        opaque = name in _BY_NAME or not child.get("properties")
        if name not in schema.get("required", ()) and (opaque or child.get("required")):
            yield field
        if child.get("required") or not opaque:
            yield from _walk(child, field.path)


def _known(path: Path_) -> Spec | None:
    if ".".join(path) in _BY_PATH:
        return dict(_BY_PATH[".".join(path)])
    return _nested(path, _BY_NAME[path[-1]]) if path[-1] in _BY_NAME else None


def _nested(path: Path_, value: Any) -> Spec:
    for step in reversed(path):
        value = {step: value}
    return dict(value)


def _value(field: Field) -> Any:
    value: Any
    schema, default = field.schema, field.schema.get("default")
    if schema.get("required") == ["name"]:
        value = {"name": NAMED}
    elif "enum" in schema:
        value = next(choice for choice in schema["enum"] if choice != default)
    elif schema.get("type") == "boolean":
        value = not default
    elif schema.get("type") == "integer":
        value = (schema["minimum"] if default is None else default) + 1
    elif isinstance(default, str) and re.search(r"\d", default):
        value = re.sub(r"\d+", lambda number: str(int(number.group()) + 1), default, count=1)
    else:
        raise AssertionError(f"tests/fields.py needs a value for spec.{field.dotted}")
    return value


_EVERY: Final = [field for field in _walk(SPEC) if field.dotted not in _ONE_CHOICE]
FIXED: Final = [field for field in _EVERY if _FIXED.fullmatch(field.dotted)]
PINNED: Final = [field for field in _EVERY if _PINNED.fullmatch(field.dotted)]
FIELDS: Final = [field for field in _EVERY if field not in FIXED + PINNED]
"""Those that may come and go."""


def merged(*specs: Mapping[str, Any]) -> Spec:
    """Return one spec out of several; a later one's values count."""
    found: Spec = {}
    for spec in specs:
        for key, value in spec.items():
            both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
            found[key] = merged(found[key], value) if both else value
    return found


def bundles(fields: Iterable[Field]) -> list[list[Field]]:
    """Return fields in as few groups as can be, in each of which all can be set together."""
    found: list[list[Field]] = []
    for field in fields:
        for group in found:
            if not any(_clash(field, other) for other in group):
                group.append(field)
                break
        else:
            found.append([field])
    return found


def _clash(one: Field, other: Field) -> bool:
    """Tell whether two cannot be set together, or one is part of what the other sets."""
    if one.path[:1] != other.path[:1]:
        return False
    pair = {one.path[1], other.path[1]} if len(one.path) > 1 and len(other.path) > 1 else set()
    exclusive = pair in ({"embedded", "external"}, {"bundled", "configMapRef"})
    below = one.taken_away[: len(other.taken_away)], other.taken_away[: len(one.taken_away)]
    return exclusive or below[0] == other.taken_away or below[1] == one.taken_away
