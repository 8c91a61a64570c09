"""How conditions are kept: all of them, in order, their clocks standing while their status does."""

from hscjit_operator import conditions as c
from hscjit_operator.conditions import Condition

T1, T2 = "2026-06-15T12:00:00Z", "2026-06-15T12:05:00Z"


def merged(*given: Condition, before: list | None = None, at: str = T1) -> dict[str, dict]:
    found = c.merge({"conditions": before or []}, given, 3, at)
    assert [x["type"] for x in found] == list(c.TYPES)
    return {x["type"]: x for x in found}


def test_the_first_pass_sets_all_unknown_if_need_be():
    found = merged(Condition(c.READY, "False", "Progressing", "on its way"))

    assert found["Ready"] == {
        "type": "Ready",
        "status": "False",
        "reason": "Progressing",
        "message": "on its way",
        "observedGeneration": 3,
        "lastTransitionTime": T1,
    }
    assert (found["Paused"]["status"], found["Paused"]["reason"]) == ("Unknown", "NotYetKnown")


def test_the_clock_stands_while_the_status_does():
    before = list(merged(Condition(c.READY, "False", "Progressing", "")).values())

    same = merged(Condition(c.READY, "False", "NotAnswering", ""), before=before, at=T2)
    flipped = merged(Condition(c.READY, "True", "Answering", ""), before=before, at=T2)

    assert same["Ready"]["lastTransitionTime"] == T1
    assert flipped["Ready"]["lastTransitionTime"] == T2


def test_what_a_pass_does_not_judge_stays():
    before = list(merged(Condition(c.BACKUP_SUCCEEDED, "True", "BackupComplete", "b")).values())
    found = merged(Condition(c.READY, "True", "Answering", ""), before=before, at=T2)
    assert found["BackupSucceeded"]["reason"] == "BackupComplete"


def test_a_long_message_is_cut():
    found = merged(Condition(c.READY, "False", "Failing", "x" * 40_000))
    assert len(found["Ready"]["message"]) == 1024
