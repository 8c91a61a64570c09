"""How the HSCJits stand as series, and whom a Prometheus is told to scrape."""

import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from hscjit_operator import names
from hscjit_operator.cluster.observe import Apps, Children
from hscjit_operator.standing import Standing, backup_due
from hscjit_operator.targets import targets

WHO = {"namespace": "shop", "name": "support"}
NOON = "2026-06-15T12:00:00Z"
NOON_S = 1_781_524_800.0
HOUR_S = 3600.0


def hscjit(
    status: dict[str, Any] | None = None, spec: dict[str, Any] | None = None
) -> dict[str, Any]:
    metadata = {
        **WHO,
        "uid": "uid-1",
        "resourceVersion": "7",
        "creationTimestamp": NOON,
    }
    return {"metadata": metadata, "spec": spec or {}, "status": status or {}}


def series(*bodies: dict[str, Any]) -> CollectorRegistry:
    apps = Apps(lost=lambda _: None)
    for body in bodies:
        apps.take(body)
    registry = CollectorRegistry()
    registry.register(Standing(apps))
    return registry


def test_a_status_is_told_in_numbers() -> None:
    status = {
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Answering"},
            {"type": "Degraded", "status": "False", "reason": "AllReady"},
            {"type": "BackupSucceeded", "status": "Unknown", "reason": "NeverMade"},
        ],
        "components": {"api": {"desired": 3, "ready": 2, "reason": "NotReady"}},
        "autopilot": {"targets": {"apiFloor": 3, "apiCeiling": 10, "workers": 1}},
        "backup": {"lastSuccessTime": NOON, "lastSize": 4096},
    }
    found = series(hscjit(status))

    def told(name: str, **labels: str) -> float | None:
        return found.get_sample_value(name, {**WHO, **labels})

    assert told("hscjit_condition", condition="Ready", reason="Answering") == 1
    assert told("hscjit_condition", condition="Degraded", reason="AllReady") == 0
    assert told("hscjit_condition", condition="BackupSucceeded", reason="NeverMade") == -1
    assert told("hscjit_component_desired", component="api") == 3
    assert told("hscjit_component_ready", component="api") == 2
    assert told("hscjit_autopilot_target", target="apiFloor") == 3
    assert told("hscjit_backup_last_success_timestamp_seconds") == NOON_S
    assert told("hscjit_backup_last_size_bytes") == 4096


def test_a_new_hscjit_has_a_backup_to_come_and_no_other_series() -> None:
    samples = [s for family in series(hscjit()).collect() for s in family.samples]

    assert [s.name for s in samples] == ["hscjit_backup_due_timestamp_seconds"]


def test_one_that_is_gone_has_no_series() -> None:
    apps = Apps(lost=lambda _: None)
    body = hscjit()
    apps.take(body)
    apps.lose(body)

    assert [s for family in Standing(apps).collect() for s in family.samples] == []


DUE: dict[str, tuple[dict[str, Any], str, float | None]] = {
    "the default": ({}, NOON, NOON_S + 14 * HOUR_S),
    "made on the minute": ({"schedule": "0 12 * * *"}, NOON, NOON_S + 24 * HOUR_S),
    "made just before": ({"schedule": "0 12 * * *"}, "2026-06-15T11:59:59Z", NOON_S),
    "by name": ({"schedule": "@hourly"}, NOON, NOON_S + HOUR_S),
    "in another zone": ({"timeZone": "Europe/Berlin"}, NOON, NOON_S + 12 * HOUR_S),
    "off": ({"enabled": False}, NOON, None),
    "suspended": ({"suspend": True}, NOON, None),
    "a line that is none": ({"schedule": "soon"}, NOON, None),
    "a zone that is none": ({"timeZone": "Mars/Base"}, NOON, None),
}


@pytest.mark.parametrize(("backup", "made", "due"), DUE.values(), ids=DUE)
def test_a_backup_is_due_by_its_schedule(
    backup: dict[str, Any], made: str, due: float | None
) -> None:
    assert backup_due(hscjit({"backup": {"lastSuccessTime": made}}, {"backup": backup})) == due


def pod(name: str, component: str, ip: str | None, phase: str = "Running", **metadata: Any) -> Any:
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "resourceVersion": "5",
            "labels": names.labels("support", component, "uid-1"),
            **metadata,
        },
        "spec": {"nodeName": "n"},
        "status": {"phase": phase, **({"podIP": ip} if ip else {})},
    }


def test_pods_with_metrics_are_targets_while_they_run() -> None:
    children = Children(lambda _: None)
    for body in (
        pod("api-1", names.API, "10.0.0.2"),
        pod("worker-1", names.WORKER, "fd00::3"),
        pod("beat-1", names.BEAT, "10.0.0.4"),
        pod("postgres-0", names.POSTGRES, "10.0.0.5"),
        pod("api-2", names.API, None, "Pending"),
        pod("api-3", names.API, "10.0.0.6", "Failed"),
        pod("api-4", names.API, "10.0.0.7", deletionTimestamp=NOON),
    ):
        children.see(body)

    found = targets(children)

    assert [one["targets"] for one in found] == [
        ["10.0.0.2:8000"],
        ["10.0.0.4:8001"],
        ["[fd00::3]:8001"],
    ]
    assert found[0]["labels"] == {**WHO, "component": "api", "pod": "api-1"}
    json.dumps(found)
