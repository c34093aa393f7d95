"""A proxy that lets a fault meet the n-th request of a worker, on its way to the server or back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

from tests.adapters.postgres.proxy import Cut, Proxy, Side, both_ways, read_message

# A request is what a client sends up to a Sync, a Flush or a simple Query; see "Message Flow" in the manual
# of PostgreSQL. An answer ends when the server is ready again; after a Flush, with a statement's columns.
SYNC, FLUSH, QUERY = b"S", b"H", b"Q"
PASSWORD, TERMINATE = b"p", b"X"
READY, DESCRIBED = b"Z", (b"T", b"n", b"E")


class Fate(Enum):
    """What becomes of one request; after all but the last the client hears no more."""

    UNSENT = "cut before the request reaches the server"
    UNHEARD = "cut when the server has the request, before any answer"
    TORN = "cut in the middle of the answer's bytes"
    LOST = "cut when the server has answered, before any byte reaches the client"
    HALF_OPEN = "the answer is swallowed and the connection stays open"


class FlightProxy(Proxy):
    """Counts requests once `arm` was called; number *at* meets its fate, `struck` tells that it has."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self.at, self.fate, self.seen, self.fatal = 0, Fate.UNSENT, 0, False
        self.struck = asyncio.Event()

    def arm(self, at: int = 0, fate: Fate = Fate.UNSENT, *, fatal: bool = False) -> None:
        """Count from here; 0 lets all pass. After a *fatal* strike no other request leaves the client."""
        self.at, self.fate, self.seen, self.fatal = at, fate, 0, fatal
        self.struck.clear()

    async def _exchange(self, client: Side, server: Side) -> None:
        met, ending = False, b""  # whether this connection carries the request, and how that ends

        async def to_server() -> None:
            nonlocal met, ending
            flight = b""
            while True:
                message = await read_message(client[0])
                flight += message
                if message[:1] not in (SYNC, FLUSH, QUERY):
                    if message[:1] in (PASSWORD, TERMINATE):  # no request, and nobody answers it
                        server[1].write(flight)
                        flight = b""
                    continue
                if self.fatal and self.struck.is_set():
                    raise Cut
                self.seen += 1
                met, ending = self.seen == self.at, message[:1]
                if met and self.fate is Fate.UNSENT:
                    self.struck.set()
                    raise Cut
                server[1].write(flight)
                await server[1].drain()
                flight = b""
                if met and self.fate is Fate.UNHEARD:
                    self.struck.set()
                    raise Cut

        async def to_client() -> None:
            answer = b""
            while True:
                message = await read_message(server[0])
                if not met:
                    client[1].write(message)
                    await client[1].drain()
                    continue
                answer += message
                if message[:1] != READY and not (ending == FLUSH and message[:1] in DESCRIBED):
                    continue
                self.struck.set()
                if self.fate is Fate.TORN:
                    client[1].write(answer[: len(answer) // 2])
                    await client[1].drain()
                if self.fate is not Fate.HALF_OPEN:
                    raise Cut

        await both_ways(to_server(), to_client())


@asynccontextmanager
async def flights_to(dsn: str) -> AsyncIterator[FlightProxy]:
    """Serve a proxy before the server of *dsn*."""
    proxy = FlightProxy(dsn)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.refuse()
