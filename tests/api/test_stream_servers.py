"""Answers in pieces, behind both servers: who leaves or stands still is let go, with all that was kept."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from starlette.applications import Starlette
from starlette.routing import Mount

from makegood_adapters.http.aiohttp_app import aiohttp_app
from makegood_adapters.http.asgi import asgi_app
from makegood_adapters.http.operation import Access, Call, Op, Reply, Sends
from tests.adapters.queue_manager.scene import served
from tests.api.scene import NamingGate, uvicorn_on
from tests.api.streams import PATIENCE_SECONDS


class Endless:
    """Pieces that go on until they are closed; `quiet` ones say one word and then nothing."""

    def __init__(self, piece: bytes, *, quiet: bool = False) -> None:
        self._piece, self._quiet, self.taken = piece, quiet, 0
        self._over, self.begun, self.closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def __aiter__(self) -> "Endless":
        return self

    async def __anext__(self) -> bytes:
        self.begun.set()
        if self._over.is_set():
            raise StopAsyncIteration
        if self.taken and self._quiet:
            await self._over.wait()
            raise StopAsyncIteration
        self.taken += 1
        return self._piece

    async def aclose(self) -> None:
        self.closed.set()

    def end(self) -> None:
        self._over.set()


class Endlessly:
    """What the operation shares: the pieces, which end with the server."""

    def __init__(self, pieces: Endless) -> None:
        self.pieces = pieces

    def end_streams(self) -> None:
        self.pieces.end()


async def _flow(api: Endlessly, call: Call) -> Reply:
    return Reply(200, "text/event-stream", api.pieces)


OPS = (
    Op(
        method="GET",
        path="/flow",
        name="flow",
        summary="Pieces",
        run=_flow,
        who=Access.OPEN,
        sends=Sends.EVENTS,
    ),
)


@asynccontextmanager
async def flowing(pieces: Endless, *, asgi: bool, write_seconds: float = 30.0) -> AsyncIterator[str]:
    """Serve the pieces and yield where."""
    api = Endlessly(pieces)
    if asgi:
        app = Starlette(routes=[Mount("/v1", asgi_app(OPS, api, NamingGate(), write_seconds=write_seconds))])
        async with uvicorn_on(app) as base:
            yield f"{base}/v1/flow"
    else:
        site = web.Application()
        site.add_subapp("/v1", aiohttp_app(OPS, api, NamingGate(), write_seconds=write_seconds))
        async with served(site) as page:
            yield f"{page.base}/v1/flow"


@asynccontextmanager
async def standing_still(url: str) -> AsyncIterator[socket.socket]:
    """Ask for *url* and never read a byte of the answer."""
    host, port = url.split("/")[2].split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, (host, int(port)))
    await loop.sock_sendall(client, b"GET /v1/flow HTTP/1.1\r\nHost: here\r\n\r\n")
    try:
        yield client
    finally:
        client.close()


@pytest.mark.parametrize("asgi", [False, True])
@pytest.mark.parametrize("quiet", [False, True])
async def test_who_leaves_is_let_go_also_while_there_is_nothing_to_say(asgi: bool, quiet: bool) -> None:
    pieces = Endless(b"x" * 1_000, quiet=quiet)
    async with flowing(pieces, asgi=asgi) as url, ClientSession() as session:
        async with session.get(url) as reply:
            assert await reply.content.readexactly(1_000) == b"x" * 1_000
        async with asyncio.timeout(PATIENCE_SECONDS):
            await pieces.closed.wait()


@pytest.mark.parametrize("asgi", [False, True])
async def test_who_stands_still_is_cut_off_and_nothing_is_kept_for_it(asgi: bool) -> None:
    pieces = Endless(b"x" * 1_000_000)
    async with (
        flowing(pieces, asgi=asgi, write_seconds=0.3) as url,
        standing_still(url) as client,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        await pieces.closed.wait()
        assert pieces.taken < 50, "the server stopped taking pieces when the client took none"
        end = b""
        while got := await asyncio.get_running_loop().sock_recv(client, 1_000_000):
            end = (end + got)[-5:]
        assert end != b"0\r\n\r\n", "an answer that is cut off does not look whole"


async def test_a_server_that_stops_ends_streams_at_once() -> None:
    """The session outlives the server, so nobody but the server can end it."""
    pieces = Endless(b"word\n", quiet=True)
    async with ClientSession() as session:
        async with flowing(pieces, asgi=False) as url:
            reply = await session.get(url)
            assert await reply.content.readline() == b"word\n"
        assert await reply.read() == b"", "an end in order, not one that is cut off"
        assert pieces.closed.is_set()
