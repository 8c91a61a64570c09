"""HSCJits and inputs for the tests of the manifests, and ways to look at what comes out."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from hscjit_operator import manifests, names
from hscjit_operator.model import logins
from hscjit_operator.model.addresses import Place
from hscjit_operator.model.autopilot import Targets
from hscjit_operator.model.inputs import Exchange, Inputs
from hscjit_operator.model.spec import HSCJit, parse

UID = "7f1c9c1e-1111-4222-8333-0123456789ab"

INPUTS = Inputs(
    image="hscjit-app:1",
    migrate_image="hscjit-app:1",
    redis_image="redis:7",
    postgres_image="postgres:15",
    template_version="1",
    restarted_at=None,
    targets=Targets(api_floor=2, api_ceiling=10, workers=1),
    api_replicas=None,
    workload=True,
    stopped=False,
    restore=None,
    exchange=None,
    manuals_ip="10.96.0.7",
    secrets={"database-url": "5ec2e7", "redis-auth.conf": "a07b"},
    places={},
    operator_namespace="hscjit-system",
)


def hscjit(
    spec: dict[str, Any] | None = None,
    *,
    name: str = "support",
    annotations: dict[str, str] | None = None,
) -> HSCJit:
    metadata = {
        "name": name,
        "namespace": "shop",
        "uid": UID,
        "generation": 1,
        "annotations": annotations or {},
    }
    return parse({"metadata": metadata, "spec": spec or {}})


def inputs(**changes: Any) -> Inputs:
    return replace(INPUTS, **changes)


def children(spec: dict[str, Any] | None = None, **changes: Any) -> "Children":
    return Children(manifests.desired(hscjit(spec), inputs(**changes)))


class Pod(NamedTuple):
    """A pod template, found in whatever makes the pods."""

    owner: str
    labels: dict[str, str]
    annotations: dict[str, str]
    spec: dict[str, Any]

    @property
    def component(self) -> str:
        return self.labels[names.LABEL_COMPONENT]

    @property
    def containers(self) -> list[dict[str, Any]]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def sidecars(self) -> list[dict[str, Any]]:
        return [c for c in self.spec.get("initContainers", []) if "restartPolicy" in c]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Those that run one after the other, and end."""
        return [c for c in self.containers if c not in self.sidecars]


def secret_items(pod: Pod) -> list[tuple[str, dict[str, str]]]:
    """Return the name of each Secret a pod mounts, with each of its items."""
    found = []
    for volume in pod.spec["volumes"]:
        secrets = [source["secret"] for source in volume.get("projected", {}).get("sources", [])]
        if "secret" in volume:
            secrets.append({**volume["secret"], "name": volume["secret"]["secretName"]})
        found += [(secret["name"], item) for secret in secrets for item in secret["items"]]
    return found


class Children(list[dict[str, Any]]):
    """What `desired` returned."""

    def keys(self) -> list[str]:
        return [f"{child['kind']}/{child['metadata']['name']}" for child in self]

    def get(self, kind: str, name: str) -> dict[str, Any]:
        (found,) = (
            child for child in self if (child["kind"], child["metadata"]["name"]) == (kind, name)
        )
        return found

    def pods(self) -> Iterator[Pod]:
        for child, key in zip(self, self.keys(), strict=True):
            holder = child.get("spec", {})
            holder = holder.get("jobTemplate", {}).get("spec", holder)
            if "template" in holder:
                metadata = holder["template"]["metadata"]
                yield Pod(
                    key,
                    metadata["labels"],
                    metadata.get("annotations", {}),
                    holder["template"]["spec"],
                )

    def pod(self, component: str) -> Pod:
        (found,) = (pod for pod in self.pods() if pod.component == component)
        return found


EXTERNAL: dict[str, Any] = {
    "redis": {
        "external": {
            "cache": {"urlSecretRef": {"name": "our-redis", "key": "cache"}},
            "queue": {
                "urlSecretRef": {"name": "our-redis", "key": "queue"},
                "caSecretRef": {"name": "our-ca", "key": "ca.crt"},
            },
        }
    },
    "postgres": {
        "external": {
            "dsnSecretRef": {"name": "our-postgres", "key": "dsn"},
            "caSecretRef": {"name": "our-ca", "key": "ca.crt"},
        }
    },
}
"""A spec whose stores all run elsewhere."""

PLACES = {
    names.REDIS_CACHE: Place(6379, "10.30.0.5", "cccccccccccccccc"),
    names.REDIS_QUEUE: Place(6380, None, "0000000000000000"),
    names.POSTGRES: Place(6432, "fd00::5", "1111111111111111"),
}
"""Where they are: two at literal addresses, one by a name."""

RESTORING = {
    "stopped": True,
    "restore": "20261123T020000Z",
    "api_replicas": 0,
    "migrate_image": None,
}
"""Inputs while a restore's Job is wanted."""

ROTATING = {
    "exchange": Exchange("hscjit_b", logins.NEXT, "0123456", "support-rot-89abcde"),
}
"""Inputs while the database's next password is made good."""

FULL: dict[str, Any] = {
    "image": {
        "repository": "example.com/team/app",
        "tag": "2",
        "pullPolicy": "Always",
        "pullSecrets": [{"name": "pull"}],
    },
    "api": {
        "autoscaling": {"minReplicas": 3, "maxReplicas": 8, "targetMemory": 80},
        "env": [{"name": "TEAM", "value": "support"}],
        "podLabels": {"team": "support", "cost": "42"},
        "podAnnotations": {"example.com/note": "hello"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 1,
                        "preference": {
                            "matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]
                        },
                    }
                ]
            }
        },
        "topologySpread": [
            {"topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
        ],
        "priorityClassName": "system-cluster-critical",
        "rollout": {"maxSurge": 2, "maxUnavailable": 1, "preStopSeconds": 0},
    },
    "worker": {
        "concurrency": 4,
        "pool": "threads",
        "minReplicas": 2,
        "env": [{"name": "TEAM"}],
        "podLabels": {"team": "support"},
        "spot": {},
    },
    "catalog": {
        "configMapRef": {"name": "our-products"},
        "manuals": {
            "allowedHosts": [
                {"host": "manuals.example.com"},
                {"host": "files.example.com:8443"},
                {"host": "inside.example.com:8080", "privateCIDR": "10.20.0.0/24"},
                {"host": "intranet.example.com", "privateCIDR": "192.168.7.7/32"},
            ],
            "maxBytes": 1048576,
            "cacheTTL": "8h",
        },
    },
    "redis": {"embedded": {"queue": {"storage": "3Gi", "storageClass": "fast"}}},
    "postgres": {
        "embedded": {"storage": "20Gi", "storageClass": "fast"},
        "pool": {"size": 100, "maxOverflow": 7},
    },
    "backup": {
        "schedule": "30 1 * * *",
        "timeZone": "Europe/Berlin",
        "retention": {"keepLast": 3, "keepDaily": 5},
        "destination": {"persistentVolumeClaim": {"storage": "9Gi", "storageClass": "slow"}},
    },
    "network": {
        "clientsFrom": [{"namespaceSelector": {"matchLabels": {"team": "web"}}}],
        "metricsFrom": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
                "podSelector": {"matchLabels": {"app": "prometheus"}},
            }
        ],
        "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.9.9.9/32"}}], "ports": [{"port": 8080}]}],
        "trustedProxies": ["10.0.0.0/8"],
        "allowedOrigins": ["https://shop.example.com"],
        "service": {"type": "NodePort", "nodePort": 30080, "annotations": {"example.com/a": "b"}},
    },
    "deletionPolicy": "Delete",
}
"""A spec that turns everything there is to turn."""

VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "empty spec": ({}, {}),
    "everything set": (FULL, {"image": "example.com/team/app:2"}),
    "first pass": ({}, {"workload": False, "manuals_ip": None}),
    "settled": ({}, {"migrate_image": None}),
    "restoring": ({}, RESTORING),
    "restoring, everything set": (FULL, RESTORING),
    "autoscaling off": ({"api": {"autoscaling": {"enabled": False}}}, {"api_replicas": 2}),
    "backup off": ({"backup": {"enabled": False}}, {}),
    "policies off": ({"network": {"policies": False}}, {}),
    "rotating": ({}, ROTATING),
    "external": (EXTERNAL, {"places": PLACES}),
    "external, restoring": (EXTERNAL, RESTORING | {"places": PLACES}),
}
"""Specs and changed inputs that together reach every line."""
