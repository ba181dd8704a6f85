"""The page: plain files, read once, sent with their hash so that a browser keeps them."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.params import FromPath

from acclimate.errors import NotFoundError
from acclimate.serve.reading import FOR_PEOPLE

_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}


@get("/", media_type=MediaType.HTML, include_in_schema=False, opt={FOR_PEOPLE: True})
async def page() -> Response[bytes]:
    """Send the page, whatever the address asks; its script reads there which user to begin with."""
    return read_page("index.html")


@get("/page/{name:str}", include_in_schema=False)
async def page_file(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
    """Send one of the page's files; 304 if the browser has it."""
    if name not in _names():
        raise NotFoundError(f"no file /page/{name[:80]}", code="no_such_route")
    return read_page(name, request.headers.get("if-none-match"))


@get("/favicon.ico", include_in_schema=False)
async def favicon() -> Response[bytes]:
    """Send the icon to browsers that ask for it without reading the page."""
    return read_page("favicon.svg")


@cache
def _names() -> frozenset[str]:
    names = (entry.name for entry in files("acclimate.serve").joinpath("page").iterdir())
    return frozenset(name for name in names if name.rpartition(".")[2] in _TYPES)


@cache
def _read(name: str) -> tuple[bytes, str]:
    content = files("acclimate.serve").joinpath("page", name).read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def read_page(name: str, known: str | None = None) -> Response[bytes]:
    """Return a file of the page.

    Args:
        name: File name in ``page/``.
        known: The ETag that the browser has, if any.
    """
    content, tag = _read(name)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    media_type = _TYPES[name.rpartition(".")[2]]
    if known == tag:
        return Response(b"", status_code=304, headers=headers, media_type=media_type)
    return Response(content, headers=headers, media_type=media_type)
