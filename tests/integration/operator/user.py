"""A user of a real API server: may do all, says what it wants in JSON, hears why not."""

import json
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml
from tests.cluster.control_plane import ControlPlane

CRD = yaml.safe_load((Path(__file__).parents[3] / "crds" / "hscjit.yaml").read_text())
SCHEMAS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
COLLECTION = "/apis/hscjit.dev/v1alpha1/namespaces/default/hscjits"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"

_SERVED_WITHIN_S = 20


class Refused(Exception):
    """The API server said no; these are its words."""


@dataclass(frozen=True)
class User:
    """The API server as somebody with every right sees it."""

    server: ControlPlane
    impersonates: str = ""
    """Whose rights count instead, such as a ServiceAccount's."""

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        content: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """Call the API server; return its answer, or raise its refusal."""
        headers = {
            "Authorization": f"Bearer {self.server.token}",
            "Content-Type": content,
            "Accept": accept,
        }
        if self.impersonates:
            headers["Impersonate-User"] = self.impersonates
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  our own server on the loopback interface
            self.server.url + path, method=method, data=data, headers=headers
        )
        context = ssl.create_default_context(cafile=str(self.server.ca_file))
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as answer:  # noqa: S310
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode()
            raise Refused(json.loads(text)["message"] if text.startswith("{") else text) from error

    def with_schema(self) -> Self:
        """Install our schema and wait until it is served."""
        self.call("PATCH", f"{SCHEMAS}/{CRD['metadata']['name']}?fieldManager=test", CRD, APPLY)
        deadline = time.monotonic() + _SERVED_WITHIN_S
        while True:
            try:
                self.call("GET", COLLECTION)
            except Refused:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return self

    def create(self, name: str, spec: Any) -> dict[str, Any]:
        """Create an HSCJit, strict about unknown fields as kubectl is."""
        body = {
            "apiVersion": "hscjit.dev/v1alpha1",
            "kind": "HSCJit",
            "metadata": {"name": name},
            "spec": spec,
        }
        return self.call("POST", f"{COLLECTION}?fieldValidation=Strict", body)

    def change(self, name: str, spec: Any) -> dict[str, Any]:
        """Merge into the spec of an HSCJit."""
        return self.call("PATCH", f"{COLLECTION}/{name}", {"spec": spec}, MERGE)

    def scale(self, name: str, replicas: int) -> dict[str, Any]:
        """Do what `kubectl scale` does."""
        body = {"spec": {"replicas": replicas}}
        return self.call("PATCH", f"{COLLECTION}/{name}/scale", body, MERGE)

    def report(self, name: str, status: Any) -> dict[str, Any]:
        """Write a status, as the operator does."""
        return self.call("PATCH", f"{COLLECTION}/{name}/status", {"status": status}, MERGE)
