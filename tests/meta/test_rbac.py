"""The chart grants exactly the calls that the operator's code makes."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

from hscjit_operator import manifests, names
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.kinds import Kind
from hscjit_operator.decisions import drift
from hscjit_operator.model.autopilot import Targets
from hscjit_operator.model.inputs import Exchange, Inputs
from hscjit_operator.model.spec import parse

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load((ROOT / "charts/hscjit-operator/files/rules.yaml").read_text())
OPERATOR = ROOT / "operator" / "hscjit_operator"

Resource = tuple[str, str]
"""API group, and plural with its subresource."""

WRITTEN = {"create", "patch"}
"""What a server-side apply takes that may find nothing there."""

VERBS: dict[str, tuple[str, set[str]]] = {
    "get": ("", {"get"}),
    "apply": ("", WRITTEN),
    "merge": ("", {"patch"}),
    "relabel": ("", {"patch"}),
    "create": ("", {"create"}),
    "delete": ("", {"delete"}),
    "scale": ("/scale", {"patch"}),
    "evict": ("/eviction", {"create"}),
    "logs": ("/log", {"get"}),
}
"""Method of the client → which subresource it calls, by which verbs."""

UNCALLED = {("hscjit.dev", "hscjits/finalizers"): {"update"}}
"""What no call needs: `blockOwnerDeletion`, where the cluster guards it by admission."""

INPUTS = Inputs(
    image="app:1", migrate_image="app:1", redis_image="redis:7", postgres_image="postgres:17",
    template_version="1", restarted_at=None, targets=Targets(2, 10, 1), api_replicas=None,
    workload=True, stopped=False, restore="20260101T000000Z", manuals_ip="10.96.0.7",
    exchange=Exchange("hscjit_b", "postgres-password-next", "0123456", "a-rot-0123456"),
    secrets={}, places={},
    operator_namespace="hscjit-system",
    served=frozenset(kind.kind for kind in kinds.OPTIONAL),
)  # fmt: skip
METADATA = {"name": "a", "namespace": "b", "uid": "c", "generation": 1}


def granted() -> dict[Resource, set[str]]:
    found: dict[Resource, set[str]] = defaultdict(set)
    for rule in RULES:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found[group, resource] |= set(rule["verbs"])
    return dict(found)


def children() -> set[Kind]:
    """Every kind that is ever applied as a child."""
    host = {"host": "support.example.com"}
    outside = {"ingress": host, "gatewayRef": {"name": "edge", **host}}
    app = parse({"metadata": METADATA, "spec": {"network": outside}})
    return {kinds.of(manifest) for manifest in manifests.desired(app, INPUTS)}


@cache
def calls() -> tuple[tuple[str, Kind, str], ...]:
    """Return method, kind and subresource of each call in the code that names its kind."""
    return tuple(_calls())


def _calls() -> Iterator[tuple[str, Kind, str]]:
    for path in sorted(OPERATOR.rglob("*.py")):
        if "cli" in path.parts:
            continue  # it runs with the rights of who types
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            receiver = node.func.value
            called = receiver.attr if isinstance(receiver, ast.Attribute) else ""
            if called not in ("_api", "_applier") or node.func.attr not in VERBS:
                continue
            named = [keyword.value for keyword in node.keywords if keyword.arg == "subresource"]
            below = named[0].value if named and isinstance(named[0], ast.Constant) else ""
            if node.func.attr in ("evict", "logs"):
                yield node.func.attr, kinds.POD, ""
            elif node.args and ast.unparse(node.args[0]).startswith("kinds."):
                kind = getattr(kinds, ast.unparse(node.args[0]).removeprefix("kinds."), None)
                if isinstance(kind, Kind):
                    yield node.func.attr, kind, str(below)


def needed() -> dict[Resource, set[str]]:
    found: dict[Resource, set[str]] = defaultdict(set)
    for kind in (*kinds.WATCHED, kinds.HSCJIT):
        found[kind.group, kind.plural] |= {"list", "watch"}
    for kind in kinds.OPTIONAL:
        found[kind.group, kind.plural] |= {"list"}
    for kind in children():
        found[kind.group, kind.plural] |= {"get"} | WRITTEN
        if kind.kind not in drift._NEVER_PRUNED:
            found[kind.group, kind.plural] |= {"delete"}
    for method, kind, below in calls():
        subresource, verbs = VERBS[method]
        suffix = f"/{below}" if below else subresource
        # What is below an object is there with it: applying it never creates.
        found[kind.group, kind.plural + suffix] |= verbs - {"create"} if below else verbs
    return dict(found)


def test_the_chart_grants_what_the_code_calls_and_nothing_else():
    assert granted() == needed() | UNCALLED


def test_the_calls_are_found_in_the_code():
    """The scan is worth its name only while it sees the calls that are known to be there."""
    found = {(method, kind.kind) for method, kind, _ in calls()}

    assert {
        ("evict", "Pod"), ("logs", "Pod"), ("scale", "Deployment"), ("create", "Event"),
        ("get", "Secret"), ("apply", names.KIND), ("merge", "Pod"),
    } <= found  # fmt: skip
    assert set(VERBS) - {"relabel"} <= set(dir(Api))


def test_every_optional_kind_is_made_where_it_is_served():
    assert set(kinds.OPTIONAL) <= children()


def test_nothing_is_granted_by_the_star():
    entries = [entry for rule in RULES for entries in rule.values() for entry in entries]
    assert "*" not in "".join(entries)
    assert all(set(rule) == {"apiGroups", "resources", "verbs"} for rule in RULES)


LEASE_CALLS = {"get": "get", "create": "create", "replace": "update"}
"""Method of the client → the verb it needs on the Lease."""


def test_the_lease_is_one_by_name_in_the_operators_own_namespace():
    template = (ROOT / "charts/hscjit-operator/templates/rbac.yaml").read_text()
    role = next(part for part in template.split("---") if "resources: [leases]" in part)
    create, others = role.split("rules:")[1].split("- apiGroups")[1:]
    code = (OPERATOR / "cluster" / "lease.py").read_text()
    called = set(re.findall(r"self\._api\.(\w+)\(LEASE,", code))

    assert "kind: Role\n" in role
    assert "namespace: {{ .Release.Namespace }}" in role
    assert "verbs: [create]" in create
    assert 'resourceNames: [{{ include "hscjit-operator.fullname" . }}]' in others
    assert "verbs: [get, update]" in others
    assert {LEASE_CALLS[method] for method in called} == {"get", "create", "update"}
    assert not [resource for _, resource in granted() if resource == "leases"]


def test_secrets_are_read_by_name_only():
    assert not granted()["", "secrets"] & {"list", "watch", "deletecollection"}


FORBIDDEN = {"bind", "escalate", "impersonate"}


def test_no_grant_leads_to_more_grants():
    groups = {group for group, _ in granted()}
    verbs = set().union(*granted().values())
    resources = {resource for _, resource in granted()}

    assert "rbac.authorization.k8s.io" not in groups
    assert not verbs & FORBIDDEN
    assert not resources & {"pods/exec", "serviceaccounts/token", "nodes", "namespaces"}
