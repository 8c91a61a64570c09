"""An API process whose answers take their time, as a language model's do.

`-m tests.bench.live.paced`; everything but the engine is the product's own.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence

from hscjit_app import serve
from hscjit_app.answers.extractive import Cited, PassageLike

PIECES = 40
PAUSE_S = 0.02


def pieces(question: str) -> list[str]:
    """Return what is said to a question; nobody else's answer looks like it."""
    return [f"{question}, part {n} of {PIECES}. " for n in range(1, PIECES + 1)]


class Paced:
    """Says the same every time, a piece at a time."""

    resumable = True

    async def write(
        self,
        question: str,
        passages: Sequence[PassageLike],
        product: str,  # noqa: ARG002 it is in the question
    ) -> AsyncGenerator[str | Cited, None]:
        """See `Engine`."""
        for piece in pieces(question):
            await asyncio.sleep(PAUSE_S)
            yield piece
        for passage in passages[:1]:
            yield Cited(passage.title, passage.url, passage.page)


if __name__ == "__main__":
    sys.exit(serve.main(Paced()))
