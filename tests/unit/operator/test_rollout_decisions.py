"""Which image runs, who sets the number of pods, at which step a restore is."""

from dataclasses import replace

import pytest

from hscjit_operator import names
from hscjit_operator.decisions import replicas, restore, rollout
from hscjit_operator.decisions.replicas import Replicas
from hscjit_operator.decisions.rollout import Pins
from hscjit_operator.model.observed import JobFacts, Scaled

OLD, NEW = "app:1", "app:2"
RUNS, DONE, FAILED = (JobFacts(x, None, "BackoffLimit") for x in ("", "Complete", "Failed"))

IMAGES = {
    "first start": ((NEW, None, None, None), (NEW, NEW, False, "Migrating")),
    "first migration runs": ((NEW, None, None, RUNS), (NEW, NEW, False, "Migrating")),
    "first migration ended": ((NEW, None, None, DONE), (NEW, None, True, "Migrated")),
    "recorded": ((NEW, None, names.image_hash(NEW), None), (NEW, None, True, "Migrated")),
    "the status was lost": ((NEW, NEW, None, None), (NEW, None, True, "Migrated")),
    "a new image": (
        (NEW, OLD, names.image_hash(OLD), None),
        (OLD, NEW, True, "Migrating"),
    ),
    "a new image that fails": ((NEW, OLD, None, FAILED), (OLD, NEW, True, "MigrationFailed")),
    "the first one fails": ((NEW, None, None, FAILED), (NEW, NEW, False, "MigrationFailed")),
    "back to the old one": ((OLD, OLD, None, FAILED), (OLD, None, True, "Migrated")),
}


@pytest.mark.parametrize(("given", "wanted"), IMAGES.values(), ids=IMAGES)
def test_images(given, wanted):
    found = rollout.decide(*given, "")
    assert (found.image, found.migrate_image, found.workload, found.reason) == wanted
    assert found.migrated is (found.reason == "Migrated")


def test_a_failure_is_told_in_the_jobs_own_words():
    assert rollout.decide(NEW, OLD, None, FAILED, "BadRevision: x").message == (
        "The migration for app:2 failed; app:1 keeps serving: BadRevision: x"
    )
    assert rollout.decide(NEW, OLD, None, FAILED, "").message.endswith(": BackoffLimit")


@pytest.mark.parametrize("status", ["True", "False", "Unknown"])
def test_a_record_is_read_back_only_while_it_is_true(status: str):
    wanted = names.image_hash(NEW) if status == "True" else None
    assert rollout.recorded(status, rollout.record(NEW)) == wanted


VOLUME, ANOTHER = "5f3a1b2c-0000", "77777777-0000"
GOING = f"The migration for {NEW} has to end first; {NEW} keeps serving"

REPLACED = {
    "the same volume": (("True", rollout.record(NEW, VOLUME), NEW, VOLUME), False),
    "another volume": (("True", rollout.record(NEW, VOLUME), NEW, ANOTHER), True),
    "no volume seen": (("True", rollout.record(NEW, VOLUME), NEW, ""), False),
    "none was known": (("True", rollout.record(NEW), NEW, VOLUME), False),
    "its migration still runs": (("False", GOING, NEW, ANOTHER), True),
    "another image's migration runs": (("False", GOING, OLD, VOLUME), False),
    "the status was lost": (("Unknown", "", NEW, VOLUME), False),
}


@pytest.mark.parametrize(("given", "wanted"), REPLACED.values(), ids=REPLACED)
def test_a_lost_volume_is_noticed(given, wanted: bool):
    assert rollout.replaced(*given) is wanted


ANEW = {
    "migrated again": ((NEW, NEW, names.image_hash(NEW), None), (NEW, NEW, True, "Migrating")),
    "until the Job ended": ((NEW, NEW, None, DONE), (NEW, None, True, "Migrated")),
}


@pytest.mark.parametrize(("given", "wanted"), ANEW.values(), ids=ANEW)
def test_an_empty_database_is_migrated_again(given, wanted):
    found = rollout.decide(*given, "", volume=ANOTHER, anew=True)
    assert (found.image, found.migrate_image, found.workload, found.reason) == wanted


PINS = {
    "the spec decides": (("spec", Pins("status", "annotation")), "spec"),
    "else the status": ((None, Pins("status", "annotation")), "status"),
    "else the Deployments": ((None, Pins(None, "annotation")), "annotation"),
    "else the operator": ((None, Pins(None, None)), "default"),
}


@pytest.mark.parametrize(("given", "wanted"), PINS.values(), ids=PINS)
def test_pins(given, wanted: str):
    assert rollout.pinned(*given, "default") == wanted


API = Scaled(desired=5, ready=5, updated=5, total=5, generation=1, seen=1, owns_replicas=False)
OURS = replace(API, owns_replicas=True)
ON = {"autoscaling": True, "autoscaler": True, "start": 3, "floor": 2, "ceiling": 10}

NUMBERS = {
    "the first apply holds the start": ({"api": None, "autoscaler": False}, Replicas(3)),
    "a start below the floor": ({"api": None, "floor": 4}, Replicas(4)),
    "a start above the ceiling": ({"api": None, "ceiling": 2}, Replicas(2)),
    "held until the HPA is there": ({"api": OURS, "autoscaler": False}, Replicas(5)),
    "handed over as it is": ({"api": OURS}, Replicas(None, 5)),
    "handed over at the floor": ({"api": OURS, "floor": 6}, Replicas(None, 6)),
    "the HPA's": ({"api": API}, Replicas(None)),
    "a floor just reached": ({"api": API, "floor": 5}, Replicas(None)),
    "a floor above": ({"api": API, "floor": 6}, Replicas(None, 6)),
    "started again after a restore": ({"api": replace(OURS, desired=0)}, Replicas(3)),
    "without an HPA": (
        {"api": OURS, "autoscaling": False, "autoscaler": False},
        Replicas(3),
    ),
    "switched off, the HPA still there": ({"api": API, "autoscaling": False}, Replicas(5)),
    "switched off, in our hands": ({"api": OURS, "autoscaling": False}, Replicas(3)),
    "never scaled, made without": (
        {"api": None, "autoscaling": False, "autoscaler": False},
        Replicas(3),
    ),
}


@pytest.mark.parametrize(("given", "wanted"), NUMBERS.values(), ids=NUMBERS)
def test_numbers(given, wanted: Replicas):
    assert replicas.decide(**{**ON, **given}) == wanted


STAMP, OTHER = "20260131T020000Z", "20260201T020000Z"
GONE = restore.Seen(pods_left=False, job=None, said="", migrated=False, answering=False)


def at(step: str, stamp: str = STAMP) -> dict[str, str]:
    return {"from": stamp, "step": step}


STEPS = {
    "never asked": (None, {}, GONE, None),
    "asked": (STAMP, {}, GONE, ("Stopping", True, False)),
    "pods are left": (
        STAMP,
        at("Stopping"),
        replace(GONE, pods_left=True),
        ("Stopping", True, False),
    ),
    "an old Job is left": (
        STAMP,
        at("Stopping"),
        replace(GONE, job=DONE),
        ("Stopping", True, False),
    ),
    "all are gone": (STAMP, at("Stopping"), GONE, ("Restoring", True, True)),
    "the Job has not begun": (STAMP, at("Restoring"), GONE, ("Restoring", True, True)),
    "the Job runs": (STAMP, at("Restoring"), replace(GONE, job=RUNS), ("Restoring", True, True)),
    "the Job ended": (STAMP, at("Restoring"), replace(GONE, job=DONE), ("Starting", True, False)),
    "the Job failed": (STAMP, at("Restoring"), replace(GONE, job=FAILED), ("Failed", False, False)),
    "not migrated": (STAMP, at("Starting"), GONE, ("Starting", True, False)),
    "migrated": (STAMP, at("Starting"), replace(GONE, migrated=True), ("Starting", False, False)),
    "answering": (
        STAMP,
        at("Starting"),
        replace(GONE, migrated=True, answering=True),
        ("Done", False, False),
    ),
    "done": (STAMP, at("Done"), GONE, ("Done", False, False)),
    "the annotation was removed": (None, at("Restoring"), GONE, ("Restoring", True, True)),
    "another one is asked for": (OTHER, at("Done"), GONE, ("Stopping", True, False)),
    "another one meanwhile waits": (OTHER, at("Restoring"), GONE, ("Restoring", True, True)),
    "no name": ("yesterday", {}, GONE, ("Failed", False, False)),
}


@pytest.mark.parametrize(("asked", "recorded", "seen", "wanted"), STEPS.values(), ids=STEPS)
def test_steps(asked, recorded, seen, wanted):
    found = restore.decide(asked, recorded, True, seen)
    assert (found and (found.step, found.stopped, found.job)) == wanted


def test_without_a_claim_there_is_nothing_to_restore_from():
    found = restore.decide(STAMP, {}, False, GONE)
    assert found is not None
    assert (found.step, found.stopped) == ("Failed", False)
    assert "spec.backup.enabled" in found.message
