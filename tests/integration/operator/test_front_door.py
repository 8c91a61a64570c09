"""Who is asked whether it answers, when, and from which answer on is it believed?"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from tests.webserver import serving

from hscjit_operator.cluster import front_door
from hscjit_operator.cluster.front_door import FrontDoor
from hscjit_operator.names import Key

SHUT = "http://127.0.0.1:9/ready"
"""Where nobody listens."""


class Street:
    """A door that takes a while, and what was said of it and of others."""

    def __init__(self) -> None:
        self.status = 200
        self.takes_s = 0.0
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0
        self.changed: list[Key] = []
        self.url = ""

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.takes_s)
        self.at_once -= 1
        return web.json_response({"ready": self.status == 200}, status=self.status)


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    made = Street()
    async with serving(web.get("/ready", made.answer)) as address:
        made.url = f"{address}/ready"
        yield made


@asynccontextmanager
async def knocking(street: Street, period_s: float = 0.1) -> AsyncIterator[FrontDoor]:
    clock = asyncio.get_running_loop().time
    door = FrontDoor(street.changed.append, period_s=period_s, clock=clock)
    task = asyncio.create_task(door.run())
    yield door
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(found: Callable[[], Awaitable[bool] | bool]) -> None:
    async with asyncio.timeout(10):
        while not found():
            await asyncio.sleep(0.01)


async def test_many_doors_wait_for_their_turn_without_being_taken_for_shut(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_door, "_KNOCKS_AT_ONCE", 4)
    monkeypatch.setattr(front_door, "_TIMEOUT_S", 1.0)
    street.takes_s = 0.2
    keys = [Key("shop", f"app-{n}") for n in range(40)]
    async with knocking(street, period_s=60) as door:
        for key in keys:
            assert door.answer(key, street.url, 0) is None
        await until(lambda: len(street.changed) == len(keys))

        answers = [door.answer(key, street.url, 0) for key in keys]
    assert [answer is not None and answer.ok for answer in answers] == [True] * len(keys)
    assert street.most_at_once == 4


async def test_one_knock_that_nobody_hears_is_no_answer_yet_and_the_second_is(
    street: Street,
) -> None:
    key = Key("shop", "support")
    heard = []
    async with knocking(street) as door:
        door.answer(key, SHUT, 0)
        asked = asyncio.get_running_loop().time()
        await until(lambda: bool(street.changed))
        heard.append(door.answer(key, SHUT, 0))
        assert asyncio.get_running_loop().time() - asked >= 0.1  # the pause before the second
    assert [(answer.ok, answer.reachable) for answer in heard if answer] == [(False, False)]


async def test_who_says_that_it_is_not_ready_is_believed_at_once(street: Street) -> None:
    street.status = 503
    key = Key("shop", "support")
    async with knocking(street, period_s=60) as door:
        door.answer(key, street.url, 0)
        await until(lambda: bool(street.changed))
        answer = door.answer(key, street.url, 0)
    assert answer is not None
    assert (answer.ok, answer.reachable) == (False, True)
    assert street.asked == 1


async def test_one_that_answered_is_asked_twice_before_it_counts_as_fallen(street: Street) -> None:
    key = Key("shop", "support")
    async with knocking(street) as door:
        door.answer(key, street.url, 0)
        await until(lambda: bool(street.changed))
        street.status = 503
        before = street.asked
        await until(lambda: len(street.changed) == 2)
        answer = door.answer(key, street.url, 0)
    assert answer is not None
    assert not answer.ok
    assert street.asked - before >= 2
