"""The table of operations as an ASGI application, to mount in FastAPI, Litestar, Starlette or Quart."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from typing import Any, cast
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send
from yarl import URL

from makegood_adapters.http.aiohttp_app import WRITE_SECONDS
from makegood_adapters.http.application import unreadable
from makegood_adapters.http.callers import Gate, joined
from makegood_adapters.http.calling import call, refusal
from makegood_adapters.http.operation import Op, Reply, Request
from makegood_adapters.http.problems import ApiProblem


def asgi_app(ops: Iterable[Op], api: Any, gate: Gate, *, write_seconds: float = WRITE_SECONDS) -> Starlette:
    """Return an application with a route for each operation: `app.mount("/v1", asgi_app(...))`."""
    by_path: dict[str, dict[str, _Endpoint]] = {}
    for op in ops:
        endpoint = _Endpoint(op, api, gate, write_seconds)
        by_path.setdefault(op.path, {}).update(dict.fromkeys(op.methods, endpoint))
    app = _Application(
        routes=[_route(path, endpoints) for path, endpoints in by_path.items()],
        exception_handlers={HTTPException: _as_problem},
    )
    app.router.redirect_slashes = False
    return app


class _Application(Starlette):
    """Routes by the path as it was sent, so that a parameter may hold a slash, as `%2F`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": _safe_path(scope)}
        await super().__call__(scope, receive, send)


def _safe_path(scope: Scope) -> str:
    """Return the path decoded but for slashes and percent signs in its parts, as aiohttp routes it."""
    path, raw = scope["path"], scope.get("raw_path")
    if not raw or unquote(sent := raw.decode("latin-1")) != path:  # somebody before us has changed the path
        return str(path).replace("%", "%25")
    return URL.build(path=sent, encoded=True).path_safe


class _Chosen:
    """The operation of a path for the method of a request."""

    def __init__(self, endpoints: Mapping[str, "_Endpoint"]) -> None:
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoints[scope["method"]](scope, receive, send)


def _route(path: str, endpoints: Mapping[str, "_Endpoint"]) -> Route:
    route = Route(path, _Chosen(endpoints), methods=list(endpoints))
    route.methods = set(endpoints)  # it adds HEAD to every GET
    return route


class _Endpoint:
    def __init__(self, op: Op, api: Any, gate: Gate, write_seconds: float) -> None:
        self._op, self._api, self._gate, self._seconds = op, api, gate, write_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = await call(self._op, self._api, self._gate, _request(scope, receive))
        typed = {"Content-Type": reply.media_type} if reply.body else {}
        headers = [(n.lower().encode(), v.encode()) for n, v in {**typed, **reply.headers}.items()]
        start: Message = {"type": "http.response.start", "status": reply.status}
        if isinstance(reply.body, bytes):
            if reply.status != 304:  # there it would tell the length of what the client has
                headers.append((b"content-length", str(len(reply.body)).encode()))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": reply.body})
            return
        async with aclosing(cast(AsyncGenerator[bytes], reply.body)) as pieces:
            await send({**start, "headers": headers})
            await self._stream(pieces, receive, send)

    async def _stream(self, pieces: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
        writing = asyncio.create_task(self._write(pieces, send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writing, leaving):
                task.cancel()
            results = await asyncio.gather(writing, leaving, return_exceptions=True)
        for error in results:
            if isinstance(error, Exception) and not isinstance(error, OSError):
                raise error  # the server cuts the connection, since the answer is not whole

    async def _write(self, pieces: AsyncIterator[bytes], send: Send) -> None:
        async for piece in pieces:
            async with asyncio.timeout(self._seconds):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(
                0
            )  # a server may take pieces at once whose client has left, which must be seen
        await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _request(scope: Scope, receive: Receive) -> Request:
    query: dict[str, list[str]] = {}
    sent = URL.build(query_string=scope["query_string"].decode("latin-1"), encoded=True)
    for name, text in sent.query.items():
        query.setdefault(name, []).append(text)
    client = scope.get("client")
    return Request(
        method=scope["method"],
        path={n: v.replace("%2F", "/").replace("%25", "%") for n, v in scope["path_params"].items()},
        query=query,
        headers=joined((n.decode("latin-1"), v.decode(*_UTF8)) for n, v in scope["headers"]),
        chunks=_chunks(receive),
        address=client[0] if client else "",
    )


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise unreadable()
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


#: How aiohttp reads headers.
_UTF8 = ("utf-8", "surrogateescape")
_CODES = {404: "not_found", 405: "method_not_allowed"}


async def _as_problem(_: StarletteRequest, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    reply: Reply = refusal(ApiProblem(_CODES.get(status, "invalid_request")))
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if allowed := headers.get("Allow"):
        headers["Allow"] = ", ".join(sorted(allowed.split(", ")))
    body = reply.body if isinstance(reply.body, bytes) else b""
    return Response(body, reply.status, headers, reply.media_type)
