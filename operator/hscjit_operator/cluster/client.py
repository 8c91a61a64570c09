"""How do we call the API server? Plain dicts over the official asynchronous client.

The typed classes of that client are never loaded: they cost 32 MB and most of a second.
"""

import asyncio
import json
import random
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from hscjit_operator import metrics, names
from hscjit_operator.cluster.kinds import POD, Kind

Body = dict[str, Any]

APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
JSON: Final = "application/json"

GONE: Final = 404
CONFLICT: Final = 409
INVALID: Final = (400, 422)
FORBIDDEN: Final = 403
TOO_MANY: Final = 429
UNREACHED: Final = 0
"""Stands for a status code where no answer came."""

_BODY_CUT: Final = 256
_RETRIES: Final = 3
_LONGEST_RETRY_AFTER_S: Final = 10.0


class ApiError(Exception):
    """The API server refused a call or did not answer it; says which call and why."""

    def __init__(
        self, verb: str, path: str, code: int, reason: str, message: str, fields: tuple[str, ...]
    ) -> None:
        """Keep what a condition, a log line and a decision need."""
        self.verb = verb
        self.path = path
        self.code = code
        self.reason = reason
        """CamelCase as the API server gives it: NotFound, Invalid, Forbidden…; Unreachable."""
        self.message = message[:_BODY_CUT]
        self.fields = fields
        """Paths of the fields at fault, for Invalid."""
        super().__init__(f"{verb} {path}: {code} {reason}: {self.message}")


class Api:
    """The API server, with a bound on how many writes are under way at once."""

    def __init__(
        self, configuration: Configuration, *, writes_in_flight: int, timeout_s: float
    ) -> None:
        """Wrap a configuration made by `configuration()`; close with `close()`."""
        self.configuration = configuration
        self._client = ApiClient(configuration)
        self._client.user_agent = names.MANAGER
        self._writes = asyncio.Semaphore(writes_in_flight)
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
            return await self._call("GET", kind, kind.path(namespace, name))
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
        return await self._write("PATCH", kind, path, query, manifest, APPLY, reason)

    async def merge(
        self, kind: Kind, namespace: str, name: str, patch: Mapping[str, Any], *, reason: str
    ) -> Body:
        """Merge a few fields into an object that is not ours to apply as a whole."""
        path = kind.path(namespace, name)
        query = {"fieldManager": names.MANAGER}
        return await self._write("PATCH", kind, path, query, patch, MERGE, reason)

    async def scale(self, kind: Kind, namespace: str, name: str, replicas: int) -> Body:
        """Set the number through the scale subresource, as the HPA does."""
        path = kind.path(namespace, name, "scale")
        patch = {"spec": {"replicas": replicas}}
        return await self._write("PATCH", kind, path, {}, patch, MERGE, "scale")

    async def create(self, kind: Kind, namespace: str, body: Mapping[str, Any]) -> Body:
        """Create an object that is never applied later: an Event."""
        return await self._write("POST", kind, kind.path(namespace), {}, body, JSON, "create")

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str, reason: str) -> None:
        """Delete exactly that object; one that is gone already, or is another, is left alone."""
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        path = kind.path(namespace, name)
        try:
            await self._write("DELETE", kind, path, {}, options, JSON, reason)
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
        path = POD.path(namespace, pod, "eviction")
        await self._write("POST", POD, path, {}, body, JSON, "evict", retries=0)

    async def logs(self, namespace: str, pod: str, *, lines: int, container: str = "") -> str:
        """Return the last lines of a container's log."""
        query = {"tailLines": str(lines)} | ({"container": container} if container else {})
        path = POD.path(namespace, pod, "log")
        raw = await self._send("GET", POD, path, query, None, JSON)
        return raw.decode(errors="replace")

    async def serves(self, kind: Kind) -> bool:
        """Tell whether the API server knows the kind: whether its CRD is installed."""
        path = f"/apis/{kind.group}/{kind.version}"
        try:
            found = await self._call("GET", kind, path)
        except ApiError as error:
            if error.code == GONE:
                return False
            raise
        return any(resource["name"] == kind.plural for resource in found["resources"])

    async def _write(
        self,
        method: str,
        kind: Kind,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any],
        content: str,
        reason: str,
        retries: int = _RETRIES,
    ) -> Body:
        async with self._writes:
            if "dryRun" not in query:
                verb = method if content != APPLY else "APPLY"
                metrics.WRITES.labels(kind.kind, verb, reason).inc()
            return await self._call(method, kind, path, query, body, content, retries)

    async def _call(
        self,
        method: str,
        kind: Kind,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = JSON,
        retries: int = _RETRIES,
    ) -> Body:
        """Call, waiting as long as a 429 asks for, a few times."""
        for left in range(retries, -1, -1):
            try:
                raw = await self._send(method, kind, path, query or {}, body, content)
            except _Throttled as throttled:
                if left == 0:
                    raise throttled.error from None
                # Jitter, so that those who were refused together do not come back together.
                await asyncio.sleep(throttled.wait_s * random.uniform(1.0, 1.25))  # noqa: S311
            else:
                answer: Body = json.loads(raw)
                return answer
        raise AssertionError("unreachable: the last round returns or raises")

    async def _send(
        self,
        method: str,
        kind: Kind,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        content: str,
    ) -> bytes:
        headers = {"Content-Type": content, "Accept": "application/json"}
        # The library's own serialisation walks the body for typed models: ours has none.
        _, url, headers, _, _ = await self._client.param_serialize(
            method, path, header_params=headers, auth_settings=["BearerToken"]
        )
        if query:
            url += "?" + urlencode(query)
        try:
            response = await self._client.call_api(
                method, url, headers, body, _request_timeout=self._timeout
            )
            raw: bytes = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            metrics.REQUESTS.labels(method, kind.kind, UNREACHED).inc()
            said = str(error) or type(error).__name__
            raise ApiError(method, path, UNREACHED, "Unreachable", said, ()) from error
        code: int = response.status
        metrics.REQUESTS.labels(method, kind.kind, code).inc()
        if code < 300:  # noqa: PLR2004
            return raw
        refusal = _refusal(method, path, code, raw)
        wait = response.headers.get("Retry-After")
        if code == TOO_MANY and wait is not None:
            raise _Throttled(refusal, wait)
        raise refusal


class _Throttled(Exception):
    """A 429 that says when to come back."""

    def __init__(self, error: ApiError, wait: str) -> None:
        super().__init__(str(error))
        self.error = error
        seconds = float(wait) if wait.replace(".", "", 1).isdecimal() else 1.0
        self.wait_s = min(seconds, _LONGEST_RETRY_AFTER_S)


def _refusal(method: str, path: str, code: int, raw: bytes) -> ApiError:
    """Read the Status object of an error answer; a proxy in between may send something else."""
    try:
        status = json.loads(raw)
        causes = (status.get("details") or {}).get("causes") or []
        fields = tuple(cause["field"] for cause in causes if cause.get("field"))
        reason, message = status.get("reason") or "Unknown", status.get("message") or ""
    except (ValueError, AttributeError, TypeError):
        fields, reason, message = (), "Unknown", raw.decode(errors="replace")
    return ApiError(method, path, code, reason, message, fields)


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
