"""Where the stage is served: page, API and stage on one port of this machine, around one engine."""

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from makegood import Engine
from makegood_adapters.access import AuthConfig, LimitsConfig
from makegood_adapters.cli.stage import StageError
from makegood_adapters.cli.staging.board import Board
from makegood_adapters.cli.staging.routes import stage_routes
from makegood_adapters.http import aiohttp_app, application, request_ids, runner, tell_id
from makegood_adapters.http.gatekeeper import open_gate
from makegood_adapters.http.page import page_routes
from makegood_adapters.http.v1.api import Api, PageRules
from makegood_adapters.http.v1.table import OPERATIONS

#: The port that is tried first where none is asked for, so that an open page finds the next show.
PORT = 8077


def listen(port: int | None) -> socket.socket:
    """Return a socket of this machine alone that listens on *port*; without one on PORT, or where that is
    taken on a free one. Raises StageError."""
    if port is not None and not 0 <= port <= 65_535:
        raise StageError(f"--port takes 0 to 65535, not {port}.")
    for wanted in (PORT, 0) if port is None else (port,):
        try:
            return socket.create_server(("127.0.0.1", wanted))
        except OSError as error:
            if port is None and wanted:
                continue
            told = "the port is in use" if error.errno == errno.EADDRINUSE else error.strerror
            raise StageError(
                f"The page cannot listen on 127.0.0.1:{wanted}: {told}. Stop the other program or choose "
                "another --port; 0 takes a free one."
            ) from None
    raise AssertionError("the last port is either taken or refused")


def address_of(listener: socket.socket) -> str:
    """Return where the page is."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}/page/"


@asynccontextmanager
async def open_site(listener: socket.socket, engine: Engine, board: Board) -> AsyncIterator[None]:
    """Serve on a copy of *listener*, which stays open: whoever comes between two sites waits for the next."""
    async with open_gate(engine, AuthConfig(), limits=LimitsConfig()) as gate:
        api = Api(engine=engine, page=PageRules(open=True, demo=True))
        app = application(request_ids())
        app.on_response_prepare.append(tell_id)
        app.add_routes([web.get("/", _index), *page_routes(stage="/stage"), *stage_routes(board)])
        app.add_subapp("/v1", aiohttp_app(OPERATIONS, api, gate))
        serving = runner(app)
        await serving.setup()
        try:
            await web.SockSite(serving, listener.dup()).start()
            yield
        finally:
            api.end_streams()
            board.answer()
            await serving.cleanup()


async def _index(_: web.Request) -> web.Response:
    """Show the page to whoever opens the address alone."""
    return web.Response(status=302, headers={"Location": "/page/"})
