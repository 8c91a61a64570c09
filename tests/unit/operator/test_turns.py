"""Who may write next: so many at once, older passes first, and no turn is ever lost."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hscjit_operator.cluster import turns
from hscjit_operator.cluster.turns import Turns


class Played:
    """Writers that hold their turn until the test lets them go."""

    def __init__(self, at_once: int) -> None:
        self.turns = Turns(at_once)
        self.writing: list[str] = []
        self.begun: list[str] = []
        self._leave: dict[str, asyncio.Event] = {}

    async def write(self, name: str) -> None:
        leave = self._leave[name] = asyncio.Event()
        async with self.turns:
            self.begun.append(name)
            self.writing.append(name)
            await leave.wait()
            self.writing.remove(name)

    async def leave(self, *names: str) -> None:
        for name in names:
            self._leave[name].set()
            await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def of_a_pass(run: Callable[[], Awaitable[object]]) -> None:
    turns.begin()
    await run()


async def test_so_many_write_at_once():
    played = Played(2)
    async with asyncio.TaskGroup() as group:
        for name in "abcd":
            group.create_task(played.write(name))
        await settled()
        assert played.writing == ["a", "b"]
        await played.leave("b")
        assert played.writing == ["a", "c"]
        await played.leave("a", "c", "d")
    assert played.begun == ["a", "b", "c", "d"]


async def test_the_older_pass_goes_first_and_what_is_no_passs_before_all():
    played = Played(1)
    second_wave = asyncio.Event()

    async def older() -> None:
        await asyncio.gather(played.write("old 1"), played.write("old 2"))
        second_wave.set()
        await played.write("old 3")

    async def newer() -> None:
        await asyncio.gather(played.write("new 1"), played.write("new 2"))

    async with asyncio.TaskGroup() as group:
        for run in (older, newer):
            group.create_task(of_a_pass(run))
            await settled()
        await played.leave("old 1", "old 2")
        assert second_wave.is_set()
        assert played.writing == ["new 1"]  # was next before the older pass had more to write
        group.create_task(played.write("evict"))
        await settled()
        await played.leave("new 1", "evict", "old 3", "new 2")
    assert played.begun == ["old 1", "old 2", "new 1", "evict", "old 3", "new 2"]


@pytest.mark.parametrize("at_its_turn", [False, True], ids=["waiting", "at its turn"])
async def test_whoever_gives_up_leaves_the_turn_to_the_next(at_its_turn):
    played = Played(1)
    tasks = {name: asyncio.create_task(played.write(name)) for name in "abc"}
    await settled()
    if at_its_turn:
        played._leave["a"].set()
        while not tasks["a"].done():
            await asyncio.sleep(0)
    tasks["b"].cancel()
    if not at_its_turn:
        await played.leave("a")
    await settled()
    assert played.writing == ["c"]
    assert tasks["b"].cancelled()
    await played.leave("c")
    await asyncio.gather(tasks["a"], tasks["c"])
    async with played.turns, asyncio.timeout(1):
        pass
