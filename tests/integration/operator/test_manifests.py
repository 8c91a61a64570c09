"""A real API server takes every child as it is, in a namespace that enforces `restricted`."""

import contextlib
import json
import ssl
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from tests.cluster.control_plane import ControlPlane
from tests.unit.operator.manifests.builders import VARIANTS, Children, Pod, children, hscjit

from hscjit_operator import manifests, names
from hscjit_operator.cluster import kinds
from hscjit_operator.model import owned

APPLY = "application/apply-patch+yaml"
JSON = "application/json"
STRICT = "fieldValidation=Strict"


class Namespace:
    """A namespace of its own for a variant, with Pod Security enforced."""

    def __init__(self, server: ControlPlane, name: str) -> None:
        self.server, self.name = server, name
        labels = {
            f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")
        }
        self.call(
            "POST",
            "/api/v1/namespaces",
            {"metadata": {"name": name, "labels": labels}},
            JSON,
        )

    def call(
        self, method: str, path: str, body: Any, content: str
    ) -> tuple[dict[str, Any], list[str]]:
        """Return what came back and the warnings beside it."""
        request = urllib.request.Request(  # noqa: S310  our own server on the loopback interface
            self.server.url + path,
            method=method,
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.server.token}", "Content-Type": content},
        )
        context = ssl.create_default_context(cafile=str(self.server.ca_file))
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as answer:  # noqa: S310
                return dict(json.load(answer)), answer.headers.get_all("Warning") or []
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["message"]) from error

    def apply(self, child: dict[str, Any]) -> dict[str, Any]:
        kind = kinds.of(child)
        path = kind.path(self.name, child["metadata"]["name"])
        query = f"{STRICT}&fieldManager={names.MANAGER}&force=true"
        here = {**child, "metadata": {**child["metadata"], "namespace": self.name}}
        body, warnings = self.call("PATCH", f"{path}?{query}", here, APPLY)
        assert not warnings
        return body

    def run(self, pod: Pod) -> None:
        """Ask whether the pod itself, which a controller would make, is let in."""
        metadata = {"name": pod.component, "labels": pod.labels, "annotations": pod.annotations}
        claimed = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
        spec = pod.spec
        if pod.owner.startswith("StatefulSet/") and pod.component != names.REDIS_CACHE:
            spec = {**spec, "volumes": [*spec["volumes"], *claimed]}
        self.call(
            "POST",
            f"/api/v1/namespaces/{self.name}/pods?{STRICT}&dryRun=All",
            {"metadata": metadata, "spec": spec},
            JSON,
        )


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
def variant(request: pytest.FixtureRequest) -> Children:
    """Each of the specs that together reach every line of the manifests."""
    spec, changes = request.param
    return children(spec, **changes)


@pytest.fixture
def namespace(api_server: ControlPlane) -> Iterator[Namespace]:
    """A namespace for one test; nothing collects what is in it, but for the one fixed port."""
    made = Namespace(api_server, f"manifests-{uuid.uuid4().hex[:8]}")
    yield made
    with contextlib.suppress(AssertionError):  # not every test made one
        made.call("DELETE", f"/api/v1/namespaces/{made.name}/services/support-api", {}, JSON)


def test_every_child_is_admitted_and_applied_again_changes_nothing(
    namespace: Namespace, variant: Children
) -> None:
    for child in variant:
        made = namespace.apply(child)
        # A claim is stored once more when it is applied the second time: the server's own doing,
        # which it writes its default phase for. From then on it stands still.
        first = namespace.apply(child)
        again = namespace.apply(child)

        where = f"{child['kind']} {child['metadata']['name']}"
        assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"], where
        # What is compared at each pass agrees at once: nothing looks like a drift for ever.
        assert owned.held(made) == owned.wanted(child), where


def test_every_pod_passes_pod_security(namespace: Namespace, variant: Children) -> None:
    for pod in variant.pods():
        namespace.run(pod)


def test_a_pod_that_breaks_the_standard_would_be_refused(namespace: Namespace) -> None:
    """So the test above can fail: the namespace does enforce it."""
    pod = children().pod(names.API)
    spec = {**pod.spec, "securityContext": {}}

    with pytest.raises(AssertionError, match="violates PodSecurity"):
        namespace.run(pod._replace(spec=spec))


def test_the_generated_secret_is_admitted(namespace: Namespace) -> None:
    found = namespace.apply(manifests.secret.generated(hscjit(), lambda: "t" * 32))

    assert "requirepass" not in json.dumps(found)  # it is kept encoded, under the key's name
    assert len(found["data"]) == 9
