"""What follows from a look at the Lease, when writes may pass, and what standing by means."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hscjit_operator.cluster.errors import CONFLICT, GONE, UNREACHED, ApiError, Request
from hscjit_operator.cluster.gate import Gate, Shut
from hscjit_operator.cluster.kinds import LEASE
from hscjit_operator.cluster.lease import Course, Lease, Record, Terms, identity, judge, read
from hscjit_operator.cluster.observe import Apps
from hscjit_operator.duty import HEARTBEAT, Duty
from hscjit_operator.names import Key
from hscjit_operator.queue import Outcome, Trigger

TERMS = Terms()
ME, OTHER = "one_1", "two_2"


def record(holder: str, duration_s: float = 10.0) -> Record:
    return Record(holder, "7", duration_s, "", 0)


LOOKS = {
    "ours": (record(ME), 0.0, True, Course.RENEW),
    "ours, though we had given it up": (record(ME), 60.0, False, Course.RENEW),
    "another's, just renewed": (record(OTHER), 0.0, False, Course.WAIT),
    "another's, silent just under its time": (record(OTHER), 9.99, False, Course.WAIT),
    "another's, silent for its time": (record(OTHER), 10.0, False, Course.TAKE),
    "another's, under longer terms": (record(OTHER, 20.0), 19.9, False, Course.WAIT),
    "another's, though we lead": (record(OTHER), 0.0, True, Course.WAIT),
    "let go": (record(""), 0.0, False, Course.TAKE),
    "never seen": (None, float("inf"), False, Course.CREATE),
    "deleted under us": (None, 0.0, True, Course.CREATE),
    "deleted under another": (None, 9.99, False, Course.WAIT),
    "deleted, and nobody made it anew": (None, 10.0, False, Course.CREATE),
}


@pytest.mark.parametrize(("seen", "unchanged_s", "leads", "course"), LOOKS.values(), ids=LOOKS)
def test_what_follows_from_a_look(
    seen: Record | None, unchanged_s: float, leads: bool, course: Course
):
    assert judge(seen, ME, unchanged_s, TERMS, leads=leads) is course


def test_the_holder_stops_before_another_may_begin():
    assert TERMS.renew_deadline_s + 2 * TERMS.retry_s < TERMS.duration_s


def test_a_lease_that_somebody_emptied_is_read_by_our_terms():
    found = read({"metadata": {"resourceVersion": "7"}, "spec": {}}, TERMS)
    assert found == Record("", "7", 10.0, "", 0)


def test_a_process_that_begins_anew_is_another_holder():
    assert identity("pod-a").startswith("pod-a_")
    assert identity("pod-a") != identity("pod-a")


class Store:
    """One Lease as an API server keeps it, for clients that a test may cut off."""

    def __init__(self) -> None:
        self.body: dict[str, Any] | None = None
        self.version = 0
        self.away = False

    def _reach(self, method: str) -> None:
        if self.away:
            raise self._refuse(method, UNREACHED)

    @staticmethod
    def _refuse(method: str, code: int) -> ApiError:
        return ApiError(Request(method, LEASE, "/lease"), code, "Refused", "")

    def put(self, body: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self.version)}
        self.body = {**body, "metadata": metadata}
        return self.body

    async def get(self, *_: object) -> dict[str, Any] | None:
        self._reach("GET")
        return self.body

    async def create(
        self, _kind: object, _namespace: str, body: dict[str, Any], **_: object
    ) -> dict[str, Any]:
        self._reach("POST")
        if self.body is not None:
            raise self._refuse("POST", CONFLICT)
        return self.put(body)

    async def replace(
        self, _kind: object, _namespace: str, body: dict[str, Any], **_: object
    ) -> dict[str, Any]:
        self._reach("PUT")
        if self.body is None:
            raise self._refuse("PUT", GONE)
        if body["metadata"]["resourceVersion"] != self.body["metadata"]["resourceVersion"]:
            raise self._refuse("PUT", CONFLICT)
        return self.put(body)


class Played:
    """Two holders over one store, on a clock that the test turns."""

    def __init__(self) -> None:
        self.now = 100.0
        self.today = datetime(2026, 1, 1, tzinfo=UTC)
        self.store = Store()
        self.alive = {ME: True, OTHER: True}
        self.told: list[tuple[str, bool]] = []
        self.gates = {name: Gate(lambda: self.now) for name in (ME, OTHER)}
        self.stores = {ME: self.store, OTHER: self.store}
        self.held = {name: self._lease(name) for name in (ME, OTHER)}

    def _lease(self, name: str) -> Lease:
        return Lease(
            self.store,  # type: ignore[arg-type]
            self.gates[name],
            namespace="system",
            name="operator",
            me=name,
            alive=lambda: self.alive[name],
            changed=lambda leads: self.told.append((name, leads)),
            clock=lambda: self.now,
            now=lambda: self.today,
        )

    async def go_on(self, seconds: float, *names: str) -> None:
        """Let time pass, with a round of those named every 1.5 s."""
        end = self.now + seconds
        while self.now < end:
            for name in names:
                await self.held[name]._round()
            self.now = min(self.now + TERMS.retry_s, end)

    @property
    def spec(self) -> dict[str, Any]:
        assert self.store.body is not None
        return dict(self.store.body["spec"])

    @property
    def leaders(self) -> list[str]:
        return [name for name, lease in self.held.items() if lease.leads]


@pytest.fixture
def played() -> Played:
    return Played()


async def test_the_first_has_it_and_keeps_it(played: Played):
    await played.go_on(60, ME, OTHER)

    assert played.leaders == [ME]
    assert played.told == [(ME, True)]
    assert played.spec["leaseTransitions"] == 0


async def test_after_the_holders_end_the_other_has_it_when_its_time_is_over(played: Played):
    await played.go_on(6, ME, OTHER)
    await played.go_on(9, OTHER)
    assert played.leaders == []
    await played.go_on(4.5, OTHER)

    assert played.leaders == [OTHER]
    assert (played.spec["holderIdentity"], played.spec["leaseTransitions"]) == (OTHER, 1)


async def test_what_was_let_go_is_taken_at_once(played: Played):
    await played.go_on(6, ME, OTHER)
    await played.held[ME].release()
    assert played.leaders == []
    assert not played.gates[ME].is_open
    await played.go_on(1.5, OTHER)

    assert played.leaders == [OTHER]


async def test_a_renewal_that_arrived_unheard_does_not_keep_it_from_being_let_go(played: Played):
    await played.go_on(6, ME)
    assert played.store.body is not None
    played.store.put(played.store.body)  # the same again, whose answer was lost
    await played.held[ME].release()

    assert played.spec["holderIdentity"] == ""


@pytest.mark.parametrize(("away_s", "open_"), [(5.9, True), (6.0, False)])
async def test_the_gate_shuts_at_the_renew_deadline_by_itself(
    played: Played, away_s: float, open_: bool
):
    await played.held[ME]._round()
    played.now += away_s

    assert played.gates[ME].is_open is open_


async def test_without_an_answer_it_ceases_and_comes_back(played: Played):
    await played.go_on(3, ME)
    played.store.away = True
    await played.go_on(7.5, ME)
    assert played.told == [(ME, True), (ME, False)]
    played.store.away = False
    await played.go_on(1.5, ME)

    assert played.leaders == [ME]
    assert played.spec["leaseTransitions"] == 0


async def test_held_for_long_it_does_not_go_on_as_if_nothing_was(played: Played):
    await played.go_on(3, ME, OTHER)
    await played.go_on(15, OTHER)
    assert played.leaders == [OTHER]
    await played.held[ME]._round()

    assert played.leaders == [OTHER]
    assert played.told[-2:] == [(OTHER, True), (ME, False)]


async def test_while_no_pass_ends_it_is_not_renewed(played: Played):
    await played.go_on(3, ME, OTHER)
    played.alive[ME] = False
    await played.go_on(13.5, ME, OTHER)

    assert played.leaders == [OTHER]


async def test_who_does_not_live_takes_nothing(played: Played):
    played.alive[ME] = False
    await played.go_on(30, ME)
    assert played.store.body is None


async def test_the_time_of_day_decides_nothing(played: Played):
    await played.go_on(6, ME, OTHER)
    for jump in (timedelta(hours=1), timedelta(hours=-2)):
        played.today += jump
        await played.go_on(12, ME, OTHER)

    assert played.told == [(ME, True)]
    assert played.spec["renewTime"] == "2025-12-31T23:00:00.000000Z"


async def test_a_shut_gate_lets_nothing_begin():
    gate = Gate(lambda: 0.0)
    with pytest.raises(Shut, match="another operator"):
        async with gate.passage():
            raise AssertionError("it was let through")


async def test_what_is_under_way_is_broken_off():
    gate = Gate(lambda: 0.0)
    gate.open_until(1.0)
    asyncio.get_running_loop().call_soon(gate.shut)
    with pytest.raises(Shut, match="under way"):
        async with gate.passage():
            await asyncio.sleep(60)


async def test_a_timeout_of_the_write_itself_stays_one():
    gate = Gate(lambda: 0.0)
    gate.open_until(1.0)
    with pytest.raises(TimeoutError):
        async with gate.passage():
            raise TimeoutError


class Passes:
    """Notes what it was asked for."""

    def __init__(self) -> None:
        self.ran: list[Key] = []
        self.forgotten: list[Key] = []

    async def reconcile(self, key: Key, _trigger: Trigger) -> Outcome:
        self.ran.append(key)
        return Outcome(check_again_in=1.0)

    def forget(self, key: Key) -> None:
        self.forgotten.append(key)


A = Key("shop", "a")


def on_watch() -> tuple[Duty, Passes, Apps, list[tuple[Key, Trigger]]]:
    passes, put = Passes(), list[tuple[Key, Trigger]]()
    apps = Apps(lost=lambda _key: None)
    metadata = {"namespace": A.namespace, "name": A.name, "uid": "u", "resourceVersion": "1"}
    apps.take({"metadata": metadata})
    ticks = iter(range(1000))
    duty = Duty(passes, apps, lambda k, t: put.append((k, t)), lambda: float(next(ticks)))
    duty.see()
    put.clear()
    passes.forgotten.clear()
    return duty, passes, apps, put


async def test_standing_by_ends_passes_without_running_them():
    duty, passes, _, _ = on_watch()
    before = duty.last_pass

    assert await duty.run(A, Trigger.SPEC) == Outcome()
    assert await duty.run(Key("shop", "gone"), Trigger.SPEC) == Outcome(gone=True)

    assert (passes.ran, duty.last_pass > before) == ([], True)


async def test_on_duty_every_one_gets_a_pass_that_remembers_nothing():
    duty, passes, _, put = on_watch()
    duty.change(True)

    assert (put, passes.forgotten) == ([(A, Trigger.SPEC)], [A])
    assert (await duty.run(A, Trigger.SPEC)).check_again_in == 1.0
    duty.change(False)
    assert (len(put), passes.forgotten, passes.ran) == (2, [A, A], [A])


async def test_on_duty_no_pass_runs_before_all_that_there_is_was_seen():
    _, passes, apps, put = on_watch()
    duty = Duty(passes, apps, lambda k, t: put.append((k, t)), lambda: 0.0)
    duty.change(True)
    assert await duty.run(A, Trigger.SPEC) == Outcome()
    assert passes.ran == []

    put.clear()
    duty.see()
    assert put == [(A, Trigger.SPEC)]
    await duty.run(A, Trigger.SPEC)
    assert passes.ran == [A]


@pytest.mark.parametrize("on_duty", [False, True])
async def test_the_heartbeat_never_ends(on_duty: bool):
    """A queue forgets a key that is gone: then nothing would show that passes end."""
    duty, passes, _, _ = on_watch()
    duty.change(on_duty)
    before = duty.last_pass

    assert await duty.run(HEARTBEAT, Trigger.RESYNC) == Outcome()
    assert (passes.ran, duty.last_pass > before) == ([], True)
