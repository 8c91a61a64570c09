"""The least a WebSocket server can do: answer each frame with one as long as a prediction."""

import os
from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

FRAME = "x" * int(os.environ.get("ECHO_BYTES", "1000"))


stack = FastAPI()
"""The same on the stack that ours stands on."""


@stack.websocket("/ws")
async def echo(socket: WebSocket) -> None:
    """Answer until the socket closes."""
    await socket.accept()
    try:
        while await socket.receive_text():
            await socket.send_text(FRAME)
    except WebSocketDisconnect:
        return


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Speak bare ASGI."""
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": f"{event['type']}.complete"})
            if event["type"] == "lifespan.shutdown":
                return
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": FRAME})
