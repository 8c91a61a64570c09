"""A loop ends although a library swallowed the cancellation that was meant for it."""

import asyncio
import contextlib

from hscjit_app.loops import end, going_on


async def swallows() -> None:
    """Wait like a library that loses a cancellation."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(3600)


async def loop() -> int:
    rounds = 0
    while going_on():
        rounds += 1
        await swallows()
    return rounds


async def test_a_swallowed_cancellation_still_ends_the_loop():
    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(5):
        assert await task == 1


async def test_a_task_that_missed_its_cancellation_is_told_again():
    async def deaf() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    tasks = [asyncio.create_task(deaf()), asyncio.create_task(asyncio.sleep(60))]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end(tasks)
    assert all(task.cancelled() for task in tasks)


async def test_who_has_ended_already_is_not_waited_for():
    async def done() -> None:
        return None

    task = asyncio.create_task(done())
    await task
    await end([task])
    await end([])
    assert not task.cancelled()
