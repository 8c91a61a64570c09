"""Which bad pod is replaced and why not: one table of obstacles, and minutes lived through."""

import itertools
from dataclasses import replace

import pytest
from tests.unit.operator.sky import DEPENDENCIES, NOON, Sky, metrics, pod

from hscjit_operator import names
from hscjit_operator.decisions import dependencies
from hscjit_operator.decisions.health import State, Verdict
from hscjit_operator.decisions.history import Act, History
from hscjit_operator.decisions.remediation import decide
from hscjit_operator.model.autopilot import Action, Eviction, Targets
from hscjit_operator.model.autopilot_spec import Autopilot, Heal, HealBudgets
from hscjit_operator.model.policy import Policy
from hscjit_operator.model.samples import ActResult, Observation, PodSample

FOUR = tuple(pod(f"api-{n}") for n in range(1, 5))
HISTORY = History(targets=Targets(2, 10, 1))
ACT = Policy()


def healing(**fields):
    return Policy(autopilot=Autopilot(heal=Heal(**fields)))


def judged(bad, pods=FOUR):
    """Return verdicts in which the first `bad` pods are unresponsive."""
    return [
        Verdict(p, State.BAD, "Unresponsive", {}) if at < bad else Verdict(p, State.OK)
        for at, p in enumerate(pods)
    ]


def seen(pods=FOUR, down=(), **fields):
    state = {name: name not in down for name in DEPENDENCIES}
    samples = tuple(PodSample(p, metrics(dependencies=state), alive=True) for p in pods)
    return Observation(samples, **{"pods": tuple(pods), **fields})


def evicted(*ages, uid="gone", component=names.API):
    return tuple(Act(NOON - age, "Evict", component, "Unresponsive", uid) for age in ages)


def past(**fields):
    return replace(HISTORY, **fields)


CASES = {
    "nothing is bad": (ACT, seen(), judged(0), HISTORY, []),
    "one is bad": (ACT, seen(), judged(1), HISTORY, [None]),
    "mode Off": (healing(mode="Off"), seen(), judged(1), HISTORY, []),
    "paused": (ACT, seen(paused=frozenset({"heal"})), judged(1), HISTORY, ["Paused"]),
    "all paused": (ACT, seen(paused=frozenset({"all"})), judged(1), HISTORY, ["Paused"]),
    "scaling paused": (ACT, seen(paused=frozenset({"scale"})), judged(1), HISTORY, [None]),
    "restoring": (ACT, seen(restoring=True), judged(1), HISTORY, []),
    "rollout": (ACT, seen(rollout_in_progress=True), judged(1), HISTORY, ["RolloutInProgress"]),
    "Redis down, its pod says": (
        ACT,
        seen(dependencies_ready={names.REDIS_QUEUE: False}),
        judged(1),
        HISTORY,
        ["DependencyDown"],
    ),
    "Redis down, its users say": (
        ACT,
        seen(down=["redis_queue"]),
        judged(1),
        HISTORY,
        ["DependencyDown"],
    ),
    "database back for less than 30 s": (
        ACT,
        seen(),
        judged(1),
        past(dependency_seen_down=NOON - 29),
        ["DependencyDown"],
    ),
    "database back for 30 s": (
        ACT,
        seen(),
        judged(1),
        past(dependency_seen_down=NOON - 30),
        [None],
    ),
    "half are bad, which is not above half": (
        ACT,
        seen(),
        judged(2),
        HISTORY,
        [None, "CoolingDown"],
    ),
    "more than half are bad": (ACT, seen(), judged(3), HISTORY, ["TooManyUnhealthy"] * 3),
    "the only one is bad": (ACT, seen(FOUR[:1]), judged(1, FOUR[:1]), HISTORY, [None]),
    "both are bad": (ACT, seen(FOUR[:2]), judged(2, FOUR[:2]), HISTORY, ["TooManyUnhealthy"] * 2),
    "cooldown": (ACT, seen(), judged(1), past(evictions=evicted(59)), ["CoolingDown"]),
    "cooldown over": (ACT, seen(), judged(1), past(evictions=evicted(60)), [None]),
    "another component cools down": (
        ACT,
        seen(),
        judged(1),
        past(evictions=evicted(1, component=names.WORKER)),
        [None],
    ),
    "an eviction in the future blocks nothing": (
        ACT,
        seen(),
        judged(1),
        past(evictions=evicted(-30)),
        [None],
    ),
    "budget spent": (
        ACT,
        seen(),
        judged(1),
        past(evictions=evicted(3599, 500, 400, 300, 200, 100)),
        ["BudgetSpent"],
    ),
    "the oldest left the hour": (
        ACT,
        seen(),
        judged(1),
        past(evictions=evicted(3600, 500, 400, 300, 200, 100)),
        [None],
    ),
    "refused by a PDB 9 s ago": (
        ACT,
        seen(),
        judged(1),
        past(refusals=(NOON - 9,)),
        ["DisruptionBudget"],
    ),
    "refused by a PDB 10 s ago": (ACT, seen(), judged(1), past(refusals=(NOON - 10,)), [None]),
    "refused twice, 19 s ago": (
        ACT,
        seen(),
        judged(1),
        past(refusals=(NOON - 40, NOON - 19)),
        ["DisruptionBudget"],
    ),
    "helped nothing 29 min ago": (
        ACT,
        seen(),
        judged(1),
        past(useless={"Evict/api/Unresponsive": NOON - 1740}),
        ["HelpedNothing"],
    ),
    "helped nothing 30 min ago": (
        ACT,
        seen(),
        judged(1),
        past(useless={"Evict/api/Unresponsive": NOON - 1800}),
        [None],
    ),
    "its eviction is under way": (
        ACT,
        seen(),
        judged(1),
        past(evictions=evicted(1, uid=FOUR[0].uid)),
        [],
    ),
}


@pytest.mark.parametrize(
    ("policy", "observed", "verdicts", "history", "expected"), CASES.values(), ids=CASES
)
def test_obstacles(policy, observed, verdicts, history, expected):
    decisions = decide(policy, observed, verdicts, history, NOON).decisions

    assert [d.refused_because for d in decisions] == expected
    assert all(d.action is Action.EVICT for d in decisions)


def test_a_decision_carries_what_it_was_made_from_and_what_shall_come_of_it():
    decision = decide(ACT, seen(), judged(1), HISTORY, NOON).decisions[0]

    assert (decision.target, decision.reason) == ("api-1", "Unresponsive")
    assert decision.deadline > NOON
    assert "without this one" in decision.expected


RESULTS = {
    # outcome: evictions counted, refusals remembered, judged later
    Eviction.DONE: (1, 0, 1),
    Eviction.REFUSED: (0, 1, 0),
    Eviction.GONE: (1, 0, 0),
    Eviction.FAILED: (1, 0, 0),
}


@pytest.mark.parametrize("outcome", RESULTS)
def test_how_an_eviction_ended_is_counted(outcome):
    history = decide(ACT, seen(), judged(1), HISTORY, NOON).history
    observed = seen(results=(ActResult(FOUR[0], outcome),))

    after = decide(ACT, observed, judged(0), history, NOON + 1).history

    assert (len(after.evictions), len(after.refusals), len(after.pending)) == RESULTS[outcome]


DOWN = {
    "all up": ([set(), set()], ()),
    "one of two says so": ([{"redis_cache"}, set()], ()),
    "both say so": ([{"redis_cache"}, {"redis_cache"}], (names.REDIS_CACHE,)),
    "database": ([{"database"}], (names.POSTGRES,)),
    "two of them": ([{"database", "redis_queue"}], (names.POSTGRES, names.REDIS_QUEUE)),
    "nobody says anything": ([], ()),
}


@pytest.mark.parametrize(("reports", "expected"), DOWN.values(), ids=DOWN)
def test_most_pods_decide_whether_a_dependency_is_down(reports, expected):
    samples = tuple(
        PodSample(FOUR[at], metrics(dependencies={n: n not in down for n in DEPENDENCIES}))
        for at, down in enumerate(reports)
    )

    assert dependencies.down(Observation(samples)) == expected


# --- minutes lived through -----------------------------------------------------------------------


def test_a_hung_pod_is_evicted_within_ten_seconds_and_nothing_else_happens():
    sky = Sky(api=3)
    sky.run(60)
    victim = sky.named(names.API)[0]
    sky.hung.add(victim)
    begun = sky.now
    sky.run(300)

    [(at, decision)] = sky.acted()
    assert (decision.target, decision.reason) == (victim, "Unresponsive")
    assert at - begun <= 10
    assert sky.finding("RemediationAllowed") == ("True", "WithinBudget")


def test_the_only_api_pod_is_healed_because_its_worker_answers():
    sky = Sky(policy=Policy(api_low=1), api=1)
    sky.run(10)
    sky.hung.add(sky.named(names.API)[0])
    sky.run(10)

    assert [d.action for _, d in sky.acted()] == [Action.EVICT]


def test_silence_everywhere_does_nothing_and_says_so():
    sky = Sky(api=3)
    sky.run(30)
    sky.hung.update(p.name for p in sky.pods)
    decisions = sky.run(600)

    assert decisions == []
    assert sky.finding("MetricsAvailable") == ("False", "NobodyAnswers")
    assert sky.last.targets == Targets(2, 10, 1)


def test_from_a_laptop_no_pod_was_ever_reachable():
    sky = Sky()
    sky.hung.update(p.name for p in sky.pods)
    for p in list(sky.pods):
        sky.pods[sky.pods.index(p)] = replace(p, ready=True)
    sky.run(5)
    assert sky.finding("MetricsAvailable") == ("Unknown", "NotAskedYet")
    sky.run(10)

    assert sky.finding("MetricsAvailable") == ("False", "NotReachableFromHere")
    assert sky.log == []


def test_redis_death_restarts_no_api_pod_even_when_they_hang_for_it():
    sky = Sky(api=4)
    sky.run(30)
    sky.dependencies_ready = {names.REDIS_QUEUE: False}
    sky.hung.add(sky.named(names.API)[0])
    sky.run(120)

    assert sky.acted() == []
    assert set(sky.refused()) == {"DependencyDown"}
    assert sky.finding("RemediationAllowed") == ("False", "DependencyDown")

    sky.dependencies_ready = {names.REDIS_QUEUE: True}
    sky.run(29)
    assert sky.acted() == []
    sky.run(5)
    assert [d.reason for _, d in sky.acted()] == ["Unresponsive"]


YOUNG = tuple(pod(f"api-{n}", ready=False) for n in (1, 2))
NOT_UP = {names.POSTGRES: False, names.REDIS_CACHE: True, names.REDIS_QUEUE: False}
WAITED_FOR = ("database", "redis_queue")

FIRST_START = {
    "nothing was up yet": (YOUNG, NOT_UP, WAITED_FOR, HISTORY, "DependencyStarting"),
    "one was up, and is down": (
        YOUNG,
        NOT_UP,
        WAITED_FOR,
        past(dependencies_up=frozenset({names.POSTGRES})),
        "DependencyDown",
    ),
    "another one was up": (
        YOUNG,
        NOT_UP,
        WAITED_FOR,
        past(dependencies_up=frozenset({names.REDIS_CACHE})),
        "DependencyStarting",
    ),
    # A pod gets ready by its first contact with all of them; the operator may be the new one.
    "a pod was ready before the operator came": (FOUR, NOT_UP, (), HISTORY, "DependencyDown"),
    "only its users wait for it": (YOUNG, {}, ("database",), HISTORY, "DependencyStarting"),
    "all are up, for the first time": (YOUNG, dict.fromkeys(NOT_UP, True), (), HISTORY, None),
}


@pytest.mark.parametrize(
    ("pods", "ready", "down", "history", "reason"), FIRST_START.values(), ids=FIRST_START
)
def test_what_never_was_up_is_not_down(pods, ready, down, history, reason):
    found = decide(ACT, seen(pods, down, dependencies_ready=ready), judged(0), history, NOON)

    assert (found.obstacle.reason if found.obstacle else None) == reason


def test_the_first_minute_of_a_new_hscjit_never_claims_that_a_dependency_is_down():
    sky = Sky(boot_s=1000)
    sky.pods = [replace(p, started=sky.now) for p in sky.pods]
    sky.dependencies_ready = dict.fromkeys(NOT_UP, False)
    told = []
    for second in range(60):
        if second == 20:
            sky.dependencies_ready = dict.fromkeys(NOT_UP, True)
        sky.run(1)
        told.append(sky.finding("RemediationAllowed"))

    assert set(told[:20]) == {("False", "DependencyStarting")}
    assert set(told[20:]) == {("True", "WithinBudget")}


def test_our_own_redis_that_no_longer_answers_is_healed_and_its_users_are_not():
    sky = Sky()
    sky.run(10)
    redis = pod("x-redis-queue-0", names.REDIS_QUEUE, ready=False, ready_changed=sky.now)
    sky.pods.append(redis)
    sky.dependencies_ready = {names.REDIS_QUEUE: False}
    sky.run(59)
    assert sky.acted() == []
    sky.run(1)

    assert [(d.target, d.reason) for _, d in sky.acted()] == [
        ("x-redis-queue-0", "DependencyNotReady")
    ]


def test_a_postgres_that_replays_its_log_is_left_alone():
    sky = Sky()
    starting = pod("x-postgres-0", names.POSTGRES, ready=False, started=sky.now, ready_changed=0.0)
    sky.pods.append(starting)
    sky.dependencies_ready = {names.POSTGRES: False}
    sky.run(900)

    assert sky.acted() == []


def test_a_dead_metrics_endpoint_beside_a_living_health_is_not_touched():
    sky = Sky(api=3)
    sky.run(10)
    sky.mute.add(sky.named(names.API)[0])
    sky.run(600)

    assert sky.log == []
    assert sky.finding("MetricsAvailable") == ("False", "SomeMissing")


def test_a_spent_budget_refuses_until_the_hour_is_over():
    budget = Heal(budgets=HealBudgets(max_per_hour=2), cooldown_seconds=0)
    sky = Sky(policy=Policy(autopilot=Autopilot(heal=budget), api_low=5), api=5)
    sky.run(10)
    for _ in range(3):
        sky.hung.add(next(n for n in sky.named(names.API) if n not in sky.hung))
        sky.run(200)  # long enough to see that it helped

    assert len(sky.acted(Action.EVICT)) == 2
    assert set(sky.refused()) == {"BudgetSpent"}
    assert sky.finding("RemediationAllowed") == ("False", "BudgetSpent")
    sky.now += 3000
    sky.run(30)
    assert len(sky.acted(Action.EVICT)) == 3


def test_an_eviction_that_a_pdb_refuses_is_asked_again_ever_more_rarely():
    sky = Sky(api=3, eviction=Eviction.REFUSED)
    sky.run(10)
    sky.hung.add(sky.named(names.API)[0])
    sky.run(120)

    asked = [at for at, _ in sky.acted(Action.EVICT)]
    waits = [round(b - a) for a, b in itertools.pairwise(asked)]
    assert waits == [11, 21, 41]
    assert sky.finding("RemediationAllowed") == ("False", "DisruptionBudget")


def test_pods_that_fail_however_often_they_are_replaced_are_not_replaced_for_long():
    # Each new pod of a component falls ill as soon as it is up, the others stay well.
    sky = Sky(policy=healing(cooldown_seconds=5), api=2)
    sky.run(10)

    def sick(ref, now):
        if ref.component != names.API or ref.name == "x-api-2":
            return None
        return metrics(requests=(now - NOON) * 10, errors=(now - NOON) * 10)

    sky.sick = sick
    sky.run(600)

    assert len(sky.acted(Action.EVICT)) == 1
    assert "HelpedNothing" in sky.refused()
    assert sky.finding("RemediationAllowed") == ("False", "HelpedNothing")


def test_observing_decides_and_does_not_act():
    sky = Sky(policy=healing(mode="Observe"), api=3)
    sky.run(10)
    victim = sky.named(names.API)[0]
    sky.hung.add(victim)
    sky.run(600)

    assert victim in sky.named(names.API)
    assert [(d.mode, d.target) for _, d in sky.acted()] == [("Observe", victim)]
    assert sky.finding("RemediationAllowed") == ("False", "ObserveOnly")


def test_a_stalled_worker_is_restarted_and_a_busy_one_is_not():
    sky = Sky(policy=Policy(workers_low=2), workers=2, queue_depth=5.0)
    sky.run(10)
    stuck, busy = sky.named(names.WORKER)

    def sick(ref, now):
        silent_since = NOON + 10
        if ref.name == stuck:
            return metrics(heartbeat=silent_since, task_started=0.0, queue_depth=5.0)
        if ref.name == busy and now < silent_since + 100:
            return metrics(heartbeat=silent_since, task_started=silent_since, queue_depth=5.0)
        return None

    sky.sick = sick
    sky.run(120)

    assert [(d.target, d.reason) for _, d in sky.acted(Action.EVICT)] == [(stuck, "WorkerStalled")]
