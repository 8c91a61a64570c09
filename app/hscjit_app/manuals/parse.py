"""What does a PDF say, page by page? Asked in a bounded process: see `reader.py`."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_PAGES = 2000
MAX_CHARACTERS = 8_000_000
WALL_S = 45.0
_ADDRESS_SPACE = 768 * 1024 * 1024
_CPU_S = 30
_READER = Path(__file__).with_name("reader.py")
_UNREADABLE = 3


class ParseError(Exception):
    """The file can't be read; asking again would end in the same way."""


@dataclass(frozen=True)
class Page:
    """One page's text as pdfium reads it."""

    number: int
    """Counted from 1."""
    text: str


@dataclass(frozen=True)
class Parsed:
    """A whole document, or its beginning when it is larger than we read."""

    title: str
    """What the file calls itself; empty when it does not."""
    pages: int
    """In the file, read or not."""
    truncated: bool
    content: list[Page]


@dataclass(frozen=True)
class Limits:
    """How much one file may cost."""

    pages: int = MAX_PAGES
    characters: int = MAX_CHARACTERS
    wall_s: float = WALL_S
    address_space: int = _ADDRESS_SPACE
    cpu_s: int = _CPU_S


def parse(pdf: bytes, limits: Limits | None = None) -> Parsed:
    """Return the document's text; raises `ParseError`."""
    limits = limits or Limits()
    figures = (limits.pages, limits.characters, limits.address_space, limits.cpu_s)
    command = [sys.executable, "-I", str(_READER), *map(str, figures)]
    try:
        # The environment is empty: a process that reads strangers' files is told no secrets.
        ended = subprocess.run(  # noqa: S603  # our own program, figures as arguments
            command, input=pdf, capture_output=True, timeout=limits.wall_s, env={}, check=False
        )
    except subprocess.TimeoutExpired as e:
        raise ParseError(f"Reading the PDF took longer than {limits.wall_s:g} s") from e
    lines = [json.loads(line) for line in ended.stdout.splitlines() if line.endswith(b"}")]
    if ended.returncode == _UNREADABLE:
        raise ParseError(f"The PDF can't be opened: {lines[-1]['error']}")
    if ended.returncode != 0 or not lines or "end" not in lines[-1]:
        raise ParseError(f"Reading the PDF went beyond its limits ({_how(ended.returncode)})")
    return _parsed(lines)


def _parsed(lines: list[dict[str, Any]]) -> Parsed:
    head, *pages, end = lines
    return Parsed(
        title=" ".join(head["title"].split()),
        pages=head["pages"],
        truncated=end["truncated"],
        content=[Page(line["page"], line["text"]) for line in pages],
    )


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
