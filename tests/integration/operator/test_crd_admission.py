"""A real API server admits what is good and refuses what is not, in words that name the field."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.control_plane import ControlPlane
from tests.integration.operator.user import COLLECTION, SCHEMAS, Refused, User

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.yaml"))


@pytest.fixture(scope="module")
def client(api_server: ControlPlane) -> User:
    """The API server with our schema: that it takes it proves the rules' cost to be bearable."""
    return User(api_server).with_schema()


@pytest.fixture
def made(client: User) -> Iterator[Callable[[str, Any], dict[str, Any]]]:
    """Make HSCJits that are gone after the test."""
    names: list[str] = []

    def make(name: str, spec: Any) -> dict[str, Any]:
        created = client.create(name, spec)
        names.append(name)
        return created

    yield make
    for name in names:
        client.call("DELETE", f"{COLLECTION}/{name}")


def test_the_schema_is_established_and_structural(client: User):
    conditions = client.call("GET", f"{SCHEMAS}/hscjits.hscjit.dev")["status"]["conditions"]

    found = {condition["type"]: condition["status"] for condition in conditions}
    assert found["Established"] == "True"
    assert found.get("NonStructuralSchema", "False") == "False"


def test_an_empty_spec_is_filled_in(made: Callable[..., dict[str, Any]]):
    spec = made("empty", {})["spec"]

    assert spec["api"]["replicas"] == 2
    assert spec["api"]["resources"]["requests"] == {"cpu": "150m", "memory": "256Mi"}
    assert spec["redis"] == {}  # so that naming an external one is all it takes to switch
    assert spec["postgres"] == {"pool": {"size": 50, "maxOverflow": 20}}
    assert spec["backup"]["schedule"] == "0 2 * * *"
    assert spec["autopilot"]["heal"]["thresholds"]["badSeconds"] == 5
    assert "bootstrap" not in spec


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_admitted(made: Callable[..., dict[str, Any]], path: Path):
    body = yaml.safe_load(path.read_text())
    assert made(body["metadata"]["name"], body["spec"])["metadata"]["generation"] == 1


WINDOW = {"schedule": "0 2 * * *", "duration": "2h"}
CACHE = {"urlSecretRef": {"name": "stores", "key": "cache"}}
QUEUE = {"urlSecretRef": {"name": "stores", "key": "queue"}}
EXTERNAL = {
    "redis": {"external": {"cache": CACHE, "queue": QUEUE}},
    "postgres": {
        "external": {
            "dsnSecretRef": {"name": "stores", "key": "dsn"},
            "caSecretRef": {"name": "ca", "key": "ca.crt"},
        }
    },
}
OFF_PEAK = {"name": "nights", "schedule": "0 22 * * *", "duration": "8h"}

ADMITTED: dict[str, Any] = {
    "blocks of nothing": {
        "image": {}, "api": {}, "worker": {}, "catalog": {}, "answers": {}, "redis": {},
        "postgres": {}, "backup": {}, "maintenance": {}, "autopilot": {}, "network": {},
    },
    "blocks of nothing further in": {
        "api": {"resources": {}, "autoscaling": {}, "rollout": {}},
        "redis": {"embedded": {}}, "postgres": {"embedded": {}}, "bootstrap": {},
        "backup": {"destination": {}, "retention": {}}, "catalog": {"bundled": {}, "manuals": {}},
        "autopilot": {"heal": {"thresholds": {}}, "scale": {"budgets": {}}},
    },
    "external stores": EXTERNAL,
    "embedded, spelt out": {"redis": {"embedded": {}}, "postgres": {"embedded": {}}},
    "a number as CPU": {"api": {"resources": {"requests": {"cpu": 1}, "limits": {"cpu": 2}}}},
    "a request at its limit": {"api": {"resources": {"requests": {"cpu": "1000m"}}}},
    "floor at ceiling": {"api": {"autoscaling": {"minReplicas": 10}}},
    "a step and names in a cron line": {"backup": {"schedule": "*/15 22-23 * jan,FEB mon-fri"}},
    "a macro as cron line": {"maintenance": {"cleanupSchedule": "@daily"}},
    "a time zone": {"backup": {"timeZone": "Europe/Berlin"}},
    "the longest off-peak": {"maintenance": {"offPeak": [OFF_PEAK | {"duration": "168h"}]}},
    "the shortest off-peak": {"maintenance": {"offPeak": [OFF_PEAK | {"duration": "1m"}]}},
    "windows": {
        "maintenance": {
            "windows": [
                WINDOW,
                {"schedule": "@weekly", "duration": "168h", "timeZone": "Asia/Tokyo"},
            ]
        }
    },
    "a private host": {
        "catalog": {"manuals": {"allowedHosts": [{"host": "a:80", "privateCIDR": "10.1.2.3/32"}]}}
    },
    "just enough connections": {"postgres": {"pool": {"size": 15}}},
    "an Ingress": {
        "network": {"ingress": {"host": "a.example.com", "tlsSecretRef": {"name": "tls"}}}
    },
    "a Gateway": {"network": {"gatewayRef": {"name": "edge", "host": "a.example.com"}}},
    "no monitoring objects": {"monitoring": {"serviceMonitor": "Off", "dashboards": "Off"}},
    "every Grafana": {"monitoring": {"grafanaLabels": {}}},
    "spot nodes": {
        "api": {"spot": {}},
        "worker": {"spot": {"nodeLabels": {"pool": "cheap"}, "tolerations": []}},
    },
    "a node port": {"network": {"service": {"type": "NodePort", "nodePort": 30080}}},
    "affinity": {
        "api": {
            "affinity": {
                "nodeAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 100,
                            "preference": {
                                "matchExpressions": [
                                    {"key": "spot", "operator": "In", "values": ["true"]}
                                ]
                            },
                        }
                    ]
                },
                "podAntiAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "topologyKey": "kubernetes.io/hostname",
                            "labelSelector": {"matchLabels": {"app": "noisy"}},
                        }
                    ]
                },
            }
        }
    },
}  # fmt: skip


@pytest.mark.parametrize("spec", ADMITTED.values(), ids=ADMITTED)
def test_admitted(made: Callable[..., dict[str, Any]], spec: Any):
    assert made("good", spec)["spec"]


REFUSED: dict[str, tuple[Any, str]] = {
    "an unknown field": ({"api": {"replcas": 3}}, 'unknown field "spec.api.replcas"'),
    "an unknown field far down": (
        {"redis": {"embedded": {"queue": {"resources": {"requests": {"gpu": 1}}}}}},
        'unknown field "spec.redis.embedded.queue.resources.requests.gpu"',
    ),
    "what a later version will know": ({"ingress": {}}, 'unknown field "spec.ingress"'),
    "a wrong type": ({"api": {"replicas": "three"}}, "spec.api.replicas"),
    "yes for true": ({"backup": {"enabled": "yes"}}, "spec.backup.enabled"),
    "no replicas": ({"api": {"replicas": 0}}, "spec.api.replicas"),
    "a thousand replicas": ({"api": {"replicas": 1000}}, "spec.api.replicas"),
    "a target above a hundred": (
        {"api": {"autoscaling": {"targetCPU": 101}}}, "spec.api.autoscaling.targetCPU",
    ),
    "minReplicas above maxReplicas": (
        {"api": {"autoscaling": {"minReplicas": 11}}},
        "spec.api.autoscaling.minReplicas: Invalid value: minReplicas is above maxReplicas; lower",
    ),
    "workers' minReplicas above maxReplicas": (
        {"worker": {"minReplicas": 5}}, "spec.worker.minReplicas",
    ),
    "more bad seconds than the window has": (
        {"autopilot": {"heal": {"thresholds": {"badSeconds": 9}}}},
        "spec.autopilot.heal.thresholds.badSeconds",
    ),
    "a rollout that cannot begin": (
        {"api": {"rollout": {"maxSurge": 0}}}, "spec.api.rollout.maxUnavailable",
    ),
    "a request above its limit": (
        {"api": {"resources": {"requests": {"cpu": "1001m"}}}},
        "spec.api.resources.requests.cpu: Invalid value: resources.requests.cpu is above",
    ),
    "memory above its limit": (
        {"postgres": {"embedded": {"resources": {"limits": {"memory": "128Mi"}}}}},
        "spec.postgres.embedded.resources.requests.memory",
    ),
    "a quantity in words": (
        {"api": {"resources": {"requests": {"cpu": "INVALID"}}}}, "spec.api.resources.requests.cpu",
    ),
    "a negative quantity": (
        {"api": {"resources": {"requests": {"cpu": -1}}}},
        "spec.api.resources.requests.cpu: Invalid value: -1: must be above zero",
    ),
    "storage of nothing": (
        {"postgres": {"embedded": {"storage": "0Gi"}}}, "spec.postgres.embedded.storage",
    ),
    "a bad cron line": (
        {"backup": {"schedule": "60 * * * *"}},
        'spec.backup.schedule: Invalid value: "60 * * * *": not a cron line; write five fields',
    ),
    "a cron line of six fields": (
        {"maintenance": {"cleanupSchedule": "0 0 2 * * *"}}, "spec.maintenance.cleanupSchedule",
    ),
    "a time zone that is none": (
        {"backup": {"timeZone": "Mars/Base"}}, "spec.backup.timeZone",
    ),
    "the machine's own time zone": ({"backup": {"timeZone": "Local"}}, "not a time zone; write"),
    "an off-peak without unit": (
        {"maintenance": {"offPeak": [OFF_PEAK | {"duration": "8"}]}},
        "spec.maintenance.offPeak[0].duration",
    ),
    "a window that is no cron line": (
        {"maintenance": {"windows": [WINDOW | {"schedule": "at night"}]}},
        "spec.maintenance.windows[0].schedule",
    ),
    "a window without unit": (
        {"maintenance": {"windows": [WINDOW | {"duration": "2"}]}},
        "spec.maintenance.windows[0].duration",
    ),
    "a window nowhere": (
        {"maintenance": {"windows": [WINDOW | {"timeZone": "Mars"}]}},
        "spec.maintenance.windows[0].timeZone",
    ),
    "an off-peak of more than a week": (
        {"maintenance": {"offPeak": [OFF_PEAK | {"duration": "168h1m"}]}},
        "spec.maintenance.offPeak[0].duration",
    ),
    "an off-peak floor above its ceiling": (
        {"maintenance": {"offPeak": [OFF_PEAK | {"apiMinReplicas": 3, "apiMaxReplicas": 2}]}},
        "spec.maintenance.offPeak[0].apiMinReplicas",
    ),
    "a variable of ours": (
        {"api": {"env": [{"name": "HSCJIT_PORT"}]}}, "spec.api.env[0].name",
    ),
    "a label of ours": (
        {"worker": {"podLabels": {"hscjit.dev/x": "y"}}}, "spec.worker.podLabels",
    ),
    "a tag without repository": ({"image": {"tag": "1"}}, "spec.image.repository"),
    "tag and digest": (
        {"image": {"repository": "a", "tag": "1", "digest": "sha256:" + "0" * 64}},
        "spec.image.tag",
    ),
    "two catalogues": (
        {"catalog": {"bundled": {}, "configMapRef": {"name": "brands"}}},
        "spec.catalog.configMapRef",
    ),
    "embedded and external Redis": (
        {"redis": {"embedded": {}, "external": {"cache": CACHE, "queue": QUEUE}}},
        "spec.redis.external cannot stand beside spec.redis.embedded; remove one of the two",
    ),
    "embedded and external Postgres": (
        {"postgres": {"embedded": {}, **EXTERNAL["postgres"]}},
        "spec.postgres.external cannot stand beside spec.postgres.embedded; remove one",
    ),
    "one server for cache and queue": (
        {"redis": {"external": {"cache": CACHE, "queue": CACHE}}},
        "spec.redis.external.queue.urlSecretRef names the same key",
    ),
    "a cache without a queue": ({"redis": {"external": {"cache": CACHE}}}, "spec.redis.external"),
    "a key that is none": (
        {"postgres": {"external": {"dsnSecretRef": {"name": "a", "key": "b/c"}}}},
        "spec.postgres.external.dsnSecretRef.key",
    ),
    "the cloud's metadata as a manuals host": (
        {
            "catalog": {
                "manuals": {"allowedHosts": [{"host": "a", "privateCIDR": "169.254.169.254/32"}]}
            }
        },
        "spec.catalog.manuals.allowedHosts[0].privateCIDR",
    ),
    "a network that is none": (
        {"network": {"trustedProxies": ["nonsense"]}}, "spec.network.trustedProxies[0]",
    ),
    "bits behind a mask": (
        {"network": {"clientsFrom": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}},
        "spec.network.clientsFrom[0].ipBlock.cidr",
    ),
    "an Ingress without a host": ({"network": {"ingress": {}}}, "spec.network.ingress.host"),
    "a host with a port": (
        {"network": {"ingress": {"host": "a:80"}}}, "spec.network.ingress.host",
    ),
    "an annotation of ours": (
        {"network": {"ingress": {"host": "a", "annotations": {"hscjit.dev/a": "b"}}}},
        "spec.network.ingress.annotations",
    ),
    "a controller that is none": (
        {"network": {"ingress": {"host": "a", "controllers": [{}]}}},
        "spec.network.ingress.controllers[0]",
    ),
    "a Gateway without a name": (
        {"network": {"gatewayRef": {"host": "a"}}}, "spec.network.gatewayRef.name",
    ),
    "a monitor that is always made": (
        {"monitoring": {"serviceMonitor": "On"}}, "spec.monitoring.serviceMonitor",
    ),
    "a monitor with a label of ours": (
        {"monitoring": {"labels": {"hscjit.dev/a": "b"}}}, "spec.monitoring.labels",
    ),
    "a peer that is none": ({"network": {"metricsFrom": [{}]}}, "spec.network.metricsFrom[0]"),
    "an origin with a path": (
        {"network": {"allowedOrigins": ["https://a/b"]}}, "spec.network.allowedOrigins[0]",
    ),
    "a node port without its type": (
        {"network": {"service": {"nodePort": 30080}}}, "spec.network.service.nodePort",
    ),
    "fewer connections than pods": (
        {"postgres": {"pool": {"size": 14}}}, "spec.postgres.pool.size",
    ),
    "an answer engine we do not have": (
        {"answers": {"provider": "oracle"}}, "spec.answers.provider",
    ),
    "a megabyte of text": (
        {"api": {"env": [{"name": "A", "value": "x" * 1_000_000}]}}, "spec.api.env[0].value",
    ),
    "too many variables": (
        {"api": {"env": [{"name": f"A{i}"} for i in range(65)]}}, "spec.api.env",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "names"), REFUSED.values(), ids=REFUSED)
def test_refused_by_name(client: User, spec: Any, names: str):
    with pytest.raises(Refused) as refusal:
        client.create("bad", spec)

    assert names in str(refusal.value)


NAMES = {
    "forty-one characters": "a" * 41,
    "sixty characters": "a" * 60,
    "a dot": "care.eu",
    "a digit first": "1care",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_that_children_could_not_bear(client: User, name: str):
    with pytest.raises(Refused, match=r"metadata\.name must be at most 40 lower-case"):
        client.create(name, {})


def test_the_longest_name(made: Callable[..., dict[str, Any]]):
    assert made("a" * 40, {})["metadata"]["name"] == "a" * 40


# --- what may not change --------------------------------------------------------------------------


def test_the_size_is_not_to_be_set_while_it_follows_the_load(
    client: User, made: Callable[..., dict[str, Any]]
):
    made("scaled", {})

    with pytest.raises(Refused, match=r"spec\.api\.autoscaling\.enabled is true; set"):
        client.scale("scaled", 3)

    client.change("scaled", {"api": {"autoscaling": {"enabled": False}}})
    assert client.scale("scaled", 3)["spec"]["replicas"] == 3


FIXED: dict[str, tuple[Any, Any, str]] = {
    "a bootstrap added": ({}, {"bootstrap": {"adoptVolumes": True}}, "spec.bootstrap is fixed"),
    "a bootstrap removed": (
        {"bootstrap": {"adoptVolumes": True}}, {"bootstrap": None}, "spec.bootstrap is fixed",
    ),
    "a bootstrap changed": (
        {"bootstrap": {"adoptVolumes": True}}, {"bootstrap": {"adoptVolumes": False}},
        "spec.bootstrap is fixed",
    ),
    "the database's volume": (
        {}, {"postgres": {"embedded": {"storage": "6Gi"}}}, "spec.postgres.embedded.storage",
    ),
    "the database's volume, by leaving it out": (
        {"postgres": {"embedded": {"storage": "6Gi"}}}, {"postgres": None},
        "spec.postgres.embedded.storage",
    ),
    "the database's class": (
        {}, {"postgres": {"embedded": {"storageClass": "fast"}}}, "spec.postgres.embedded",
    ),
    "the queue's volume": (
        {}, {"redis": {"embedded": {"queue": {"storage": "2Gi"}}}},
        "spec.redis.embedded.queue.storage",
    ),
    "the queue's class, by leaving it out": (
        {"redis": {"embedded": {"queue": {"storageClass": "fast"}}}},
        {"redis": {"embedded": None}}, "spec.redis.embedded.queue.storage",
    ),
    "smaller backups": (
        {}, {"backup": {"destination": {"persistentVolumeClaim": {"storage": "1Gi"}}}},
        "spec.backup.destination.persistentVolumeClaim.storage cannot shrink",
    ),
    "backups of another class": (
        {}, {"backup": {"destination": {"persistentVolumeClaim": {"storageClass": "fast"}}}},
        "spec.backup.destination.persistentVolumeClaim.storageClass",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "change", "names"), FIXED.values(), ids=FIXED)
def test_fixed_once_it_is_made(
    client: User, made: Callable[..., dict[str, Any]], before: Any, change: Any, names: str
):
    made("fixed", before)

    with pytest.raises(Refused) as refusal:
        client.change("fixed", change)

    assert names in str(refusal.value)


def test_what_is_fixed_may_be_written_out_or_left_out_when_it_says_the_same(
    client: User, made: Callable[..., dict[str, Any]]
):
    made("same", {"bootstrap": {"adoptVolumes": True}})
    client.change("same", {"postgres": {"embedded": None}, "redis": None, "api": None})
    client.change("same", {"postgres": {"embedded": {"storage": "5Gi"}}})
    spec = client.change("same", {"api": {"autoscaling": {"maxReplicas": 12}}})["spec"]

    assert spec["api"]["autoscaling"]["maxReplicas"] == 12


def test_stores_may_move_out_and_back(client: User, made: Callable[..., dict[str, Any]]):
    made("moved", {"redis": {"embedded": {"queue": {"storage": "3Gi"}}}})
    client.change("moved", {"postgres": EXTERNAL["postgres"]})  # nobody wrote embedded down
    moved = client.change("moved", {"redis": {"embedded": None, **EXTERNAL["redis"]}})["spec"]
    assert moved["redis"] == EXTERNAL["redis"]

    back = client.change("moved", {"redis": {"external": None}, "postgres": {"external": None}})
    assert back["spec"]["redis"] == {}
    assert back["spec"]["postgres"] == {"pool": {"size": 50, "maxOverflow": 20}}


def test_the_volume_for_backups_may_grow(client: User, made: Callable[..., dict[str, Any]]):
    made("grown", {})
    claim = {"persistentVolumeClaim": {"storage": "3Gi"}}

    assert client.change("grown", {"backup": {"destination": claim}})["spec"]["backup"][
        "destination"
    ] == claim  # fmt: skip


def test_a_refused_change_leaves_what_was(client: User, made: Callable[..., dict[str, Any]]):
    before = made("kept", {})
    with pytest.raises(Refused):
        client.change("kept", {"backup": {"schedule": "every day"}})

    after = client.call("GET", f"{COLLECTION}/kept")
    assert (after["spec"], after["metadata"]["generation"]) == (before["spec"], 1)


# --- the status ---------------------------------------------------------------------------------

STATUS: dict[str, Any] = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Ready", "status": "True", "observedGeneration": 1, "reason": "Answering",
            "message": "The assistant answers", "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
    "replicas": 2,
    "selector": "app.kubernetes.io/instance=shown",
    "version": "1",
    "image": "hscjit/app:0.1.0",
    "endpoint": "http://shown-api.default.svc",
    "components": {
        name: {"desired": 1, "ready": 0, "reason": "Starting"}
        for name in ("api", "worker", "beat", "redisCache", "redisQueue", "postgres")
    },
    "summary": {"api": "2/2", "workers": "1/1", "autopilot": "Act"},
    "autopilot": {
        "targets": {"apiFloor": 2, "apiCeiling": 10, "workers": 1},
        "lastDecision": {
            "time": "2026-01-01T00:00:00Z", "action": "Evict", "target": "shown-api-0",
            "reason": "Unresponsive", "inputs": {"badSeconds": 5, "share": 0.5, "by": "probe"},
            "refusedBecause": "DisruptionBudget",
        },
        "ledger": "shown-ledger",
    },
    "backup": {
        "lastSuccessTime": "2026-01-01T00:00:00Z", "lastSize": 4096,
        "lastName": "20260101T000000Z", "index": "shown-backups",
    },
    "restore": {
        "from": "20260101T000000Z", "step": "Restoring", "message": "Loading",
        "startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:01:00Z",
    },
}  # fmt: skip


def test_a_status_is_stored_whole_and_read_by_the_columns(
    client: User, made: Callable[..., dict[str, Any]]
):
    made("shown", {})
    path = f"{COLLECTION}/shown"
    stored = client.report("shown", STATUS)
    assert stored["status"] == STATUS
    assert stored["metadata"]["generation"] == 1

    scale = client.call("GET", f"{path}/scale")
    assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (2, 2)
    assert scale["status"]["selector"] == STATUS["selector"]

    table = client.call("GET", path, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    columns = [(c["name"], c["priority"]) for c in table["columnDefinitions"]]
    cells = dict(zip((name for name, _ in columns), table["rows"][0]["cells"], strict=True))

    assert [name.upper() for name, wide in columns if not wide] == [
        "NAME", "READY", "STATUS", "API", "WORKERS", "AUTOPILOT", "BACKUP", "AGE",
    ]  # fmt: skip
    assert [name.upper() for name, wide in columns if wide] == ["IMAGE", "LAST-ACTION", "MESSAGE"]
    assert (cells["Ready"], cells["Status"], cells["API"]) == ("True", "Answering", "2/2")
    assert (cells["Workers"], cells["Autopilot"], cells["Last-Action"]) == ("1/1", "Act", "Evict")
    assert cells["Message"] == "The assistant answers"
    assert cells["Backup"].endswith("d")
