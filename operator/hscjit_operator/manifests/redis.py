"""How do the two embedded Redis run: one that may forget, one that must not?"""

from dataclasses import dataclass
from typing import Any

from hscjit_operator import names
from hscjit_operator.manifests import credentials, pods, storage
from hscjit_operator.manifests.checksum import checksum
from hscjit_operator.manifests.meta import Manifest, match, metadata
from hscjit_operator.manifests.tools import AUTHENTICATED
from hscjit_operator.model.formats import amount
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit
from hscjit_operator.model.workload import Resources

_CONFIG_DIR = "/etc/hscjit"
_KEYS = ("redis-auth.conf", "redis-password")
_MAXMEMORY_SHARE = 0.7
"""maxmemory as a share of the memory limit: clients' buffers and the rewrite of the append-only
file need room beside the data, and the kernel's killer must never come first."""

# Ready: PONG and nothing else; while it loads its files Redis answers too, but with an error.
_READY = f'[ "$({AUTHENTICATED} redis-cli -h 127.0.0.1 ping)" = PONG ]'
# Alive: any answer, errors too, shows that the event loop turns. A long load must not be taken for
# a hang, or it would be killed and begin anew for ever.
_ALIVE = f'[ -n "$({AUTHENTICATED} redis-cli -h 127.0.0.1 ping)" ]'


@dataclass(frozen=True)
class _Role:
    """What tells cache and queue apart."""

    component: str
    conf: str
    resources: Resources
    replicas: int
    claim: Manifest | None
    """Template of the claim for its data; None = it keeps nothing."""


def _roles(app: HSCJit, *, stopped: bool = False) -> tuple[_Role, _Role]:
    cache, queue = app.redis.servers.cache, app.redis.servers.queue
    claim = storage.data_claim_template(app, names.REDIS_QUEUE, queue.storage, queue.storage_class)
    return (
        _Role(names.REDIS_CACHE, "cache.conf", cache.resources, 1, None),
        # While a restore runs the queue's files belong to its Job.
        _Role(names.REDIS_QUEUE, "queue.conf", queue.resources, int(not stopped), claim),
    )


def config(app: HSCJit) -> Manifest | None:
    """Return the ConfigMap with the configuration file of each; None for external ones."""
    if app.redis.external is not None:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(app, names.REDIS),
        "data": {role.conf: _conf(role) for role in _roles(app)},
    }


def stateful_sets(app: HSCJit, inputs: Inputs) -> list[Manifest]:
    """Return the cache, then the queue; nothing for external ones."""
    if app.redis.external is not None:
        return []
    return [_stateful_set(app, inputs, role) for role in _roles(app, stopped=inputs.stopped)]


def _conf(role: _Role) -> str:
    lines = [
        f"include {pods.SECRETS_DIR}/redis-auth.conf",
        f"port {pods.REDIS_PORT}",
        "dir /data",
        'save ""',
        f"maxmemory {int(float(amount(role.resources.limits.memory)) * _MAXMEMORY_SHARE)}",
    ]
    if role.claim is None:
        lines += ["maxmemory-policy allkeys-lru", "appendonly no"]
    else:
        # A full queue refuses work aloud; evicting would lose it in silence.
        lines += ["maxmemory-policy noeviction", "appendonly yes", "appendfsync everysec"]
        # A backup is a lone replica's first sync: waiting for a second one would be in vain.
        lines += ["repl-diskless-sync-delay 0"]
    return "\n".join(lines) + "\n"


def _stateful_set(app: HSCJit, inputs: Inputs, role: _Role) -> Manifest:
    spec: dict[str, Any] = {
        "replicas": role.replicas,
        "revisionHistoryLimit": 3,
        "serviceName": names.child(app.name, role.component),
        # With OrderedReady a pod that never got ready would block its own correction.
        "podManagementPolicy": "Parallel",
        "selector": match(app, role.component),
        "template": {
            "metadata": {
                "labels": names.labels(app.name, role.component, app.uid),
                "annotations": {
                    names.ANNOTATION_CONFIG_CHECKSUM: checksum(_conf(role)),
                    names.ANNOTATION_SECRET_CHECKSUM: credentials.digest(inputs.secrets, _KEYS),
                },
            },
            "spec": _pod(app, inputs, role),
        },
    }
    if role.claim is not None:
        spec["persistentVolumeClaimRetentionPolicy"] = storage.data_claim_policy(app)
        spec["volumeClaimTemplates"] = [role.claim]
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(
            app, role.component, annotations={names.ANNOTATION_IMAGE: inputs.redis_image}
        ),
        "spec": spec,
    }


def _pod(app: HSCJit, inputs: Inputs, role: _Role) -> Manifest:
    config_map = names.child(app.name, names.REDIS)
    volumes = [
        pods.config_files("config", config_map, _CONFIG_DIR, keys=[role.conf]),
        credentials.files(app, _KEYS),
        pods.tmp("16Mi"),
    ]
    if role.claim is None:
        volumes.append(pods.scratch(storage.DATA, "/data", "16Mi"))
        mounted = volumes
    else:
        mounted = [*volumes, pods.Volume({"name": storage.DATA}, "/data")]
    redis = pods.container(
        "redis",
        inputs.redis_image,
        volumes=mounted,
        resources=pods.with_disk(role.resources, "128Mi"),
        imagePullPolicy="IfNotPresent",
        args=["redis-server", f"{_CONFIG_DIR}/{role.conf}"],
        ports=[{"name": "redis", "containerPort": pods.REDIS_PORT, "protocol": "TCP"}],
        # The startup probe lets a big queue load for ten minutes.
        startupProbe=pods.script_probe(_ALIVE, period_s=1, failures=600, timeout_s=2),
        readinessProbe=pods.script_probe(_READY, period_s=5, failures=3, timeout_s=2),
        livenessProbe=pods.script_probe(_ALIVE, period_s=10, failures=6, timeout_s=5),
    )
    return pods.spec(app, volumes, terminationGracePeriodSeconds=30, containers=[redis])
