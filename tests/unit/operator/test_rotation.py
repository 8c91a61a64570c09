"""The exchange of the database's password: which step follows from what is seen."""

from dataclasses import replace
from typing import Any, cast

import pytest
from tests.unit.operator.manifests.builders import hscjit

from hscjit_operator import manifests, names
from hscjit_operator.cluster.references import Known, secret_facts
from hscjit_operator.decisions import restore, rollout
from hscjit_operator.decisions.rotation import Rotation, Seen, Write, decide
from hscjit_operator.model import logins
from hscjit_operator.model.logins import digest_of
from hscjit_operator.model.observed import (
    Child,
    ClaimFacts,
    Facts,
    JobFacts,
    PodFacts,
    Scaled,
    SecretFacts,
)
from hscjit_operator.model.pause import Pause
from hscjit_operator.rotation import Rotator, Scene, look

HERE, ELSEWHERE = digest_of("uid-of-the-claim"), digest_of("uid-of-another")
DONE, RUNS = JobFacts("Complete", 1.0, ""), JobFacts("", None, "")
FAILED = JobFacts("Failed", 1.0, "BackoffLimitExceeded: too often")

SETTLED = {logins.PASSWORD: digest_of("present")}
ASKED = SETTLED | {logins.NEXT: digest_of("next")}
BLANK = SETTLED | {logins.NEXT: digest_of("")}
SAME = SETTLED | {logins.NEXT: digest_of("present")}
ROTATED = SAME | {logins.LOGIN: digest_of(logins.SECOND), logins.VOLUME: HERE}
MOVED = ROTATED | {logins.FORMER: digest_of(logins.OWNER)}
BACK = SAME | {logins.LOGIN: digest_of(logins.OWNER), logins.VOLUME: HERE}
AGAIN = MOVED | {logins.NEXT: digest_of("another")}


def seen(digests: dict[str, str], usable: bool = True, **changes: Any) -> Seen:
    found = Seen(
        logins=logins.read(digests, usable=usable),
        external=False,
        volume=HERE,
        held="",
        busy="",
        behind="",
        job=None,
        said="",
    )
    return replace(found, **changes)


NOTHING = (None, False, "")
"""Nothing is written, no Job is wanted, nothing is said."""
CASES: dict[str, tuple[Seen, tuple[Write | None, bool, str]]] = {
    # What is there already is no wish.
    "never asked": (seen(SETTLED), NOTHING),
    "the wish is what there is": (seen(SAME), NOTHING),
    "rotated": (seen(ROTATED), NOTHING),
    "rotated twice": (seen(BACK), NOTHING),
    # 1: the other login gets the next password.
    "asked": (seen(ASKED), (None, True, "a Job makes the next password good")),
    "asked while a Job works": (seen(ASKED, job=RUNS), (None, True, "a Job makes")),
    "ours to make": (seen(BLANK), (Write.WISH, False, "making the next password")),
    "ours to make, paused": (seen(BLANK, held="paused"), (None, False, "waiting: paused")),
    "no password": (seen(ASKED, usable=False), (None, False, "has to be 20 to 128 letters")),
    "no moment": (seen(ASKED, busy="x"), (None, False, "waiting: x; the present one stays good")),
    "no moment, but begun": (seen(ASKED, busy="x", job=RUNS), (None, True, "a Job makes")),
    "the Job failed": (
        seen(ASKED, job=FAILED, said="no room"),
        (None, True, "no room; it is tried again, the present one stays good"),
    ),
    "the Job failed without a word": (
        seen(ASKED, job=FAILED), (None, True, "BackoffLimitExceeded: too often; it is tried again"),
    ),
    # 2: the Secret leads there.
    "the next is good": (seen(ASKED, job=DONE), (Write.MOVE, False, "the next password is good")),
    "the next is good, no moment": (
        seen(ASKED, job=DONE, busy="x"), (None, True, "waiting: x; the present one stays good"),
    ),
    "the next is good, paused": (
        seen(ASKED, job=DONE, held="paused"), (None, True, "waiting: paused"),
    ),
    # 3: the former password is good for nothing, once nobody uses it.
    "pods roll": (seen(MOVED, behind="api"), (None, False, "waiting until api uses the next")),
    "pods have rolled": (seen(MOVED), (None, True, "a Job makes the former password good for")),
    "more pods come": (seen(MOVED, behind="api", job=RUNS), (None, True, "a Job makes the former")),
    "still used": (
        seen(MOVED, job=FAILED, said="used by x"),
        (None, True, "used by x; it is tried again, both are good"),
    ),
    "pods have rolled, no moment": (seen(MOVED, busy="x"), (None, False, "waiting: x; both are")),
    # 4: it is over; what was asked for meanwhile comes next.
    "refused": (seen(MOVED, job=DONE), (Write.CLOSE, False, "the former password is refused")),
    "refused, paused": (seen(MOVED, job=DONE, held="paused"), (None, True, "waiting: paused")),
    "asked again meanwhile": (seen(AGAIN, job=DONE), (Write.CLOSE, False, "the former password")),
    # A database that was made anew knows the owner alone.
    "another volume": (seen(ROTATED, volume=ELSEWHERE), (Write.ANEW, False, "is a new one")),
    "another volume, moved": (seen(MOVED, volume=ELSEWHERE), (Write.ANEW, False, "is a new one")),
    "another volume, restoring": (
        seen(ROTATED, volume=ELSEWHERE, busy="a restore"), (Write.ANEW, False, "is a new one"),
    ),
    "another volume, paused": (
        seen(ROTATED, volume=ELSEWHERE, held="paused"), (None, False, "waiting: paused"),
    ),
    "another volume, the owner's turn": (seen(BACK, volume=ELSEWHERE), NOTHING),
    "no volume yet": (seen(ROTATED, volume=""), NOTHING),
    # Somebody else's database.
    "external": (seen(SETTLED, external=True), NOTHING),
    "external, in between": (seen(MOVED, external=True), NOTHING),
    "external, asked": (seen(ASKED, external=True), (None, False, "the database is external")),
}  # fmt: skip


@pytest.mark.parametrize(("given", "meant"), CASES.values(), ids=CASES)
def test_step(given: Seen, meant: tuple[Write | None, bool, str]) -> None:
    found = decide(given)

    write, job, said = meant
    if meant == NOTHING:
        assert found is None
        return
    assert found is not None
    assert (found.write, found.job) == (write, job)
    assert said in found.message


STATES = {
    "asked": (seen(ASKED), "Rotating"),
    "no password": (seen(ASKED, usable=False), "Refused"),
    "external": (seen(ASKED, external=True), "Refused"),
    "the Job failed": (seen(ASKED, job=FAILED), "Failed"),
    "still used": (seen(MOVED, job=FAILED), "Failed"),
    "waiting": (seen(MOVED, behind="api"), "Rotating"),
}


@pytest.mark.parametrize(("given", "state"), STATES.values(), ids=STATES)
def test_who_has_to_do_something(given: Seen, state: str) -> None:
    found = decide(given)

    assert isinstance(found, Rotation)
    assert found.state == state


@pytest.mark.parametrize(
    ("password", "usable"),
    [
        ("x" * 19, False), ("x" * 20, True), ("x" * 128, True), ("x" * 129, False),
        ("a-Z_0" * 4, True), ("x" * 20 + "@", False), ("x" * 20 + "\n", False),
        (" " + "x" * 20, False), ("ü" * 20, False), ("", False),
    ],
)  # fmt: skip
def test_a_password_that_can_be_one(password: str, usable: bool) -> None:
    assert logins.usable(password) is usable


@pytest.mark.parametrize(
    ("digests", "present", "other"),
    [
        (SETTLED, logins.OWNER, logins.SECOND),
        (ROTATED, logins.SECOND, logins.OWNER),
        (BACK, logins.OWNER, logins.SECOND),
    ],
)
def test_the_logins_take_turns(digests: dict[str, str], present: str, other: str) -> None:
    found = logins.read(digests, usable=False)

    assert (found.present, found.other) == (present, other)


# --- what is seen -------------------------------------------------------------------------------
CURRENT = SecretFacts("uid", "7", "", True, (), MOVED | {"database-url": "of the second login"})
BEFORE = replace(CURRENT, digests=SETTLED | {"database-url": "of the owner"})
CLAIM = "PersistentVolumeClaim"
VOLUME_NAME = "data-support-postgres-0"
STANDING = rollout.Rollout("app:1", None, True, True, "Migrated", "")
MIGRATING = replace(STANDING, migrate_image="app:2")


def one(kind: str, name: str, facts: Facts, *, deleting: bool = False) -> dict[Any, Child]:
    found = Child(kind, name, f"uid-of-{name}", 1, "", "", deleting, b"", facts)
    return {(kind, name): found}


def deployment(component: str, secret: SecretFacts = CURRENT, **changes: Any) -> dict[Any, Child]:
    """A Deployment whose pods know what a Secret says."""
    digest = manifests.rotation.users(hscjit(), secret.digests)[component]
    facts = Scaled(2, 2, 2, 2, 4, 4, owns_replicas=False, secrets=digest)
    return one("Deployment", f"support-{component}", replace(facts, **changes))


def pod(component: str, phase: str, *, deleting: bool = False) -> dict[Any, Child]:
    facts = PodFacts(component, None, None, phase, True, None, None)
    return one("Pod", f"support-{component}-x", facts, deleting=deleting)


API, WORKER = deployment(names.API), deployment(names.WORKER)
DATABASE = one("StatefulSet", "support-postgres", Scaled(1, 1, 1, 1, 1, 1, owns_replicas=True))
VOLUME = one(CLAIM, VOLUME_NAME, ClaimFacts("Bound"))
THERE = API | WORKER | DATABASE | VOLUME
DOWN = one("StatefulSet", "support-postgres", Scaled(1, 0, 1, 1, 1, 1, owns_replicas=True))


def scene(observed: dict[Any, Child], **changes: Any) -> Scene:
    known = Known(CURRENT)
    found = Scene(hscjit(), {}, known, THERE | observed, Pause(), STANDING, None)
    return replace(found, **changes)


def looked(given: Scene) -> Seen:
    found, _ = look(given, CURRENT, logins.read(CURRENT.digests, usable=True))
    return found


BEHIND: dict[str, tuple[dict[Any, Child], str]] = {
    "all know": ({}, ""),
    "an older template": (deployment(names.API, BEFORE), "api"),
    "workers too": (deployment(names.WORKER, BEFORE), "worker"),
    "not seen by its controller": (deployment(names.API, seen=3), "api"),
    "one of the old is left": (deployment(names.API, updated=1), "api"),
    "switched to none": (deployment(names.WORKER, desired=0, updated=0, total=0), ""),
    "an old one drains": (pod(names.API, "Running", deleting=True), "support-api-x, which is leav"),
    "beat leaves": (pod(names.BEAT, "Running", deleting=True), ""),
    "a backup": (pod(names.BACKUP, "Running"), "support-backup-x, which is at work,"),
    "a cleanup that begins": (pod(names.CLEANUP, "Pending"), "support-cleanup-x, which is at"),
    "a backup that has ended": (pod(names.BACKUP, "Succeeded"), ""),
    "one that has failed": (pod(names.BACKUP, "Failed"), ""),
}


@pytest.mark.parametrize(("observed", "who"), BEHIND.values(), ids=BEHIND)
def test_who_may_not_have_heard_of_it(observed: dict[Any, Child], who: str) -> None:
    found = looked(scene(observed)).behind

    assert found.startswith(who) if who else found == ""


def test_a_deployment_that_is_missing_has_heard_nothing() -> None:
    assert looked(replace(scene({}), observed=API | DATABASE | VOLUME)).behind == "worker"


RESTORING = restore.Restore("20260101T000000Z", "Stopping", "", stopped=True, job=False)
RESTORED = replace(RESTORING, step="Done")
BUSY: dict[str, tuple[Scene, str]] = {
    "a quiet moment": (scene({}), ""),
    "rollouts are paused": (scene({}, pause=Pause(frozenset({"rollout"}))), "rollouts are paused"),
    "healing is paused": (scene({}, pause=Pause(frozenset({"heal"}))), ""),
    "a restore": (scene({}, back=RESTORING), "a restore is under way"),
    "a restore that is over": (scene({}, back=RESTORED), ""),
    "a migration": (scene({}, going=MIGRATING), "a migration is under way"),
    "a database that is down": (scene(DOWN), "the database is not ready"),
    "no volume": (replace(scene({}), observed=API | DATABASE), "the database is not ready"),
    "a volume that goes": (
        scene(one(CLAIM, VOLUME_NAME, ClaimFacts("Bound"), deleting=True)),
        "the database is not ready",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "why"), BUSY.values(), ids=BUSY)
def test_whether_it_is_the_moment(given: Scene, why: str) -> None:
    assert looked(given).busy == why


def test_all_is_held_only_while_all_is_paused() -> None:
    assert looked(scene({}, pause=Pause(frozenset({"all"})))).held == "everything is paused"
    assert looked(scene({}, pause=Pause(frozenset({"rollout"})))).held == ""


def test_each_login_password_and_volume_has_a_job_of_its_own() -> None:
    def job(digests: dict[str, str], observed: dict[Any, Child]) -> str:
        facts = replace(CURRENT, digests=digests)
        _, exchange = look(scene(observed), facts, logins.read(digests, usable=True))
        return exchange.job

    elsewhere = one(CLAIM, VOLUME_NAME, ClaimFacts("Bound"))
    (child,) = elsewhere.values()
    moved = {(CLAIM, VOLUME_NAME): replace(child, uid="another")}
    jobs = [job(ASKED, {}), job(MOVED, {}), job(SETTLED | {logins.NEXT: "x"}, {})]
    assert len({*jobs, job(ASKED, moved)}) == 4


# --- what is written ----------------------------------------------------------------------------
class Server:
    """An API server that holds one Secret, and notes what is merged into it."""

    def __init__(self, version: str) -> None:
        values = {logins.PASSWORD: "present", logins.NEXT: ""}
        self.body: dict[str, Any] = {
            "metadata": {"uid": "uid", "resourceVersion": version},
            "data": manifests.secret.data(values),
        }
        self.merged: list[dict[str, Any]] = []

    async def get(self, *_: Any) -> dict[str, Any]:
        return self.body

    async def merge(self, _kind: Any, _space: str, _name: str, patch: Any, *, reason: str) -> Any:
        assert reason == "rotate"
        self.merged.append(patch)
        return {**self.body, "data": {**self.body["data"], **patch["data"]}}


class Ears:
    """Hears what was learnt and told."""

    def __init__(self) -> None:
        self.learnt: list[Any] = []

    def learn(self, _key: Any, body: Any) -> None:
        self.learnt.append(body)


@pytest.mark.parametrize("seen_version", ["7", "6"], ids=["as it was seen", "changed since"])
async def test_the_secret_is_changed_only_as_it_was_seen(seen_version: str) -> None:
    server, ears = Server("7"), Ears()
    seen = replace(secret_facts(server.body), version=seen_version)
    rotator = Rotator(cast("Any", server), cast("Any", ears), cast("Any", None))

    turn = await rotator.step(scene({}, known=Known(seen)), seen)

    # Either way the pass that follows at once goes by what the Secret says now.
    assert turn.wrote
    assert ears.learnt[0] is server.body
    if seen_version == "6":
        assert not server.merged
        assert turn.secret == seen
        return
    (patch,) = server.merged
    assert patch["metadata"] == {"uid": "uid", "resourceVersion": "7"}
    assert list(patch["data"]) == [logins.NEXT]
    assert turn.secret == secret_facts(ears.learnt[-1])
    assert turn.secret.next_usable


async def test_whoever_never_asked_costs_no_call() -> None:
    silent = cast("Any", None)
    facts = SecretFacts("uid", "7", "", True, (), SETTLED)

    turn = await Rotator(silent, silent, silent).step(scene({}), facts)

    assert (turn.secret, turn.rotation, turn.exchange, turn.wrote) == (facts, None, None, False)
