"""Jobs: an end, few retries, the right tools in the right order, on the claims they need."""

from typing import Any

import pytest
from tests.unit.operator.manifests.builders import (
    EXTERNAL,
    FULL,
    PLACES,
    RESTORING,
    ROTATING,
    Pod,
    children,
    secret_items,
)

from hscjit_operator import names


def claims(pod: Pod) -> dict[str, str]:
    return {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod.spec["volumes"]
        if "persistentVolumeClaim" in volume
    }


def test_the_migration_is_known_by_its_image() -> None:
    job = children(migrate_image="hscjit-app:2").get(
        "Job", names.migration_job("support", "hscjit-app:2")
    )

    assert job["metadata"]["annotations"] == {names.ANNOTATION_IMAGE: "hscjit-app:2"}
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "hscjit-app:2"
    assert container["command"] == ["python", "-m", "hscjit_app.jobs.migrate"]


def test_while_the_new_image_migrates_the_old_one_runs() -> None:
    found = children(image="hscjit-app:1", migrate_image="hscjit-app:2")

    assert found.pod(names.API).containers[0]["image"] == "hscjit-app:1"


def test_the_migration_waits_for_nothing_that_comes_later() -> None:
    """It starts in the first pass, before the settings' ConfigMap can be made."""
    pod = children(workload=False, manuals_ip=None).pod(names.MIGRATE)

    assert "envFrom" not in pod.containers[0]


def test_every_job_ends_and_keeps_its_last_words() -> None:
    found = children(**RESTORING | ROTATING | {"migrate_image": "hscjit-app:1"})
    for child in found:
        holder = child.get("spec", {})
        job = holder["jobTemplate"]["spec"] if child["kind"] == "CronJob" else holder
        if child["kind"] not in ("Job", "CronJob"):
            continue
        assert job["activeDeadlineSeconds"] > 0
        assert job["backoffLimit"] > 0
        assert job["podReplacementPolicy"] == "Failed"
        # The operator removes a Job when it has read its outcome; a CronJob does so by itself.
        assert "ttlSecondsAfterFinished" not in job
        assert job["template"]["spec"]["restartPolicy"] == "Never"
        for container in Pod("", {}, {}, job["template"]["spec"]).containers:
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


SUSPENDED = {"backup": {"suspend": True}}
CALENDAR: dict[str, tuple[dict[str, Any], dict[str, Any], str, tuple[str, str, bool]]] = {
    "backup": ({}, {}, "backup", ("0 2 * * *", "Etc/UTC", False)),
    "cleanup": ({}, {}, "cleanup", ("0 3 * * *", "Etc/UTC", False)),
    "backup, as asked": (FULL, {}, "backup", ("30 1 * * *", "Europe/Berlin", False)),
    "backup, suspended": (SUSPENDED, {}, "backup", ("0 2 * * *", "Etc/UTC", True)),
    "backup, while a restore runs": ({}, RESTORING, "backup", ("0 2 * * *", "Etc/UTC", True)),
    "cleanup, while a restore runs": ({}, RESTORING, "cleanup", ("0 3 * * *", "Etc/UTC", True)),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "changes", "component", "meant"), CALENDAR.values(), ids=CALENDAR)
def test_calendar(
    spec: dict[str, Any], changes: dict[str, Any], component: str, meant: tuple[str, str, bool]
) -> None:
    found = children(spec, **changes).get("CronJob", f"support-{component}")["spec"]

    assert (found["schedule"], found["timeZone"], found["suspend"]) == meant
    assert found["concurrencyPolicy"] == "Forbid"
    assert found["startingDeadlineSeconds"] == 3600


def test_jobs_made_by_hand_from_a_cron_job_are_known_too() -> None:
    for component in (names.BACKUP, names.CLEANUP):
        template = children().get("CronJob", f"support-{component}")["spec"]["jobTemplate"]
        assert names.owner_of({"metadata": template["metadata"]}) is not None
        assert template["metadata"]["labels"][names.LABEL_COMPONENT] == component


def test_a_backup_dumps_with_each_stores_own_tools_and_then_seals() -> None:
    pod = children().pod(names.BACKUP)

    assert [(c["name"], c["image"]) for c in pod.steps] == [
        ("postgres", "postgres:15"),
        ("redis", "redis:7"),
        ("seal", "hscjit-app:1"),
    ]
    assert claims(pod) == {"backups": "support-backup"}


def test_only_the_dumping_containers_see_secrets() -> None:
    seeing = [
        container["name"]
        for container in children().pod(names.BACKUP).containers
        if "secrets" in {mount["name"] for mount in container["volumeMounts"]}
    ]

    assert seeing == ["postgres", "redis"]


@pytest.mark.parametrize(("component", "container"), [("backup", -1), ("cleanup", 0)])
def test_retention_is_told_to_those_who_keep_to_it(component: str, container: int) -> None:
    env = children(FULL).pod(component).steps[container]["env"]
    variables = {v["name"]: v.get("value") for v in env}

    assert variables["HSCJIT_BACKUP_DIR"] == "/backups"
    assert variables["HSCJIT_BACKUP_KEEP_LAST"] == "3"
    assert variables["HSCJIT_BACKUP_KEEP_DAILY"] == "5"


def test_without_backups_cleanup_mounts_no_claim() -> None:
    assert claims(children().pod(names.CLEANUP)) == {"backups": "support-backup"}
    assert claims(children({"backup": {"enabled": False}}).pod(names.CLEANUP)) == {}


def test_a_restore_checks_then_brings_back_then_verifies() -> None:
    found = children(**RESTORING)
    pod = found.pod(names.RESTORE)

    assert [c["name"] for c in pod.steps] == ["check", "postgres", "redis", "verify"]
    assert claims(pod) == {"backups": "support-backup", "queue": "data-support-redis-queue-0"}
    check, postgres, redis, verify = pod.steps
    folder = f"/backups/{RESTORING['restore']}"
    assert check["command"][-1] == verify["command"][-1] == folder
    assert {"name": "BACKUP", "value": folder} in postgres["env"]
    assert {"name": "BACKUP", "value": folder} in redis["env"]
    annotations = found.get("Job", "support-restore")["metadata"]["annotations"]
    assert annotations == {names.ANNOTATION_RESTORE_FROM: RESTORING["restore"]}


def test_a_restored_queue_may_be_as_large_as_the_queue() -> None:
    redis = children(**RESTORING).pod(names.RESTORE).steps[2]
    queue = children(**RESTORING).pod(names.REDIS_QUEUE).containers[0]

    assert redis["resources"]["limits"]["memory"] == queue["resources"]["limits"]["memory"]


def test_users_of_the_claim_prefer_each_others_node() -> None:
    for component in (names.BACKUP, names.CLEANUP, names.RESTORE):
        affinity = children(**RESTORING).pod(component).spec["affinity"]["podAffinity"]
        (wish,) = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
        (users,) = wish["podAffinityTerm"]["labelSelector"]["matchExpressions"]
        assert set(users["values"]) == {"backup", "cleanup", "restore"}
    assert "affinity" not in children().pod(names.MIGRATE).spec


@pytest.mark.parametrize("component", [names.BACKUP, names.CLEANUP, names.RESTORE])
def test_who_works_on_the_claim_holds_it_first_and_to_the_end(component: str) -> None:
    pod = children(**RESTORING).pod(component)
    holder = pod.containers[0]

    # A sidecar that comes first and has a startup probe: the others begin when it has the lock,
    # and it ends after them.
    assert pod.sidecars == [holder]
    assert holder["restartPolicy"] == "Always"
    *_, lock, mark = holder["command"]
    assert lock == "/backups/.lock"
    assert holder["startupProbe"]["exec"]["command"] == ["sh", "-c", f"test -e {mark}"]
    assert {"backups", "held"} <= {mount["name"] for mount in holder["volumeMounts"]}


def test_who_waits_for_the_claim_is_ended_by_the_jobs_own_deadline() -> None:
    found = children(**RESTORING)
    for kind, name in (("CronJob", "backup"), ("CronJob", "cleanup"), ("Job", "restore")):
        spec = found.get(kind, f"support-{name}")["spec"]
        job = spec.get("jobTemplate", {}).get("spec", spec)
        (holder,) = Pod("", {}, {}, job["template"]["spec"]).sidecars
        probe = holder["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] > job["activeDeadlineSeconds"]


def test_without_a_claim_nothing_is_held() -> None:
    found = children({"backup": {"enabled": False}})
    assert found.pod(names.CLEANUP).sidecars == []
    assert children().pod(names.MIGRATE).sidecars == []


def test_a_login_gets_its_password_by_a_job_that_is_told_no_password() -> None:
    found = children(**ROTATING)
    wanted = ROTATING["exchange"]
    (pod,) = (pod for pod in found.pods() if pod.owner == f"Job/{wanted.job}")
    (container,) = pod.containers

    assert pod.component == names.MIGRATE  # the policies let it reach the database
    assert container["image"] == "hscjit-app:1"
    assert container["command"][2:] == [
        "hscjit_app.jobs.rotate",
        "hscjit_b",
        "/run/secrets/hscjit/postgres-password-next",
        wanted.mark,
    ]
    mounted = [(name, item["key"]) for name, item in secret_items(pod)]
    assert mounted == [
        ("support-secret", "database-url"),
        ("support-secret", "postgres-password-next"),
    ]


def test_an_external_database_gets_no_password_from_us() -> None:
    found = children(EXTERNAL, places=PLACES, **ROTATING)

    assert ROTATING["exchange"].job not in {child["metadata"]["name"] for child in found}
