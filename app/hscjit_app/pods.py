"""What do pods tell each other? Hints, by Redis Pub/Sub: who is there, and what to look at now.

A hint may be lost: whoever acts on one also looks by itself before long. What must not be lost
goes through the streams.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from enum import StrEnum

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from hscjit_app import metrics
from hscjit_app.loops import going_on

log = structlog.get_logger(__name__)

CHANNEL = "hscjit:pods"
PERIOD_S = 1.0
FORGOTTEN_S = 3.5
"""A pod not heard of for so long is gone: three of its calls were missed."""
TELL_S = 0.5


class Topic(StrEnum):
    """What a hint is about."""

    HERE = "here"
    """This pod lives and takes over answers."""
    LEAVING = "leaving"
    """This pod is about to stop: it is nobody to rely on."""
    ANSWERS = "answers"
    """Answers were handed over."""
    CATALOG = "catalog"
    """The catalogue was asked to be read anew."""


class Pods:
    """This pod among the others; without Redis there are none."""

    def __init__(
        self,
        redis: "Redis | None",
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._me = f"{name}/{uuid.uuid4().hex[:8]}"
        self._clock = clock
        self._heard: dict[str, float] = {}
        self._acts: dict[Topic, Callable[[], Awaitable[object]]] = {}
        self._acting: set[asyncio.Task[object]] = set()
        self._leaving = False

    @property
    def others(self) -> int:
        """How many other pods are there to go on with what this one leaves."""
        now = self._clock()
        return sum(now - at < FORGOTTEN_S for at in self._heard.values())

    def on(self, topic: Topic, act: Callable[[], Awaitable[object]]) -> None:
        """Have something done when another pod gives this hint."""
        self._acts[topic] = act

    async def tell(self, topic: Topic) -> None:
        """Give a hint to the others; while Redis is away they hear nothing."""
        if topic is Topic.LEAVING:
            self._leaving = True
        if self._redis is None:
            return
        try:
            async with asyncio.timeout(TELL_S):
                await self._redis.publish(CHANNEL, json.dumps([self._me, topic]))
        except (RedisError, OSError, TimeoutError) as e:
            log.debug("Could not tell the other pods", topic=topic, reason=type(e).__name__)

    async def run(self) -> None:
        """Listen, and say each second that this pod is here, until cancelled."""
        if self._redis is not None:
            await asyncio.gather(self._announce(), self._listen(self._redis))

    async def _announce(self) -> None:
        while going_on():
            if not self._leaving:
                await self.tell(Topic.HERE)
            metrics.PEERS.set(self.others)
            await asyncio.sleep(PERIOD_S)

    async def _listen(self, redis: Redis) -> None:
        while going_on():
            try:
                async with redis.pubsub(ignore_subscribe_messages=True) as heard:
                    await heard.subscribe(CHANNEL)
                    while going_on():
                        message = await heard.get_message(timeout=PERIOD_S)
                        if message is not None:
                            self.hear(message["data"])
            except (RedisError, OSError) as e:
                log.debug("Can't hear the other pods", reason=type(e).__name__)
                await asyncio.sleep(PERIOD_S)

    def hear(self, raw: bytes | str) -> None:
        """Take one hint; what is no hint, or of a kind a newer pod gives, is passed over."""
        try:
            who, topic = json.loads(raw)
            topic = Topic(topic)
        except (ValueError, TypeError):
            return
        if who == self._me or not isinstance(who, str):
            return
        if topic is Topic.LEAVING:
            self._heard.pop(who, None)
        else:
            if who not in self._heard:  # rare: a good moment to forget those that are gone
                now = self._clock()
                self._heard = {w: at for w, at in self._heard.items() if now - at < FORGOTTEN_S}
            self._heard[who] = self._clock()
        act = self._acts.get(topic)
        if act is not None:
            task = asyncio.ensure_future(act())
            self._acting.add(task)
            task.add_done_callback(self._acting.discard)
