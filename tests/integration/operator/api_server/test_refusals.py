"""An API server that refuses: survived, without a hot loop, and right once it answers again."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest
from tests.integration.operator.api_server.story import GONE, KINDS, disturbed
from tests.integration.operator.proxy import Answer, Rule, Silence, status
from tests.integration.operator.world import World


def to_watches(answer: Answer | Silence) -> Rule:
    return lambda call: answer if call.watch else None


def to_lists(answer: Answer | Silence) -> Rule:
    listed = ("/hscjits", "/deployments", "/services", "/configmaps", "/pods")
    return lambda call: (
        answer if call.method == "GET" and not call.watch and call.path.endswith(listed) else None
    )


def to_writes(answer: Answer) -> Rule:
    return lambda call: answer if call.writes else None


LOGIN = Answer(200, {"Content-Type": "text/html"}, "<html>please log in")


WATCHES: dict[str, Rule] = {
    "410 instead of a stream": to_watches(status(410, "Expired")),
    "404 instead of a stream": to_watches(status(404, "NotFound")),
    "429 with Retry-After": to_watches(status(429, "TooManyRequests", **{"Retry-After": "1"})),
    "429 with a date": to_watches(
        status(429, "TooManyRequests", **{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    ),
    "429 without a pause": to_watches(status(429, "TooManyRequests", **{"Retry-After": "0"})),
    "500": to_watches(status(500, "InternalError")),
    "401": to_watches(status(401, "Unauthorized")),
    "a page to log in": lambda call: LOGIN if call.watch else None,
}
LISTS: dict[str, Rule] = {
    "404, as while the CRD is replaced": to_lists(status(404, "NotFound")),
    "429": to_lists(status(429, "TooManyRequests", **{"Retry-After": "1"})),
    "500": to_lists(status(500, "InternalError")),
    "a page to log in": to_lists(LOGIN),
}


@pytest.mark.parametrize(
    ("refusals", "last_words"), [(WATCHES, None), (LISTS, GONE)], ids=["watches", "lists"]
)
async def test_reads_that_are_refused(
    world: World, subtests: pytest.Subtests, refusals: Mapping[str, Rule], last_words: Any
):
    async with disturbed(world) as story:
        for case, rule in refusals.items():
            with subtests.test(case):
                story.way.rule = rule
                await story.change()
                story.way.end_streams(last_words)
                await asyncio.sleep(3.0)
                assert story.watches + story.reads > 0
                assert story.watches <= 7 * KINDS
                assert story.reads <= 7 * KINDS
                await story.until_right()


WRITES: dict[str, Answer] = {
    "409": status(409, "Conflict"),
    "429 with Retry-After": status(429, "TooManyRequests", **{"Retry-After": "1"}),
    "500": status(500, "InternalError"),
}


async def test_writes_that_are_refused(world: World, subtests: pytest.Subtests):
    async with disturbed(world) as story:
        for case, answer in WRITES.items():
            with subtests.test(case):
                story.way.rule = to_writes(answer)
                await story.change()
                await asyncio.sleep(4.0)
                writes = [call for call in story.way.since(story.began) if call.writes]
                # Five children, each made anew and applied, at every try.
                assert 0 < len(writes) <= 100, "tried again a few times"
                await story.until_right()


async def test_twenty_seconds_of_refused_connections(world: World):
    async with disturbed(world) as story:
        await story.way.down()
        await story.change()
        await asyncio.sleep(20.0)
        back = time.monotonic()
        await story.way.up()

        await story.until_right()
        assert story.way.counted(back)["watch"] <= 3 * KINDS
