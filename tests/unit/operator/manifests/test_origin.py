"""A value of the spec is followed into the children, and from there back to its field."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.operator.manifests.builders import hscjit, inputs

from hscjit_operator import manifests
from hscjit_operator.manifests.origin import origin

NEAR = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In"}]}]
        }
    }
}
EDGE = {"host": "support.example.com"}
THEIRS = {"ipBlock": {"cidr": "192.0.2.0/24"}}
CLIENTS = "clientsFrom, metricsFrom, ingress.controllers or gatewayRef.controllers"
SHOWN: dict[str, tuple[dict[str, Any], str, str]] = {
    # a spec → the child in which it shows, and the field to be named
    "affinity": (
        {"worker": {"affinity": NEAR}}, "Deployment x-worker", "spec.worker.affinity.nodeAffinity",
    ),
    "nodeSelector": ({"api": {"nodeSelector": {"a": "b"}}}, "Deployment x-api", "nodeSelector"),
    "a priority class": (
        {"api": {"priorityClassName": "high"}}, "Deployment x-api", "spec.api.priorityClassName",
    ),
    "spreading": (
        {"worker": {"topologySpread": [{"topologyKey": "a"}]}}, "Deployment x-worker",
        "spec.worker.topologySpread[0].topologyKey",
    ),
    "a toleration": (
        {"api": {"tolerations": [{"key": "a"}]}}, "Deployment x-api", "spec.api.tolerations[0]",
    ),
    "a toleration for spot nodes": (
        {"api": {"tolerations": [{"key": "a"}], "spot": {"tolerations": [{"key": "b"}]}}},
        "Deployment x-api", "spec.api.spot.tolerations[0]",
    ),
    "labels": ({"api": {"podLabels": {"a": "b"}}}, "Deployment x-api", "spec.api.podLabels"),
    "annotations": (
        {"worker": {"podAnnotations": {"a": "b"}}}, "Deployment x-worker",
        "spec.worker.podAnnotations",
    ),
    "a variable": (
        {"api": {"env": [{"name": "A", "value": "b"}]}}, "Deployment x-api", "spec.api.env",
    ),
    "resources": (
        {"worker": {"resources": {"limits": {"cpu": "3"}}}}, "Deployment x-worker",
        "spec.worker.resources.limits.cpu",
    ),
    "a rollout": (
        {"api": {"rollout": {"maxSurge": 3}}}, "Deployment x-api", "spec.api.rollout.maxSurge",
    ),
    "pull secrets": (
        {"image": {"pullSecrets": [{"name": "a"}]}}, "Deployment x-api",
        "spec.image.pullSecrets[0].name",
    ),
    "Redis' resources": (
        {"redis": {"embedded": {"cache": {"resources": {"limits": {"cpu": "3"}}}}}},
        "StatefulSet x-redis-cache", "spec.redis.embedded.cache.resources.limits.cpu",
    ),
    "Postgres' volume": (
        {"postgres": {"embedded": {"storage": "7Gi"}}}, "StatefulSet x-postgres",
        "spec.postgres.embedded.storage",
    ),
    "a node port": (
        {"network": {"service": {"type": "NodePort", "nodePort": 30080}}}, "Service x-api",
        "spec.network.service.nodePort",
    ),
    "annotations of the Service": (
        {"network": {"service": {"annotations": {"a": "b"}}}}, "Service x-api",
        "spec.network.service.annotations",
    ),
    "a host": ({"network": {"ingress": EDGE}}, "Ingress x-api", "spec.network.ingress.host"),
    "a class": (
        {"network": {"ingress": EDGE | {"className": "a"}}}, "Ingress x-api",
        "spec.network.ingress.className",
    ),
    "a certificate": (
        {"network": {"ingress": EDGE | {"tlsSecretRef": {"name": "a"}}}}, "Ingress x-api",
        "spec.network.ingress.tlsSecretRef",
    ),
    "annotations of the Ingress": (
        {"network": {"ingress": EDGE | {"annotations": {"a": "b"}}}}, "Ingress x-api",
        "spec.network.ingress.annotations",
    ),
    "name servers": (
        {"network": {"dns": [THEIRS]}}, "NetworkPolicy x-dns", "spec.network.dns[0].ipBlock.cidr",
    ),
    "clients": (
        {"network": {"clientsFrom": [THEIRS]}}, "NetworkPolicy x-api", CLIENTS,
    ),
    "who may scrape": (
        {"network": {"metricsFrom": [THEIRS]}}, "NetworkPolicy x-worker",
        "spec.network.metricsFrom",
    ),
    "more that may be reached": (
        {"network": {"extraEgress": [{"to": [THEIRS]}]}}, "NetworkPolicy x-worker",
        "spec.network.extraEgress",
    ),
    "bounds": (
        {"api": {"autoscaling": {"targetCPU": 50}}}, "HorizontalPodAutoscaler x-api",
        "spec.api.autoscaling",
    ),
    "a schedule": (
        {"backup": {"schedule": "7 7 * * *"}}, "CronJob x-backup", "spec.backup.schedule",
    ),
    "a time zone": (
        {"backup": {"timeZone": "Asia/Tokyo"}}, "CronJob x-backup", "spec.backup.timeZone",
    ),
    "a cleanup": (
        {"maintenance": {"cleanupSchedule": "7 7 * * *"}}, "CronJob x-cleanup",
        "spec.maintenance.cleanupSchedule",
    ),
    "room for backups": (
        {"backup": {"destination": {"persistentVolumeClaim": {"storage": "9Gi"}}}},
        "PersistentVolumeClaim x-backup", "persistentVolumeClaim.storage",
    ),
    "its class": (
        {"backup": {"destination": {"persistentVolumeClaim": {"storageClass": "a"}}}},
        "PersistentVolumeClaim x-backup", "persistentVolumeClaim.storageClass",
    ),
}  # fmt: skip


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every value with its path as the API server writes it."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from leaves(child, f"{path}[{index}]")
    else:
        yield path, value


def built(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = manifests.desired(hscjit(spec, name="x"), inputs())
    return {f"{c['kind']} {c['metadata']['name']}": dict(leaves(c, "")) for c in found}


@pytest.mark.parametrize(("spec", "child", "named"), SHOWN.values(), ids=SHOWN)
def test_what_a_field_changed_is_traced_back_to_it(spec: dict[str, Any], child: str, named: str):
    app = hscjit(spec, name="x")
    before, after = built({}).get(child, {}), built(spec)[child]
    # A checksum tells of other children.
    changed = [path for path in after if after[path] != before.get(path) and "dev/" not in path]

    traced = {origin(app, *child.split(), path) or "" for path in changed}

    assert any(named in path for path in traced), (changed, traced)


def test_what_the_operator_chose_is_nobodys_field():
    app = hscjit({}, name="x")

    assert origin(app, "Deployment", "x-api", "spec.template.spec.volumes[0].name") is None
    assert origin(app, "Deployment", "x-beat", "spec.template.spec.affinity") is None
    assert origin(app, "Deployment", "x-api", "spec.template.spec.affinityFor") is None
    assert origin(app, "ServiceAccount", "x-api", "metadata.name") is None
