"""The floor: a program that watches for resources and sends their bodies, and knows nothing else.

It uses the same client library as our operator and has as many writes under way. It reads nothing,
guards nothing, remembers nothing and writes no status.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from hscjit_operator.cluster import kinds
from tests.bench.reconciling import template

WRITES_IN_FLIGHT = 16
APPLY = "application/apply-patch+yaml"


async def created(api: ApiClient, namespace: str) -> AsyncIterator[dict[str, Any]]:
    """Return resources as they come."""
    _, url, headers, _, _ = await api.param_serialize(
        "GET", kinds.HSCJIT.path(namespace), auth_settings=["BearerToken"]
    )
    query = "?watch=true&timeoutSeconds=3600"
    answer = await api.call_api("GET", url + query, headers, _request_timeout=3600)
    async for line in answer.response.content:
        event = json.loads(line)
        if event["type"] == "ADDED":
            yield event["object"]


async def send(api: ApiClient, gate: asyncio.Semaphore, body: dict[str, Any]) -> None:
    """Apply one child."""
    metadata = body["metadata"]
    path = kinds.of(body).path(metadata["namespace"], metadata["name"])
    _, url, headers, _, _ = await api.param_serialize(
        "PATCH", path, header_params={"Content-Type": APPLY}, auth_settings=["BearerToken"]
    )
    async with gate:
        answer = await api.call_api(
            "PATCH", f"{url}?fieldManager=bare&force=true", headers, body, _request_timeout=60
        )
        text = await answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{path}: {text!r}")


async def main() -> None:
    """Send the bodies of every resource in the namespace, until killed."""
    namespace = os.environ["BENCH_NAMESPACE"]
    text = Path(os.environ["BENCH_BODIES"]).read_text(encoding="utf-8")
    configuration = Configuration()
    configuration.connection_pool_maxsize = WRITES_IN_FLIGHT + 1
    configuration.client_session_kwargs = {"trust_env": False}  # as ours: no look-ups at each call
    await config.load_kube_config(os.environ["KUBECONFIG"], client_configuration=configuration)
    gate = asyncio.Semaphore(WRITES_IN_FLIGHT)
    async with ApiClient(configuration) as api, asyncio.TaskGroup() as group:
        async for app in created(api, namespace):
            metadata = app["metadata"]
            filled = template.filled(text, metadata["name"], namespace, metadata["uid"])
            for body in json.loads(filled):
                group.create_task(send(api, gate, body))


if __name__ == "__main__":
    asyncio.run(main())
