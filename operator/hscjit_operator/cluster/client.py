"""How do we call the API server? Plain dicts over the official asynchronous client.

The typed classes of that client are never loaded: they cost 32 MB and most of a second.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from hscjit_operator import metrics, names
from hscjit_operator.cluster.errors import (
    CONFLICT,
    FORBIDDEN,
    GONE,
    TOO_MANY,
    UNREACHED,
    ApiError,
    Request,
    refusal,
)
from hscjit_operator.cluster.gate import Gate, Shut
from hscjit_operator.cluster.kinds import DISCOVERY, POD, Kind
from hscjit_operator.cluster.turns import Turns

Body = dict[str, Any]

APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"

_READS_IN_FLIGHT: Final = 8
_RETRIES: Final = 3
_PAGE: Final = 100
_LONGEST_RETRY_AFTER_S: Final = 10.0


class Api:
    """The API server, with a bound on how many writes are under way at once."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        writes_in_flight: int,
        timeout_s: float,
        gate: Gate | None = None,
    ) -> None:
        """Wrap a configuration made by `configuration()`; close with `close()`.

        Every write passes the gate; without one, all may.
        """
        self.configuration = configuration
        # Each TLS connection holds a quarter of a megabyte: as many as are used, and no more.
        configuration.connection_pool_maxsize = writes_in_flight + _READS_IN_FLIGHT
        # Asked for proxies and a .netrc, aiohttp looks for both at each call, in another thread.
        # The watches do not either; a proxy can be named in the kubeconfig.
        configuration.client_session_kwargs = {"trust_env": False}
        self._client = ApiClient(configuration)
        self._client.user_agent = names.MANAGER
        self._writes = Turns(writes_in_flight)
        self._gate = gate
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    @property
    def ssl_context(self) -> Any:
        """Return the TLS context built from the configuration, for the watches to share."""
        return self._client.rest_client.ssl_context

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> Body | None:
        """Return the object, or None when there is none."""
        try:
            return await self._call(Request("GET", kind, kind.path(namespace, name)))
        except ApiError as error:
            if error.code == GONE:
                return None
            raise

    async def apply(
        self,
        kind: Kind,
        manifest: Mapping[str, Any],
        *,
        reason: str,
        manager: str = names.MANAGER,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Body:
        """Apply server-side, forced on the fields the manifest holds; return the result."""
        metadata = manifest["metadata"]
        query = {"fieldManager": manager, "force": "true"}
        if dry_run:
            query["dryRun"] = "All"
        path = kind.path(metadata["namespace"], metadata["name"], subresource)
        return await self._write(Request("PATCH", kind, path, query, manifest, APPLY), reason)

    async def merge(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        reason: str,
        manager: str = names.MANAGER,
    ) -> Body:
        """Merge a few fields into an object that is not ours to apply as a whole."""
        query = {"fieldManager": manager}
        request = Request("PATCH", kind, kind.path(namespace, name), query, patch, MERGE)
        return await self._write(request, reason)

    async def scale(self, kind: Kind, namespace: str, name: str, replicas: int) -> Body:
        """Set the number through the scale subresource, as the HPA does."""
        patch = {"spec": {"replicas": replicas}}
        path = kind.path(namespace, name, "scale")
        return await self._write(Request("PATCH", kind, path, {}, patch, MERGE), "scale")

    async def create(
        self,
        kind: Kind,
        namespace: str,
        body: Mapping[str, Any],
        *,
        reason: str = "create",
        retries: int = _RETRIES,
    ) -> Body:
        """Create an object that is never applied later: an Event, a Lease."""
        request = Request("POST", kind, kind.path(namespace), {}, body)
        return await self._write(request, reason, retries)

    async def replace(
        self,
        kind: Kind,
        namespace: str,
        body: Mapping[str, Any],
        *,
        reason: str,
        retries: int = _RETRIES,
    ) -> Body:
        """Put a whole object in place of the version it names; ApiError 409 if that is not it."""
        path = kind.path(namespace, body["metadata"]["name"])
        return await self._write(Request("PUT", kind, path, {}, body), reason, retries)

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str, reason: str, orphan: bool = False
    ) -> None:
        """Delete exactly that object; one that is gone already, or is another, is left alone.

        With `orphan`, what it owns stays.
        """
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Orphan" if orphan else "Background",
        }
        request = Request("DELETE", kind, kind.path(namespace, name), {}, options)
        try:
            await self._write(request, reason)
        except ApiError as error:
            if error.code not in (GONE, CONFLICT):
                raise

    async def evict(self, namespace: str, pod: str, *, uid: str) -> None:
        """Ask for a pod's eviction; ApiError 429 means a disruption budget stands against it."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        request = Request("POST", POD, POD.path(namespace, pod, "eviction"), {}, body)
        await self._write(request, "evict", retries=0)

    async def logs(self, namespace: str, pod: str, *, lines: int, container: str = "") -> str:
        """Return the last lines of a container's log."""
        query = {"tailLines": str(lines)} | ({"container": container} if container else {})
        raw = await self._send(Request("GET", POD, POD.path(namespace, pod, "log"), query))
        return raw.decode(errors="replace")

    async def serves(self, kind: Kind) -> bool:
        """Tell whether the API server knows the kind: whether its CRD is installed."""
        return kind.plural in await self.resources(kind.group, kind.version)

    async def resources(self, group: str, version: str) -> frozenset[str]:
        """Return the plurals of what is served of a group's version, none where it is unknown."""
        try:
            found = await self._call(Request("GET", DISCOVERY, f"/apis/{group}/{version}"))
        except ApiError as error:
            if error.code == GONE:
                return frozenset()
            raise
        return frozenset(resource["name"] for resource in found["resources"])

    async def pages(self, kind: Kind, namespace: str | None, selector: str) -> AsyncIterator[Body]:
        """Return the objects of a kind that a label selector matches, asked for page by page."""
        query = {"labelSelector": selector, "limit": str(_PAGE)}
        path = kind.collection(namespace)
        while True:
            found = await self._call(Request("GET", kind, path, query))
            for body in found["items"]:
                yield {"apiVersion": kind.api_version, "kind": kind.kind, **body}
            more = found["metadata"].get("continue")
            if not more:
                return
            query = {**query, "continue": more}

    async def rehearse(self, refusal: ApiError) -> bool:
        """Tell whether what was forbidden is allowed by now: asked again, without any effect."""
        request = refusal.request
        if request.method != "GET":
            request = replace(request, query={**request.query, "dryRun": "All"})
        try:
            await self._pass(request)
        except _Throttled:
            return False
        except ApiError as error:
            return error.code not in (FORBIDDEN, UNREACHED)
        return True

    async def _write(self, request: Request, reason: str, retries: int = _RETRIES) -> Body:
        async with self._writes:
            if "dryRun" not in request.query and (self._gate is None or self._gate.is_open):
                verb = "APPLY" if request.content == APPLY else request.method
                metrics.WRITES.labels(request.kind.kind, verb, reason).inc()
            return await self._call(request, retries)

    async def _call(self, request: Request, retries: int = _RETRIES) -> Body:
        """Call, waiting as long as a 429 asks for, a few times."""
        for left in range(retries, -1, -1):
            try:
                raw = await self._pass(request)
            except _Throttled as throttled:
                if left == 0:
                    raise throttled.error from None
                # Jitter, so that those who were refused together do not come back together.
                await asyncio.sleep(throttled.wait_s * random.uniform(1.0, 1.25))  # noqa: S311
            else:
                answer: Body = json.loads(raw)
                return answer
        raise AssertionError("unreachable: the last round returns or raises")

    async def _pass(self, request: Request) -> bytes:
        """Send what only reads; send a write if the gate lets it through, at this very moment."""
        if request.method == "GET" or self._gate is None:
            return await self._send(request)
        try:
            async with self._gate.passage():
                return await self._send(request)
        except Shut as shut:
            raise ApiError(request, UNREACHED, "NotLeading", str(shut)) from None

    async def _send(self, request: Request) -> bytes:
        headers = {"Content-Type": request.content, "Accept": "application/json"}
        # The body goes past the library's own serialisation, which looks for typed models in it.
        _, url, headers, _, _ = await self._client.param_serialize(
            request.method, request.path, header_params=headers, auth_settings=["BearerToken"]
        )
        if request.query:
            url += "?" + urlencode(request.query)
        label = (request.method, request.kind.kind)
        try:
            response = await self._client.call_api(
                request.method, url, headers, request.body, _request_timeout=self._timeout
            )
            raw: bytes = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            metrics.REQUESTS.labels(*label, UNREACHED).inc()
            said = str(error) or type(error).__name__
            raise ApiError(request, UNREACHED, "Unreachable", said) from error
        code: int = response.status
        metrics.REQUESTS.labels(*label, code).inc()
        if code < 300:  # noqa: PLR2004
            return raw
        refused = refusal(request, code, raw)
        wait = response.headers.get("Retry-After")
        if code == TOO_MANY and wait is not None:
            raise _Throttled(refused, wait)
        raise refused


class _Throttled(Exception):
    """A 429 that says when to come back."""

    def __init__(self, error: ApiError, wait: str) -> None:
        super().__init__(str(error))
        self.error = error
        seconds = float(wait) if wait.replace(".", "", 1).isdecimal() else 1.0
        self.wait_s = min(seconds, _LONGEST_RETRY_AFTER_S)


async def configuration(kubeconfig: str | None, context: str | None = None) -> Configuration:
    """Return how to reach the API server: a kubeconfig's current context, or the pod's account."""
    found = Configuration()
    if kubeconfig is None:
        config.load_incluster_config(client_configuration=found)
    else:
        await config.load_kube_config(
            config_file=kubeconfig, context=context, client_configuration=found
        )
    return found
