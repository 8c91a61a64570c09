"""Who may open a socket, and what becomes of all of them when this process must go: `/ws`."""

import asyncio

import structlog
from fastapi import APIRouter
from starlette.websockets import WebSocket

from hscjit_app import metrics
from hscjit_app.deps import Services, services
from hscjit_app.pods import Topic
from hscjit_app.ws import limits, origin
from hscjit_app.ws.answering import Answering
from hscjit_app.ws.conversation import Conversation
from hscjit_app.ws.guessing import Guesses

log = structlog.get_logger(__name__)

FINISH_S = 0.5
"""How long a leaving pod goes on with its answers before it hands them over: most end sooner."""

router = APIRouter()


class Lobby:
    """All conversations of this process."""

    def __init__(self, services: Services) -> None:
        self.answering = Answering(services)
        self.questions = limits.Buckets(limits.QUESTIONS_PER_S, limits.QUESTIONS_BURST)
        self.addresses = limits.Addresses()
        self.guesses = Guesses()
        self.open: set[Conversation] = set()
        self.handed_over = asyncio.Event()
        """Set once no answer is written here any more: sockets need wait for none."""
        self._services = services

    @property
    def draining(self) -> bool:
        """True once `drain` was called."""
        return self._services.draining

    async def drain(self, within_s: float) -> None:
        """Answer no new question, let answers end or others go on with them, and customers move,
        all within a time.

        With another pod there, what does not end in a moment is handed over at once. Without one
        there is all the time to end it; what is left is for the next pod to come.
        """
        self._services.draining = True
        log.info("Draining", sockets=len(self.open), others=self._services.pods.others)
        ends = asyncio.get_running_loop().time() + within_s
        for conversation in tuple(self.open):
            conversation.move(self.handed_over)
        await self._services.pods.tell(Topic.LEAVING)
        moment = FINISH_S if self._services.pods.others else within_s * 0.8
        await self.answering.finish(min(moment, within_s))
        handed_over = await self.answering.hand_over()
        self.handed_over.set()
        try:
            async with asyncio.timeout_at(ends):
                while self.open:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            log.warning("Drained incompletely", sockets=len(self.open))
        self.answering.stop()
        log.info("Drained", handed_over=handed_over)


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
    conversation = Conversation(socket, found, lobby.answering, lobby.questions, lobby.guesses)
    lobby.open.add(conversation)
    try:
        with metrics.WEBSOCKETS.track_inprogress():
            await socket.accept()
            if found.draining:
                conversation.move(lobby.handed_over)
            await conversation.run()
    finally:
        lobby.open.discard(conversation)
        lobby.addresses.leave(address)
