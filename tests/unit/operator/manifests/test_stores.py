"""Redis, Postgres and what they lie on: sized to their limits, kept as the policy says."""

import json
from typing import Any

import pytest
from tests.unit.operator.manifests.builders import FULL, UID, children, hscjit

from hscjit_operator import names
from hscjit_operator.manifests import storage

MIB = 1024 * 1024


def conf(file: str, spec: dict[str, Any] | None = None) -> list[str]:
    text = children(spec).get("ConfigMap", "support-redis")["data"][file]
    return str(text).splitlines()


def test_the_cache_may_forget_and_keeps_nothing() -> None:
    assert "maxmemory-policy allkeys-lru" in conf("cache.conf")
    assert "appendonly no" in conf("cache.conf")
    assert 'save ""' in conf("cache.conf")


def test_the_queue_must_not_forget() -> None:
    assert "maxmemory-policy noeviction" in conf("queue.conf")
    assert "appendonly yes" in conf("queue.conf")
    assert "appendfsync everysec" in conf("queue.conf")


@pytest.mark.parametrize(
    ("limit", "maxmemory"),
    [("256Mi", int(256 * MIB * 0.7)), ("1G", 700_000_000), ("100Mi", 70 * MIB)],
)
def test_maxmemory_leaves_room_below_the_limit(limit: str, maxmemory: int) -> None:
    spec = {"redis": {"embedded": {"queue": {"resources": {"limits": {"memory": limit}}}}}}

    assert f"maxmemory {maxmemory}" in conf("queue.conf", spec)


@pytest.mark.parametrize("file", ["cache.conf", "queue.conf"])
def test_the_password_is_included_from_a_file(file: str) -> None:
    assert conf(file)[0] == "include /run/secrets/hscjit/redis-auth.conf"


def test_each_redis_sees_its_own_configuration_alone() -> None:
    for component, file in ((names.REDIS_CACHE, "cache.conf"), (names.REDIS_QUEUE, "queue.conf")):
        pod = children().pod(component)
        (config,) = (v["configMap"] for v in pod.spec["volumes"] if "configMap" in v)
        assert config["items"] == [{"key": file, "path": file}]
        assert pod.containers[0]["args"] == ["redis-server", f"/etc/hscjit/{file}"]


def test_images_start_by_their_own_entry_point() -> None:
    for component in (names.POSTGRES, names.REDIS_CACHE, names.REDIS_QUEUE):
        assert "command" not in children().pod(component).containers[0]


def settings(spec: dict[str, Any] | None = None) -> dict[str, str]:
    (container,) = children(spec).pod(names.POSTGRES).containers
    assert container["args"][0] == "postgres"
    assert container["args"][1::2] == ["-c"] * (len(container["args"]) // 2)
    return dict(word.split("=", 1) for word in container["args"][2::2])


@pytest.mark.parametrize(
    ("limit", "buffers"), [("192Mi", "24MB"), ("512Mi", "64MB"), ("2Gi", "256MB")]
)
def test_postgres_buffers_fit_its_limit(limit: str, buffers: str) -> None:
    spec = {"postgres": {"embedded": {"resources": {"limits": {"memory": limit}}}}}

    assert settings(spec)["shared_buffers"] == buffers


def test_postgres_has_room_for_every_pool_and_for_people() -> None:
    spec = {"postgres": {"pool": {"size": 80, "maxOverflow": 30}}}

    assert settings(spec)["max_connections"] == "125"


def test_postgres_keeps_its_data_in_a_subfolder_of_the_claim() -> None:
    (container,) = children().pod(names.POSTGRES).containers
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    (data,) = (m["mountPath"] for m in container["volumeMounts"] if m["name"] == "data")

    assert variables["PGDATA"] == f"{data}/pgdata"
    assert variables["POSTGRES_PASSWORD_FILE"].startswith("/run/secrets/hscjit/")
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {"/dev/shm", "/var/run/postgresql"} <= mounted  # noqa: S108  mounts


POOLS = {
    # size, overflow, pods at most (API, surge, workers) → a pod's share
    "defaults": ({}, "3", "1"),  # 50 and 20 over 10 + 1 + 4
    "autoscaling off": ({"api": {"autoscaling": {"enabled": False}}}, "7", "2"),  # 2 + 1 + 4
    "just enough": ({"postgres": {"pool": {"size": 15, "maxOverflow": 14}}}, "1", "0"),
}


@pytest.mark.parametrize(("spec", "size", "overflow"), POOLS.values(), ids=POOLS)
def test_a_pods_share_of_the_connections(spec: dict[str, Any], size: str, overflow: str) -> None:
    data = children(spec).get("ConfigMap", "support-config")["data"]

    assert (data["HSCJIT_DB_POOL_SIZE"], data["HSCJIT_DB_MAX_OVERFLOW"]) == (size, overflow)


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_claims_go_or_stay_with_their_stateful_set(policy: str) -> None:
    found = children({"deletionPolicy": policy})
    for component in (names.POSTGRES, names.REDIS_QUEUE):
        spec = found.get("StatefulSet", f"support-{component}")["spec"]
        assert spec["persistentVolumeClaimRetentionPolicy"] == {
            "whenDeleted": policy,
            "whenScaled": "Retain",
        }
        (template,) = spec["volumeClaimTemplates"]
        assert template["metadata"]["labels"][names.LABEL_OWNER_UID] == UID
        name = f"{template['metadata']['name']}-support-{component}-0"
        assert storage.data_claim(hscjit(), component) == name


def test_the_cache_has_no_claim() -> None:
    spec = children().get("StatefulSet", "support-redis-cache")["spec"]

    assert "volumeClaimTemplates" not in spec
    assert "persistentVolumeClaimRetentionPolicy" not in spec


CLAIMS = {
    "by default": ({}, [("1Gi", None), ("2Gi", None), ("5Gi", None)]),
    "as named": (FULL, [("20Gi", "fast"), ("3Gi", "fast"), ("9Gi", "slow")]),
}


@pytest.mark.parametrize(("spec", "meant"), CLAIMS.values(), ids=CLAIMS)
def test_claims_are_as_large_and_of_the_class_that_is_asked_for(
    spec: dict[str, Any], meant: list[tuple[str, str | None]]
) -> None:
    found = children(spec)
    claims = [child["spec"] for child in found if child["kind"] == "PersistentVolumeClaim"]
    for child in (child for child in found if child["kind"] == "StatefulSet"):
        claims += [t["spec"] for t in child["spec"].get("volumeClaimTemplates", [])]

    asked = [(c["resources"]["requests"]["storage"], c.get("storageClassName")) for c in claims]
    assert sorted(asked, key=str) == meant


def test_the_settings_tell_where_manuals_may_come_from() -> None:
    data = children(FULL).get("ConfigMap", "support-config")["data"]

    assert data["HSCJIT_MANUALS_BASE_URL"] == "http://support-manuals"
    assert json.loads(data["HSCJIT_MANUALS_ALLOWED_HOSTS"]) == [
        {"host": "manuals.example.com"},
        {"host": "files.example.com:8443"},
        {"host": "inside.example.com:8080", "privateCIDR": "10.20.0.0/24"},
        {"host": "intranet.example.com", "privateCIDR": "192.168.7.7/32"},
        {"host": "support-manuals", "privateCIDR": "10.96.0.7/32"},
    ]
    assert data["HSCJIT_MANUALS_CACHE_TTL_SECONDS"] == "28800"
    assert json.loads(data["HSCJIT_ALLOWED_ORIGINS"]) == ["https://shop.example.com"]
    assert json.loads(data["HSCJIT_TRUSTED_PROXIES"]) == ["10.0.0.0/8"]


def test_an_ipv6_cluster_allows_one_address_too() -> None:
    data = children(manuals_ip="fd00:96::7").get("ConfigMap", "support-config")["data"]

    (host,) = json.loads(data["HSCJIT_MANUALS_ALLOWED_HOSTS"])
    assert host["privateCIDR"] == "fd00:96::7/128"


def test_a_catalogue_of_the_users_own_is_mounted_where_the_app_looks() -> None:
    found = children(FULL)
    pod = found.pod(names.API)
    (volume,) = (v["configMap"] for v in pod.spec["volumes"] if v["name"] == "catalog")
    (path,) = (m["mountPath"] for m in pod.containers[0]["volumeMounts"] if m["name"] == "catalog")

    assert volume["name"] == "our-products"
    assert volume["optional"] is True
    assert found.get("ConfigMap", "support-config")["data"]["HSCJIT_CATALOG_DIR"] == path


def test_the_bundled_catalogue_needs_no_mount() -> None:
    found = children()

    assert "HSCJIT_CATALOG_DIR" not in found.get("ConfigMap", "support-config")["data"]
    assert "catalog" not in {v["name"] for v in found.pod(names.API).spec["volumes"]}
