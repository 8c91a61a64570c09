"""What becomes of a piece of work: the decisions, without a database."""

from datetime import UTC, datetime, timedelta

import pytest

from hscjit_app.db.models import OutboxRow
from hscjit_app.db.outbox import (
    MAX_ATTEMPTS,
    REDO_DONE_S,
    RESEND_S,
    RETRY_FAILED_S,
    after_failure,
    backoff_s,
    is_lost,
    on_request,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


def row(state="pending", due=0.0, sent=None, changed=0.0, args=None):
    return OutboxRow(
        key="k",
        task="t",
        args=args or {"url": "a"},
        state=state,
        due_at=ago(due),
        sent_at=None if sent is None else ago(sent),
        updated_at=ago(changed),
    )


ASKED = {
    "never asked before": (None, False, "add"),
    "waiting": (row("pending"), False, "leave"),
    "being worked on": (row("running"), False, "leave"),
    "done just now": (row("done", changed=REDO_DONE_S - 1), False, "leave"),
    "done a while ago": (row("done", changed=REDO_DONE_S), False, "again"),
    "done just now for another address": (row("done", args={"url": "b"}), False, "again"),
    "done, but it counts once": (row("done", changed=REDO_DONE_S), True, "leave"),
    "failed just now": (row("failed", changed=RETRY_FAILED_S - 1), False, "leave"),
    "failed long enough ago": (row("failed", changed=RETRY_FAILED_S), False, "again"),
    "failed, and it counts once": (row("failed", changed=RETRY_FAILED_S), True, "leave"),
    "failed just now for another address": (row("failed", args={"url": "b"}), False, "again"),
}


@pytest.mark.parametrize(("found", "once", "decision"), ASKED.values(), ids=ASKED)
def test_asking_for_a_key(found, once, decision):
    assert on_request(found, {"url": "a"}, once, NOW) == decision


FAILED = {
    "first try": (1, False, "pending", 2),
    "second": (2, False, "pending", 4),
    "last but one": (MAX_ATTEMPTS - 1, False, "pending", 16),
    "last": (MAX_ATTEMPTS, False, "failed", 0),
    "permanent at once": (1, True, "failed", 0),
}


@pytest.mark.parametrize(("attempts", "permanent", "state", "wait"), FAILED.values(), ids=FAILED)
def test_a_failed_attempt(attempts, permanent, state, wait):
    outcome = after_failure(attempts, permanent, NOW)

    assert (outcome.state, outcome.due_at - NOW) == (state, timedelta(seconds=wait))


def test_the_wait_grows_to_a_minute():
    assert [backoff_s(n) for n in (1, 2, 3, 6, 7, 30)] == [2, 4, 8, 60, 60, 60]


LOST = {
    "lease still good": (row("running", due=-0.1), True, False),
    "lease ran out": (row("running", due=0, sent=3), True, True),
    "lease ran out while the queue is long": (row("running", due=0, sent=3), False, True),
    "not due yet": (row("pending", due=-1), True, False),
    "due and never sent": (row("pending", due=0), False, True),
    "due again after a failure": (row("pending", due=0, sent=5), False, True),
    "sent a moment ago": (row("pending", due=RESEND_S, sent=RESEND_S - 0.1), True, False),
    "sent, and the queue is empty": (row("pending", due=RESEND_S, sent=RESEND_S), True, True),
    "sent, and the queue is long": (row("pending", due=RESEND_S, sent=RESEND_S), False, False),
    "done": (row("done", due=9), True, False),
    "failed": (row("failed", due=9), True, False),
}


@pytest.mark.parametrize(("found", "queue_empty", "lost"), LOST.values(), ids=LOST)
def test_what_must_be_sent_again(found, queue_empty, lost):
    assert is_lost(found, queue_empty, NOW) is lost
