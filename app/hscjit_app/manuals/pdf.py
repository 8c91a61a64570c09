"""How is a plain text PDF written? The same text always gives the same bytes.

Two of the fonts every reader has, one column, one content stream a page, nothing compressed: the
file can be read with an editor. pdfium, which reads the users' manuals, would put the present time
and a random id into what it saves.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Style = Literal["title", "heading", "body", "note"]

_WIDTH, _HEIGHT, _MARGIN = 595, 842, 60
_FOOT = 40
_FONTS: dict[Style, tuple[str, int, int, int]] = {
    # font, size, leading, characters that fit between the margins
    "title": ("F2", 20, 30, 44),
    "heading": ("F2", 12, 24, 74),
    "body": ("F1", 10, 14, 92),
    "note": ("F1", 8, 12, 110),
}


@dataclass(frozen=True)
class Block:
    """One paragraph."""

    style: Style
    text: str


def write(title: str, pages: Sequence[Sequence[Block]], foot: str) -> bytes:
    """Return a PDF; `foot` stands on every page, with the page's number.

    Raises ValueError when a page has more than fits on it.
    """
    kids = " ".join(f"{_page_id(at)} 0 R" for at in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        _font("Helvetica"),
        _font("Helvetica-Bold"),
        f"<< /Title ({_escape(title)}) /Creator (hscjit) >>",
    ]
    for at, blocks in enumerate(pages):
        stream = _stream(blocks, f"{foot}   Page {at + 1} of {len(pages)}")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_WIDTH} {_HEIGHT}] "
            f"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> /Contents {_page_id(at) + 1} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    return _assemble(objects)


def _page_id(at: int) -> int:
    return 6 + 2 * at


def _font(name: str) -> str:
    return f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>"


def _stream(blocks: Sequence[Block], foot: str) -> str:
    y = _HEIGHT - _MARGIN
    shown = []
    for block in blocks:
        font, size, leading, fits = _FONTS[block.style]
        y -= leading - size if block.style == "body" else leading // 2
        for line in textwrap.wrap(block.text, fits):
            y -= leading
            shown.append(_line(font, size, y, line))
    if y < _MARGIN:
        raise ValueError(f"The page {blocks[0].text!r} is too long by {_MARGIN - y} points")
    shown.append(_line("F1", 8, _FOOT, foot))
    return "\n".join(shown)


def _line(font: str, size: int, y: int, text: str) -> str:
    return f"BT /{font} {size} Tf {_MARGIN} {y} Td ({_escape(text)}) Tj ET"


def _escape(text: str) -> str:
    """Escape for a PDF string; letters outside ASCII as octal of their Windows-1252 code."""
    shown = []
    for byte in text.encode("cp1252"):
        char = chr(byte)
        if char in "()\\":
            shown.append("\\" + char)
        else:
            shown.append(char if " " <= char <= "~" else f"\\{byte:03o}")
    return "".join(shown)


def _assemble(objects: Sequence[str]) -> bytes:
    """Number the objects and write where each begins."""
    body = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode("ascii")
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    start = len(body)
    body += (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 5 0 R >>\n"
        f"startxref\n{start}\n%%EOF\n"
    ).encode("ascii")
    return bytes(body)
