"""Serve the files of the page with a strict policy, in aiohttp and in ASGI applications."""

import hashlib
import html
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web

Message = MutableMapping[str, Any]
Asgi = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

STATIC = Path(__file__).with_name("static")
_INDEX = "index.html"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
#: Nothing from elsewhere, nothing inline; pictures and films of jobs are made from what the API sent.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]


def page_routes(api: str = "/v1", *, stage: str | None = None, prefix: str = "/page") -> list[web.RouteDef]:
    """Return aiohttp routes that serve the page under *prefix*: `app.add_routes(page_routes())`.

    *api* is where the browser finds the API, as an address from the root of this host (`/v1`), or relative
    to the page (`../v1`), which also works behind a proxy that takes a part of the path away. *stage* is
    where the buttons of a demonstration are, None where there are none.
    """
    files = _files(api, stage)
    leaf = prefix.rsplit("/", 1)[1]

    async def file(request: web.Request) -> web.Response:
        answer = _answer(files, request.match_info["path"], request.headers.get("If-None-Match"))
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    async def slash(request: web.Request) -> web.Response:
        return web.Response(
            status=308, headers={"Location": _with_query(f"{leaf}/", request.rel_url.raw_query_string)}
        )

    return [web.get(prefix, slash), web.get(prefix + "/{path:.*}", file)]


def asgi_page(api: str = "/v1", *, stage: str | None = None) -> Asgi:
    """Return an ASGI application that serves the page: `app.mount("/page", asgi_page())`.

    *api* and *stage* are as in `page_routes`.
    """
    files = _files(api, stage)

    async def app(scope: Message, receive: Callable[[], Awaitable[Message]], send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError("the page is asked for over HTTP alone")
        if scope["method"] not in ("GET", "HEAD"):
            answer = _Answer(405, b"", {"Allow": "GET, HEAD"})
        else:
            path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
            sent = dict(scope["headers"]).get(b"if-none-match")
            answer = _answer(files, path, sent.decode("latin-1") if sent else None)
        headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
        if answer.status != 304:
            headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})

    return app


def to_page(request: web.Request) -> web.Response | None:
    """Return the way to the page for a browser that was given nothing but the address of the service, None
    for programs."""
    if "text/html" not in request.headers.get("Accept", ""):
        return None
    return web.Response(status=302, headers={"Location": "page/", "Vary": "Accept"})


def _with_query(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


@cache
def _files(api: str, stage: str | None) -> Mapping[str, tuple[bytes, Mapping[str, str]]]:
    """Return content and headers of each file by its path."""
    found = {}
    for path in sorted(STATIC.rglob("*")):
        if path.suffix not in _TYPES:
            continue
        content, name = path.read_bytes(), path.relative_to(STATIC).as_posix()
        if name == _INDEX:
            content = _told(content.decode(), api, stage).encode()
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        found[name] = content, {**_HEADERS, "Content-Type": _TYPES[path.suffix], "ETag": tag}
    return found


def _told(index: str, api: str, stage: str | None) -> str:
    """Return the first file with the addresses that its scripts call."""
    metas = {"makegood-api": api, "makegood-stage": stage}
    lines = [f'<meta name="{name}" content="{html.escape(at)}">' for name, at in metas.items() if at]
    return index.replace("<!-- addresses -->", "\n".join(lines))


def _answer(files: Mapping[str, tuple[bytes, Mapping[str, str]]], path: str, known: str | None) -> _Answer:
    """Return the file at *path*, or that the one which the browser has is still it."""
    if (file := files.get(path or _INDEX)) is None:
        return _Answer(404, b"There is no such file.", {**_HEADERS, "Content-Type": _TYPES[".txt"]})
    content, headers = file
    tags = {tag.strip().removeprefix("W/") for tag in (known or "").split(",")}
    return _Answer(304, b"", headers) if headers["ETag"] in tags else _Answer(200, content, headers)
