"""Reading PDFs, good ones and hostile ones, in a process that is bounded."""

import time

import pytest

from hscjit_app.manuals import pdf, samples
from hscjit_app.manuals.parse import Limits, ParseError, parse
from hscjit_app.manuals.pdf import Block


def document(pages: int, text: str = "Press the button.") -> bytes:
    return pdf.write("A title", [[Block("body", text)]] * pages, "foot")


def test_every_page_of_a_sample_is_read():
    parsed = parse(samples.read("roland-td17kvx2.pdf"))

    assert (parsed.title, parsed.pages, parsed.truncated) == (
        "Roland TD-17KVX Gen 2 sample manual",
        11,
        False,
    )
    assert [page.number for page in parsed.content] == list(range(1, 12))
    assert "Set the kick sensitivity" in parsed.content[4].text


def test_letters_beyond_ascii_come_through():
    parsed = parse(document(1, "Größe: 5 µm, «déjà vu» (£5) \\ done"))

    assert "Größe: 5 µm, «déjà vu» (£5) \\ done" in parsed.content[0].text


def test_a_long_manual_is_read_as_far_as_allowed():
    parsed = parse(document(30), Limits(pages=10))

    assert (parsed.pages, len(parsed.content), parsed.truncated) == (30, 10, True)


def test_as_many_pages_as_allowed_is_all_of_it():
    parsed = parse(document(10), Limits(pages=10))

    assert (len(parsed.content), parsed.truncated) == (10, False)


def test_text_is_read_as_far_as_allowed():
    parsed = parse(document(30), Limits(characters=100))

    assert sum(len(page.text) for page in parsed.content) == 100
    assert parsed.truncated


def cyclic() -> bytes:
    """A page tree that holds itself."""
    return document(1).replace(b"/Kids [6 0 R] /Count 1", b"/Kids [2 0 R] /Count 9")


UNREADABLE = {
    "nothing": b"",
    "not a pdf": b"<html>no</html>",
    "only the beginning": b"%PDF-1.7\n",
    "encrypted": document(1).replace(b"/Root 1 0 R", b"/Encrypt 3 0 R /Root 1 0 R"),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_what_can_not_be_opened_is_told(content):
    with pytest.raises(ParseError, match="can't be opened"):
        parse(content)


def test_a_page_tree_without_end_ends():
    begun = time.monotonic()

    try:
        parsed = parse(cyclic(), Limits(wall_s=20))
    except ParseError:
        pass
    else:
        assert all(page.text == "" for page in parsed.content)
    assert time.monotonic() - begun < 20


BOUNDS = {
    "memory": Limits(address_space=30_000_000),
    "time on the wall": Limits(wall_s=0.001),
    "time on the processor": Limits(cpu_s=0),
}


@pytest.mark.parametrize("limits", BOUNDS.values(), ids=BOUNDS)
def test_the_reader_is_bounded(limits):
    with pytest.raises(ParseError, match=r"limits|longer"):
        parse(document(2000), limits)


def test_the_reader_is_told_no_secret(monkeypatch):
    monkeypatch.setenv("HSCJIT_ADMIN_TOKEN", "secret")
    monkeypatch.setenv("LD_PRELOAD", "/nowhere.so")  # it would complain on stderr, were it told

    assert parse(document(1)).pages == 1
