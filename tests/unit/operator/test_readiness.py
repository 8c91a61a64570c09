"""What the conditions say, by what a pass saw."""

from dataclasses import replace
from typing import Any

import pytest

from hscjit_operator import conditions as c
from hscjit_operator.conditions import Condition
from hscjit_operator.decisions import rollout
from hscjit_operator.decisions.readiness import Component, Gravity, Problem, Situation, conclude
from hscjit_operator.decisions.restore import Restore
from hscjit_operator.model.observed import Answer

OK = Answer(True, True)
DONE = rollout.decide("app:1", "app:1", rollout.Record(), None, "")
GOING = rollout.decide("app:2", "app:1", rollout.Record(), None, "")
STEADY = Situation(
    components={"api": Component(2, 2), "worker": Component(1, 1), "postgres": Component(1, 1)},
    serving="api",
    rollout=DONE,
    restore=None,
    answer=OK,
    in_cluster=True,
    problems=(),
    waiting=(),
    before=Condition(c.READY, "True", "Answering", "as it was"),
)
NEW = Condition(c.READY, "Unknown", "NotYetKnown", "")
SILENT = Answer(False, False, (), "Nothing answers")
REFUSED = Problem(Gravity.SPEC, "Refused", "Deployment x: bad")
CONFLICT = Problem(Gravity.STALL, "NameConflict", "ConfigMap x")
FAULT = Problem(Gravity.FAULT, "Failing", "PATCH Service x")
SCHEDULED = Problem(Gravity.WAIT, "Waiting", "It begins at six")
LEAVING = Problem(Gravity.WAIT, "Leaving", "Service x is leaving")


def parts(**changed: Component) -> dict[str, Any]:
    return {"components": {**STEADY.components, **changed}}


CASES: dict[str, tuple[dict[str, Any], dict[str, tuple[str, str]]]] = {
    "all is well": (
        {},
        {
            "Ready": ("True", "Answering"),
            "Available": ("True", "PodsReady"),
            "Progressing": ("False", "Settled"),
            "Degraded": ("False", "AllReady"),
            "Reconciling": ("False", "Settled"),
            "Stalled": ("False", "Settled"),
            "SpecValid": ("True", "Valid"),
            "DatabaseMigrated": ("True", "Migrated"),
        },
    ),
    "a restart waits for its window, and nothing is wrong": (
        {"waiting": (SCHEDULED,)},
        {
            "Ready": ("True", "Answering"),
            "Progressing": ("False", "Waiting"),
            "Reconciling": ("False", "Settled"),
            "Degraded": ("False", "AllReady"),
        },
    ),
    "a rollout runs while another waits": (
        {"waiting": (SCHEDULED,), **parts(api=Component(2, 2, rolling=True))},
        {"Progressing": ("True", "RollingOut")},
    ),
    "nothing is there yet": (
        {
            "components": {"api": Component(0, 0, present=False)},
            "answer": None,
            "before": NEW,
            "rollout": rollout.decide("app:1", None, rollout.Record(), None, ""),
        },
        {
            "Ready": ("False", "Progressing"),
            "Available": ("False", "NoPodReady"),
            "Progressing": ("True", "Migrating"),
            "Degraded": ("False", "AllReady"),
            "Reconciling": ("True", "Migrating"),
            "DatabaseMigrated": ("False", "Migrating"),
        },
    ),
    "the first pods are starting": (
        {**parts(api=Component(2, 0)), "answer": SILENT, "before": NEW},
        {"Ready": ("False", "Progressing"), "Degraded": ("False", "AllReady")},
    ),
    "the first pods get nowhere": (
        {**parts(api=Component(2, 0, trouble="ImagePullBackOff: x")), "before": NEW},
        {"Ready": ("False", "Progressing"), "Degraded": ("True", "ComponentsNotReady")},
    ),
    "up, and nobody has knocked": (
        {"answer": None, "before": NEW},
        {"Ready": ("False", "Progressing"), "Progressing": ("False", "Settled")},
    ),
    "the operator started anew": ({"answer": None}, {"Ready": ("True", "Answering")}),
    "a new template rolls out": (
        parts(api=Component(2, 2, rolling=True)),
        {
            "Ready": ("False", "Progressing"),
            "Available": ("True", "PodsReady"),
            "Progressing": ("True", "RollingOut"),
            "Reconciling": ("True", "RollingOut"),
        },
    ),
    "a rollout is stuck": (
        parts(api=Component(2, 1, rolling=True, stuck="deadline")),
        {"Progressing": ("False", "RolloutStuck"), "Degraded": ("True", "RolloutStuck")},
    ),
    "no pod more may be made, all that were there are ready": (
        parts(api=Component(2, 2, rolling=True, trouble="FailedCreate: quota")),
        {"Progressing": ("True", "RollingOut"), "Degraded": ("True", "ComponentsNotReady")},
    ),
    "a pod more is starting": (
        parts(api=Component(3, 2)),
        {"Ready": ("True", "Degraded"), "Degraded": ("True", "ComponentsNotReady")},
    ),
    "the database is away": (
        {**parts(postgres=Component(1, 0)), "answer": Answer(True, True, ("database",))},
        {"Ready": ("True", "Degraded"), "Degraded": ("True", "ComponentsNotReady")},
    ),
    "nothing answers any more": (
        {"answer": SILENT},
        {"Ready": ("False", "NotAnswering"), "Available": ("True", "PodsReady")},
    ),
    "asked from a laptop": (
        {"answer": SILENT, "in_cluster": False},
        {"Ready": ("Unknown", "NotReachableFromHere")},
    ),
    "on a laptop a 503 is an answer": (
        {"answer": Answer(False, True, (), "503"), "in_cluster": False},
        {"Ready": ("False", "NotAnswering")},
    ),
    "a spec that is refused": (
        {"problems": (FAULT, REFUSED)},
        {
            "Ready": ("False", "InvalidSpec"),
            "SpecValid": ("False", "Refused"),
            "Stalled": ("True", "Refused"),
            "Reconciling": ("False", "Settled"),
            "Available": ("True", "PodsReady"),
        },
    ),
    "a stranger has a child's name": (
        {"problems": (CONFLICT,)},
        {
            "Ready": ("False", "NameConflict"),
            "SpecValid": ("True", "Valid"),
            "Stalled": ("True", "NameConflict"),
        },
    ),
    "a call failed": (
        {"problems": (FAULT,)},
        {
            "Ready": ("True", "Degraded"),
            "Degraded": ("True", "Failing"),
            "Reconciling": ("True", "Failing"),
            "Stalled": ("False", "Settled"),
        },
    ),
    "something old is leaving": (
        {"problems": (LEAVING,), "before": NEW},
        {"Ready": ("False", "Progressing"), "Degraded": ("False", "AllReady")},
    ),
    "a new image migrates while the old one serves": (
        {"rollout": GOING},
        {
            "Ready": ("False", "Progressing"),
            "DatabaseMigrated": ("False", "Migrating"),
            "Progressing": ("True", "Migrating"),
        },
    ),
    "a restore is under way": (
        {"restore": Restore("s", "Stopping", "waits", stopped=True, job=False)},
        {"Ready": ("False", "Restoring"), "Progressing": ("True", "Restoring")},
    ),
    "a restore failed": (
        {"restore": Restore("s", "Failed", "no such", stopped=False, job=False)},
        {"Ready": ("True", "Degraded"), "Degraded": ("True", "RestoreFailed")},
    ),
}


@pytest.mark.parametrize(("seen", "wanted"), CASES.values(), ids=CASES)
def test_conditions(seen: dict[str, Any], wanted: dict[str, tuple[str, str]]):
    found = {x.type: (x.status, x.reason) for x in conclude(replace(STEADY, **seen))}

    assert {name: found[name] for name in wanted} == wanted
    assert {reason for _, reason in found.values()} <= c.REASONS.keys()


def test_every_message_is_told_once_and_the_gravest_gives_the_reason():
    situation = replace(STEADY, problems=(FAULT, FAULT, CONFLICT))
    degraded = next(x for x in conclude(situation) if x.type == c.DEGRADED)
    assert degraded.reason == "NameConflict"
    assert degraded.message == "PATCH Service x; ConfigMap x"


def test_without_knowing_the_database_its_condition_stays():
    found = conclude(replace(STEADY, rollout=None))
    assert c.DATABASE_MIGRATED not in {x.type for x in found}


COMPONENTS = {
    "ready": (Component(2, 2), "Ready"),
    "missing": (Component(0, 0, present=False), "Missing"),
    "rolling": (Component(2, 2, rolling=True), "RollingOut"),
    "stuck": (Component(2, 1, rolling=True, stuck="x"), "RolloutStuck"),
    "short": (Component(2, 1), "NotReady"),
    "with a cause": (Component(2, 1, trouble="CrashLoopBackOff: again"), "CrashLoopBackOff"),
    "more were asked for": (Component(4, 2, before=("Ready", 2)), "ScalingUp"),
    "the first of them are there": (Component(4, 3, before=("ScalingUp", 2)), "ScalingUp"),
    "one fell meanwhile": (Component(4, 1, before=("ScalingUp", 2)), "NotReady"),
    "it had fallen before": (Component(4, 1, before=("NotReady", 1)), "NotReady"),
    "one of the new gets nowhere": (
        Component(4, 2, trouble="Unschedulable: no cpu", before=("Ready", 2)),
        "Unschedulable",
    ),
    "no pod of the newest may be made": (
        Component(2, 2, rolling=True, trouble="FailedCreate: quota"),
        "FailedCreate",
    ),
    "none was ready": (Component(2, 0, before=("Ready", 0)), "NotReady"),
}


def test_pods_on_their_way_are_no_fault():
    seen = replace(STEADY, **parts(api=Component(4, 2, before=("Ready", 2))))
    found = {one.type: (one.status, one.reason) for one in conclude(seen)}
    assert found["Degraded"] == ("False", "AllReady")
    assert found["Ready"] == ("True", "Answering")


@pytest.mark.parametrize(("component", "reason"), COMPONENTS.values(), ids=COMPONENTS)
def test_a_components_reason(component: Component, reason: str):
    assert component.reason == reason
