"""What is read from the queue, and how slots of the schedule are named."""

import json
import time

import pytest
from celery.signals import before_task_publish

from hscjit_app import broker
from hscjit_app.beat import slot
from hscjit_app.queue_metrics import QueueSample, read
from hscjit_app.settings import Settings

NOW = 1000.0


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch):
    """What a test configures is gone after it."""
    monkeypatch.setattr(broker._State, "settings", None)
    monkeypatch.setattr(broker._State, "in_process", None)


def message(**headers):
    return json.dumps({"body": "", "headers": headers})


SEEN = {
    "empty": (0, None, QueueSample(0, 0.0)),
    "one waiting": (1, message(published_at=990.5), QueueSample(1, 9.5)),
    "as bytes": (3, message(published_at=990.5).encode(), QueueSample(3, 9.5)),
    "from a faster clock": (1, message(published_at=1001), QueueSample(1, 0.0)),
    "without a stamp": (2, message(), QueueSample(2, 0.0)),
    "not ours": (2, b"\xffnonsense", QueueSample(2, 0.0)),
    "another shape": (2, "[]", QueueSample(2, 0.0)),
}


@pytest.mark.parametrize(("depth", "oldest", "expected"), SEEN.values(), ids=SEEN)
def test_reading_a_queue(depth, oldest, expected):
    assert read(depth, oldest, NOW) == expected


def test_every_message_is_stamped_when_it_is_published():
    headers = {}

    before_task_publish.send("any.task", headers=headers)

    assert headers[broker.PUBLISHED_AT] == pytest.approx(time.time(), abs=5)


SLOTS = {
    "begin": (1_800_000_000, "2027-01-15T08:00:00Z"),
    "end of the same": (1_800_000_299.9, "2027-01-15T08:00:00Z"),
    "next": (1_800_000_300, "2027-01-15T08:05:00Z"),
}


@pytest.mark.parametrize(("now", "name"), SLOTS.values(), ids=SLOTS)
def test_two_beats_name_the_same_slot(now, name):
    assert slot(now, 300) == name


def test_redis_waits_longer_for_a_task_than_a_task_may_take():
    broker.configure(Settings(redis_queue_url="redis://127.0.0.1:1/0", component="worker"))
    conf = broker.celery.conf

    timeouts = {
        conf.visibility_timeout,
        conf.broker_transport_options["visibility_timeout"],
        conf.result_backend_transport_options["visibility_timeout"],
    }
    assert len(timeouts) == 1
    assert timeouts.pop() > 2 * conf.task_time_limit


def test_a_workers_own_queue_is_on_an_exchange_of_its_own():
    broker.configure(
        Settings(redis_queue_url="redis://127.0.0.1:1/0", component="worker", pod="w-1")
    )

    common, own = broker.celery.conf.task_queues

    assert (common.name, own.name) == ("celery", "heartbeat.w-1")
    assert own.exchange.name == own.routing_key == "heartbeat.w-1"
    assert own.expires


def test_sending_before_being_configured_is_a_mistake_that_is_told():
    with pytest.raises(RuntimeError, match="configure"):
        broker.send_now("any")
