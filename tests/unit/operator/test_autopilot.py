"""The loop around the decisions: what it starts, what it writes and when, what it survives."""

import asyncio
import json
from dataclasses import dataclass, field, replace

import pytest
from tests.unit.operator.sky import NOON, metrics, pod

from hscjit_operator import names
from hscjit_operator.autopilot import Pilot
from hscjit_operator.clock import SteadyClock
from hscjit_operator.cluster.probe import Round
from hscjit_operator.decisions import tick
from hscjit_operator.model.autopilot import Eviction, Subject, Targets
from hscjit_operator.model.samples import PodSample
from hscjit_operator.model.spec import parse
from hscjit_operator.names import Key

KEY = Key("shop", "x")


def app(uid="u1", **spec):
    metadata = {"name": "x", "namespace": "shop", "uid": uid, "generation": 1}
    return parse({"metadata": metadata, "spec": spec})


class FakeProbe:
    """Answers for each pod what the test says; `hung` ones stay silent."""

    def __init__(self):
        self.hung, self.fields, self.asked = set(), {}, 0

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def ask(self, pods):
        self.asked += 1
        samples = {}
        for p in pods:
            up = p.name not in self.hung
            seen = metrics(**self.fields.get(p.component, {})) if up else None
            samples[p.uid] = PodSample(p, seen, alive=up)
        return Round(samples, trusted=True)


@dataclass
class Hands:
    """An Actuator that notes what it is asked for."""

    stored: str | None = None
    outcome: Eviction = Eviction.DONE
    broken: set[str] = field(default_factory=set)
    calls: list[tuple] = field(default_factory=list)

    async def _note(self, *call):
        if call[0] in self.broken:
            raise OSError(f"{call[0]} is broken")
        self.calls.append(call)

    async def evict(self, _key, ref):
        await self._note("evict", ref.name)
        return self.outcome

    async def tail_logs(self, _key, ref, _lines):
        await self._note("logs", ref.name)
        return "last words, redis://:hunter2@queue"

    async def scale_api(self, _key, replicas):
        await self._note("scale", replicas)

    async def mark_costs(self, _key, costs):
        await self._note("costs", costs)

    async def event(self, _key, kind, reason, message):
        await self._note("event", kind, reason, message)

    async def read_ledger(self, _key):
        await self._note("read")
        return self.stored

    async def write_ledger(self, _key, text):
        await self._note("write")
        self.stored = text

    def of(self, name):
        return [call[1:] for call in self.calls if call[0] == name]


class Cabin:
    """A Pilot on a virtual clock, with three API pods and a worker under its eyes."""

    def __init__(self, hands=None, subject=None):
        self.now, self.changed = NOON, []
        self.probe, self.hands = FakeProbe(), hands or Hands()
        self.pilot = Pilot(
            self.hands, self.changed.append, probe=self.probe, clock=lambda: self.now
        )
        self.pods = (*(pod(f"x-api-{n}") for n in range(3)), pod("x-worker-0", names.WORKER))
        self.subject = subject or Subject(app(), self.pods, api_replicas=2)
        self.pilot.set_subject(KEY, self.subject)

    async def ticks(self, count):
        for _ in range(count):
            self.now += 1.0
            await self.pilot.tick()
            for _ in range(5):  # let what the tick started have its turn
                await asyncio.sleep(0)

    @property
    def report(self):
        return self.pilot.report(KEY)

    def entries(self):
        return json.loads(self.hands.stored or "[]")


PERSISTED = {
    "targets": {"apiFloor": 4, "apiCeiling": 10, "workers": 2},
    "lastDecision": {"action": "RaiseFloor"},
}


async def test_a_report_is_there_before_the_first_tick():
    cabin = Cabin(subject=Subject(app(), (pod("x-api-0"),), persisted_status=PERSISTED))

    assert cabin.report.targets == Targets(4, 10, 2)
    assert cabin.report.last_decision == {"action": "RaiseFloor"}
    assert cabin.report.findings == ()
    assert cabin.pilot.report(Key("shop", "other")) is None


async def test_without_pods_all_there_is_to_say_is_said_before_the_first_tick():
    cabin = Cabin(subject=Subject(app(), (), persisted_status=PERSISTED))

    assert cabin.report.targets == Targets(4, 10, 2)
    assert cabin.report.last_decision == {"action": "RaiseFloor"}
    assert "NoPods" in [finding.reason for finding in cabin.report.findings]
    await cabin.ticks(3)
    assert cabin.changed == []


async def test_without_pods_what_has_to_be_done_is_done_by_the_first_tick():
    busy = {"name": "always", "schedule": "0 0 * * *", "duration": "24h", "apiMinReplicas": 4}
    subject = Subject(app(maintenance={"offPeak": [busy]}), ())
    cabin = Cabin(subject=subject)

    assert cabin.report.findings == ()
    await cabin.ticks(3)
    assert cabin.report.findings
    assert [action["action"] for action in cabin.entries()] == ["RaiseFloor"]


async def test_when_nothing_changes_nothing_is_written_and_nobody_is_woken():
    cabin = Cabin()
    await cabin.ticks(1)
    assert cabin.changed == [KEY]  # the first findings
    await cabin.ticks(120)

    assert cabin.changed == [KEY]
    assert cabin.hands.calls == [("read",)]


# What a pass tells → what the report then says, of findings and targets.
NEWS = {
    "a pause": (
        {"paused": frozenset({"all"})},
        {"ScalingActive": "Paused", "RemediationAllowed": "Paused"},
        Targets(2, 10, 1),
    ),
    "a rollout": (
        {"rollout_in_progress": True},
        {"RemediationAllowed": "RolloutInProgress"},
        Targets(2, 10, 1),
    ),
    "a restore": (
        {"restoring": True},
        {"ScalingActive": "Restoring", "RemediationAllowed": "Restoring"},
        Targets(2, 10, 1),
    ),
    "a store that is away": (
        {"dependencies_ready": {names.POSTGRES: False}},
        {"RemediationAllowed": "DependencyDown"},
        Targets(2, 10, 1),
    ),
    "another mode": (
        {"app": app(autopilot={"heal": {"mode": "Observe"}, "scale": {"mode": "Off"}})},
        {"ScalingActive": "Off", "RemediationAllowed": "ObserveOnly"},
        Targets(2, 10, 1),
    ),
    "other bounds": (
        {"app": app(api={"autoscaling": {"minReplicas": 3, "maxReplicas": 6}})},
        {},
        Targets(3, 6, 1),
    ),
    "no pod any more": ({"pods": ()}, {"ScalingActive": "NoData"}, Targets(2, 10, 1)),
}


@pytest.mark.parametrize(("told", "reasons", "targets"), NEWS.values(), ids=NEWS)
async def test_what_a_pass_tells_is_in_its_own_report_and_the_next_tick_adds_nothing(
    told, reasons, targets
):
    cabin = Cabin()
    await cabin.ticks(10)
    before = {found.type: found.reason for found in cabin.report.findings}
    cabin.changed.clear()

    cabin.pilot.set_subject(KEY, replace(cabin.subject, **told))

    reported = cabin.report
    assert {found.type: found.reason for found in reported.findings} == before | reasons
    assert reported.targets == targets
    await cabin.ticks(1)
    assert cabin.report == reported
    assert cabin.changed == []


async def test_a_pass_between_two_ticks_is_no_tick():
    cabin = Cabin()
    await cabin.ticks(10)
    cabin.probe.hung.add("x-api-1")
    await cabin.ticks(1)
    for number in range(60):
        ready = {names.POSTGRES: number % 2 == 0}
        cabin.pilot.set_subject(KEY, replace(cabin.subject, dependencies_ready=ready))
    await cabin.ticks(1)

    assert cabin.hands.of("evict") == []
    assert cabin.report.last_decision is None


async def test_what_cannot_be_judged_anew_stands(monkeypatch):
    cabin = Cabin()
    await cabin.ticks(10)
    before = cabin.report
    monkeypatch.setattr(tick, "step", lambda *_: 1 / 0)

    cabin.pilot.set_subject(KEY, replace(cabin.subject, paused=frozenset({"all"})))

    assert cabin.report == before


async def test_a_hung_pod_is_evicted_with_its_evidence_in_the_ledger():
    cabin = Cabin()
    await cabin.ticks(5)
    cabin.probe.hung.add("x-api-1")
    await cabin.ticks(7)

    assert cabin.hands.of("evict") == [("x-api-1",)]
    assert [call[1] for call in cabin.hands.of("event")] == ["Evict"]
    [entry] = cabin.entries()
    assert (entry["target"], entry["reason"], entry["outcome"]) == (
        "x-api-1",
        "Unresponsive",
        "Done",
    )
    assert entry["evidence"]["log"] == "last words, redis://:***@queue"
    assert entry["evidence"]["metrics"]["connections"] == 0.0
    assert cabin.report.last_decision["target"] == "x-api-1"


@pytest.mark.parametrize("broken", ["logs", "event", "write"])
async def test_what_fails_beside_an_eviction_does_not_stop_it(broken):
    cabin = Cabin(Hands(broken={broken}))
    await cabin.ticks(5)
    cabin.probe.hung.add("x-api-1")
    await cabin.ticks(7)

    assert cabin.hands.of("evict") == [("x-api-1",)]


async def test_an_eviction_that_fails_is_not_tried_again_at_once():
    cabin = Cabin(Hands(broken={"evict"}))
    await cabin.ticks(5)
    cabin.probe.hung.add("x-api-1")
    await cabin.ticks(50)

    assert [e["outcome"] for e in cabin.entries() if "outcome" in e] == ["Failed"]
    assert len(cabin.hands.of("logs")) == 1


async def test_a_refusal_by_a_disruption_budget_is_recorded_once():
    cabin = Cabin(Hands(outcome=Eviction.REFUSED))
    await cabin.ticks(5)
    cabin.probe.hung.add("x-api-1")
    await cabin.ticks(14)

    shown = [(e["action"], e.get("refusedBecause"), e.get("outcome")) for e in cabin.entries()]
    assert shown == [("Evict", None, "Refused"), ("Evict", "DisruptionBudget", None)]
    assert [call[1] for call in cabin.hands.of("event")] == ["Evict", "EvictRefused"]


async def test_a_standing_refusal_is_one_event_and_at_most_one_write_a_minute():
    cabin = Cabin()
    down = {"redis_queue": False, "redis_cache": True, "database": True}
    cabin.probe.fields = {names.API: {"dependencies": down}, names.WORKER: {"dependencies": down}}
    await cabin.ticks(5)
    cabin.probe.hung.add("x-api-1")
    await cabin.ticks(305)

    assert len(cabin.hands.of("event")) == 1
    assert cabin.hands.of("evict") == []
    assert 5 <= len(cabin.hands.of("write")) <= 6
    [entry] = cabin.entries()
    assert entry["refusedBecause"] == "DependencyDown"
    assert entry["repeats"] > 200
    assert cabin.report.last_decision["refusedBecause"] == "DependencyDown"


async def test_a_raise_wakes_a_pass_and_scales_the_deployment_at_once():
    cabin = Cabin()
    await cabin.ticks(60)
    cabin.changed.clear()
    cabin.probe.fields = {names.API: {"inflight": 12.0}}  # 36 in all
    await cabin.ticks(1)

    assert cabin.report.targets == Targets(5, 10, 1)
    assert cabin.hands.of("scale") == [(5,)]
    assert cabin.changed == [KEY]


async def test_a_deployment_that_is_large_enough_is_not_scaled():
    cabin = Cabin()
    cabin.pilot.set_subject(KEY, replace(cabin.subject, api_replicas=7))
    await cabin.ticks(60)
    cabin.probe.fields = {names.API: {"inflight": 12.0}}
    await cabin.ticks(1)

    assert cabin.report.targets.api_floor == 5
    assert cabin.hands.of("scale") == []


async def test_before_a_lowering_the_pods_are_marked_by_their_sockets():
    scale = {"stepDownAfterSeconds": 10, "stepDownSeconds": 5}
    cabin = Cabin()
    stored = {"targets": {"apiFloor": 3, "apiCeiling": 10, "workers": 1}}
    subject = Subject(app(autopilot={"scale": scale}), cabin.pods, persisted_status=stored)
    cabin.pilot.forget(KEY)
    cabin.pilot.set_subject(KEY, subject)
    cabin.probe.fields = {names.API: {"connections": 30.0}}
    await cabin.ticks(15)

    assert cabin.hands.of("costs") == [({"x-api-0": 30, "x-api-1": 30, "x-api-2": 30},)]
    assert cabin.report.targets.api_floor == 2


async def test_the_ledger_and_the_budget_outlive_a_restart_of_the_operator():
    first = Cabin()
    await first.ticks(5)
    first.probe.hung.add("x-api-1")
    await first.ticks(7)

    second = Cabin(Hands(stored=first.hands.stored))
    second.now = first.now
    await second.ticks(5)
    second.probe.hung.add("x-api-2")
    await second.ticks(7)

    assert second.hands.of("evict") == []  # the cooldown of the first one holds
    shown = [(e["target"], e.get("refusedBecause")) for e in second.entries()]
    assert shown == [("x-api-1", None), ("x-api-2", "CoolingDown")]


async def test_a_ledger_that_cannot_be_read_is_never_overwritten():
    cabin = Cabin(Hands(broken={"read"}))
    await cabin.ticks(5)
    cabin.probe.hung.add("x-api-1")
    await cabin.ticks(20)
    assert cabin.hands.of("write") == []

    cabin.hands.broken.clear()
    await cabin.ticks(12)
    assert cabin.entries()[0]["target"] == "x-api-1"


async def test_a_failed_write_is_tried_again_after_a_while():
    cabin = Cabin(Hands(broken={"write"}))
    await cabin.ticks(5)
    cabin.probe.hung.add("x-api-1")
    await cabin.ticks(7)
    cabin.hands.broken.clear()
    await cabin.ticks(11)

    assert cabin.entries()[0]["outcome"] == "Done"


async def test_one_broken_resource_does_not_stop_the_others():
    cabin = Cabin()
    cabin.pilot.forget(KEY)
    bad = Subject(app("u2"), (pod("y-api-0"),), dependencies_ready=None)
    cabin.pilot.set_subject(Key("shop", "y"), bad)  # first in line
    cabin.pilot.set_subject(KEY, cabin.subject)
    await cabin.ticks(3)

    assert cabin.pilot.report(Key("shop", "y")).findings == ()
    assert cabin.report.findings != ()


async def test_a_pod_of_another_resource_is_witness_that_the_network_works():
    cabin = Cabin(subject=Subject(app(), (pod("x-api-0"),)))
    cabin.pilot.set_subject(Key("shop", "y"), Subject(app("u2"), (pod("y-api-0"),)))
    await cabin.ticks(3)
    cabin.probe.hung.add("x-api-0")
    await cabin.ticks(7)

    assert cabin.hands.of("evict") == [("x-api-0",)]


async def test_a_new_resource_of_the_same_name_begins_anew():
    cabin = Cabin()
    await cabin.ticks(60)
    cabin.probe.fields = {names.API: {"inflight": 12.0}}
    await cabin.ticks(1)
    cabin.pilot.set_subject(KEY, Subject(app("u2"), cabin.pods))

    assert cabin.report.targets == Targets(2, 10, 1)


async def test_forgotten_is_forgotten():
    cabin = Cabin()
    await cabin.ticks(3)
    cabin.pilot.forget(KEY)
    cabin.pilot.forget(KEY)
    await cabin.ticks(3)

    assert cabin.report is None


async def test_the_loop_ticks_until_it_is_cancelled(monkeypatch):
    monkeypatch.setattr("hscjit_operator.autopilot.TICK_S", 0.05)
    cabin = Cabin()
    running = asyncio.create_task(cabin.pilot.run())
    while cabin.probe.asked < 3:
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert cabin.report is None


CLOCKS = {
    "both run": ((10.0, 10.0), 10.0),
    "drift is smoothed": ((12.0, 10.0), 10.0),
    "set forward by an hour": ((3610.0, 10.0), 3610.0),
    "set back by an hour": ((-3590.0, 10.0), -3590.0),
}


@pytest.mark.parametrize(("passed", "expected"), CLOCKS.values(), ids=CLOCKS)
def test_the_clock_is_steady_until_the_machines_is_set(passed, expected):
    times = {"wall": NOON, "monotonic": 500.0}
    clock = SteadyClock(lambda: times["wall"], lambda: times["monotonic"])
    times = {"wall": NOON + passed[0], "monotonic": 500.0 + passed[1]}

    assert clock() == NOON + expected
