"""How does a verb wait? It looks once a second until it has seen what it waits for."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from hscjit_operator.cli.failures import TimedOut
from hscjit_operator.cluster.errors import UNREACHED, ApiError

T = TypeVar("T")

_PERIOD_S: Final = 1.0


def add_to(parser: argparse.ArgumentParser, what: str) -> None:
    """Add `--wait` and `--timeout` to a verb."""
    parser.add_argument("--wait", action="store_true", help=f"wait until {what}")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=900.0,
        metavar="SECONDS",
        help="wait no longer than this [900]; what was asked for goes on all the same",
    )


async def until(look: Callable[[], Awaitable[T | None]], timeout_s: float, what: str) -> T:
    """Return what `look` finds; an API server that is away for a moment is waited for too."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            found = await look()
        except ApiError as error:
            if error.code != UNREACHED:
                raise
            found = None
        if found is not None:
            return found
        if time.monotonic() >= deadline:
            raise TimedOut(f"{what} took longer than {timeout_s:g} s; it goes on without us")
        await asyncio.sleep(_PERIOD_S)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value
