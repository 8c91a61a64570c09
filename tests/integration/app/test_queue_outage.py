"""Redis dies and comes back: workers go on, nothing is lost; and beats share one lock."""

import asyncio
import time

import pytest
import redis as redis_client
from tests.integration.app import servers
from tests.integration.app.conftest import PRODUCT
from tests.integration.app.servers import eventually

from hscjit_app import broker
from hscjit_app.beat import LOCK_TTL_S, LockedScheduler
from hscjit_app.db import outbox
from hscjit_app.tasks.maintenance import REFRESH


@pytest.fixture
def own_redis(tmp_path):
    with servers.redis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def queue_url(own_redis):
    """The queue of these tests is one that may be killed."""
    return own_redis.url


async def test_work_goes_on_after_redis_was_killed(manuals, worker, own_redis):
    one = worker()
    assert (await manuals.ensure_manual("before", wait_s=10)).status == "ready"

    own_redis.kill()
    asked = await manuals.ensure_manual("during", wait_s=0.5)
    down = 'dependency_up{dependency="redis_queue"}'
    await asyncio.to_thread(eventually, lambda: one.metric(down) == 0, 10)
    assert asked.status == "fetching"
    assert one.page("/health") == '{"status":"ok"}'
    own_redis.start()
    begun = time.monotonic()

    during = await manuals.ensure_manual("during", wait_s=30)
    after = await manuals.ensure_manual("after", wait_s=10)

    assert (during.status, after.status) == ("ready", "ready")
    assert time.monotonic() - begun < 20


async def test_a_queue_that_lost_everything_loses_no_work(manuals, own_redis, worker):
    await manuals.ensure_manual(PRODUCT)
    own_redis.cli("flushall")

    worker()

    assert (await manuals.ensure_manual(PRODUCT, wait_s=10)).status == "ready"


@pytest.fixture
def schedulers(settings):
    """Two beats of the same HSCJit."""
    schedule = {"soon": {"task": REFRESH, "schedule": 300.0}}
    broker.celery.conf.beat_schedule = schedule
    made = [LockedScheduler(broker.celery) for _ in range(2)]
    for beat in made:
        for entry in beat.schedule.values():
            entry.last_run_at = entry.default_now().replace(year=2020)
    yield made
    broker.celery.conf.beat_schedule = {}


def due(server: servers.Redis) -> int:
    return int(server.cli("llen", "celery"))


def test_of_two_beats_one_sends(schedulers, own_redis):
    one, two = schedulers

    for _ in range(3):
        one.tick()
        two.tick()

    assert due(own_redis) == 1


def test_the_other_beat_takes_over_when_one_leaves(schedulers, own_redis):
    one, two = schedulers
    one.tick()
    two.tick()
    own_redis.cli("del", "celery")

    one.close()
    two.tick()

    assert due(own_redis) == 1


def test_the_lock_of_a_dead_beat_runs_out(schedulers, own_redis):
    one, _ = schedulers
    one.tick()

    left = int(own_redis.cli("pttl", "hscjit:beat"))

    assert 0 < left <= LOCK_TTL_S * 1000


def test_a_beat_whose_lock_is_anothers_does_not_give_it_back(schedulers, own_redis):
    one, two = schedulers
    one.tick()
    own_redis.cli("del", "hscjit:beat")
    two.tick()

    one.close()

    assert own_redis.cli("exists", "hscjit:beat") == "1"


def test_a_beat_without_redis_waits(schedulers, own_redis):
    own_redis.kill()

    assert schedulers[0].tick() > 0

    own_redis.start()
    schedulers[0].tick()
    assert due(own_redis) == 1


async def test_a_slot_counts_once_however_often_it_is_sent(
    settings, worker, manuals, site, own_redis
):
    worker()
    await manuals.ensure_manual(PRODUCT, wait_s=10)
    with redis_client.Redis.from_url(own_redis.url) as client:
        for _ in range(3):
            await broker.send(REFRESH, slot="2026-03-01T00:00:00Z")
        await asyncio.to_thread(eventually, lambda: client.llen("celery") == 0, 10)

    async with manuals._sessions() as session:
        row = await session.get(outbox.OutboxRow, f"{REFRESH}/2026-03-01T00:00:00Z")
    assert (row.state, row.attempts) == ("done", 1)
