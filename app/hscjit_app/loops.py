"""How does a task that is cancelled surely hear of it?

redis-py writes through `asyncio.wait_for`, which before Python 3.12 may swallow a cancellation that
comes just as the write is done (cpython issue 86296).
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

_HEARD_S: Final = 0.25
"""How long a task that was cancelled may take to end before it is told again."""


def going_on() -> bool:
    """Tell whether the running task was not yet asked to end.

    A loop around calls that may swallow that, and which only waited to be interrupted, would run
    for ever and hold up the process's end.
    """
    task = asyncio.current_task()
    return task is None or not task.cancelling()


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended; who has not heard of it is told again."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_HEARD_S)
