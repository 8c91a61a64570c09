"""What waits to be sent on one socket: bounded, in order, and only the newest prediction.

A slow reader holds up nobody but itself: durable frames wait outside (they can be read again from
their stream), small ones are dropped when the queue is full.
"""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.websockets import WebSocketDisconnect

MAX_FRAMES = 64
STALL_S = 20.0
"""A socket that takes nothing for this long is given up."""


class Stalled(Exception):
    """The other side doesn't read, or is gone."""


class SendQueue:
    """Frames of one socket; a task exists only while something is being sent."""

    def __init__(self, send: Callable[[str], Awaitable[None]]) -> None:
        self._send = send
        self._frames: list[str] = []  # an empty deque takes ten times as much
        self._prediction: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._room: asyncio.Event | None = None
        self._broken = False

    def offer(self, frame: str) -> bool:
        """Queue a small frame if there is room; False = dropped."""
        if self._broken or len(self._frames) >= MAX_FRAMES:
            return False
        self._frames.append(frame)
        self._start()
        return True

    def offer_prediction(self, frame: str) -> None:
        """Queue a prediction in place of any that was not sent yet."""
        if not self._broken:
            self._prediction = frame
            self._start()

    async def put(self, frame: str) -> None:
        """Queue a frame that must not be dropped; waits for room, raises `Stalled`."""
        try:
            async with asyncio.timeout(STALL_S):
                while not self.offer(frame):
                    if self._broken:
                        raise Stalled
                    if self._room is None:
                        self._room = asyncio.Event()
                    await self._room.wait()
        except TimeoutError as e:
            raise Stalled from e

    async def flush(self) -> None:
        """Wait until everything queued was handed to the connection."""
        while self._task is not None:
            await asyncio.wait([self._task])

    def stop(self) -> None:
        """Drop what is left."""
        self._broken = True
        if self._task is not None:
            self._task.cancel()

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while frame := self._next():
                await self._send(frame)
                if self._room is not None:
                    self._room.set()
                    self._room = None
        except (
            WebSocketDisconnect,
            RuntimeError,
            OSError,
        ):  # the connection closed meanwhile; its reader hears of it
            self._broken = True
        finally:
            self._task = None
            if self._room is not None:
                self._room.set()
                self._room = None

    def _next(self) -> str | None:
        if self._frames:
            return self._frames.pop(0)
        frame, self._prediction = self._prediction, None
        return frame
