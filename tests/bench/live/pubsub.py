"""The same answers the usual way: published to their session's channel, kept nowhere.

`-m tests.bench.live.pubsub` with PORT and REDIS_URL in its environment. Reconnecting clients listen
to their channel again, on whichever process; that is all the resuming there is.
"""

import asyncio
import contextlib
import json
import os

import uvicorn
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.bench.live.paced import PAUSE_S, pieces

redis = Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
writing: set[asyncio.Task] = set()


async def write(session: str, ref: str, question: str) -> None:
    """Publish an answer, numbered so that the bench can count."""
    frames = ["accepted", "reading", *pieces(question), "context", "done"]
    for seq, content in enumerate(frames, 1):
        if 2 < seq <= len(frames) - 2:
            await asyncio.sleep(PAUSE_S)
        await redis.publish(session, json.dumps({"id": ref, "seq": seq, "content": content}))


async def send(socket: WebSocket, session: str) -> None:
    """Hand what the channel says to the socket."""
    async with redis.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe(session)
        await channel.get_message(timeout=1)  # the subscription stands
        await socket.send_text(json.dumps({"welcome": session}))
        async for message in channel.listen():
            await socket.send_text(message["data"].decode())


async def converse(socket: WebSocket) -> None:
    """One client: {session} first, then {ref, question}…"""
    await socket.accept()
    sending = asyncio.create_task(send(socket, (await socket.receive_json())["session"]))
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            asked = await socket.receive_json()
            task = asyncio.create_task(write(asked["session"], asked["ref"], asked["question"]))
            writing.add(task)
            task.add_done_callback(writing.discard)
    sending.cancel()


async def ready(_: object) -> PlainTextResponse:
    """It is there."""
    return PlainTextResponse("ok")


app = Starlette(routes=[WebSocketRoute("/ws", converse), Route("/ready", ready)])

if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        log_level="error",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
    )
