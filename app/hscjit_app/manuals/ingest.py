"""How does a URL of the catalogue become stored passages?"""

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urljoin, urlsplit

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hscjit_app.db.inserting import insert
from hscjit_app.db.models import Chunk, Manual, utc_now
from hscjit_app.manuals import chunking, samples
from hscjit_app.manuals.fetch import FetchError, fetch_pdf
from hscjit_app.manuals.parse import Parsed, parse
from hscjit_app.manuals.wanted import Wanted
from hscjit_app.settings import Settings

_TITLE_MAX = 160


@dataclass(frozen=True)
class Document:
    """What was brought in."""

    content_hash: str
    title: str
    pages: int
    truncated: bool
    size_bytes: int
    passages: list[chunking.Passage]


def bring(wanted: Wanted, settings: Settings) -> bytes:
    """Return the PDF's bytes; raises `FetchError`."""
    base = settings.manuals_base_url
    if not urlsplit(wanted.url).scheme:
        if base is None:
            return _bundled(wanted.url)
        url = urljoin(base, wanted.url)
    else:
        url = wanted.url
    return fetch_pdf(url, settings.manuals_allowed_hosts, settings.manuals_max_bytes)


def _bundled(url: str) -> bytes:
    """Read a sample manual of the package: there is nothing to fetch it from in development."""
    path = PurePosixPath(url)
    if path.parent != PurePosixPath(samples.URL_FOLDER):
        raise FetchError(
            f"{url[:200]!r} is relative and HSCJIT_MANUALS_BASE_URL is not set", permanent=True
        )
    try:
        return samples.read(path.name)
    except samples.NoSuchSample as e:
        raise FetchError(str(e), permanent=True) from e


def digest(pdf: bytes) -> str:
    """Return the content hash: SHA-256 in hex."""
    return hashlib.sha256(pdf).hexdigest()


def read(pdf: bytes, wanted: Wanted) -> Document:
    """Parse and cut a PDF; raises `parse.ParseError`."""
    parsed = parse(pdf)
    return Document(
        content_hash=digest(pdf),
        title=_title(parsed, wanted),
        pages=parsed.pages,
        truncated=parsed.truncated,
        size_bytes=len(pdf),
        passages=chunking.chunk((page.number, page.text) for page in parsed.content),
    )


def _title(parsed: Parsed, wanted: Wanted) -> str:
    return (chunking.clean(parsed.title).strip() or wanted.title)[:_TITLE_MAX]


def known(session: Session, content_hash: str) -> Document | None:
    """Return what is stored of these very bytes already, without its passages."""
    row = session.scalars(
        select(Manual).where(Manual.content_hash == content_hash).limit(1)
    ).first()
    if row is None:
        return None
    return Document(content_hash, row.title, row.pages, row.truncated, row.size_bytes, [])


def store(session: Session, wanted: Wanted, document: Document) -> None:
    """Make this document the product's manual; its passages are stored once however many share it.

    The caller commits.
    """
    rows: list[dict[str, Any]] = [
        {
            "content_hash": document.content_hash,
            "ordinal": at,
            "page": passage.page,
            "text": passage.text,
        }
        for at, passage in enumerate(document.passages)
    ]
    for start in range(0, len(rows), 1000):
        session.execute(insert(session, Chunk).on_conflict_do_nothing(), rows[start : start + 1000])
    session.merge(
        Manual(
            product_id=wanted.product_id,
            url=wanted.url,
            content_hash=document.content_hash,
            title=document.title,
            pages=document.pages,
            truncated=document.truncated,
            size_bytes=document.size_bytes,
            fetched_at=utc_now(),
        )
    )


def forget_orphans(session: Session) -> int:
    """Delete passages that no product's manual refers to; returns how many. The caller commits."""
    used = select(Manual.content_hash)
    gone = session.execute(delete(Chunk).where(Chunk.content_hash.not_in(used)))
    return int(getattr(gone, "rowcount", 0))
