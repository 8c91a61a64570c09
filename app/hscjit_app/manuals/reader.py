"""Reads one PDF in a process of its own, where a hostile file can hurt nobody.

Run by path as `python -I reader.py <max pages> <max characters> <address space> <CPU seconds>`; it
imports nothing of the app. The PDF comes on stdin; on stdout go JSON lines: the title and page
count first, then each page's text, then `{"end": true}`. The limits are set before pdfium loads.
"""

import json
import resource
import sys
from typing import Any


def main() -> int:
    """Read, speak, leave; exit code 3 = this is no PDF we can open."""
    max_pages, max_characters, address_space, cpu_s = map(int, sys.argv[1:5])
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    import pypdfium2  # noqa: PLC0415  # after the limits, which it shall feel too

    try:
        document = pypdfium2.PdfDocument(sys.stdin.buffer.read())
        pages = len(document)
        title = document.get_metadata_value("Title")
    except pypdfium2.PdfiumError as e:
        say({"error": str(e)[:200]})
        return 3
    say({"title": title[:300], "pages": pages})
    left = max_characters
    for index in range(min(pages, max_pages)):
        text = read_page(document, index)[:left]
        left -= len(text)
        say({"page": index + 1, "text": text})
        if left <= 0:
            break
    say({"end": True, "truncated": pages > max_pages or left <= 0})
    return 0


def read_page(document: Any, index: int) -> str:
    """Return a page's text; a page that can't be read is empty, the others still count."""
    import pypdfium2  # noqa: PLC0415

    try:
        page = document[index]
        text_page = page.get_textpage()
        text: str = text_page.get_text_bounded()
        text_page.close()
        page.close()
    except pypdfium2.PdfiumError:
        return ""
    return text


def say(line: dict[str, Any]) -> None:
    """Write one JSON line."""
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    sys.exit(main())
