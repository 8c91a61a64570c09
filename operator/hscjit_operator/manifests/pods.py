"""What is the same in every pod: no root, nothing writable but /tmp, secrets as files, no token?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hscjit_operator import names
from hscjit_operator.manifests.meta import Manifest
from hscjit_operator.model.spec import HSCJit
from hscjit_operator.model.workload import Resources

UID = 10001
"""User and group of every process: above 10000, so that it is nobody's on the node."""
SECRETS_DIR = "/run/secrets/hscjit"
BACKUPS_DIR = "/backups"
API_PORT = 8000
METRICS_PORT = 8001
"""Where worker and beat answer /health and /metrics."""
REDIS_PORT = 6379
POSTGRES_PORT = 5432

METRICS_VARIABLE = {"name": "HSCJIT_METRICS_PORT", "value": str(METRICS_PORT)}


@dataclass(frozen=True)
class Volume:
    """A volume of a pod and where a container sees it."""

    source: Mapping[str, Any]
    """The volume as the pod lists it, its name included."""
    path: str
    read_only: bool = False

    @property
    def mount(self) -> Manifest:
        """Return the entry under a container's `volumeMounts`."""
        found = {"name": self.source["name"], "mountPath": self.path}
        return {**found, "readOnly": True} if self.read_only else found


def tmp(size: str) -> Volume:
    """Return the one place where a process may write what nobody needs later."""
    return scratch("tmp", "/tmp", size)  # noqa: S108  a path in the container, and a volume


def scratch(name: str, path: str, size: str, *, memory: bool = False) -> Volume:
    """Return an empty volume that lives as long as its pod."""
    medium = {"medium": "Memory"} if memory else {}
    return Volume({"name": name, "emptyDir": {**medium, "sizeLimit": size}}, path)


def config_files(
    name: str, config_map: str, path: str, *, keys: Sequence[str] = (), optional: bool = False
) -> Volume:
    """Return a ConfigMap's keys as files, all of them unless some are named."""
    source: Manifest = {"name": config_map, "defaultMode": 0o444}
    if keys:
        source["items"] = [{"key": key, "path": key} for key in keys]
    if optional:
        source["optional"] = True
    return Volume({"name": name, "configMap": source}, path, read_only=True)


def claim(name: str, claim_name: str, path: str) -> Volume:
    """Return a claim's volume."""
    return Volume({"name": name, "persistentVolumeClaim": {"claimName": claim_name}}, path)


def app_variables(app: HSCJit, component: str) -> list[Manifest]:
    """Return the environment every process of the app image starts with.

    `component` is api, worker, beat or job.
    """
    return [
        {"name": "HSCJIT_NAME", "value": app.name},
        {"name": "HSCJIT_COMPONENT", "value": component},
        {"name": "HSCJIT_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]


def shared_config(app: HSCJit) -> list[Manifest]:
    """Return the `envFrom` of what API, worker and beat are told alike."""
    return [{"configMapRef": {"name": names.child(app.name, names.CONFIG)}}]


def container(
    name: str,
    image: str,
    *,
    volumes: Sequence[Volume],
    resources: Manifest,
    **fields: Any,
) -> Manifest:
    """Return a container under the rules of the restricted Pod Security Standard."""
    return {
        "name": name,
        "image": image,
        **fields,
        "resources": resources,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [volume.mount for volume in volumes],
    }


def spec(app: HSCJit, volumes: Iterable[Volume], **fields: Any) -> Manifest:
    """Return a pod's spec around its containers; `volumes` may name one volume more than once."""
    sources = {volume.source["name"]: dict(volume.source) for volume in volumes}
    if app.image.pull_secrets:
        fields["imagePullSecrets"] = [{"name": secret.name} for secret in app.image.pull_secrets]
    return {
        "automountServiceAccountToken": False,
        # Service variables would put every Service of the namespace into the environment.
        "enableServiceLinks": False,
        **fields,
        "securityContext": {
            "fsGroup": UID,
            # Only a fresh volume changes hands. "Always" would also open Postgres' data folder to
            # the group at each start, and Postgres refuses to run on such a folder.
            "fsGroupChangePolicy": "OnRootMismatch",
            "runAsGroup": UID,
            "runAsNonRoot": True,
            "runAsUser": UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": list(sources.values()),
    }


def metrics_server() -> dict[str, Any]:
    """Return the port and the probes of a worker or beat: its parent process answers /health."""
    return {
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
        "startupProbe": startup_probe("/health", "metrics"),
        "readinessProbe": http_probe("/health", "metrics", period_s=2, failures=3, timeout_s=2),
        # Only the backstop: the autopilot restarts a worker that consumes nothing long before.
        "livenessProbe": http_probe("/health", "metrics", period_s=10, failures=6, timeout_s=2),
    }


def with_disk(wanted: Resources, limit: str) -> Manifest:
    """Return resources with a bound on what a container may write to the node's disk.

    The request is named too: a limit alone would also be the request, and keep pods off small
    nodes.
    """
    found = wanted.manifest()
    return {
        "limits": {**found["limits"], "ephemeral-storage": limit},
        "requests": {**found["requests"], "ephemeral-storage": "32Mi"},
    }


def http_probe(path: str, port: str, *, period_s: int, failures: int, timeout_s: int) -> Manifest:
    """Return a probe that asks over HTTP."""
    return {"httpGet": {"path": path, "port": port}, **_rhythm(period_s, failures, timeout_s)}


def startup_probe(path: str, port: str) -> Manifest:
    """Return the probe of a starting process of the app: each second, for a minute.

    Nothing answers in the first two seconds; asking then would only fill the events with warnings.
    """
    probe = http_probe(path, port, period_s=1, failures=60, timeout_s=2)
    return {**probe, "initialDelaySeconds": 2}


def script_probe(script: str, *, period_s: int, failures: int, timeout_s: int) -> Manifest:
    """Return a probe that runs a short shell script in the container."""
    return {"exec": {"command": shell(script)}, **_rhythm(period_s, failures, timeout_s)}


def shell(script: str) -> list[str]:
    """Return the command that runs a script of ours."""
    return ["sh", "-c", script]


def _rhythm(period_s: int, failures: int, timeout_s: int) -> Manifest:
    return {"periodSeconds": period_s, "failureThreshold": failures, "timeoutSeconds": timeout_s}
