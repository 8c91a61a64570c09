"""Page and Python client beside a server of another version of the protocol: they say so, and the
page is fetched anew once."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect
from tests import browser
from tests.integration.app.live.pods import Pod

from hscjit_app import client
from hscjit_app.client import Client, Refused
from hscjit_app.ws.protocol import VERSION

OURS = f"export const VERSION = {VERSION};"


PATIENCE_MS = 20_000  # for a browser on a busy machine


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Pod]:
    """The app alone, as `make dev` runs it."""
    pod = Pod(tmp_path, "dev", {})
    try:
        pod.await_ready()
        yield pod
    finally:
        pod.stop()


@pytest.fixture
def page() -> Iterator[Page]:
    with browser.tab() as page:
        yield page


class Watched:
    """How often a tab fetched the page and opened a socket."""

    def __init__(self, page: Page) -> None:
        self.loads = self.sockets = 0
        page.on("domcontentloaded", self._loaded)
        page.on("websocket", self._opened)

    def _loaded(self, _: object) -> None:
        self.loads += 1

    def _opened(self, _: object) -> None:
        self.sockets += 1


def of_version(version: int, route: Route) -> None:
    """Give the page out as one of another version."""
    answer = route.fetch()
    assert OURS in answer.text()
    theirs = OURS.replace(str(VERSION), str(version))
    body = answer.text().replace(OURS, theirs)  # without the ETag, which is of our file
    route.fulfill(body=body, content_type="text/javascript")


def is_connected(page: Page) -> None:
    expect(page.get_by_text("Connected", exact=True)).to_be_visible(timeout=PATIENCE_MS)


@pytest.mark.parametrize(
    ("version", "words"), [(VERSION - 1, "older than"), (VERSION + 1, "newer than")]
)
def test_a_page_that_stays_of_another_version_says_so_and_is_not_reloaded_again(
    server: Pod, page: Page, version: int, words: str
) -> None:
    seen = Watched(page)
    page.route("**/web/version.js", lambda route: of_version(version, route))
    page.goto(server.url)

    told = f"This page is {words} the server"
    expect(page.get_by_role("alert")).to_contain_text(told, timeout=PATIENCE_MS)
    page.wait_for_timeout(1500)  # a lost connection is tried again after 0.3 s
    assert (seen.loads, seen.sockets) == (2, 2)

    page.unroute("**/web/version.js")
    page.get_by_role("button", name="Reload").click()
    is_connected(page)
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.get_by_role("button", name="Reload")).to_be_hidden()


NEWER = {
    "refuses": {
        "type": "error",
        "code": "unknown_version",
        "message": "Not with me",
        "version": VERSION + 1,
    },
    "names no version": {"type": "error", "code": "unknown_version", "message": "No"},
    "greets all the same": {
        "type": "welcome", "session": "s", "resumed": False, "version": VERSION + 1,
    },
}  # fmt: skip


@pytest.mark.parametrize("answer", NEWER.values(), ids=NEWER)
def test_a_page_that_a_new_server_left_behind_is_fetched_anew_with_what_was_written(
    server: Pod, page: Page, answer: dict[str, object]
) -> None:
    sockets: list[WebSocketRoute] = []

    def open_socket(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if len(sockets) == 2:
            socket.on_message(lambda _: socket.send(json.dumps(answer)))
        else:
            socket.connect_to_server()

    seen = Watched(page)
    page.route_web_socket("**/ws", open_socket)
    page.goto(server.url)
    product = page.get_by_role("combobox", name="Product")
    question = page.get_by_role("textbox", name="Question", exact=True)
    is_connected(page)
    product.fill("rolnd")
    question.fill("how do I")

    with page.expect_event("domcontentloaded"):
        sockets[0].close(code=1012)

    is_connected(page)
    expect(question).to_have_value("how do I")
    expect(product).to_have_value("rolnd")
    expect(page.get_by_role("alert")).to_be_hidden()
    assert (seen.loads, len(sockets)) == (2, 3)


async def test_a_client_of_another_version_is_told_which_one_the_server_speaks(
    server: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "VERSION", VERSION + 1)

    with pytest.raises(Refused, match=f"speaks version {VERSION} of the protocol") as refused:
        await Client.connect(server.url)
    assert refused.value.code == "unknown_version"


async def test_a_client_whose_server_became_another_gives_up_at_once(
    server: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await Client.connect(server.url) as one:
        assert await one.predict("moog")
        monkeypatch.setattr(client, "VERSION", VERSION + 1)
        await one.close()

        with pytest.raises(Refused, match="unknown_version"):
            await one.predict("nord")
        assert one.reconnects == 1
