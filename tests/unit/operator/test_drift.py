"""Which children differ, why, and which are wanted no more."""

from dataclasses import replace

import pytest

from hscjit_operator import names
from hscjit_operator.decisions import drift
from hscjit_operator.decisions.drift import RETRY_JOB_S, Why
from hscjit_operator.model.observed import Child, JobFacts, PlainFacts, PodFacts, Scaled

UID = "uid-1"
NAME = ("ConfigMap", "support-config")
JOB = ("Job", "support-mig-1")
W, OLD, LIVE = b"wanted", b"wanted-before", b"live"
NOW = 10_000.0


def child(name: tuple[str, str] = NAME, **fields: object) -> Child:
    given = Child(
        kind=name[0],
        name=name[1],
        uid="x",
        version=1,
        owner_uid=UID,
        controller_uid=UID,
        deleting=False,
        digest=W,
        facts=PlainFacts(),
    )
    return replace(given, **fields)


CASES = {
    "as wanted": (child(), None, (), None),
    "never there": (None, None, (), Why.CREATE),
    "was there, is gone": (None, (W, None), (), Why.DRIFT),
    "gone while we were down": (None, None, (NAME,), Why.DRIFT),
    "edited": (child(digest=LIVE), (W, None), (), Why.DRIFT),
    "edited while we were down": (child(digest=LIVE), None, (NAME,), Why.DRIFT),
    "something else is wanted now": (child(digest=OLD), (OLD, None), (), Why.UPDATE),
    "something else is wanted of what the server writes otherwise": (
        child(digest=LIVE),
        (OLD, LIVE),
        (),
        Why.UPDATE,
    ),
    "first look after a new spec": (child(digest=OLD), None, (), Why.UPDATE),
    "the server writes it otherwise": (child(digest=LIVE), (W, LIVE), (), None),
    "edited where the server writes otherwise": (
        child(digest=b"theirs"),
        (W, LIVE),
        (),
        Why.DRIFT,
    ),
    "still being deleted": (child(digest=LIVE, deleting=True), None, (), None),
}
"""What is there; what stood, and as what the server wrote it; who stood before a restart."""


@pytest.mark.parametrize(("seen", "stood", "expected", "why"), CASES.values(), ids=CASES)
def test_changes(seen, stood, expected, why):
    observed = {} if seen is None else {NAME: seen}
    asked, written = stood or (None, None)
    standing = {NAME: asked} if asked else {}
    rewritten = {NAME: written} if written else {}

    found = list(drift.changes({NAME: W}, observed, standing, rewritten, expected))

    assert [change.why for change in found] == ([] if why is None else [why])


def test_a_job_is_made_once_and_never_applied_again():
    assert [c.why for c in drift.changes({JOB: W}, {}, {}, {}, (JOB,))] == [Why.CREATE]
    assert not list(drift.changes({JOB: W}, {JOB: child(JOB, digest=LIVE)}, {}, {}, ()))


SUPERFLUOUS = {
    "ours, wanted no more": (child(), True),
    "the owner reference was taken off": (child(controller_uid=""), True),
    "a former resource's": (child(owner_uid="uid-0", controller_uid="uid-0"), False),
    "made by a child of ours": (child(("Job", "run-1"), controller_uid="cron"), False),
    "already on its way": (child(deleting=True), False),
    "a claim": (child(("PersistentVolumeClaim", "c")), False),
    "a Secret": (child(("Secret", "s")), False),
    "a pod": (child(("Pod", "p")), False),
    "kept by name": (child(("ConfigMap", "support-ledger")), False),
}


@pytest.mark.parametrize(("seen", "goes"), SUPERFLUOUS.values(), ids=SUPERFLUOUS)
def test_superfluous(seen: Child, goes: bool):
    kept = {("ConfigMap", "support-ledger")}
    found = drift.superfluous({}, kept, {(seen.kind, seen.name): seen}, UID)
    assert bool(found) is goes


SPENT = {
    "runs": (JobFacts("", None, ""), False),
    "ended well": (JobFacts("Complete", NOW - 999, ""), False),
    "failed just now": (JobFacts("Failed", NOW - RETRY_JOB_S + 1, ""), False),
    "failed long enough ago": (JobFacts("Failed", NOW - RETRY_JOB_S, ""), True),
}


@pytest.mark.parametrize(("facts", "goes"), SPENT.values(), ids=SPENT)
def test_a_failed_job_is_made_anew_after_a_while(facts: JobFacts, goes: bool):
    observed = {JOB: child(JOB, facts=facts)}
    assert bool(drift.spent({JOB: W}, observed, NOW)) is goes
    assert not drift.spent({}, observed, NOW)


DEPLOYMENT = Scaled(
    desired=2, ready=2, updated=2, total=2, generation=5, seen=5, owns_replicas=False
)
POD = PodFacts(
    component=names.API,
    ip=None,
    node=None,
    phase="Running",
    ready=True,
    ready_changed=None,
    started=None,
)
# What a Deployment says, its own or a StatefulSet's; a pod, and whether it is on its way out.
OLDER = {
    "all are new": ("Deployment", DEPLOYMENT, False, False),
    "an old one is left": ("Deployment", replace(DEPLOYMENT, total=3), False, True),
    "its controller has not looked": ("Deployment", replace(DEPLOYMENT, seen=4), False, True),
    "a store rolls": ("StatefulSet", replace(DEPLOYMENT, total=3), False, False),
    "a pod runs": ("Pod", POD, False, False),
    "a pod leaves": ("Pod", POD, True, True),
    "a pod has left": ("Pod", replace(POD, phase="Succeeded"), True, False),
    "a store's pod leaves": ("Pod", replace(POD, component=names.POSTGRES), True, False),
    "a Service leaves": ("Service", PlainFacts(), True, False),
}


@pytest.mark.parametrize(("kind", "facts", "deleting", "expected"), OLDER.values(), ids=OLDER)
def test_older_pods(kind, facts, deleting, expected):
    name = (kind, "support-api")
    observed = {name: child(name, facts=facts, deleting=deleting)}

    assert drift.older_pods(observed, {name: 5}) is expected
