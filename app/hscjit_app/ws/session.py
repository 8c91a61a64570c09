"""Who may open a socket, and what becomes of all of them when this process must go: `/ws`."""

import asyncio

import structlog
from fastapi import APIRouter
from starlette.websockets import WebSocket

from hscjit_app import metrics
from hscjit_app.deps import Services, services
from hscjit_app.ws import limits, origin
from hscjit_app.ws.answering import Answering
from hscjit_app.ws.conversation import Conversation

log = structlog.get_logger(__name__)

router = APIRouter()


class Lobby:
    """All conversations of this process."""

    def __init__(self, services: Services) -> None:
        self.answering = Answering(services)
        self.questions = limits.Buckets(limits.QUESTIONS_PER_S, limits.QUESTIONS_BURST)
        self.addresses = limits.Addresses()
        self.open: set[Conversation] = set()
        self._services = services

    @property
    def draining(self) -> bool:
        """True once `drain` was called."""
        return self._services.draining

    async def drain(self, within_s: float) -> None:
        """Take no new question, let answers end and customers move, all within a time."""
        self._services.draining = True
        log.info("Draining", sockets=len(self.open))
        for conversation in tuple(self.open):
            conversation.move()
        try:
            async with asyncio.timeout(within_s):
                await self.answering.finish(within_s)
                while self.open:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            log.warning("Drained incompletely", sockets=len(self.open))
        self.answering.stop()


@router.websocket("/ws")
async def converse(socket: WebSocket) -> None:
    """Check who is there, then talk until the socket closes."""
    found = services(socket)
    lobby: Lobby = socket.state.lobby
    headers = socket.headers
    if not origin.allowed(
        headers.get("origin"), headers.get("host"), found.settings.allowed_origins
    ):
        log.info("Refused a socket", reason="origin", origin=headers.get("origin", "")[:200])
        await socket.close()  # before accept: the handshake is answered 403
        return
    address = limits.client_address(
        socket.client.host if socket.client else None,
        headers.getlist("x-forwarded-for"),
        found.settings.trusted_proxies,
    )
    if not lobby.addresses.enter(address):
        log.info("Refused a socket", reason="too many from one address")
        await socket.close()
        return
    conversation = Conversation(socket, found, lobby.answering, lobby.questions)
    lobby.open.add(conversation)
    try:
        with metrics.WEBSOCKETS.track_inprogress():
            await socket.accept()
            if found.draining:
                conversation.move()
            await conversation.run()
    finally:
        lobby.open.discard(conversation)
        lobby.addresses.leave(address)
