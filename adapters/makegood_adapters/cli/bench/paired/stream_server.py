"""A process whose streams are measured: those of the API, or a bare fan-out from memory beside them.

It is given the address of the database, or nothing for the bare one; it says its port and ends with its
standard input. The bare one tells what it reads there: an owner, a tab, and what its readers are told.
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from makegood import Catalog, Engine
from makegood_adapters.cli.bench.jobs import BENCHMARK
from makegood_adapters.cli.bench.plan import READERS_MAX
from makegood_adapters.http import runner
from makegood_adapters.http.aiohttp_app import aiohttp_app
from makegood_adapters.http.callers import Caller, CallerKind
from makegood_adapters.http.hub import StreamLimits
from makegood_adapters.http.v1 import OPERATIONS, Api
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups


class TakesAtWord:
    """The owner is who the caller says: nobody else reaches this process, and nothing in it is anybody's."""

    async def identify(self, headers: Mapping[str, str], address: str) -> Caller:
        """Return the user that the header names."""
        owner = headers.get("authorization", "").removeprefix("Bearer ")
        return Caller(kind=CallerKind.USER, owner=owner, address=address)

    async def admit(self, caller: Caller, cost: str) -> None:
        """Let everybody in."""


class Bare:
    """What a careful hand writes without a database: a queue for each reader."""

    def __init__(self) -> None:
        self._queues: dict[str, set[asyncio.Queue[bytes]]] = defaultdict(set)
        self._number = 0

    def tell(self, owner: str, data: str) -> None:
        """Tell all readers of an owner."""
        self._number += 1
        event = f"event: transition\nid: {self._number}\ndata: {data}\n\n".encode()
        for queue in self._queues.get(owner, ()):
            queue.put_nowait(event)

    async def read(self, request: web.Request) -> web.StreamResponse:
        """Answer a reader until it leaves."""
        owner = request.headers["Authorization"].removeprefix("Bearer ")
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b":\n\n")
        self._queues[owner].add(queue)
        try:
            while event := await queue.get():
                await response.write(event)
        finally:
            self._queues[owner].discard(queue)
        return response

    def end(self) -> None:
        """Let all readers go."""
        for queues in self._queues.values():
            for queue in queues:
                queue.put_nowait(b"")


@asynccontextmanager
async def _api(dsn: str) -> AsyncIterator[web.Application]:
    catalog, blobs = Catalog([BENCHMARK]), MemoryBlobs()
    async with (
        PostgresStore.open(dsn) as store,
        PostgresWakeups(dsn) as wakeups,
        Engine(store, catalog, blobs=blobs, wakeups=wakeups, run_loops=False) as engine,
    ):
        limits = StreamLimits(streams_per_owner_max=READERS_MAX)
        app = web.Application()
        app.add_subapp(
            "/v1", aiohttp_app(OPERATIONS, Api(engine=engine, stream_limits=limits), TakesAtWord())
        )
        yield app


async def _serve(dsn: str | None, port: int) -> None:
    bare = Bare()
    async with AsyncExitStack() as stack:
        if dsn:
            app = await stack.enter_async_context(_api(dsn))
        else:
            app = web.Application()
            app.router.add_get("/v1/events", bare.read)
        server = runner(app)
        await server.setup()
        stack.push_async_callback(server.cleanup)
        await web.TCPSite(server, "127.0.0.1", port, backlog=1_024).start()
        sys.stdout.write(f"{server.addresses[0][1]}\n")
        sys.stdout.flush()
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            owner, _, data = line.decode().rstrip("\n").partition("\t")
            bare.tell(owner, data)
        bare.end()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1] or None, int(sys.argv[2]) if len(sys.argv) > 2 else 0))
