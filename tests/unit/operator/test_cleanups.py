"""A cleanup's last word becomes one Event, while it is news."""

from dataclasses import replace

import pytest

from hscjit_operator import cleanups, names
from hscjit_operator.model.observed import Child, PodFacts

NOW = 1_795_477_859.0
DONE = '{"ok": true, "reason": "CleanedUp", "message": "Removed 3 conversations"}'
FAILED = '{"ok": false, "reason": "CleanupFailed", "message": "OperationalError: no route"}'
POD = PodFacts(
    component=names.CLEANUP,
    ip="10.244.0.9",
    node="n",
    phase="Succeeded",
    ready=False,
    ready_changed=None,
    started=None,
    job="support-cleanup-1",
    ended=NOW - 1,
    said=DONE,
)

CASES: dict[str, tuple[PodFacts, list[tuple[str, str, str]]]] = {
    "well": (POD, [("Normal", "CleanedUp", "Removed 3 conversations")]),
    "badly": (
        replace(POD, said=FAILED),
        [("Warning", "CleanupFailed", "OperationalError: no route")],
    ),
    "in other words": (
        replace(POD, said="Killed"),
        [("Warning", "CleanupFailed", "Killed")],
    ),
    "without a word": (
        replace(POD, said=""),
        [("Warning", "CleanupFailed", "It ended without a word")],
    ),
    "still running": (replace(POD, ended=None, said=""), []),
    "just news": (
        replace(POD, ended=NOW - cleanups.NEWS_S + 1),
        [("Normal", "CleanedUp", "Removed 3 conversations")],
    ),
    "no news any more": (replace(POD, ended=NOW - cleanups.NEWS_S), []),
    "a backup": (replace(POD, component=names.BACKUP), []),
}


@pytest.mark.parametrize(("pod", "meant"), CASES.values(), ids=CASES)
def test_how_a_cleanup_ended_is_told(pod: PodFacts, meant: list[tuple[str, str, str]]) -> None:
    child = Child(
        kind="Pod",
        name="support-cleanup-1-x",
        uid="uid",
        version=1,
        owner_uid="",
        controller_uid="",
        deleting=False,
        digest=b"",
        facts=pod,
    )

    assert list(cleanups.news({("Pod", child.name): child}, NOW)) == meant
