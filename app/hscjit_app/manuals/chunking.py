"""How is a document cut into passages that can be found and quoted? Pure.

A passage lies on one page, so that its page can be named; it begins at a heading or paragraph where
it can, and repeats the heading it stands under, so that "Kick" is found beside its settings.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

MAX_CHARACTERS = 700
"""A passage is at most this long: three to six sentences."""
_HEADING_MAX = 70
_WORTH_A_PASSAGE = 150
_ENOUGH_PAGES = 4
_MOST = 0.6
_MIN_LETTERS = 3
_SENTENCE_END = re.compile(r"(?<=[.!?:;])\s+")
_INVISIBLE = {"Cf", "Cc", "Cs", "Co"}


@dataclass(frozen=True)
class Passage:
    """A piece of one page."""

    page: int
    text: str


def chunk(pages: Iterable[tuple[int, str]]) -> list[Passage]:
    """Cut (page number, text) pairs into passages, in reading order."""
    read = [(number, list(_lines(clean(page)))) for number, page in pages]
    furniture = _furniture([lines for _, lines in read])
    return [
        Passage(number, text)
        for number, lines in read
        for text in _page([line for line in lines if _shape(line) not in furniture])
    ]


def clean(text: str) -> str:
    """Normalise what a PDF says: compatible letters folded, what can't be seen taken out."""
    text = unicodedata.normalize("NFKC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = text.replace("\ufffe\n", "").replace("\ufffe", "-")  # pdfium's sign for a soft hyphen
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in _INVISIBLE)


def _furniture(pages: Sequence[Sequence[str]]) -> set[str]:
    """Return the shapes of lines that stand on most pages: running heads, feet and notices."""
    if len(pages) < _ENOUGH_PAGES:
        return set()
    seen = Counter(shape for lines in pages for shape in {_shape(line) for line in lines})
    return {shape for shape, count in seen.items() if count > len(pages) * _MOST}


def _shape(line: str) -> str:
    """Page numbers differ where all else is the same."""
    return "".join(c for c in line if not c.isdigit())


def _page(lines: Sequence[str]) -> Iterator[str]:
    """Gather lines under their headings until a passage is full."""
    heading, gathered = "", ""
    for at, line in enumerate(lines):
        after = lines[at + 1] if at + 1 < len(lines) else ""
        if _is_heading(line, gathered, after):
            if len(gathered) < _WORTH_A_PASSAGE and (heading or gathered):
                gathered = f"{gathered.rstrip()}\n{line}\n".lstrip()  # a short item
                continue
            if gathered:
                yield _joined(heading, gathered)
            heading, gathered = line, ""
            continue
        for piece in _pieces(line, MAX_CHARACTERS - len(heading) - 1):
            if gathered and len(heading) + len(gathered) + len(piece) + 2 > MAX_CHARACTERS:
                yield _joined(heading, gathered)
                gathered = ""
            gathered = f"{gathered}{_glue(gathered, piece)}{piece}"
    if gathered or heading:
        yield _joined(heading, gathered)


def _glue(before: str, piece: str) -> str:
    """Put a wrapped line back into its sentence; keep the break after a whole one."""
    if not before or before[-1] == "\n":
        return ""
    return "\n" if before[-1] in ".!?" and not piece[0].islower() else " "


def _joined(heading: str, body: str) -> str:
    return f"{heading}\n{body}".strip()


def _lines(text: str) -> Iterator[str]:
    for raw in text.split("\n"):
        line = " ".join(raw.split())
        if _says_something(line):
            yield line


def _says_something(line: str) -> bool:
    """Page numbers, rules and ornaments don't."""
    return sum(c.isalpha() for c in line) >= _MIN_LETTERS


def _is_heading(line: str, before: str, after: str) -> bool:
    """A short line that begins large and ends without a stop, between whole sentences."""
    first = next(c for c in line if c.isalnum())
    return (
        len(line) <= _HEADING_MAX
        and not first.islower()
        and line[-1] not in ".,;:!?-"
        and (not before or before[-1] in ".!?:\n")
        and not after[:1].islower()
    )


def _pieces(line: str, limit: int) -> Iterator[str]:
    """Cut a long line at sentence ends, else at spaces, else anywhere."""
    while len(line) > limit:
        ends = [m.start() for m in _SENTENCE_END.finditer(line, 0, limit)]
        at = ends[-1] if ends else line.rfind(" ", 1, limit)
        at = at if at > 0 else limit
        yield line[:at].strip()
        line = line[at:].strip()
    if line:
        yield line
