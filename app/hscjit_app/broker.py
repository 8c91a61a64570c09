"""How does work leave this process?

`configure(settings)` once per process, then `await send("manuals.fetch", key=…)`.
"""

from typing import Any

from hscjit_app.settings import Settings


def configure(settings: Settings) -> None:
    """Tell the broker where its queue is; no Redis = a thread of this process does the work."""
    raise NotImplementedError


async def send(name: str, **args: Any) -> None:
    """Hand one task to the queue, after the commit that made it necessary; never blocks the loop.

    Raises `kombu.exceptions.OperationalError` when the queue can't be reached.
    """
    raise NotImplementedError
