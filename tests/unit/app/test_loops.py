"""A loop ends although a library swallowed the cancellation that was meant for it."""

import asyncio
import contextlib

from hscjit_app.loops import going_on


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
