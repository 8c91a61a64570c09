"""An operator as most tutorials write it: kopf's create handler over the synchronous client."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kopf
from kubernetes import client, config

from tests.bench.reconciling import template

TEMPLATE = Path(os.environ["BENCH_BODIES"]).read_text(encoding="utf-8")
Verbs = tuple[Callable[..., Any], Callable[..., Any]]


@kopf.on.startup()
def startup(**_: Any) -> None:
    """Connect."""
    config.load_kube_config(os.environ["KUBECONFIG"])


def verbs() -> dict[str, Verbs]:
    """Return how each kind is created and patched."""
    core, apps, batch = client.CoreV1Api(), client.AppsV1Api(), client.BatchV1Api()
    policy, network = client.PolicyV1Api(), client.NetworkingV1Api()
    homes = {
        core: ("Secret", "ServiceAccount", "ConfigMap", "Service", "PersistentVolumeClaim"),
        apps: ("StatefulSet", "Deployment"),
        batch: ("Job", "CronJob"),
        policy: ("PodDisruptionBudget",),
        network: ("NetworkPolicy",),
    }
    return {
        kind: (
            getattr(api, f"create_namespaced_{_snake(kind)}"),
            getattr(api, f"patch_namespaced_{_snake(kind)}"),
        )
        for api, kinds in homes.items()
        for kind in kinds
    }


def _snake(kind: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in kind).lstrip("_")


@kopf.on.create("hscjit.dev", "v1alpha1", "hscjits")
@kopf.on.update("hscjit.dev", "v1alpha1", "hscjits")
def ensure(name: str, namespace: str, uid: str, patch: kopf.Patch, **_: Any) -> None:
    """Create every child, or patch the one that is there; then say so in the status."""
    known = verbs()
    for body in json.loads(template.filled(TEMPLATE, name, namespace, uid)):
        create, replace = known[body["kind"]]
        try:
            create(namespace, body)
        except client.ApiException as error:
            if error.status != 409:
                raise
            replace(body["metadata"]["name"], namespace, body)
    patch.status["summary"] = {"api": "0/2"}
