"""The ledger: one entry a change, a count for repeats, bounded, without secrets."""

import json
from dataclasses import replace

import pytest
from tests.unit.operator.sky import NOON, metrics

from hscjit_operator.ledger import (
    EPISODE_S,
    MAX_ENTRIES,
    MAX_EVIDENCE,
    MAX_LOG,
    MAX_TEXT,
    Ledger,
    amend,
    evictions,
    evidence,
    load,
    record,
    render,
    rfc3339,
    summary,
)
from hscjit_operator.model.autopilot import Action, Decision

EVICT = Decision(
    Action.EVICT,
    "x-api-1",
    "Unresponsive",
    message="Replacing it",
    inputs={"silentSeconds": 5, "share": 0.5, "requests": 20.0},
    expected="One fewer",
    deadline=NOON + 90,
)
REFUSED = replace(EVICT, refused_because="DependencyDown", expected="", deadline=0.0)


def write(*decisions):
    """Record decisions a second apart; return the ledger and which were news."""
    ledger, news = Ledger(), []
    for second, decision in enumerate(decisions):
        ledger, new = record(ledger, decision, NOON + second)
        news.append(new)
    return ledger, news


CHANGES = {
    "the same again": (EVICT, [True, False]),
    "other inputs are no change": (replace(EVICT, inputs={"silentSeconds": 6}), [True, False]),
    "another message is no change": (replace(EVICT, message="…"), [True, False]),
    "another target": (replace(EVICT, target="x-api-2"), [True, True]),
    "another reason": (replace(EVICT, reason="EventLoopLag"), [True, True]),
    "another action": (replace(EVICT, action=Action.RAISE_FLOOR), [True, True]),
    "now refused": (REFUSED, [True, True]),
    "only observed": (replace(EVICT, mode="Observe"), [True, True]),
}


@pytest.mark.parametrize(("second", "news"), CHANGES.values(), ids=CHANGES)
def test_what_is_news(second, news):
    assert write(EVICT, second)[1] == news


def test_reasons_that_take_turns_make_one_entry_each():
    ledger, news = write(*[EVICT, replace(EVICT, reason="EventLoopLag")] * 50)

    assert sum(news) == 2
    assert [entry.repeats for entry in ledger.entries] == [49, 49]


EPISODES = {"within": (EPISODE_S - 1, False), "after": (EPISODE_S, True), "set back": (-60, True)}


@pytest.mark.parametrize(("later", "news"), EPISODES.values(), ids=EPISODES)
def test_after_a_long_silence_the_same_is_news_again(later, news):
    ledger, _ = record(Ledger(), EVICT, NOON)

    assert record(ledger, EVICT, NOON + later)[1] is news


def test_an_entry_tells_everything():
    ledger, _ = write(EVICT, EVICT, EVICT)
    ledger = amend(ledger, EVICT, evidence=evidence("last words", metrics(connections=7.0)))
    ledger = amend(ledger, EVICT, outcome="Helped")

    [entry] = json.loads(render(ledger))
    assert entry == {
        "time": "2026-06-15T12:00:00Z",
        "action": "Evict",
        "target": "x-api-1",
        "reason": "Unresponsive",
        "inputs": {"requests": 20, "share": 0.5, "silentSeconds": 5},
        "expected": "One fewer",
        "deadline": "2026-06-15T12:01:30Z",
        "repeats": 2,
        "lastTime": "2026-06-15T12:00:02Z",
        "outcome": "Helped",
        "evidence": {
            "log": "last words",
            "metrics": {
                "connections": 7.0,
                "inFlight": 0.0,
                "requests": 0.0,
                "errors": 0.0,
                "eventLoopLagSeconds": 0.001,
                "processStart": NOON - 600,
            },
        },
    }


def test_a_refusal_names_its_reason_and_promises_nothing():
    shown = summary(REFUSED, NOON)

    assert shown["refusedBecause"] == "DependencyDown"
    assert "deadline" not in json.loads(render(write(REFUSED)[0]))[0]


def test_the_ledger_is_bounded_in_entries_evidence_and_size():
    ledger = Ledger()
    for n in range(MAX_ENTRIES + 20):
        decision = replace(EVICT, target=f"pod-{n}")
        ledger, _ = record(ledger, decision, NOON + n)
        # Control characters would grow sixfold in JSON; quotes merely double.
        kept = evidence("\x01" * 2000 + '"' * 9_999, metrics())
        ledger = amend(ledger, decision, evidence=kept)

    entries = json.loads(render(ledger))
    assert len(render(ledger)) <= MAX_TEXT + 4
    assert len(entries) <= MAX_ENTRIES
    assert entries[-1]["target"] == f"pod-{MAX_ENTRIES + 19}"
    assert len(entries[-1]["evidence"]["log"]) == MAX_LOG
    assert sum("evidence" in entry for entry in entries) == MAX_EVIDENCE


def test_an_overlong_ledger_drops_its_oldest_entries():
    long = tuple({"target": str(n), "text": "x" * 5000} for n in range(MAX_ENTRIES))

    kept = json.loads(render(Ledger(older=long)))
    assert kept[-1]["target"] == str(MAX_ENTRIES - 1)
    assert 0 < len(kept) < MAX_ENTRIES


def test_what_an_operator_before_us_wrote_is_kept_and_falls_off_first():
    before, _ = write(*[replace(EVICT, target=f"old-{n}") for n in range(MAX_ENTRIES)])
    ledger = load(render(before))
    for n in range(5):
        ledger, _ = record(ledger, replace(EVICT, target=f"new-{n}"), NOON + 600 + n)

    targets = [entry["target"] for entry in json.loads(render(ledger))]
    assert len(targets) == MAX_ENTRIES
    assert (targets[0], targets[-1]) == ("old-5", "new-4")


@pytest.mark.parametrize("text", [None, "", "{}", "[1, null]", "not json", "[]"])
def test_an_unreadable_ledger_is_begun_anew(text):
    assert load(text) == Ledger()


def test_evictions_of_an_operator_before_us_are_found_again():
    written, _ = write(
        EVICT,
        replace(EVICT, target="x-api-2", refused_because="BudgetSpent"),
        replace(EVICT, target="x-api-3", mode="Observe"),
        replace(EVICT, action=Action.RAISE_FLOOR, target="api=3"),
    )
    broken = Ledger(older=({"action": "Evict", "time": "yesterday"},))

    assert evictions(load(render(written))) == [(NOON, "x-api-1", "Unresponsive")]
    assert evictions(broken) == []


SECRETS = {
    "a DSN": "postgresql+psycopg://hscjit:hunter2@db:5432/hscjit",
    "a Redis URL": "redis://:hunter2@x-redis-queue:6379/0",
    "a header": "Authorization: Bearer hunter2",
    "an assignment": "ADMIN_TOKEN=hunter2",
    "JSON": '{"password": "hunter2"}',
    "one at the edge of what is kept": "redis://:hunter2@x" + "y" * (MAX_LOG - 10),
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_evidence_holds_no_secret(text):
    kept = evidence(f"before {text} after", None)

    assert "hunter2" not in kept["log"]
    assert "***" in kept["log"] or len(kept["log"]) == MAX_LOG


def test_a_time_is_written_as_kubernetes_does():
    assert rfc3339(NOON + 0.9) == "2026-06-15T12:00:00Z"
