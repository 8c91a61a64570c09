"""Whom may a Prometheus scrape? Every running pod of ours with metrics, for its http_sd_configs.

The watches know them already, so a Prometheus that asks us needs no right on the API server.
"""

from typing import Any, Final

from hscjit_operator import names
from hscjit_operator.cluster.observe import Children
from hscjit_operator.manifests.pods import API_PORT, METRICS_PORT
from hscjit_operator.model.observed import PodFacts

_PORTS: Final = {names.API: API_PORT, names.WORKER: METRICS_PORT, names.BEAT: METRICS_PORT}


def targets(children: Children) -> list[dict[str, Any]]:
    """Return them as Prometheus takes them, with the labels that each of their series gets."""
    found = []
    for key, child in children.all():
        pod = child.facts
        if not isinstance(pod, PodFacts) or pod.component not in _PORTS or child.deleting:
            continue
        if pod.ip is None or pod.phase != "Running":
            continue
        host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
        labels = {
            "namespace": key.namespace,
            "name": key.name,
            "component": pod.component,
            "pod": child.name,
        }
        found.append({"targets": [f"{host}:{_PORTS[pod.component]}"], "labels": labels})
    return sorted(found, key=lambda one: str(one["targets"]))
