"""Sessions, logs, the loop's lag and slow readers: small promises the whole app rests on."""

import asyncio
import json
import logging

import pytest
import structlog

from hscjit_app import logs
from hscjit_app.loop_lag import LoopLag
from hscjit_app.sessions import SessionSigner
from hscjit_app.settings import Settings
from hscjit_app.ws import sending


def test_a_session_opens_on_every_pod_with_the_same_key():
    session = SessionSigner("key").new()

    assert SessionSigner("key").check(session.secret) == session
    assert SessionSigner("other").check(session.secret) is None
    assert len(session.id) == 32
    assert session.secret not in session.hash


FORGED = {
    "nothing": None,
    "empty": "",
    "an id without its signature": "0" * 32,
    "an id with another's signature": f"{'0' * 32}.{'0' * 64}",
    "not ASCII": "ä.ö",
}


@pytest.mark.parametrize("secret", FORGED.values(), ids=FORGED)
def test_a_forged_session_opens_nothing(secret):
    assert SessionSigner("key").check(secret) is None


@pytest.fixture
def lines(capsys):
    """Read what was logged as JSON."""

    def read():
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    yield read
    logging.getLogger().handlers.clear()


def test_ours_and_the_libraries_records_look_the_same(lines):
    logs.configure(Settings(name="support", component="api"))
    with structlog.contextvars.bound_contextvars(session_id="s1"):
        structlog.get_logger("ours").info("Answered", product_id="nord-stage", confidence=0.9)
        logging.getLogger("theirs").warning("Slow %s", "disk")
    ours, theirs = lines()

    assert ours["message"] == "Answered"
    assert theirs["message"] == "Slow disk"
    for line, logger, level in ((ours, "ours", "info"), (theirs, "theirs", "warning")):
        assert line["timestamp"].endswith("Z")
        assert (line["logger"], line["level"]) == (logger, level)
        assert (line["service"], line["session_id"]) == ("support-api", "s1")
    assert (ours["product_id"], ours["confidence"]) == ("nord-stage", 0.9)


def test_no_secret_is_ever_written(lines):
    logs.configure(Settings())
    log = structlog.get_logger("ours")
    log.info("Connecting", url="redis://:hunter2@queue:6379/0", admin_token="hunter2")  # noqa: S106
    try:
        int("postgresql://app:hunter2@db/x")
    except ValueError:
        log.exception("Lost it", Authorization="Bearer hunter2")
    text = json.dumps(lines())

    assert "hunter2" not in text
    assert "redis://:***@queue:6379/0" in text


def test_below_the_level_nothing_is_written(lines):
    logs.configure(Settings(log_level="WARNING"))
    structlog.get_logger("ours").info("Chatter")

    assert lines() == []


class Clock:
    """A monotonic clock that goes when told."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_the_worst_lag_is_kept_for_five_seconds():
    clock = Clock()
    lag = LoopLag(clock)
    clock.now += 0.1
    lag.tick()
    assert lag.worst() == pytest.approx(0, abs=1e-9)

    clock.now += 0.6  # due after 0.1
    lag.tick()
    for _ in range(49):
        clock.now += 0.1
        lag.tick()
    assert lag.worst() == pytest.approx(0.5)
    for _ in range(2):
        clock.now += 0.1
        lag.tick()
    assert lag.worst() == pytest.approx(0, abs=1e-9)


def test_a_lag_still_going_on_is_seen():
    clock = Clock()
    lag = LoopLag(clock)
    clock.now += 3.1

    assert lag.worst() == pytest.approx(3.0)


class SlowSocket:
    """A socket that takes frames only while it is open."""

    def __init__(self):
        self.open = asyncio.Event()
        self.sent = []

    async def send(self, frame):
        await self.open.wait()
        self.sent.append(frame)


async def test_a_slow_reader_gets_the_newest_prediction_and_every_queued_frame():
    socket = SlowSocket()
    queue = sending.SendQueue(socket.send)
    queue.offer("first")
    await asyncio.sleep(0)
    for text in ("p1", "p2", "p3"):
        queue.offer_prediction(text)
    queue.offer("second")
    socket.open.set()
    await queue.flush()

    assert socket.sent == ["first", "second", "p3"]


async def test_a_full_queue_drops_small_frames_and_holds_durable_ones():
    socket = SlowSocket()
    queue = sending.SendQueue(socket.send)
    queue.offer("being sent")
    await asyncio.sleep(0)
    taken = [queue.offer(str(n)) for n in range(sending.MAX_FRAMES + 1)]
    assert taken == [True] * sending.MAX_FRAMES + [False]

    waiting = asyncio.create_task(queue.put("durable"))
    await asyncio.sleep(0)
    assert not waiting.done()
    socket.open.set()
    await waiting
    await queue.flush()
    assert socket.sent[-1] == "durable"


async def test_a_reader_that_never_reads_is_given_up(monkeypatch):
    monkeypatch.setattr(sending, "STALL_S", 0.05)
    queue = sending.SendQueue(SlowSocket().send)
    while queue.offer("frame"):
        pass

    with pytest.raises(sending.Stalled):
        await queue.put("one more")
    queue.stop()


async def test_a_lost_connection_ends_the_queue():
    async def gone(_):
        raise OSError

    queue = sending.SendQueue(gone)
    queue.offer("frame")
    await queue.flush()

    assert not queue.offer("another")
    with pytest.raises(sending.Stalled):
        await queue.put("a third")
