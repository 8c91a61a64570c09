"""Which children there are, in which order, under which names, and whose they are."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.operator.manifests.builders import (
    FULL,
    RESTORING,
    ROTATING,
    UID,
    VARIANTS,
    Children,
    children,
    hscjit,
    inputs,
)

from hscjit_operator import manifests, names
from hscjit_operator.model.autopilot import Targets
from hscjit_operator.model.spec import SpecError

JOB = names.migration_job("support", "hscjit-app:1")
ALL = f"""\
ServiceAccount/support-api
ServiceAccount/support-job
ServiceAccount/support-worker
ConfigMap/support-config
ConfigMap/support-redis
Service/support-api
Service/support-manuals
Service/support-postgres
Service/support-redis-cache
Service/support-redis-queue
PersistentVolumeClaim/support-backup
StatefulSet/support-postgres
StatefulSet/support-redis-cache
StatefulSet/support-redis-queue
Job/{JOB}
Deployment/support-api
Deployment/support-worker
Deployment/support-beat
HorizontalPodAutoscaler/support-api
PodDisruptionBudget/support-api
PodDisruptionBudget/support-worker
NetworkPolicy/support-deny
NetworkPolicy/support-dns
NetworkPolicy/support-api
NetworkPolicy/support-backup
NetworkPolicy/support-beat
NetworkPolicy/support-cleanup
NetworkPolicy/support-mig
NetworkPolicy/support-postgres
NetworkPolicy/support-redis-cache
NetworkPolicy/support-redis-queue
NetworkPolicy/support-restore
NetworkPolicy/support-worker
CronJob/support-backup
CronJob/support-cleanup""".splitlines()


def test_an_empty_spec_has_every_child_in_the_order_of_their_making() -> None:
    assert children().keys() == ALL


POLICIES = {key for key in ALL if key.startswith("NetworkPolicy/")}
WAITING = {
    "Deployment/support-api",
    "Deployment/support-worker",
    "Deployment/support-beat",
    "HorizontalPodAutoscaler/support-api",
    "CronJob/support-backup",
    "CronJob/support-cleanup",
}
OFF: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]]] = {
    "autoscaling": (
        {"api": {"autoscaling": {"enabled": False}}},
        {},
        {"HorizontalPodAutoscaler/support-api"},
    ),
    "backup": (
        {"backup": {"enabled": False}},
        {},
        {"CronJob/support-backup", "PersistentVolumeClaim/support-backup"},
    ),
    "policies": ({"network": {"policies": False}}, {}, POLICIES),
    "migrated": ({}, {"migrate_image": None}, {f"Job/{JOB}"}),
    "not migrated": ({}, {"workload": False}, WAITING),
    "address unknown": ({}, {"manuals_ip": None}, {*WAITING, "ConfigMap/support-config"}),
}


@pytest.mark.parametrize(("spec", "changes", "gone"), OFF.values(), ids=OFF)
def test_each_switch_removes_its_children_and_no_other(
    spec: dict[str, Any], changes: dict[str, Any], gone: set[str]
) -> None:
    assert set(ALL) - set(children(spec, **changes).keys()) == gone


def test_a_restore_adds_its_job_and_keeps_the_rest() -> None:
    found = children(**RESTORING, workload=False).keys()

    assert set(found) - set(ALL) == {"Job/support-restore"}
    assert set(ALL) - set(found) == {f"Job/{JOB}"}


def test_a_rotation_adds_its_job_and_rolls_nothing() -> None:
    found = children(**ROTATING, migrate_image=None)

    assert set(found.keys()) - set(ALL) == {"Job/support-rot-89abcde"}
    assert _templates(found) == _templates(children())


COMPLETE = {
    "everything known": ({}, True),
    "no address yet": ({"manuals_ip": None}, False),
    "not migrated": ({"workload": False}, False),
    "stopped by a restore": ({"workload": False, "stopped": True}, True),
}


@pytest.mark.parametrize(("changes", "complete"), COMPLETE.values(), ids=COMPLETE)
def test_absence_means_unwanted_only_when_nothing_waits(
    changes: dict[str, Any], complete: bool
) -> None:
    assert manifests.complete(hscjit(), inputs(**changes)) is complete


@pytest.mark.parametrize(("spec", "changes"), VARIANTS.values(), ids=VARIANTS)
def test_the_same_values_give_the_same_list(spec: dict[str, Any], changes: dict[str, Any]) -> None:
    assert children(spec, **changes) == children(spec, **changes)


@pytest.mark.parametrize(("spec", "changes"), VARIANTS.values(), ids=VARIANTS)
def test_every_child_is_labelled_and_in_its_namespace(
    spec: dict[str, Any], changes: dict[str, Any]
) -> None:
    for child in children(spec, **changes):
        metadata = child["metadata"]
        assert metadata["namespace"] == "shop"
        assert metadata["labels"][names.LABEL_OWNER_UID] == UID
        assert names.owner_of(child) == names.Key("shop", "support")


OWNER = {
    "apiVersion": "hscjit.dev/v1alpha1",
    "kind": "HSCJit",
    "name": "support",
    "uid": UID,
    "controller": True,
    "blockOwnerDeletion": True,
}
# Are backups made, were some made before, whose are they → is the claim wanted, and with an owner?
BACKUPS_KEPT = {
    "made": (True, False, "Retain", (True, False)),
    "made, and to go": (True, False, "Delete", (True, True)),
    "never made": (False, False, "Retain", (False, False)),
    "made no more": (False, True, "Retain", (True, False)),
    "made no more, and to go": (False, True, "Delete", (True, True)),
}


@pytest.mark.parametrize(
    ("enabled", "kept", "policy", "expected"), BACKUPS_KEPT.values(), ids=BACKUPS_KEPT
)
def test_backups_that_are_there_follow_the_policy_though_no_more_are_made(
    enabled, kept, policy, expected
):
    found = children({"backup": {"enabled": enabled}, "deletionPolicy": policy}, backups_kept=kept)
    claims = [child["metadata"] for child in found if child["kind"] == "PersistentVolumeClaim"]

    assert (bool(claims), any("ownerReferences" in c for c in claims)) == expected


KEPT = ["PersistentVolumeClaim/support-backup"]


@pytest.mark.parametrize(("policy", "kept"), [("Retain", KEPT), ("Delete", [])])
def test_only_what_retain_keeps_has_no_owner(policy: str, kept: list[str]) -> None:
    found = children({"deletionPolicy": policy}, **RESTORING)
    orphans = [
        key
        for key, child in zip(found.keys(), found, strict=True)
        if child["metadata"].get("ownerReferences") != [OWNER]
    ]

    assert orphans == kept


def test_the_longest_name_leaves_room_for_what_controllers_add() -> None:
    longest = hscjit(FULL, name="s" * names.MAX_NAME)
    for child in manifests.desired(longest, inputs(**RESTORING | {"migrate_image": "app:1"})):
        assert len(child["metadata"]["name"]) <= 52
        assert len(child["metadata"]["name"]) - names.MAX_NAME <= names.MAX_SUFFIX


def test_selectors_never_hold_a_users_label() -> None:
    found = children(FULL)
    for kind in ("Deployment", "StatefulSet"):
        for child in (c for c in found if c["kind"] == kind):
            component = child["metadata"]["labels"][names.LABEL_COMPONENT]
            selector = child["spec"]["selector"]["matchLabels"]
            assert selector == names.selector("support", component)
            template = child["spec"]["template"]["metadata"]["labels"]
            assert selector.items() <= template.items()
    assert found.pod(names.API).labels["team"] == "support"


REPLICAS: dict[str, tuple[dict[str, Any], dict[str, int | None]]] = {
    "the HPA's": ({}, {"api": None, "worker": 1, "beat": 1, "redis-queue": 1}),
    "handed over": ({"api_replicas": 3}, {"api": 3}),
    "more workers": ({"targets": Targets(2, 10, 4)}, {"worker": 4}),
    "stopped": (
        {"stopped": True},
        {"api": 0, "worker": 0, "beat": 0, "redis-queue": 0, "redis-cache": 1, "postgres": 1},
    ),
    "stopped, whatever was handed over": ({"stopped": True, "api_replicas": 3}, {"api": 0}),
}


@pytest.mark.parametrize(("changes", "meant"), REPLICAS.values(), ids=REPLICAS)
def test_replicas(changes: dict[str, Any], meant: dict[str, int | None]) -> None:
    found = {
        child["metadata"]["labels"][names.LABEL_COMPONENT]: child["spec"].get("replicas")
        for child in children(**changes)
        if child["kind"] in ("Deployment", "StatefulSet")
    }

    assert meant.items() <= found.items()


def test_the_hpa_goes_between_the_targets() -> None:
    spec = children(targets=Targets(3, 7, 1)).get("HorizontalPodAutoscaler", "support-api")["spec"]

    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 7)
    assert [m["resource"]["name"] for m in spec["metrics"]] == ["cpu"]
    assert spec["behavior"]["scaleUp"]["policies"] == [
        {"type": "Percent", "value": 100, "periodSeconds": 15},
        {"type": "Pods", "value": 2, "periodSeconds": 60},
    ]
    assert spec["behavior"]["scaleUp"]["selectPolicy"] == "Max"
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300
    assert spec["behavior"]["scaleDown"]["policies"] == [
        {"type": "Percent", "value": 50, "periodSeconds": 60}
    ]


def test_the_hpa_watches_memory_when_asked() -> None:
    (_, memory) = children(FULL).get("HorizontalPodAutoscaler", "support-api")["spec"]["metrics"]

    assert memory["resource"] == {
        "name": "memory",
        "target": {"type": "Utilization", "averageUtilization": 80},
    }


def test_budgets_never_block_a_drain() -> None:
    for name in ("support-api", "support-worker"):
        spec = children().get("PodDisruptionBudget", name)["spec"]
        assert spec["maxUnavailable"] == 1
        assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_the_service_is_as_the_user_wants_it() -> None:
    service = children(FULL).get("Service", "support-api")

    assert service["metadata"]["annotations"] == {"example.com/a": "b"}
    assert service["spec"]["type"] == "NodePort"
    (port,) = service["spec"]["ports"]
    assert (port["port"], port["targetPort"], port["nodePort"]) == (80, 8000, 30080)


def test_only_what_the_service_asks_for_is_fixed() -> None:
    (port,) = children().get("Service", "support-api")["spec"]["ports"]

    assert "nodePort" not in port


STILL: dict[str, dict[str, Any]] = {
    "targets": {"targets": Targets(4, 9, 3), "api_replicas": 4},
    "migration": {"migrate_image": None},
    "a restore": {"stopped": True, "restore": "20261123T020000Z"},
    "where the operator runs": {"operator_namespace": "elsewhere"},
}


@pytest.mark.parametrize("changes", STILL.values(), ids=STILL)
def test_what_is_no_business_of_the_pods_rolls_none(changes: dict[str, Any]) -> None:
    assert _templates(children()) == _templates(children(**changes))


QUIET: dict[str, dict[str, Any]] = {
    "retention": {"backup": {"retention": {"keepLast": 9}}},
    "floor": {"api": {"autoscaling": {"minReplicas": 4}}},
    "policies": {"network": {"policies": False}},
    "deletion": {"deletionPolicy": "Delete"},
}


@pytest.mark.parametrize("spec", QUIET.values(), ids=QUIET)
def test_specs_that_roll_no_pod(spec: dict[str, Any]) -> None:
    assert _templates(children()) == _templates(children(spec))


ROLLING: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]]] = {
    "image": ({}, {"image": "hscjit-app:2"}, {"api", "worker", "beat"}),
    "template version": ({}, {"template_version": "2"}, {"api", "worker", "beat"}),
    "Secret": (
        {},
        {"secrets": {"database-url": "other", "redis-auth.conf": "a07b"}},
        {"api", "worker"},
    ),
    "Redis' password": (
        {},
        {"secrets": {"database-url": "5ec2e7", "redis-auth.conf": "other"}},
        {"redis-cache", "redis-queue"},
    ),
    "settings": ({}, {"manuals_ip": "10.96.0.8"}, {"api", "worker", "beat"}),
    "the cache's memory": (
        {"redis": {"embedded": {"cache": {"resources": {"limits": {"memory": "512Mi"}}}}}},
        {},
        {"redis-cache"},
    ),
    "concurrency": ({"worker": {"concurrency": 3}}, {}, {"worker"}),
}


@pytest.mark.parametrize(("spec", "changes", "rolled"), ROLLING.values(), ids=ROLLING)
def test_what_rolls_pods_rolls_only_those_it_concerns(
    spec: dict[str, Any], changes: dict[str, Any], rolled: set[str]
) -> None:
    before, after = _templates(children()), _templates(children(spec, **changes))

    assert {component for component in before if before[component] != after[component]} == rolled


def test_a_restart_is_asked_for_by_annotation() -> None:
    annotated = hscjit(annotations={names.ANNOTATION_RESTARTED_AT: "2026-11-23T21:00:00Z"})
    assert manifests.desired(annotated, inputs()) == children()  # when it is due the pass decides

    asked = inputs(restarted_at="2026-11-23T21:00:00Z")
    before, after = _templates(children()), _templates(manifests.desired(annotated, asked))

    assert {c for c in before if before[c] != after[c]} == {"api", "worker", "beat"}


def test_deployments_tell_image_and_template_version() -> None:
    """The status and these annotations restore each other."""
    for component in ("api", "worker", "beat"):
        annotations = children().get("Deployment", f"support-{component}")["metadata"][
            "annotations"
        ]
        assert annotations == {names.ANNOTATION_IMAGE: "hscjit-app:1",
                               names.ANNOTATION_TEMPLATE_VERSION: "1"}  # fmt: skip


def _templates(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        child["metadata"]["labels"][names.LABEL_COMPONENT]: child["spec"]["template"]
        for child in found
        if child["kind"] in ("Deployment", "StatefulSet")
    }


BLOCKS = st.fixed_dictionaries(
    {},
    optional={block: st.sampled_from([{}, value]) for block, value in FULL.items()}
    | {
        "redis": st.fixed_dictionaries(
            {},
            optional={
                "embedded": st.fixed_dictionaries(
                    {"queue": st.fixed_dictionaries({"storage": st.sampled_from(["1Gi", "2", 7])})}
                )
            },
        ),
        "postgres": st.builds(
            lambda size, over, limit: {
                "pool": {"size": size, "maxOverflow": over},
                "embedded": {"resources": {"limits": {"memory": limit}}},
            },
            st.integers(1, 400),
            st.integers(0, 100),
            st.sampled_from(["192Mi", "512Mi", "1G", "2Gi", "1500M"]),
        ),
        "deletionPolicy": st.sampled_from(["Retain", "Delete"]),
        "backup": st.fixed_dictionaries(
            {}, optional={"enabled": st.booleans(), "suspend": st.booleans()}
        ),
    },
)
FACTS = st.fixed_dictionaries(
    {
        "migrate_image": st.sampled_from([None, "hscjit-app:1"]),
        "api_replicas": st.sampled_from([None, 0, 5]),
        "workload": st.booleans(),
        "stopped": st.booleans(),
        "restore": st.sampled_from([None, "20261123T020000Z"]),
        "exchange": st.sampled_from([None, ROTATING["exchange"]]),
        "manuals_ip": st.sampled_from([None, "10.96.0.7", "fd00::7"]),
    }
)


@settings(max_examples=60, deadline=None)
@given(BLOCKS, FACTS)
def test_any_spec_that_parses_can_be_built(spec: dict[str, Any], facts: dict[str, Any]) -> None:
    try:
        app = hscjit(spec)
    except SpecError:
        return
    found = Children(manifests.desired(app, inputs(**facts)))

    assert len(set(found.keys())) == len(found)
    assert manifests.desired(app, inputs(**facts)) == found
