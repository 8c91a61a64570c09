"""Which refusals are about a field that never changes, and what is said of those."""

import pytest

from hscjit_operator.decisions import immutable

CAUSES = {
    "a selector": ("Invalid value: {}: field is immutable", True),
    "data": ("Forbidden: field is immutable when `immutable` is set", True),
    "a StatefulSet": (
        "Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
        True,
    ),
    "a bad value": ("Invalid value: -1: must be greater than or equal to 0", False),
    "a missing one": ("Required value", False),
}


@pytest.mark.parametrize(("why", "fixed"), CAUSES.values(), ids=CAUSES)
def test_what_never_changes_is_told_from_what_is_wrong(why: str, fixed: bool):
    assert immutable.is_fixed([("spec.a", why)]) is fixed


def test_the_way_out_names_the_field():
    causes = [("spec", CAUSES["a StatefulSet"][0]), ("spec.b", "Required value")]
    said = immutable.way_out("StatefulSet", "x-postgres", causes)

    assert said.startswith("StatefulSet x-postgres: spec differs")
    assert "kubectl delete statefulset x-postgres --cascade=orphan" in said
    assert "spec.b" not in said
    assert "backup" in immutable.way_out("Job", "x", [("spec.a", "field is immutable")])
