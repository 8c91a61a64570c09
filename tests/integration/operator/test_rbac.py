"""With the chart's rules and no others: what must work does, what must not does not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.control_plane import ControlPlane
from tests.integration.operator.user import APPLY, COLLECTION, Refused, User

RULES = Path(__file__).parents[3] / "charts" / "hscjit-operator" / "files" / "rules.yaml"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
CORE = "/api/v1/namespaces/default"
OPERATOR = "system:serviceaccount:hscjit-system:hscjit-operator"
FORCED = "?fieldManager=hscjit-operator&force=true"


@pytest.fixture(scope="module")
def operator(api_server: ControlPlane) -> Iterator[User]:
    """The operator's ServiceAccount, bound to the chart's rules in every namespace."""
    admin = User(api_server).with_schema()
    role = {"metadata": {"name": "tried"}, "rules": yaml.safe_load(RULES.read_text())}
    binding = {
        "metadata": {"name": "tried"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "tried",
        },
        "subjects": [{"kind": "User", "name": OPERATOR}],
    }
    admin.call("POST", f"{RBAC}/clusterroles", role)
    admin.call("POST", f"{RBAC}/clusterrolebindings", binding)
    admin.create("guarded", {})
    yield User(api_server, OPERATOR)
    admin.call("DELETE", f"{COLLECTION}/guarded")
    admin.call("DELETE", f"{CORE}/secrets/guarded-secret")
    admin.call("DELETE", f"{RBAC}/clusterrolebindings/tried")
    admin.call("DELETE", f"{RBAC}/clusterroles/tried")


def applied(user: User, path: str, kind: str, **content: Any) -> dict[str, Any]:
    version = path.split("/")[2] if path.startswith("/api/") else "/".join(path.split("/")[2:4])
    name = path.rsplit("/", maxsplit=1)[-1]
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **content}
    return user.call("PATCH", path + FORCED, body, APPLY)


def test_the_status_can_be_applied(operator: User):
    body = {
        "apiVersion": "hscjit.dev/v1alpha1",
        "kind": "HSCJit",
        "metadata": {"name": "guarded"},
        "status": {"observedGeneration": 1},
    }
    done = operator.call("PATCH", f"{COLLECTION}/guarded/status{FORCED}", body, APPLY)
    assert done["status"] == {"observedGeneration": 1}


def test_the_spec_is_the_users_own(operator: User):
    with pytest.raises(Refused, match="cannot patch resource"):
        operator.change("guarded", {"api": {"replicas": 3}})
    with pytest.raises(Refused, match="cannot delete resource"):
        operator.call("DELETE", f"{COLLECTION}/guarded")


def test_children_can_be_made_changed_read_and_deleted(operator: User):
    path = f"{CORE}/configmaps/guarded-config"
    applied(operator, path, "ConfigMap", data={"a": "1"})
    applied(operator, path, "ConfigMap", data={"a": "2"})
    assert operator.call("GET", path)["data"] == {"a": "2"}
    operator.call("DELETE", path)


def test_a_secret_is_made_and_read_by_name_and_never_listed(operator: User):
    path = f"{CORE}/secrets/guarded-secret"
    applied(operator, path, "Secret", stringData={"a": "1"})
    assert operator.call("GET", path)["kind"] == "Secret"
    for everything in (f"{CORE}/secrets", "/api/v1/secrets", f"{CORE}/secrets?watch=true"):
        with pytest.raises(Refused, match=r"cannot (list|watch) resource"):
            operator.call("GET", everything)
    with pytest.raises(Refused, match="cannot delete resource"):
        operator.call("DELETE", path)


WATCHED = {
    "HSCJits": "/apis/hscjit.dev/v1alpha1/hscjits",
    "pods": "/api/v1/pods",
    "claims": "/api/v1/persistentvolumeclaims",
    "deployments": "/apis/apps/v1/deployments",
    "jobs": "/apis/batch/v1/jobs",
    "autoscalers": "/apis/autoscaling/v2/horizontalpodautoscalers",
    "policies": "/apis/networking.k8s.io/v1/networkpolicies",
}


@pytest.mark.parametrize("path", WATCHED.values(), ids=WATCHED)
def test_what_is_watched_can_be_listed_everywhere(operator: User, path: str):
    assert operator.call("GET", path)["items"] is not None


CLOSED = {
    "nodes": ("GET", "/api/v1/nodes"),
    "namespaces": ("GET", "/api/v1/namespaces"),
    "roles": ("GET", f"{RBAC}/clusterroles"),
    "schemas": ("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
    "claims deleted": ("DELETE", f"{CORE}/persistentvolumeclaims/data-guarded-postgres-0"),
    "a token made": ("POST", f"{CORE}/serviceaccounts/default/token"),
    "a pod entered": ("POST", f"{CORE}/pods/a/exec?command=sh"),
}


@pytest.mark.parametrize(("method", "path"), CLOSED.values(), ids=CLOSED)
def test_what_it_has_no_business_with_is_closed(operator: User, method: str, path: str):
    with pytest.raises(Refused, match=r"cannot [a-z]+ resource"):
        operator.call(method, path, {} if method == "POST" else None)
