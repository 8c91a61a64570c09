"""What of a live object is ours, and is it what we would apply?"""

import json
from typing import Any

import pytest

from hscjit_operator import names
from hscjit_operator.model import owned

MANIFEST: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "support-api",
        "namespace": "shop",
        "labels": {"a": "1", "c": "1"},
        "ownerReferences": [{"uid": "u", "name": "support"}],
    },
    "spec": {
        "paused": False,
        "template": {
            "containers": [
                {
                    "name": "api",
                    "args": ["x", "y"],
                    "env": [],
                    "resources": {"limits": {"cpu": "1000m", "memory": "1Gi"}},
                }
            ]
        },
    },
}
FIELDS = {
    "f:metadata": {
        "f:labels": {".": {}, "f:a": {}, "f:c": {}},
        "f:ownerReferences": {'k:{"uid":"u"}': {}},
    },
    "f:spec": {
        "f:paused": {},
        "f:template": {
            "f:containers": {
                'k:{"name":"api"}': {
                    ".": {},
                    "f:name": {},
                    "f:args": {},
                    "f:env": {},
                    "f:resources": {"f:limits": {"f:cpu": {}, "f:memory": {}}},
                }
            }
        },
    },
}


def live(**manager: Any) -> dict[str, Any]:
    """Return the object as a server keeps it: other names for values, defaults, others' fields."""
    body = json.loads(json.dumps(MANIFEST))
    del body["spec"]["paused"]  # empty values are left out
    container = body["spec"]["template"]["containers"][0]
    del container["env"]
    container["resources"]["limits"]["cpu"] = "1"
    container["imagePullPolicy"] = "Always"
    body["spec"]["template"]["containers"].append({"name": "theirs"})
    body["spec"]["replicas"] = 7
    entry = {
        "manager": names.MANAGER,
        "operation": "Apply",
        "fieldsV1": FIELDS,
        **manager,
    }
    body["metadata"] |= {"uid": "x", "resourceVersion": "5", "managedFields": [entry]}
    body["metadata"]["labels"]["b"] = "theirs"
    return body


def edit(path: str, value: Any, *, owner_lost: bool = True) -> dict[str, Any]:
    """Return the live object after somebody set a field of ours, which is theirs from then on."""
    body = live()
    fields = json.loads(json.dumps(FIELDS))
    target, tree = body, fields
    *way, last = path.split(".")
    for step in way:
        if step == "containers":
            target, tree = target[step][0], tree["f:containers"]['k:{"name":"api"}']
        else:
            target, tree = target[step], tree[f"f:{step}"]
    target[last] = value
    if owner_lost:
        tree.pop(f"f:{last}", None)
    body["metadata"]["managedFields"][0]["fieldsV1"] = fields
    return body


def test_untouched_the_live_object_holds_what_was_applied():
    assert owned.held(live()) == owned.wanted(MANIFEST)
    assert owned.first_difference(owned.wanted(MANIFEST), owned.held(live())) == ""


EDITS = {
    "a label": ("metadata.labels.a", "2", "metadata.labels.a"),
    "the owner": ("metadata.ownerReferences", [], "metadata.ownerReferences"),
    "an argument": (
        "spec.template.containers.args",
        ["x"],
        "spec.template.containers[api].args",
    ),
    "a switch that was off": ("spec.paused", True, "spec.paused"),
    "a limit": (
        "spec.template.containers.resources",
        {"limits": {"cpu": "2"}},
        "spec.template.containers[api].resources",
    ),
}


@pytest.mark.parametrize(("path", "value", "told"), EDITS.values(), ids=EDITS)
def test_an_edit_of_ours_is_found_and_named(path: str, value: Any, told: str):
    found = owned.held(edit(path, value))

    assert owned.digest(found) != owned.digest(owned.wanted(MANIFEST))
    assert owned.first_difference(owned.wanted(MANIFEST), found) == told


@pytest.mark.parametrize(
    "manager",
    [{"manager": "kubectl"}, {"operation": "Update"}, {"subresource": "status"}],
    ids=["another's", "an update", "a subresource"],
)
def test_only_our_own_apply_counts_as_ours(manager: dict[str, str]):
    assert owned.held(live(**manager)) == owned.EMPTY


def test_without_managed_fields_everything_differs():
    body = live()
    del body["metadata"]["managedFields"]
    assert owned.digest(owned.held(body)) != owned.digest(owned.wanted(MANIFEST))


def test_a_path_is_owned_or_not():
    assert owned.owns(live(), "spec", "paused")
    assert not owned.owns(live(), "spec", "replicas")


QUANTITIES = {
    "milli": ("1000m", "1"),
    "binary": ("1Gi", "1024Mi"),
    "decimal": ("1.5G", "1500M"),
    "a number": (2, "2"),
    "with an exponent": ("1e3", "1k"),
}


@pytest.mark.parametrize(("one", "other"), QUANTITIES.values(), ids=QUANTITIES)
def test_a_quantity_has_one_form(one: Any, other: Any):
    assert owned.quantity(one) == owned.quantity(other)


@pytest.mark.parametrize(("one", "other"), [("1Gi", "1G"), ("1", "1m"), ("x", "1")])
def test_other_quantities_stay_apart(one: str, other: str):
    assert owned.quantity(one) != owned.quantity(other)


def test_a_claim_template_equals_what_the_server_makes_of_it():
    sent = [{"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}]
    stored = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "creationTimestamp": None},
            "spec": {
                "resources": {"requests": {"storage": "1024Mi"}},
                "volumeMode": "Filesystem",
            },
            "status": {"phase": "Pending"},
        }
    ]
    key = "volumeClaimTemplates"
    assert owned.canonical(sent, key) == owned.canonical(stored, key)
