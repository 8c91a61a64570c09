"""The least a WebSocket server can do: answer each frame with one as long as a prediction."""

import os
from typing import Any

FRAME = "x" * int(os.environ.get("ECHO_BYTES", "1000"))


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
