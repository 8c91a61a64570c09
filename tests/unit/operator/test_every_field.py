"""Every optional field: null says the same as nothing, and a value says something else."""

from typing import Any

import pytest
from tests.fields import FIELDS, FIXED, PINNED, SPEC, bundles, merged
from tests.unit.operator.manifests.builders import children, hscjit

FULL = [
    merged(*(field.sample for field in group), {"image": {"pullPolicy": "Always"}})
    for group in bundles(FIELDS)
]
"""Specs that together have every field set."""


def put(spec: dict[str, Any], path: tuple[str, ...], **value: Any) -> dict[str, Any]:
    """Return a spec with a field set to the `value`, or without it."""
    first, *rest = path
    found = {key: inner for key, inner in spec.items() if key != first}
    if rest:
        return {**found, first: put(spec.get(first) or {}, tuple(rest), **value)}
    return {**found, first: value["value"]} if value else found


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether two specs ask for the same; one may name a block and say nothing in it."""
    return hscjit(one) == hscjit(other) or children(one) == children(other)


@pytest.mark.parametrize("field", [*FIELDS, *FIXED], ids=lambda field: field.dotted)
def test_null_is_nothing_and_a_value_is_something(field: Any):
    alone = field.sample
    assert hscjit(alone) != hscjit(field.base)
    assert alike(put(alone, field.taken_away, value=None), field.base)
    assert alike(put(alone, field.taken_away), field.base)

    (full,) = [spec for spec in FULL if merged(spec, field.sample) == spec][:1] or [None]
    if full is not None:
        without, null = put(full, field.taken_away), put(full, field.taken_away, value=None)
        assert hscjit(without) == hscjit(null)
        assert merged(without, field.sample) == full


@pytest.mark.parametrize("block", SPEC["properties"])
def test_a_block_that_is_null_is_its_default(block: str):
    assert hscjit({block: None}) == hscjit({})


def test_the_fields_are_found():
    assert len(FIELDS) > 100
    assert {"image.tag", "image.digest"} < {field.dotted for field in PINNED}
    assert {"api.replicas", "bootstrap.adoptVolumes"} < {field.dotted for field in FIXED}
    assert len(FULL) <= 4
