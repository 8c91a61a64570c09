"""The bench's own hand on the API server: it makes resources, disturbs them, counts all calls."""

import asyncio
import json
import re
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from hscjit_operator import names
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.kinds import Kind
from tests.cluster.control_plane import ControlPlane
from tests.integration.operator.user import User

Body = dict[str, Any]
Call = tuple[str, str]
"""Verb and resource, `hscjits/status` for a subresource."""

MERGE = "application/merge-patch+json"
_IN_FLIGHT = 8
_COUNTED = re.compile(r"^apiserver_request_total\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_OURS = {kind.plural for kind in (*kinds.WATCHED, kinds.HSCJIT, kinds.SECRET, kinds.EVENT)}


class Cluster:
    """A user with every right, at most 8 calls at once."""

    def __init__(self, server: ControlPlane, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session
        self._gate = asyncio.Semaphore(_IN_FLIGHT)

    async def call(self, method: str, path: str, body: Any = None, content: str = "") -> Body:
        """Call the API server; a refusal raises RuntimeError with its words."""
        headers = {"Content-Type": content or "application/json"}
        data = None if body is None else json.dumps(body)
        async with (
            self._gate,
            self.session.request(
                method, self.server.url + path, data=data, headers=headers
            ) as answer,
        ):
            found: Body = await answer.json()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {found.get('message')}")
            return found

    async def make_namespace(self, name: str) -> str:
        """Make a namespace for one run."""
        await self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    async def make(self, namespace: str, name: str, spec: Body | None = None) -> None:
        """Create one HSCJit."""
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": name},
            "spec": spec or {},
        }
        await self.call("POST", kinds.HSCJIT.path(namespace), body)

    async def patch(
        self, kind: Kind, namespace: str, name: str, patch: Body, subresource: str = ""
    ) -> Body:
        """Merge into any object."""
        return await self.call("PATCH", kind.path(namespace, name, subresource), patch, MERGE)

    async def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete any object, without waiting for what it owns."""
        options = {"propagationPolicy": "Background"}
        await self.call("DELETE", kind.path(namespace, name), options)

    async def refuse(self, prefix: str) -> None:
        """Let the API server refuse every Service whose name begins so."""
        root, name = "/apis/admissionregistration.k8s.io/v1", "refuse"
        rule = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["services"],
        }
        checks = [{"expression": f"!object.metadata.name.startsWith('{prefix}')"}]
        policy = {"matchConstraints": {"resourceRules": [rule]}, "validations": checks}
        binding = {"policyName": name, "validationActions": ["Deny"]}
        for kind, spec in (("Policy", policy), ("PolicyBinding", binding)):
            collection = "validatingadmissionpolic" + ("ies" if kind == "Policy" else "ybindings")
            body = {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": f"ValidatingAdmission{kind}",
                "metadata": {"name": name},
                "spec": spec,
            }
            await self.call("POST", f"{root}/{collection}", body)
        await self._until_refused(prefix)

    async def _until_refused(self, prefix: str) -> None:
        body = {"metadata": {"name": prefix}, "spec": {"ports": [{"port": 80}]}}
        async with asyncio.timeout(30):
            while True:
                try:
                    path = "/api/v1/namespaces/default/services?dryRun=All"
                    await self.call("POST", path, body)
                except RuntimeError:
                    return
                await asyncio.sleep(0.1)

    async def counted(self) -> Counter[Call]:
        """Return all calls so far that were about kinds of ours, as the API server counts them."""
        async with self.session.get(f"{self.server.url}/metrics") as answer:
            page = await answer.text()
        found: Counter[Call] = Counter()
        for labels, value in _COUNTED.findall(page):
            told = dict(_LABEL.findall(labels))
            if told["resource"] in _OURS:
                about = "/".join(p for p in (told["resource"], told["subresource"]) if p)
                found[told["verb"], about] += int(float(value))
        return found


@asynccontextmanager
async def cluster(server: ControlPlane) -> AsyncIterator[Cluster]:
    """Reach a server whose API knows our kind."""
    await asyncio.to_thread(User(server).with_schema)
    trust = ssl.create_default_context(cafile=str(server.ca_file))
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=trust),
        headers={"Authorization": f"Bearer {server.token}"},
        read_bufsize=2**21,
    ) as session:
        yield Cluster(server, session)


WRITES = {"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"}


def writes(calls: Counter[Call]) -> Counter[Call]:
    """Return those that change something."""
    return Counter({call: n for call, n in calls.items() if call[0] in WRITES})


def reads(calls: Counter[Call]) -> Counter[Call]:
    """Return single reads, but for those of Secrets, which are always read by name."""
    return Counter(
        {call: n for call, n in calls.items() if call[0] == "GET" and call[1] != "secrets"}
    )
