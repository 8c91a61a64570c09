"""The same work without any server: SQLite and a thread."""

import time
from pathlib import Path

import pytest

from hscjit_app import broker
from hscjit_app.db.session import Database, prepare
from hscjit_app.manuals.service import ManualRef, ManualService
from hscjit_app.settings import Settings
from hscjit_app.tasks import runner

URL = "/samples/manuals/roland-td17kvx2.pdf"


@pytest.fixture
async def manuals(tmp_path: Path):
    settings = Settings(database_url=f"sqlite+aiosqlite:///{tmp_path}/a.db")
    await prepare(settings)
    broker.configure(settings)
    runner.engine.cache_clear()
    database = Database(settings)
    urls = {"td17": URL, "bad": "/samples/manuals/nothing.pdf", "none": None}
    yield ManualService(settings, database.sessions, lambda p: ManualRef(p, "TD-17KVX", urls[p]))
    await database.close()
    runner.engine().dispose()
    runner.engine.cache_clear()


async def test_a_bundled_manual_needs_no_network(manuals):
    state = await manuals.ensure_manual("td17", wait_s=10)

    assert state.status == "ready"
    found = await manuals.search("td17", "how do I set the kick sensitivity?")
    assert (found[0].page, found[0].url) == (5, URL)


async def test_a_manual_that_can_not_be_had_is_told_with_its_reason(manuals):
    state = await manuals.ensure_manual("bad", wait_s=10)

    assert state.status == "failed"
    assert "nothing.pdf" in state.message


async def test_a_product_without_a_manual(manuals):
    assert (await manuals.ensure_manual("none")).status == "none"


async def test_search_is_quick_once_the_manual_is_known(manuals):
    await manuals.ensure_manual("td17", wait_s=10)
    await manuals.search("td17", "kick")
    took = []

    for _ in range(20):
        begun = time.monotonic()
        await manuals.search("td17", "kick sensitivity")
        took.append(time.monotonic() - begun)

    assert min(took) < 0.1  # the quickest, as the machine may be busy
