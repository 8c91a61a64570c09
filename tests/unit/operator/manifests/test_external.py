"""External stores: nothing is made for them; who asks them reads their Secrets as files."""

from typing import Any

import pytest
from tests.unit.operator.manifests.builders import (
    EXTERNAL,
    INPUTS,
    PLACES,
    RESTORING,
    Children,
    children,
    hscjit,
    secret_items,
)

from hscjit_operator import manifests, names

STORES = ("postgres", "redis-cache", "redis-queue")


def external(**changes: Any) -> Children:
    return children(EXTERNAL, **{"places": PLACES, **changes})


def test_nothing_is_made_for_an_external_store() -> None:
    gone = set(children().keys()) - set(external().keys())

    kinds = ("StatefulSet", "Service", "NetworkPolicy")
    made = {f"{kind}/support-{store}" for kind in kinds for store in STORES}
    assert gone == made | {"ConfigMap/support-redis"}
    assert not set(external().keys()) - set(children().keys())


def test_one_may_be_external_and_the_other_not() -> None:
    found = children({"postgres": EXTERNAL["postgres"]}, places=PLACES).keys()

    assert "StatefulSet/support-postgres" not in found
    assert {"StatefulSet/support-redis-cache", "StatefulSet/support-redis-queue"} <= set(found)


READ = {
    "api": {
        ("support-secret", "admin-token", "admin-token"),
        ("support-secret", "session-key", "session-key"),
        ("our-postgres", "dsn", "database-url"),
        ("our-ca", "ca.crt", "database-ca.pem"),
        ("our-redis", "cache", "redis-cache-url"),
        ("our-redis", "queue", "redis-queue-url"),
        ("our-ca", "ca.crt", "redis-queue-ca.pem"),
    },
    "beat": {
        ("our-redis", "queue", "redis-queue-url"),
        ("our-ca", "ca.crt", "redis-queue-ca.pem"),
    },
    "mig": {
        ("our-postgres", "dsn", "database-url"),
        ("our-ca", "ca.crt", "database-ca.pem"),
    },
}


@pytest.mark.parametrize("component", READ)
def test_each_pod_reads_what_it_needs_and_no_more(component: str) -> None:
    found = secret_items(external().pod(component))

    assert {(name, item["key"], item["path"]) for name, item in found} == READ[component]


@pytest.mark.parametrize("component", ["api", "worker", "beat", "mig"])
def test_the_environment_leads_to_the_files(component: str) -> None:
    (container,) = external().pod(component).containers
    told = {v["name"]: v.get("value") for v in container["env"] if v["name"].endswith("_FILE")}
    paths = {item["path"] for _, item in secret_items(external().pod(component))}

    assert {value.rpartition("/")[2] for value in told.values() if value} == paths


def changed(**files: str) -> set[str]:
    """Return the components that roll when these files change."""
    before = dict.fromkeys(("database-url", "redis-cache-url", "redis-queue-url"), "1")
    after = {**before, **{file.replace("_", "-"): digest for file, digest in files.items()}}
    spec = {**EXTERNAL, "image": {"repository": "a", "tag": "1", "pullSecrets": [{"name": "p"}]}}
    old, new = (children(spec, places=PLACES, secrets=secrets) for secrets in (before, after))
    rolling = ("api", "worker", "beat")
    return {c for c in rolling if old.pod(c).annotations != new.pod(c).annotations}


ROLLED = {
    "the database": ({"database_url": "2"}, {"api", "worker"}),
    "the cache": ({"redis_cache_url": "2"}, {"api"}),
    "the queue": ({"redis_queue_url": "2"}, {"api", "worker", "beat"}),
    "a pull secret": ({"pull/p": "2"}, {"api", "worker", "beat"}),
    "the queue's authority": ({"redis-queue-ca.pem": "2"}, {"api", "worker", "beat"}),
    "a Secret nobody names": ({"pull/q": "2"}, set()),
}


@pytest.mark.parametrize(("files", "rolled"), ROLLED.values(), ids=ROLLED)
def test_a_changed_secret_rolls_its_users(files: dict[str, str], rolled: set[str]) -> None:
    assert changed(**files) == rolled


def test_a_pull_secret_restarts_no_store() -> None:
    spec = {"image": {"repository": "a", "tag": "1", "pullSecrets": [{"name": "p"}]}}
    old, new = (children(spec, secrets={"pull/p": digest}) for digest in "12")

    for store in STORES:
        assert old.pod(store).annotations == new.pod(store).annotations


@pytest.mark.parametrize("lost", STORES)
def test_what_runs_stays_as_it_is_while_a_place_is_unknown(lost: str) -> None:
    """Left out, and nothing is deleted for it: pods that run have read their files already."""
    places = {component: place for component, place in PLACES.items() if component != lost}
    found = external(places=places)

    assert not manifests.complete(hscjit(EXTERNAL), INPUTS)
    assert not {c["kind"] for c in found} & {"Deployment", "CronJob", "HorizontalPodAutoscaler"}
    jobs = {c["kind"] for c in external(places=places, restore="20260101T000000Z")} & {"Job"}
    assert bool(jobs) is (lost != "postgres")


def test_the_tools_find_external_stores_through_files_that_a_first_step_writes() -> None:
    first, postgres, redis, seal = external().pod(names.BACKUP).steps

    assert first["command"] == ["python", "-m", "hscjit_app.jobs.ways", "/ways"]
    assert {v["name"] for v in first["env"]} >= {
        "HSCJIT_DATABASE_URL_FILE", "HSCJIT_REDIS_QUEUE_URL_FILE", "HSCJIT_DATABASE_CA_FILE",
    }  # fmt: skip
    assert {"name": "PGSERVICEFILE", "value": "/ways/pg_service.conf"} in postgres["env"]
    assert ". /ways/queue.sh\n" in redis["command"][-1]
    assert {"name": "HSCJIT_BACKUP_QUEUE_MAY_REFUSE", "value": "true"} in seal["env"]
    (ways,) = (v for v in external().pod(names.BACKUP).spec["volumes"] if v["name"] == "ways")
    assert ways["emptyDir"]["medium"] == "Memory"


def test_an_embedded_queue_may_not_refuse() -> None:
    *_, seal = children({"postgres": EXTERNAL["postgres"]}, places=PLACES).pod("backup").steps

    assert not [v for v in seal["env"] if v["name"] == "HSCJIT_BACKUP_QUEUE_MAY_REFUSE"]


def test_a_restore_replaces_the_tables_and_leaves_an_external_queue_alone() -> None:
    pod = external(**RESTORING).pod(names.RESTORE)

    assert [c["name"] for c in pod.steps] == ["check", "ways", "postgres", "verify"]
    script = pod.steps[2]["command"][-1]
    assert "DATABASE" not in script  # no database is made or renamed: it may not be allowed
    assert not [v for v in pod.spec["volumes"] if v["name"] == "queue"]


def test_an_embedded_queue_comes_back_beside_an_external_database() -> None:
    found = children({"postgres": EXTERNAL["postgres"]}, **RESTORING | {"places": PLACES})

    names_of = [c["name"] for c in found.pod(names.RESTORE).steps]
    assert names_of == ["check", "ways", "postgres", "redis", "verify"]


def test_while_a_place_is_unknown_its_clients_keep_the_openings_they_have() -> None:
    known = {component: place for component, place in PLACES.items() if component != "redis-queue"}
    found = [c["metadata"]["name"] for c in external(places=known) if c["kind"] == "NetworkPolicy"]

    assert {name.removeprefix("support-") for name in found} == {
        "deny", "dns", "mig", "cleanup", "restore",
    }  # fmt: skip
