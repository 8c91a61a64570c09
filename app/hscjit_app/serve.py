"""The API's process: `python -m hscjit_app.serve`.

SIGTERM drains within `DRAIN_S`: not ready from that moment, answers end or are handed over to other
pods, sockets are told to move (close code 1012), and the process exits with 0 in less than 5 s.
"""

import gc
import os

if __name__ == "__main__":
    # What is imported stays: to look for garbage among it again and again is a part of the start.
    gc.disable()
    # numpy's own threads, one for each of the node's processors: our arrays are too small for them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import asyncio
import signal
import socket
import sys
from contextvars import Context
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from hscjit_app.answers.engine import Engine
from hscjit_app.main import create_app
from hscjit_app.settings import Settings, SettingsError

log = structlog.get_logger(__name__)

MAX_FRAME_BYTES = 64 * 1024
"""A WebSocket message above this ends the connection with 1009."""
PING_S = 20.0
DRAIN_S = 3.5
CLOSE_S = 1
KEEP_ALIVE_S = 30
"""Longer than the gaps between scrapes, so that each scraper keeps its connection."""


class Server(uvicorn.Server):
    """A server whose first SIGTERM or SIGINT drains; the second ends at once."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drain: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn; remembers the loop, which a signal handler can't ask for."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if not gc.isenabled():
            gc.freeze()  # nor need it be looked at later, which would hold the loop up each time
            gc.enable()
        log.info("Listening", port=self.config.port)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 as uvicorn's
        """Begin to drain; called by the interpreter when a signal arrives."""
        if self.started and self._loop is not None and not self._app.state.lobby.draining:
            name = signal.Signals(sig).name
            # A context of its own: the request that was just served has nothing to do with it.
            self._loop.call_soon_threadsafe(self._begin_drain, name, context=Context())
        else:
            self.should_exit = self.force_exit = True

    def _begin_drain(self, why: str) -> None:
        log.info("Stopping", reason=why)
        self._drain = asyncio.create_task(self._drain_then_exit())

    async def _drain_then_exit(self) -> None:
        try:
            await self._app.state.lobby.drain(DRAIN_S)
        finally:
            self.should_exit = True


def main(engine: Engine | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    try:
        settings = Settings.from_env(os.environ)
    except SettingsError as e:
        sys.stderr.write(f"{e}\n")  # there is no logging without settings
        return 2
    app = create_app(settings, engine)
    config = uvicorn.Config(
        app,
        # A laptop's other visitors have no business here; in a pod the network policies decide.
        host="127.0.0.1" if settings.sqlite else "",
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=MAX_FRAME_BYTES,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,  # costs memory by the socket, and frames are small
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # whom to believe is a setting of ours, see ws.limits
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=CLOSE_S,
    )
    Server(config, app).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
