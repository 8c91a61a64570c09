"""What the cache keeps of the watches: facts, news, and never an older state over a newer one."""

from typing import Any

import pytest

from hscjit_operator import names
from hscjit_operator.cluster.observe import _ECHOES, Apps, Children
from hscjit_operator.model import facts
from hscjit_operator.model.observed import (
    AutoscalerFacts,
    ConfigFacts,
    JobFacts,
    PlainFacts,
    PodFacts,
    Scaled,
    ServiceFacts,
)
from hscjit_operator.names import Key

SUPPORT = Key("shop", "support")
NOON = "2026-06-15T12:00:00Z"
NOON_S = 1_781_524_800.0


def body(
    kind: str = "ConfigMap", name: str = "support-config", version: int = 5, **more: Any
) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "labels": names.labels("support", "config", "uid-1"),
        "managedFields": [],
    }
    return {"kind": kind, "metadata": {**metadata, **more.pop("metadata", {})}, **more}


class Seen:
    """Children, and whom they told of news."""

    def __init__(self) -> None:
        self.told: list[Key] = []
        self.children = Children(self.told.append)


def test_news_is_told_once():
    seen = Seen()
    seen.children.see(body())
    seen.children.see(body(version=6))  # nothing that we read has changed
    assert seen.told == [SUPPORT]

    seen.children.see(body(version=7, metadata={"deletionTimestamp": NOON}))
    assert seen.told == [SUPPORT] * 2


@pytest.mark.parametrize(
    ("uid", "version", "echo"),
    [
        ("uid-support-config", 8, True),
        ("uid-support-config", 9, True),
        ("uid-support-config", 10, False),
        ("another", 9, False),
    ],
    ids=["before our write", "our write", "after our write", "another object"],
)
def test_an_event_about_our_own_write_is_an_echo(uid: str, version: int, echo: bool):
    seen = Seen()
    seen.children.learn(body(version=9))
    assert seen.children.is_echo(uid, version) is echo


def test_an_echo_comes_once_and_not_after_the_event():
    seen = Seen()
    seen.children.learn(body(version=9))
    assert [seen.children.is_echo("uid-support-config", 9) for _ in range(2)] == [True, False]

    seen.children.see(body(version=12))  # the event was faster than the answer
    seen.children.learn(body(version=12))
    assert not seen.children.is_echo("uid-support-config", 12)


def test_only_so_many_echoes_are_waited_for():
    seen = Seen()
    for n in range(_ECHOES + 1):
        seen.children.learn(body(name=f"support-{n}"))
    told = [seen.children.is_echo(f"uid-support-{n}", 5) for n in (0, 1, _ECHOES)]
    assert told == [False, True, True]


def test_an_older_state_never_replaces_a_newer_one():
    seen = Seen()
    seen.children.learn(body("Service", "support-api", 9, spec={"clusterIP": "10.0.0.9"}))
    seen.children.see(body("Service", "support-api", 8, spec={"clusterIP": "10.0.0.8"}))

    assert seen.told == []
    found = seen.children.of(SUPPORT)["Service", "support-api"]
    assert found.facts == ServiceFacts("10.0.0.9")


def test_the_end_of_a_former_object_does_not_end_the_present_one():
    seen = Seen()
    seen.children.see(body(metadata={"uid": "new"}))
    seen.children.lose(body(metadata={"uid": "old"}))
    assert ("ConfigMap", "support-config") in seen.children.of(SUPPORT)

    seen.children.lose(body(metadata={"uid": "new"}))
    assert seen.children.of(SUPPORT) == {}
    assert seen.told == [SUPPORT] * 2


def test_an_end_that_comes_late_does_not_end_what_was_seen_since():
    """A label that somebody took off and put back: the watch tells of an end and a beginning."""
    seen = Seen()
    seen.children.see(body(version=5))
    seen.children.see(body(version=7))
    seen.children.lose(body(version=6))
    assert ("ConfigMap", "support-config") in seen.children.of(SUPPORT)

    seen.children.lose(body(version=8))
    assert seen.children.of(SUPPORT) == {}


def relabelled(**metadata: Any) -> dict[str, Any]:
    """Return a child as it is after somebody changed the label that says whose it is."""
    labels = {**names.labels("support", "config", "uid-1"), names.LABEL_INSTANCE: "other"}
    return body(version=6, metadata={"labels": labels, **metadata})


def test_a_changed_label_is_news_to_the_owner():
    owner = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": "support", "uid": "uid-1"}
    seen = Seen()
    seen.children.see(body(metadata={"ownerReferences": [owner]}))
    managed = {
        "manager": names.MANAGER,
        "operation": "Apply",
        "fieldsV1": {"f:metadata": {"f:labels": {f"f:{names.LABEL_INSTANCE}": {}}}},
    }
    seen.children.see(relabelled(ownerReferences=[owner], managedFields=[managed]))

    assert seen.told == [SUPPORT] * 2
    assert ("ConfigMap", "support-config") in seen.children.of(SUPPORT)


def test_a_changed_label_on_what_has_no_owner_is_a_loss():
    seen = Seen()
    seen.children.see(body())
    seen.children.see(relabelled())

    assert seen.told[1] == SUPPORT
    assert seen.children.of(SUPPORT) == {}


def test_strangers_are_not_kept():
    seen = Seen()
    seen.children.see(body(metadata={"labels": {"app": "theirs"}}))
    assert seen.told == []


@pytest.mark.parametrize("scope", [None, "shop"], ids=["all namespaces", "its namespace"])
def test_what_a_new_list_does_not_show_is_gone(scope: str | None):
    seen = Seen()
    for name in ("one", "two", "three"):
        seen.children.see(body(name=name))
    seen.children.see(body("Service", "other", spec={}))
    seen.told.clear()

    seen.children.listing_began("ConfigMap", scope)
    seen.children.see(body(name="one", version=5))
    seen.children.learn(body(name="three", version=9))  # made while the list was under way
    seen.children.listing_ended("ConfigMap", scope)

    assert {name for _, name in seen.children.of(SUPPORT)} == {"one", "three", "other"}
    assert seen.told == [SUPPORT]


def test_a_list_of_another_namespace_says_nothing_of_this_one():
    seen = Seen()
    seen.children.see(body())
    seen.children.listing_began("ConfigMap", "stage")
    seen.children.listing_ended("ConfigMap", "stage")
    assert len(seen.children.of(SUPPORT)) == 1


def app(version: int = 5, uid: str = "uid-1") -> dict[str, Any]:
    metadata = {"name": "support", "namespace": "shop", "uid": uid}
    return {"metadata": {**metadata, "resourceVersion": str(version), "managedFields": [1]}}


def test_apps_keep_the_newest_and_tell_who_is_lost():
    lost: list[Key] = []
    apps = Apps(lost.append)
    first = apps.take(app())
    assert first is not None
    assert "managedFields" not in first.read()["metadata"]
    assert apps.take(app(4)) is None
    assert apps.take(app(6)) is first

    apps.lose(app(7, "another"))
    assert lost == []
    apps.lose(app(7))
    assert (lost, apps.get(SUPPORT)) == ([SUPPORT], None)


NEWS = {
    "a new one": ({}, True),
    "another spec": ({"generation": 2}, True),
    "another annotation": ({"generation": 1, "annotations": {"hscjit.dev/paused": "all"}}, True),
    "another status": ({"generation": 1}, False),
}


@pytest.mark.parametrize("case", NEWS)
def test_apps_tell_who_changed_and_whether_something_is_asked(case: str):
    metadata, asked = NEWS[case]
    told: list[tuple[Key, bool]] = []
    apps = Apps(lost=lambda _key: None, changed=lambda *news: told.append(news))
    if case != "a new one":
        known = app()
        apps.take({"metadata": {**known["metadata"], "generation": 1}})
    new = app(6)
    new["metadata"] |= metadata

    apps.see(new)
    apps.see(new)  # what we know already is no news
    assert told == [(SUPPORT, asked)]


def test_apps_that_a_new_list_does_not_show_are_lost():
    lost: list[Key] = []
    apps = Apps(lost.append)
    apps.take(app())
    apps.listing_began(None)
    apps.take(app())
    apps.listing_ended(None)
    assert lost == []

    apps.listing_began(None)
    apps.listing_ended(None)
    assert lost == [SUPPORT]


def terminated(code: int, message: str, at: str = NOON) -> dict[str, Any]:
    return {"state": {"terminated": {"exitCode": code, "message": message, "finishedAt": at}}}


def pod(owner: str = "Job", **status: Any) -> PodFacts:
    found = facts.child(
        body(
            "Pod",
            "p",
            spec={"nodeName": "n"},
            status=status,
            metadata={"ownerReferences": [{"kind": owner, "name": "run-1", "uid": "u"}]},
        )
    ).facts
    assert isinstance(found, PodFacts)
    return found


def test_a_pods_last_word_is_that_of_the_container_that_failed():
    inits = [terminated(0, "fine"), terminated(1, "no such backup")]
    main = [terminated(0, "verified")]
    assert pod(initContainerStatuses=inits, containerStatuses=main).said == "no such backup"
    assert pod(initContainerStatuses=inits[:1], containerStatuses=main).said == "verified"
    assert pod("ReplicaSet", containerStatuses=main).said == ""


def test_a_pods_trouble_is_told_but_not_its_first_seconds():
    def waiting(reason: str) -> list[dict[str, Any]]:
        return [{"state": {"waiting": {"reason": reason, "message": "why"}}}]

    assert pod(containerStatuses=waiting("ContainerCreating")).trouble == ""
    assert pod(containerStatuses=waiting("ErrImagePull")).trouble == "ErrImagePull: why"
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    assert pod(conditions=[{**unscheduled, "message": "no room"}]).trouble == (
        "Unschedulable: no room"
    )


def test_a_running_pod_is_known_by_its_main_container():
    found = pod(
        podIP="10.1.0.9",
        phase="Running",
        conditions=[{"type": "Ready", "status": "True", "lastTransitionTime": NOON}],
        containerStatuses=[{"state": {"running": {"startedAt": NOON}}}],
    )
    assert (found.ip, found.node, found.ready) == ("10.1.0.9", "n", True)
    assert (found.ready_changed, found.started) == (NOON_S, NOON_S)


def deployment(**status: Any) -> Scaled:
    found = facts.child(
        body("Deployment", "d", spec={"replicas": 2}, status=status, metadata={"generation": 3})
    ).facts
    assert isinstance(found, Scaled)
    return found


def saying(reason: str) -> dict[str, Any]:
    return {"conditions": [{"type": "Progressing", "status": "True", "reason": reason}]}


NEWEST = {"replicas": 2, "updatedReplicas": 2}
ROLLING: dict[str, tuple[dict[str, Any], bool]] = {
    "old pods are left": ({"replicas": 3, "updatedReplicas": 1}, True),
    "none of the newest": ({"replicas": 0}, True),
    "all of the newest": ({"replicas": 2, "updatedReplicas": 2}, False),
    "one more is starting": ({"replicas": 1, "updatedReplicas": 1}, False),
    "all of the newest, one not ready yet": (
        {**NEWEST, "readyReplicas": 1, **saying("ReplicaSetUpdated")},
        True,
    ),
    "all of the newest, all ready": (
        {**NEWEST, "readyReplicas": 2, **saying("ReplicaSetUpdated")},
        False,
    ),
    "the same while an old pod is on its way out": (
        {**NEWEST, "readyReplicas": 2, "terminatingReplicas": 1},
        False,
    ),
    "one fell after the rollout": (
        {**NEWEST, "readyReplicas": 1, **saying("NewReplicaSetAvailable")},
        False,
    ),
}


@pytest.mark.parametrize(("status", "rolling"), ROLLING.values(), ids=ROLLING)
def test_rolling(status: dict[str, Any], rolling: bool):
    assert deployment(**status).rolling is rolling


def test_a_stuck_rollout_speaks_through_its_condition():
    stuck = {"type": "Progressing", "status": "False", "message": "deadline"}
    assert deployment(conditions=[stuck]).stuck == "deadline"
    assert deployment(conditions=[{**stuck, "status": "True"}]).stuck == ""


def test_a_deployment_says_why_no_pod_can_be_made():
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    quota = "pods is forbidden: exceeded quota: small"
    assert deployment(conditions=[{**failure, "message": quota}]).refused == (
        f"FailedCreate: {quota}"
    )
    assert deployment(conditions=[{**failure, "status": "False"}]).refused == ""
    assert deployment().refused == ""


def test_jobs_and_autoscalers_speak_through_their_conditions():
    def ended(kind: str, **condition: str) -> Any:
        return facts.child(body(kind, "x", spec={}, status={"conditions": [condition]})).facts

    failed = ended(
        "Job", type="Failed", status="True", reason="B", message="m", lastTransitionTime=NOON
    )
    assert failed == JobFacts("Failed", NOON_S, "B: m")
    assert ended("Job", type="Failed", status="False") == JobFacts("", None, "")
    inactive = ended(
        "HorizontalPodAutoscaler", type="ScalingActive", status="False", message="no metrics"
    )
    assert inactive == AutoscalerFacts(0, 0, False, "no metrics")


@pytest.mark.parametrize(("ip", "kept"), [("10.0.0.1", "10.0.0.1"), ("None", None), ("", None)])
def test_a_headless_service_has_no_address(ip: str, kept: str | None):
    found = facts.child(body("Service", "s", spec={"clusterIP": ip})).facts
    assert found == ServiceFacts(kept)


def test_claim_templates_can_be_applied_again_as_they_were_read():
    templates = [
        {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    ]
    read = facts.read_claim_templates(facts.claim_templates(templates))
    assert facts.claim_templates(read) == facts.claim_templates(templates)
    assert read[0]["metadata"]["name"] == "data"


MANUALS = '[{"host": "manuals.example.com"}, {"host": "support-manuals", "privateCIDR": "%s"}]'

ADDRESSES = {
    "as we wrote it": ({names.MANUALS_HOSTS: MANUALS % "10.96.0.7/32"}, "10.96.0.7"),
    "of the other family": ({names.MANUALS_HOSTS: MANUALS % "fd00::7/128"}, "fd00::7"),
    "of others only": ({names.MANUALS_HOSTS: '[{"host": "10.96.0.7"}]'}, None),
    "edited to nonsense": ({names.MANUALS_HOSTS: "all"}, None),
    "edited to another shape": ({names.MANUALS_HOSTS: '["all"]'}, None),
    "taken out": ({}, None),
}


@pytest.mark.parametrize(("data", "address"), ADDRESSES.values(), ids=ADDRESSES)
def test_the_configuration_tells_the_manuals_address(data: dict[str, str], address: str | None):
    assert facts.child(body(data=data)).facts == ConfigFacts(address)


def test_other_config_maps_tell_nothing():
    labels = names.labels("support", "ledger", "uid-1")
    assert facts.child(body(metadata={"labels": labels})).facts == PlainFacts()
