"""What kopf's watches get to hear, how soon they begin again, and what of it is kept in mind."""

import itertools
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from hscjit_operator import names
from hscjit_operator.cluster.answers import Fabricated, Stream, listed
from hscjit_operator.cluster.kinds import HSCJIT, WATCHED
from hscjit_operator.cluster.listening import asked
from hscjit_operator.cluster.observe import Apps, Children
from hscjit_operator.cluster.pace import CALM_S, GAPS_S, Pace
from hscjit_operator.cluster.watches import Watches

EVENT = b'{"type":"MODIFIED","object":{"data":{"level":"ERROR"}}}\n'
EXPIRED = 410


class Response:
    """As much of an aiohttp response as is read, in pieces as the network cuts them."""

    def __init__(self, *pieces: bytes) -> None:
        self.headers: dict[str, str] = {}
        self.content = self
        self._pieces = pieces

    async def iter_chunked(self, _size: int) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


class Caches:
    """Who is shown children; `echoes` says that all are known already."""

    def __init__(self, echoes: bool = False) -> None:
        self.echoes = echoes
        self.asked: list[tuple[str, int]] = []
        self.told: list[tuple[str, Any]] = []

    def is_echo(self, uid: str, version: int) -> bool:
        self.asked.append((uid, version))
        return self.echoes

    def show(self, body: Mapping[str, Any]) -> None:
        self.told.append(("shown", body["metadata"]["name"]))

    def lose(self, body: Mapping[str, Any]) -> None:
        self.told.append(("lost", body["metadata"]["name"]))


async def heard(
    *pieces: bytes, caches: Caches | None = None, kind: str = HSCJIT.plural
) -> list[Any]:
    stream = Stream(Response(*pieces), (kind, None), caches or Caches())  # type: ignore[arg-type]
    said = b"".join([piece async for piece in stream.iter_chunked(1024)])
    return [json.loads(line) for line in said.splitlines()]


@pytest.mark.parametrize("at", [1, 20, len(EVENT) - 1, len(EVENT), len(EVENT) + 7])
async def test_events_are_whole_wherever_the_network_cuts(at: int):
    both = EVENT + EVENT
    assert await heard(both[:at], both[at:]) == [json.loads(EVENT)] * 2


async def test_half_an_event_is_none():
    assert await heard(EVENT, EVENT[:30]) == [json.loads(EVENT)]


@pytest.mark.parametrize("text", ['{"type":"ERROR","object":{}}', '{ "type": "ERROR" }'])
async def test_an_error_of_any_kind_is_a_reason_to_list_anew(text: str):
    first, last = await heard(EVENT + text.encode() + b"\n" + EVENT)
    assert first == json.loads(EVENT)
    assert (last["type"], last["object"]["code"]) == ("ERROR", EXPIRED)


def event(type_: str = "MODIFIED", **changes: str) -> bytes:
    """Return an event as the API server writes those about its own kinds."""
    metadata = {"name": "a", "namespace": "shop", "uid": "u-1", "resourceVersion": "7"}
    body = {"kind": "Service", "apiVersion": "v1", "metadata": metadata, "spec": {}}
    told = {"type": type_, "object": {**body, **changes}}
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"


BOOKMARK = b'{"type":"BOOKMARK","object":{"kind":"Service"}}\n'


async def test_what_becomes_of_a_child_is_shown_past_kopf():
    caches, changed = Caches(), event()
    pieces = (event("ADDED") + changed[:50], changed[50:] + event("DELETED") + BOOKMARK)
    said = await heard(*pieces, caches=caches, kind="services")

    assert said == [json.loads(BOOKMARK)]
    assert caches.told == [("shown", "a"), ("shown", "a"), ("lost", "a")]


async def test_what_becomes_of_an_hscjit_is_for_kopf():
    caches, events = Caches(), event("ADDED") + event("DELETED")
    said = await heard(events, caches=caches)
    assert (len(said), caches.told, caches.asked) == (2, [], [])


async def test_a_child_that_cannot_be_read_is_told_of_and_ends_no_watch():
    with capture_logs() as logs:
        assert await heard(event(metadata="none") + BOOKMARK, kind="services") == [
            json.loads(BOOKMARK)
        ]
    assert [told["event"] for told in logs] == ["Object cannot be read"]


async def test_a_page_is_shown_and_kopf_hears_only_where_it_goes_on():
    metadata = {"resourceVersion": "9", "continue": "abc"}
    items = [{"metadata": {"name": name}, "spec": {}} for name in ("a", "b")]
    page = {"kind": "ServiceList", "apiVersion": "v1", "metadata": metadata, "items": items}
    shown: list[Any] = []
    answer = Fabricated(json.dumps(page).encode())
    passed_on = await listed(answer, ("services", None), shown.append)  # type: ignore[arg-type]

    assert await passed_on.json() == {**page, "items": []}
    assert shown == [{"kind": "Service", "apiVersion": "v1", **item} for item in items]


async def test_an_echo_of_our_own_write_is_shown_to_nobody():
    caches, error = Caches(echoes=True), b'{"type":"ERROR","object":{}}\n'
    pieces = (event("ADDED") + BOOKMARK + event() + event("DELETED"), event(), error)
    said = await heard(*pieces, caches=caches, kind="services")

    assert [told["type"] for told in said] == ["BOOKMARK", "ERROR"]
    assert caches.told == [("lost", "a")]
    assert caches.asked == [("u-1", 7)] * 3


@pytest.mark.parametrize(
    "other",
    [
        b'{"object":{"metadata":{"name":"a"}},"type":"ADDED"}\n',
        event().replace(b'"uid"', b'"labels":{},"uid"'),
        event().replace(b":{", b": {"),
    ],
)
async def test_what_is_written_in_another_way_is_shown_as_ever(other: bytes):
    caches = Caches(echoes=True)
    assert await heard(other, caches=caches, kind="services") == []
    assert (caches.told, caches.asked) == ([("shown", "a")], [])


@pytest.mark.parametrize("line", [b"\n", b"half\n", b'{"type":"OTHER","object":{}}\n'])
async def test_what_nobody_knows_is_left_to_kopf(line: bytes):
    caches = Caches()
    stream = Stream(Response(line), ("services", None), caches)  # type: ignore[arg-type]
    assert [piece async for piece in stream.iter_chunked(9)] == [line]
    assert caches.told == []


CALLS = {
    "/api/v1/pods?limit=500&labelSelector=a%3Db": (("pods", None), False, False),
    "/api/v1/namespaces/shop/pods?limit=500&continue=abc": (("pods", "shop"), False, True),
    "/apis/apps/v1/deployments?watch=true&resourceVersion=7": (("deployments", None), True, False),
    "/apis/apps/v1": (None, False, False),
    "/version": (None, False, False),
}


@pytest.mark.parametrize(("call", "what"), CALLS.items(), ids=CALLS)
def test_what_a_call_asks_for(call: str, what: tuple[Any, ...]):
    assert asked(call) == what


def test_what_ends_at_once_begins_later_each_time():
    pace = Pace(lambda: 100.0)
    begun = [pace.begin("pods") for _ in range(len(GAPS_S) + 2)]
    gaps = [after - before for before, after in itertools.pairwise(begun)]

    assert gaps == [*GAPS_S, GAPS_S[-1]]
    assert pace.begin("services") == 0.0


@pytest.mark.parametrize(("lasted_s", "wait_s"), [(CALM_S, 0.0), (CALM_S - 1, 0.0), (0.1, 0.4)])
def test_what_lasted_begins_at_once(lasted_s: float, wait_s: float):
    now = 100.0
    pace = Pace(lambda: now)
    for _ in range(3):
        pace.begin("pods")
    last = now = now + 0.25  # when the third one began
    now = last + lasted_s

    assert pace.begin("pods") == pytest.approx(wait_s)


class Clocked:
    """The account of lists and watches on a clock that a test turns."""

    def __init__(self, *namespaces: str) -> None:
        self.now = 1000.0
        self.news = 0
        self.seen = 0
        self.apps = Apps(lost=lambda _key: None)
        self.children = Children(changed=lambda _key: None)
        self.watches = Watches(
            self.apps,
            self.children,
            namespaces,
            lambda: self.now,
            changed=self._changed,
            all_seen=self._all_seen,
        )

    def _changed(self) -> None:
        self.news += 1

    def _all_seen(self) -> None:
        self.seen += 1


def test_what_a_list_shows_goes_to_the_cache_of_its_kind():
    story = Clocked()
    metadata = {"name": "support", "namespace": "shop", "uid": "u-1", "resourceVersion": "5"}
    labels = {"labels": names.labels("support", "config", "u-1")}
    story.watches.show({"kind": HSCJIT.kind, "metadata": metadata})
    child = {"kind": "ConfigMap", "metadata": {**metadata, **labels}}
    story.watches.show(child)
    assert list(story.apps) == [key for key, _ in story.children.all()]

    story.watches.lose(child)
    assert list(story.children.all()) == []


async def test_all_is_seen_once_every_list_has_ended():
    story = Clocked("shop", "care")
    scopes = [(kind.plural, where) for kind in (*WATCHED, HSCJIT) for where in ("shop", "care")]
    for scope in scopes:
        story.watches.tried(scope, watching=False)
    for scope in scopes[1:]:
        story.watches.tried(scope, watching=True)
    assert story.seen == 0

    for _ in range(2):
        story.watches.tried(scopes[0], watching=True)
    assert story.seen == 1


async def test_a_kind_that_may_not_be_listed_is_told_at_once_where_it_never_was():
    story = Clocked("shop", "care")
    scope = ("pods", "shop")

    assert story.watches.forbidden(scope, watching=False, why="no")
    assert story.watches.blind("shop") == ["LIST Pod is forbidden: no"]
    assert story.watches.blind("care") == []
    assert story.watches.is_unlisted(scope)

    story.watches.began(scope, watching=False)
    assert (story.watches.blind("shop"), story.news) == ([], 2)


@pytest.mark.parametrize(("after_s", "told"), [(10.0, False), (10.1, True)])
async def test_a_right_that_flickers_is_not_told(after_s: float, told: bool):
    story = Clocked()
    scope = ("pods", None)
    story.watches.began(scope, watching=True)
    story.watches.forbidden(scope, watching=True, why="no")
    story.now += after_s

    assert bool(story.watches.blind("anywhere")) is told
    assert not story.watches.is_unlisted(scope)
    story.watches.began(scope, watching=False)
    assert bool(story.watches.blind("anywhere")) is told, "to list is not to watch"


def test_without_the_hscjits_there_is_nobody_to_tell():
    story = Clocked()
    assert not story.watches.forbidden((HSCJIT.plural, None), watching=False, why="no")
    assert story.news == 0


async def test_who_tries_is_not_dead_and_who_was_refused_is_missing():
    story = Clocked()
    kinds = [*WATCHED, HSCJIT]
    for kind in kinds:
        story.watches.tried((kind.plural, None), watching=True)
        story.watches.began((kind.plural, None), watching=True)
    assert (story.watches.missing(), story.watches.dead()) == ([], [])

    story.watches.forbidden(("pods", None), watching=True, why="no")
    assert story.watches.missing() == ["Pod"]
    story.now += 331.0
    for kind in kinds[1:]:
        story.watches.tried((kind.plural, None), watching=True)
    assert story.watches.dead() == [kinds[0].kind]
    assert len(story.watches.missing()) == len(kinds)
