"""How does a loop that runs until it is cancelled make sure that it hears of it?"""

import asyncio


def going_on() -> bool:
    """Tell whether the running task was not yet asked to end.

    redis-py writes through `asyncio.wait_for`, which before Python 3.12 may swallow a cancellation
    that comes just as the write is done (cpython issue 86296). A loop around such calls that only
    waited to be interrupted would then run for ever, and hold up the process's end.
    """
    task = asyncio.current_task()
    return task is None or not task.cancelling()
