"""The page at `/` and its few files, read once and sent with their digest as ETag."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from fastapi import APIRouter, Request, Response

from hscjit_app.errors import NotFound

router = APIRouter(include_in_schema=False)

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True)
class _File:
    content: bytes
    media_type: str
    etag: str


@router.get("/")
async def page(request: Request) -> Response:
    """Return the page."""
    return _answer(request, "index.html")


@router.get("/favicon.ico")
async def icon(request: Request) -> Response:
    """Return the icon browsers ask for unasked."""
    return _answer(request, "icon.svg")


@router.get("/web/{name}")
async def file(name: str, request: Request) -> Response:
    """Return one of the page's files."""
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    found = _files().get(name)
    if found is None:
        raise NotFound(f"The page has no file {name[:80]!r}")
    headers = {"ETag": found.etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


@cache
def _files() -> dict[str, _File]:
    """All files by name; only these can ever be asked for, so no path can lead elsewhere."""
    found = {}
    for entry in resources.files("hscjit_app").joinpath("web").iterdir():
        media_type = _TYPES.get(entry.name.rpartition(".")[2])
        if media_type is not None and entry.is_file():
            content = entry.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
            found[entry.name] = _File(content, media_type, etag)
    return found
