"""`/realtime/v1/websocket`: pages hear of changes of their rows, each user of its own.

Nobody asks the database while nothing happens: all sockets hear of the one reader of the stream in this
process (`http/hub.py`). A row that changed between the page's last look at it and its join is sent right
after the join, so that nothing in between is lost; what comes after that is sent in the order of the job's
life, each change once. After a lost connection the library joins anew, and hears the present row again.
"""

import asyncio

from aiohttp import WSCloseCode, web

from makegood_adapters.http.application import Refused, contain_errors
from makegood_adapters.queue_manager.realtime_callers import Admission
from makegood_adapters.queue_manager.realtime_frames import OBJECTS, VERSIONS
from makegood_adapters.queue_manager.realtime_socket import House, Socket

_AGAIN_SECONDS = "5"


def realtime_app(house: House, admission: Admission) -> web.Application:
    """Return the application below `/realtime/v1`, whose sockets are closed when it is shut down."""
    realtime, app = Realtime(house, admission), web.Application(middlewares=[contain_errors()])
    app.add_routes([web.get("/websocket", realtime.connect, allow_head=False)])
    app.on_shutdown.append(realtime.close)
    return app


class Realtime:
    """The sockets of one process, and the route that opens them."""

    def __init__(self, house: House, admission: Admission) -> None:
        self._house, self._admission = house, admission
        self._open: set[Socket] = set()

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Open a socket and serve it until it is closed."""
        limits, version = self._house.limits, request.query.get("vsn", OBJECTS)
        if version not in VERSIONS:
            raise Refused(400, f"This service speaks {' and '.join(VERSIONS)} of the protocol.")
        address, again = await self._admission.let_in(request), {"Retry-After": _AGAIN_SECONDS}
        if len(self._open) >= limits.sockets_max:
            raise Refused(503, "No further socket can be opened now.", headers=again)
        strangers = sum(1 for each in self._open if each.address == address and each.is_strangers)
        if strangers >= limits.strangers_per_address_max:
            raise Refused(429, "Too many sockets are open on which nobody has signed in.", headers=again)
        wire = web.WebSocketResponse(
            timeout=limits.close_seconds,
            autoping=False,  # pings count as messages
            compress=False,  # else a small message may grow large
            max_msg_size=limits.message_bytes_max,
        )
        if not wire.can_prepare(request).ok:
            raise Refused(426, "This is the address of a WebSocket.", headers={"Upgrade": "websocket"})
        await wire.prepare(request)
        bearers = self._admission.bearers_of(request)
        socket = Socket(self._house, bearers, wire, version, request.transport, address)
        self._open.add(socket)
        try:
            await socket.serve()
        finally:
            self._open.discard(socket)
        return wire

    async def close(self, _: web.Application) -> None:
        """Close all sockets, for the server stops; their clients come back to another one."""
        told = "The server stops."
        await asyncio.gather(*(socket.end(WSCloseCode.GOING_AWAY, told) for socket in list(self._open)))
