"""Which image runs, who sets the number of pods, at which step a restore is."""

from dataclasses import replace

import pytest

from hscjit_operator.decisions import replicas, restore, rollout
from hscjit_operator.decisions.replicas import Replicas
from hscjit_operator.decisions.rollout import Pins, Record
from hscjit_operator.model.observed import JobFacts, Scaled

OLD, NEW = "app:1", "app:2"
RUNS, DONE, FAILED = (JobFacts(x, None, "BackoffLimit") for x in ("", "Complete", "Failed"))
NONE = Record()

IMAGES = {
    "first start": ((NEW, None, NONE, None), (NEW, NEW, False, "Migrating")),
    "first migration runs": ((NEW, None, NONE, RUNS), (NEW, NEW, False, "Migrating")),
    "first migration ended": ((NEW, None, NONE, DONE), (NEW, None, True, "Migrated")),
    "recorded": ((NEW, None, Record(NEW), None), (NEW, None, True, "Migrated")),
    "the status was lost": ((NEW, NEW, NONE, None), (NEW, None, True, "Migrated")),
    "a new image": (
        (NEW, OLD, Record(OLD), None),
        (OLD, NEW, True, "Migrating"),
    ),
    "a new image that fails": ((NEW, OLD, NONE, FAILED), (OLD, NEW, True, "MigrationFailed")),
    "the first one fails": ((NEW, None, NONE, FAILED), (NEW, NEW, False, "MigrationFailed")),
    "back to the old one": ((OLD, OLD, NONE, FAILED), (OLD, None, True, "Migrated")),
}


@pytest.mark.parametrize(("given", "wanted"), IMAGES.values(), ids=IMAGES)
def test_images(given, wanted):
    found = rollout.decide(*given, "")
    assert (found.image, found.migrate_image, found.workload, found.reason) == wanted
    assert found.migrated is (found.reason == "Migrated")


def test_a_failure_is_told_in_the_jobs_own_words():
    assert rollout.decide(NEW, OLD, NONE, FAILED, "BadRevision: x").message == (
        "The migration for app:2 failed; app:1 keeps serving: BadRevision: x"
    )
    assert rollout.decide(NEW, OLD, NONE, FAILED, "").message.endswith(": BackoffLimit")


GATHERS = {
    # given: wanted, running, Job, its last words, what is in its way
    "a new image": ((NEW, OLD, None, "", ""), True),
    "its migration runs": ((NEW, OLD, RUNS, "", ""), True),
    "an attempt of it has failed": ((NEW, OLD, RUNS, "BadRevision: x", ""), False),
    "it cannot begin": ((NEW, OLD, RUNS, "", "ImagePullBackOff: app:2"), False),
    "it has failed": ((NEW, OLD, FAILED, "", ""), False),
    "it has ended": ((NEW, OLD, DONE, "", ""), False),
    "no image is to come": ((OLD, OLD, None, "", ""), False),
    "nothing runs yet": ((NEW, None, RUNS, "", ""), False),
}


@pytest.mark.parametrize(("given", "wanted"), GATHERS.values(), ids=GATHERS)
def test_what_is_asked_with_an_image_waits_for_it_unless_its_migration_is_in_trouble(given, wanted):
    asked, running, job, said, trouble = given
    assert rollout.decide(asked, running, NONE, job, said, trouble=trouble).gathers is wanted


def test_where_the_database_moves_nothing_runs_that_could_wait():
    moved = rollout.decide(NEW, OLD, STANDING, RUNS, "", volume="server-a", external=True)
    assert (moved.workload, moved.gathers) == (False, False)


VOLUME, ANOTHER = "5f3a1b2c-0000", "77777777-0000"
STANDING = Record(NEW, VOLUME)
UNDER_WAY = Record("", VOLUME)

VOLUMES = {
    # given: wanted, running, record, Job, the volume now; wanted: reason, record afterwards
    "the same volume": ((NEW, NEW, STANDING, None, VOLUME), ("Migrated", STANDING)),
    "another volume": ((NEW, NEW, STANDING, None, ANOTHER), ("Migrating", UNDER_WAY)),
    "its migration still runs": ((NEW, NEW, UNDER_WAY, RUNS, ANOTHER), ("Migrating", UNDER_WAY)),
    "it failed": ((NEW, NEW, UNDER_WAY, FAILED, ANOTHER), ("MigrationFailed", UNDER_WAY)),
    "it ended": ((NEW, NEW, UNDER_WAY, DONE, ANOTHER), ("Migrated", Record(NEW, ANOTHER))),
    "the claim is away": ((NEW, NEW, STANDING, None, ""), ("Migrated", STANDING)),
    "no volume was known": ((NEW, NEW, Record(NEW), None, VOLUME), ("Migrated", STANDING)),
    "another image, same volume": (
        (NEW, OLD, Record(OLD, VOLUME), RUNS, VOLUME),
        ("Migrating", UNDER_WAY),
    ),
    "and back": ((OLD, OLD, UNDER_WAY, None, VOLUME), ("Migrated", Record(OLD, VOLUME))),
    "no record at all, as before these fields": (
        (NEW, NEW, NONE, None, VOLUME),
        ("Migrated", STANDING),
    ),
}


@pytest.mark.parametrize(("given", "wanted"), VOLUMES.values(), ids=VOLUMES)
def test_an_empty_database_is_noticed_and_migrated_again(given, wanted):
    *facts, volume = given
    found = rollout.decide(*facts, "", volume=volume)
    assert (found.reason, found.record) == wanted
    assert found.workload  # what runs goes on


SERVER, ELSEWHERE = "server-5f3a1b2c", "server-77777777"
OUT, IN_OUT = Record(NEW, SERVER), Record("", SERVER)

MOVES = {
    # given: record, Job, which database now, external; wanted: reason, workload, record
    "out": ((STANDING, None, SERVER, True), ("Migrating", False, UNDER_WAY)),
    "out, and done": ((UNDER_WAY, DONE, SERVER, True), ("Migrated", True, OUT)),
    "out, and failed": ((UNDER_WAY, FAILED, SERVER, True), ("MigrationFailed", False, UNDER_WAY)),
    "the same server": ((OUT, None, SERVER, True), ("Migrated", True, OUT)),
    "its Secret is away": ((OUT, None, "", True), ("Migrated", True, OUT)),
    "another server": ((OUT, None, ELSEWHERE, True), ("Migrating", False, IN_OUT)),
    "in, its claim is yet to come": ((OUT, None, "", False), ("Migrating", False, IN_OUT)),
    "in, and done before the claim is seen": (
        (IN_OUT, DONE, "", False), ("Migrated", True, Record(NEW)),
    ),
    "in": ((OUT, None, VOLUME, False), ("Migrating", False, IN_OUT)),
    "in, and done": ((IN_OUT, DONE, VOLUME, False), ("Migrated", True, STANDING)),
}  # fmt: skip


@pytest.mark.parametrize(("given", "wanted"), MOVES.values(), ids=MOVES)
def test_a_database_that_moves_is_migrated_before_anything_rolls(given, wanted):
    record, job, volume, external = given
    found = rollout.decide(NEW, NEW, record, job, "", volume=volume, external=external)
    assert (found.reason, found.workload, found.record) == wanted


@pytest.mark.parametrize("record", [NONE, Record(NEW), STANDING, UNDER_WAY])
def test_a_record_is_read_back_as_it_was_written(record: Record):
    assert Record.read({"migration": record.as_dict()}) == record
    assert Record.read({}) == NONE


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
