"""A manual is asked for, fetched by a real worker, and found; and nobody's death loses it."""

import asyncio
import time

import psycopg
import pytest
from redis.asyncio import Redis
from sqlalchemy.orm import Session
from tests.integration.app.conftest import PRODUCT, QUESTION
from tests.integration.app.servers import eventually

from hscjit_app import broker, queue_metrics
from hscjit_app.db import outbox
from hscjit_app.manuals.service import ManualRef
from hscjit_app.tasks import runner


async def test_a_manual_is_fetched_parsed_and_found(manuals, worker):
    worker()

    state = await manuals.ensure_manual(PRODUCT, wait_s=10)

    assert (state.status, state.pages) == ("ready", 11)
    assert state.title == "Roland TD-17KVX Gen 2 sample manual"
    found = await manuals.search(PRODUCT, QUESTION)
    assert found[0].page == 5
    assert "kick sensitivity" in found[0].text
    assert found[0].url.endswith("/manual.pdf")


async def test_many_who_ask_at_once_cause_one_fetch(manuals, worker, site):
    worker()

    states = await asyncio.gather(*(manuals.ensure_manual(PRODUCT, wait_s=10) for _ in range(20)))

    assert {s.status for s in states} == {"ready"}
    assert site.requests == 1


async def test_two_products_with_the_same_document_store_its_passages_once(
    manuals, worker, database_url
):
    worker()
    await asyncio.gather(*(manuals.ensure_manual(p, wait_s=10) for p in ("one", "two")))

    with psycopg.connect(database_url) as database:
        counts = database.execute(
            "SELECT (SELECT count(*) FROM manuals),"
            " (SELECT count(*) FROM chunks),"
            " (SELECT count(DISTINCT (content_hash, ordinal)) FROM chunks)"
        ).fetchone()
    assert counts[0] == 2
    assert counts[1] == counts[2] > 0
    assert (await manuals.search("two", QUESTION))[0].page == 5


async def test_an_unknown_product_has_no_manual_and_costs_nothing(manuals, site):
    state = await manuals.ensure_manual("unknown", wait_s=5)

    assert state.status == "none"
    assert site.requests == 0


async def test_a_refused_address_is_told_and_not_tried_again(manuals, worker, site):
    worker()
    url = "http://169.254.169.254/manual.pdf"
    manuals._find = lambda product_id: ManualRef(product_id, "TD", url)

    state = await manuals.ensure_manual(PRODUCT, wait_s=10)
    again = await manuals.ensure_manual(PRODUCT, wait_s=0)

    assert state.status == again.status == "failed"
    assert "allowedHosts" in state.message
    assert site.requests == 0


async def test_a_killed_workers_task_is_taken_over(manuals, worker, site):
    site.hold_first = 1
    first = worker("w1")
    state = await manuals.ensure_manual(PRODUCT)
    assert state.status == "fetching"
    await asyncio.to_thread(eventually, lambda: site.requests == 1, 10)
    worker("w2")

    first.kill()
    begun = time.monotonic()
    state = await manuals.ensure_manual(PRODUCT, wait_s=15)

    assert state.status == "ready"
    assert time.monotonic() - begun < 6
    assert site.requests == 2


async def test_a_healthy_task_longer_than_its_lease_is_left_alone(manuals, worker, site):
    site.hold_first = 1
    worker("w1")
    worker("w2")
    await manuals.ensure_manual(PRODUCT)
    await asyncio.sleep(6)
    site.release()

    state = await manuals.ensure_manual(PRODUCT, wait_s=5)

    assert state.status == "ready"
    assert site.requests == 1


async def test_a_worker_told_to_leave_ends_what_it_has_begun(manuals, worker, site):
    site.hold_first = 1
    one = worker()
    await manuals.ensure_manual(PRODUCT)
    await asyncio.to_thread(eventually, lambda: site.requests == 1, 10)

    leaving = asyncio.create_task(asyncio.to_thread(one.leave))
    await asyncio.sleep(1)
    site.release()
    await leaving

    assert (await manuals.ensure_manual(PRODUCT)).status == "ready"
    assert site.requests == 1


async def test_a_message_that_redis_lost_is_sent_again(manuals, worker, queue_url):
    state = await manuals.ensure_manual(PRODUCT)
    assert state.status == "fetching"
    with broker.celery.connection_for_write() as connection:
        assert connection.default_channel.client.delete("celery") == 1

    worker()
    state = await manuals.ensure_manual(PRODUCT, wait_s=8)

    assert state.status == "ready"


async def test_an_outdated_worker_stores_nothing(settings, database_url):
    runner.engine.cache_clear()
    stored = []

    def work(_args):
        with psycopg.connect(database_url) as other:  # meanwhile another worker has taken over
            other.execute("UPDATE outbox SET token = token + 1")
        return runner.Done({}, stored.append)

    def once():
        with Session(runner.engine()) as session, session.begin():
            outbox.enqueue(session, "k", "t", {})
        runner.run("k", work)

    await asyncio.to_thread(once)

    with psycopg.connect(database_url) as database:
        assert database.execute("SELECT state, result FROM outbox").fetchone() == ("running", None)
    assert len(stored) == 1  # it was put into a transaction that was rolled back
    runner.engine().dispose()
    runner.engine.cache_clear()


async def test_a_worker_tells_its_queue_its_heartbeat_and_its_work(manuals, worker, site):
    site.hold_first = 1
    one = worker("w1")
    beat = 'worker_heartbeat_timestamp_seconds{worker="w1"}'
    assert one.page("/health") == '{"status":"ok"}'
    assert one.metric("worker_task_started_timestamp_seconds") == 0

    before = one.metric(beat)
    await asyncio.to_thread(eventually, lambda: one.metric(beat) > before, 8)
    await manuals.ensure_manual(PRODUCT)
    for _ in range(3):
        await broker.send("manuals.fetch", key="nobody")

    await asyncio.to_thread(
        eventually, lambda: one.metric("worker_task_started_timestamp_seconds") > 0, 5
    )
    assert one.metric("worker_task_started_timestamp_seconds") == pytest.approx(time.time(), abs=8)
    assert one.metric('task_queue_depth{queue="celery"}') is not None
    assert one.metric('dependency_up{dependency="database"}') == 1
    assert one.metric('dependency_up{dependency="redis_queue"}') == 1


async def test_the_oldest_waiting_task_has_an_age(manuals, settings):
    await manuals.ensure_manual(PRODUCT)
    client = Redis.from_url(settings.redis_queue_url)

    seen = await queue_metrics.sample(client, time.time() + 30)

    await client.aclose()
    assert seen.depth == 1
    assert seen.oldest_age_s == pytest.approx(30, abs=5)
