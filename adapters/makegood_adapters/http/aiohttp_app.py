"""The table of operations as an aiohttp application, to run by itself or as a part of another one."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

from aiohttp import web

from makegood_adapters.http.application import Refused, chunks_of, contain_errors, log, route_of
from makegood_adapters.http.callers import Gate, joined
from makegood_adapters.http.calling import call, refusal
from makegood_adapters.http.cors import Cors
from makegood_adapters.http.operation import Op, Reply, Request
from makegood_adapters.http.problems import ApiProblem

#: How long a client may take nothing of an answer that comes in pieces before it is cut off.
WRITE_SECONDS = 30.0
#: How soon it is seen that a client has left to whom nothing is written.
_LEFT_SECONDS = 1.0


def aiohttp_app(
    ops: Iterable[Op],
    api: Any,
    gate: Gate,
    *,
    write_seconds: float = WRITE_SECONDS,
    cors: Cors | None = None,
) -> web.Application:
    """Return an application with a route for each operation: `app.add_subapp("/v1", aiohttp_app(...))`.

    *cors* tells which pages of other origins may call, `api_cors(["https://shop.example"])`; None: none.
    """
    app = web.Application(middlewares=[contain_errors(_as_problem)])
    if cors is not None:
        cors.install(app)
    clients = Clients()
    for op in ops:
        handle = _handler(op, api, gate, clients, write_seconds)
        path = re.sub(r"{(\w+)}", r"{\1:[^/]+}", op.path)  # its own pattern leaves braces out
        for method in op.methods:
            app.router.add_route(method, path, handle)

    async def end_streams(_: web.Application) -> None:
        api.end_streams()

    app.on_shutdown.append(end_streams)
    return app


class Clients:
    """Ends the handlers of clients that have left: aiohttp tells a handler only when it writes, and one that
    tells what happens may have nothing to write for long."""

    def __init__(self) -> None:
        self._open: dict[asyncio.Task[Any], web.Request] = {}
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def watched(self, request: web.Request) -> Iterator[None]:
        """Cancel the present task when the client of *request* has left."""
        task = asyncio.current_task()
        assert task is not None, "a handler runs in a task"
        self._open[task] = request
        if self._timer is None:
            self._look()
        try:
            yield
        finally:
            del self._open[task]
            if self._timer and not self._open:
                self._timer.cancel()
                self._timer = None

    def _look(self) -> None:
        for task, request in self._open.items():
            if request.transport is None:
                task.cancel()
        self._timer = asyncio.get_running_loop().call_later(_LEFT_SECONDS, self._look)


def _handler(op: Op, api: Any, gate: Gate, clients: Clients, write_seconds: float) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await answer(request, await call(op, api, gate, request_of(request)), clients, write_seconds)

    return handle


async def answer(
    request: web.Request, reply: Reply, clients: Clients, write_seconds: float
) -> web.StreamResponse:
    """Answer *request* with *reply*; whoever takes nothing of it for *write_seconds* is cut off."""
    if isinstance(reply.body, bytes):
        headers = {"Content-Type": reply.media_type, **reply.headers} if reply.body else reply.headers
        return web.Response(status=reply.status, body=reply.body, headers=headers)
    async with aclosing(reply.body) as pieces:  # type: ignore[type-var]  # all of ours can be closed
        with clients.watched(request):
            return await _stream(request, reply, pieces, write_seconds)


def request_of(request: web.Request) -> Request:
    """Return aiohttp's request as operations know one."""
    query: dict[str, list[str]] = {}
    for name, text in request.query.items():
        query.setdefault(name, []).append(text)
    return Request(
        method=request.method,
        path=dict(request.match_info),
        query=query,
        headers=joined(request.headers.items()),
        chunks=chunks_of(request),
        address=request.remote or "",
    )


async def _stream(
    request: web.Request, reply: Reply, pieces: AsyncIterator[bytes], seconds: float
) -> web.StreamResponse:
    response = web.StreamResponse(
        status=reply.status, headers={"Content-Type": reply.media_type, **reply.headers}
    )
    try:
        await response.prepare(request)
        async for piece in pieces:
            async with asyncio.timeout(seconds):
                await response.write(piece)
        async with asyncio.timeout(seconds):
            await response.write_eof()
    except ConnectionError:
        pass  # the client left
    except TimeoutError:
        _cut(request)  # it takes nothing, so it would not take an end either
    except Exception:
        log.exception("%s %s broke off", request.method, route_of(request))
        _cut(request)  # the answer has begun; nothing but its end can tell that it is not whole
    return response


def _cut(request: web.Request) -> None:
    if request.transport:
        request.transport.abort()


_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


def _as_problem(refused: Refused) -> web.Response:
    """Return what the framework refuses, such as a path that leads nowhere, as a problem."""
    code = _CODES.get(refused.status, "internal" if refused.status >= 500 else "invalid_request")
    reply = refusal(ApiProblem(code))
    body = reply.body if isinstance(reply.body, bytes) else b""
    return web.Response(status=reply.status, body=body, headers={"Content-Type": reply.media_type})
