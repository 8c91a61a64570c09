"""The schema is complete, and the chart and the operator's model say the same as it does."""

import dataclasses
import json
import types
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import jsonschema
import pytest
import yaml

from hscjit_operator import names
from hscjit_operator.model.formats import INT_OR_STRING, AtMost, Between, Text, UpTo, cron
from hscjit_operator.model.reading import camel
from hscjit_operator.model.schedule import CRON_PATTERN, Lasting
from hscjit_operator.model.spec import Spec, parse
from tests.fields import CRD, SOURCE, SPEC
from tests.unit.each import each

ROOT = Path(__file__).parents[2]
COPY = ROOT / "charts" / "hscjit-operator" / "files" / "hscjit.yaml"
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.yaml"))

VERSION = CRD["spec"]["versions"][0]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]

Schema = Mapping[str, Any]


def walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Yield every node of a schema with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(schema.get(key), Mapping):
            yield from walk(schema[key], path + mark)


NODES = [*walk(SPEC, "spec"), *walk(SCHEMA["properties"]["status"], "status")]


def test_the_chart_carries_the_same_schema():
    assert COPY.read_bytes() == SOURCE.read_bytes(), f"cp {SOURCE.name} into the chart's files/"


def test_the_schema_is_named_as_the_code_names_it():
    assert CRD["metadata"]["name"] == f"{names.PLURAL}.{names.GROUP}"
    assert CRD["spec"]["group"] == names.GROUP
    assert CRD["spec"]["names"]["kind"] == names.KIND
    assert VERSION["name"] == names.VERSION
    assert CRD["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_kubectl_can_apply_the_schema():
    """kubectl keeps what it applied in an annotation of at most 256 KiB."""
    assert len(json.dumps(CRD)) < 200 * 1024


def test_every_field_is_described():
    assert [path for path, node in NODES if not node.get("description")] == []


def unbounded(node: Schema) -> bool:
    """Tell whether a value of this type may be of any length."""
    kind = node.get("type")
    if kind == "string":
        return not ({"maxLength", "enum"} & node.keys() or node.get("format") == "date-time")
    if kind == "array":
        return "maxItems" not in node
    if kind == "object":
        return "additionalProperties" in node and "maxProperties" not in node
    return bool(node.get("x-kubernetes-int-or-string")) and "maxLength" not in node


def test_every_value_is_bounded():
    assert [path for path, node in NODES if unbounded(node)] == []


UNBOUNDED_NUMBERS = {"tolerations[].tolerationSeconds", "spot.tolerations[].tolerationSeconds"}


def test_every_number_of_the_spec_is_bounded():
    numbers = [(p, n) for p, n in walk(SPEC, "spec") if n.get("type") == "integer"]
    loose = [p for p, n in numbers if not {"minimum", "maximum"} <= n.keys()]
    assert {p.split(".", 2)[2] for p in loose} == UNBOUNDED_NUMBERS


def test_every_list_says_how_it_merges():
    lists = [(path, node) for path, node in NODES if node.get("type") == "array"]
    assert [p for p, n in lists if "x-kubernetes-list-type" not in n] == []


def test_every_rule_has_words_of_its_own():
    rules = [(p, r) for p, n in NODES for r in n.get("x-kubernetes-validations", [])]
    assert len(rules) > 20
    assert [p for p, rule in rules if not rule.get("message")] == []


# --- defaults -----------------------------------------------------------------------------------


def filled(schema: Schema, value: Any) -> Any:
    """Fill in defaults as the API server does."""
    if isinstance(value, Mapping) and "properties" in schema:
        full = dict(value)
        for name, child in schema["properties"].items():
            if name not in full and "default" in child:
                full[name] = child["default"]
            if name in full:
                full[name] = filled(child, full[name])
        return full
    if isinstance(value, list) and "items" in schema:
        return [filled(schema["items"], entry) for entry in value]
    return value


def skeleton(value: Any) -> Any:
    """Return an object's blocks without their values."""
    return {k: skeleton(v) for k, v in value.items() if isinstance(v, Mapping)}


SPELLED_OUT = {
    path: node
    for path, node in walk(SPEC, "spec")
    if isinstance(node.get("default"), Mapping) and node["default"] and "properties" in node
}


@pytest.mark.parametrize("path", SPELLED_OUT)
def test_a_default_spelled_out_repeats_the_defaults_inside(path: str):
    node = SPELLED_OUT[path]
    assert filled(node, node["default"]) == filled(node, skeleton(node["default"]))


METADATA = {"name": "a", "namespace": "b", "uid": "c", "generation": 1}


def test_the_model_reads_the_filled_in_defaults_as_its_own():
    by_server = parse({"metadata": METADATA, "spec": filled(SPEC, {})})

    assert by_server == parse({"metadata": METADATA, "spec": {}})


# --- the model against the schema -----------------------------------------------------------------

NO_DEFAULT = object()


def model_nodes(kind: type, schema: Schema, path: str) -> Iterator[tuple[str, Any, Any, Schema]]:
    """Yield (path, type hint, default, schema) of every field of the model, level by level."""
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        key = camel(field.name)
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        where, hint = f"{path}.{key}", without_none(hints[field.name])
        node = schema["properties"][key]
        yield where, hint, NO_DEFAULT if default is dataclasses.MISSING else default, node
        base = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        if dataclasses.is_dataclass(base):
            yield from model_nodes(base, node, where)
        elif get_origin(base) is tuple and dataclasses.is_dataclass(get_args(base)[0]):
            yield from model_nodes(get_args(base)[0], node["items"], where + "[]")


def without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        return next(a for a in get_args(hint) if a is not type(None))
    return hint


MODEL = {
    path: (hint, default, node) for path, hint, default, node in model_nodes(Spec, SPEC, "spec")
}


def blocks() -> dict[str, tuple[type, Schema]]:
    """Every dataclass of the model with the schema it stands for."""
    found: dict[str, tuple[type, Schema]] = {"spec": (Spec, SPEC)}
    for path, (hint, _, node) in MODEL.items():
        base = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        if dataclasses.is_dataclass(base):
            found[path] = (base, node)
        elif get_origin(base) is tuple and dataclasses.is_dataclass(get_args(base)[0]):
            found[path + "[]"] = (get_args(base)[0], node["items"])
    return found


BLOCKS = blocks()


@each(BLOCKS)
def test_the_model_has_the_fields_of_the_schema(block: tuple[type, Schema]):
    kind, node = block
    assert {camel(field.name) for field in dataclasses.fields(kind)} == set(node["properties"])


def said_by(hint: Any) -> dict[str, Any]:
    """Return what a type hint says in the schema's words."""
    said: dict[str, Any] = {}
    base, formats = hint, ()
    if get_origin(hint) is Annotated:
        base, *formats = get_args(hint)
    if get_origin(base) is Literal:
        said["enum"] = list(get_args(base))
    if INT_OR_STRING in formats:
        said["x-kubernetes-int-or-string"] = True
    elif base in (str, int, bool):
        said["type"] = {str: "string", int: "integer", bool: "boolean"}[base]
    for form in formats:
        match form:
            case Between(low, high):
                said |= {"minimum": low, "maximum": high}
            case Text(pattern, _, longest):
                said |= {"pattern": f"^{pattern}$", "maxLength": longest}
            case UpTo(longest):
                said["maxLength"] = longest
            case AtMost(count, key) if get_origin(base) is tuple:
                said["maxItems"] = count
                said["x-kubernetes-list-type"] = (
                    "atomic" if key is None else "set" if key == "" else "map"
                )
                if key:
                    said["x-kubernetes-list-map-keys"] = [camel(key)]
            case AtMost(count):
                said["maxProperties"] = count
    return said


@each({path: path for path in MODEL})
def test_the_model_is_bounded_as_the_schema_is(path: str):
    hint, _, node = MODEL[path]
    said = said_by(hint)
    assert {key: node.get(key) for key in said} == said


def as_json(value: Any) -> Any:
    """Write a value of the model as a user would."""
    if dataclasses.is_dataclass(value):
        found = {camel(f.name): as_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {key: inner for key, inner in found.items() if inner not in (None, [], {})}
    if isinstance(value, tuple):
        return [as_json(entry) for entry in value]
    if isinstance(value, timedelta):
        return f"{int(value.total_seconds()) // 3600}h"
    return value


def test_the_schema_has_every_default_of_the_model():
    def full(value: Any) -> Any:
        if isinstance(value, Mapping):
            cleaned = {key: full(inner) for key, inner in value.items()}
            return {k: v for k, v in cleaned.items() if v != [] and (v != {} or k == "podSelector")}
        return [full(entry) for entry in value] if isinstance(value, list) else value

    # Only a bootstrap that somebody wrote down is in the stored spec.
    assert full(as_json(Spec())) == full(filled(SPEC, {"bootstrap": {}}))


@each({path: path for path in MODEL})
def test_what_the_model_requires_the_schema_requires(path: str):
    _, default, node = MODEL[path]
    parent, _, name = path.rpartition(".")
    required = name in BLOCKS[parent][1].get("required", [])
    if default is NO_DEFAULT:  # or the schema fills it in, with a value that depends on the place
        assert required or "default" in node
    else:
        assert not required


def test_cron_lines_are_told_apart_by_one_pattern():
    rules = {
        path: node["x-kubernetes-validations"][0]["rule"]
        for path, node in walk(SPEC, "spec")
        if path.lower().endswith("schedule")
    }
    assert len(rules) == 4
    assert set(rules.values()) == {f"self.matches(r'^{CRON_PATTERN}$')"}
    assert all(cron in get_args(MODEL[path][0]) for path in rules)


SPANS = {path: hint for path, (hint, _, _) in MODEL.items() if timedelta in get_args(hint)}


@pytest.mark.parametrize("path", SPANS)
def test_durations_have_the_same_bounds(path: str):
    within = next(form for form in get_args(SPANS[path]) if isinstance(form, Lasting))
    (rule,) = MODEL[path][2]["x-kubernetes-validations"]
    for sign, span in ((">=", within.shortest), ("<=", within.longest)):
        minutes = int(span.total_seconds()) // 60
        written = f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
        assert f"duration(self) {sign} duration('{written}')" in rule["rule"]


# --- examples -------------------------------------------------------------------------------------


def strict(schema: Schema) -> dict[str, Any]:
    """Return the schema as plain JSON Schema that refuses unknown fields, as kubectl does."""
    found = {
        key: value
        for key, value in schema.items()
        if key
        in {"type", "enum", "pattern", "minimum", "maximum", "maxLength", "maxItems", "required"}
    }
    if "properties" in schema:
        found["properties"] = {k: strict(v) for k, v in schema["properties"].items()}
        found["additionalProperties"] = False
    if isinstance(schema.get("additionalProperties"), Mapping):
        found["additionalProperties"] = strict(schema["additionalProperties"])
    if "items" in schema:
        found["items"] = strict(schema["items"])
    return found


STRICT = jsonschema.Draft202012Validator(strict(SPEC))


def test_the_strict_schema_is_one():
    STRICT.check_schema(STRICT.schema)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_fit_the_schema_and_the_model(path: Path):
    (body,) = yaml.safe_load_all(path.read_text())

    assert (body["apiVersion"], body["kind"]) == (names.API_VERSION, names.KIND)
    STRICT.validate(body["spec"])
    app = parse({"metadata": METADATA | body["metadata"], "spec": filled(SPEC, body["spec"])})
    assert app.name == body["metadata"]["name"]


def test_there_are_the_examples_that_the_readme_and_the_demo_name():
    assert {path.name for path in EXAMPLES} >= {"minimal.yaml", "demo.yaml", "production.yaml"}
