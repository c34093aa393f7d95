"""One process that takes webhooks in, as the product does or bare: `python -m` this, with a name of a way.

It reads the address of its database from DATABASE_URL, tells its port in a line, and ends with its input.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg
from aiohttp import web

from makegood import Catalog, Engine, ProviderAccount
from makegood_adapters.cli.bench.jobs import BENCHMARK, text_of
from makegood_adapters.cli.garbage import collect_seldom
from makegood_adapters.http import application, hook_routes, runner
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.runninghub import RunningHub, RunningHubClient, open_session

#: Of every way: as many as the product has by default.
_CONNECTIONS = 10
#: Where the provider is said to be, who reads messages and is never asked.
_NOBODY = "http://127.0.0.1:1"
ACCOUNT = ProviderAccount(name="benchmark", pool=BENCHMARK.pool, capacity=1_000_000)


@asynccontextmanager
async def product(dsn: str) -> AsyncIterator[web.Application]:
    """Yield the intake of the product, whose messages are RunningHub's."""
    catalog, blobs = Catalog([BENCHMARK]), MemoryBlobs()
    async with PostgresStore.open(dsn, connections_max=_CONNECTIONS) as store, open_session() as session:
        providers = {ACCOUNT: RunningHub(RunningHubClient(session, _NOBODY, "a-key"))}
        async with Engine(store, catalog, blobs=blobs, providers=providers, run_loops=False) as engine:
            app = application()
            app.add_routes(hook_routes(engine))
            yield app


@asynccontextmanager
async def insert(dsn: str) -> AsyncIterator[web.Application]:
    """Yield a handler that does one INSERT for each request."""
    async with asyncpg.create_pool(dsn, min_size=_CONNECTIONS, max_size=_CONNECTIONS) as pool:
        receive = text_of("bare_receive")

        async def hear(request: web.Request) -> web.Response:
            raw = await request.read()
            await pool.execute(receive, request.match_info["token"], raw.decode())
            return web.json_response({"received": True})

        app = web.Application()
        app.add_routes([web.post("/hooks/{token}", hear)])
        yield app


@asynccontextmanager
async def nothing(dsn: str) -> AsyncIterator[web.Application]:
    """Yield the same handler without a database."""

    async def hear(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"received": True})

    app = web.Application()
    app.add_routes([web.post("/hooks/{token}", hear)])
    yield app


WAYS: dict[str, Callable[[str], AbstractAsyncContextManager[web.Application]]] = {
    "product": product,
    "insert": insert,
    "nothing": nothing,
}


async def main(name: str) -> None:
    """Serve until the input ends."""
    async with WAYS[name](os.environ["DATABASE_URL"]) as app:
        server = runner(app)
        await server.setup()
        try:
            await web.TCPSite(server, "127.0.0.1", 0, backlog=1_024).start()
            sys.stdout.write(f"{server.addresses[0][1]}\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)
        finally:
            await server.cleanup()


if __name__ == "__main__":
    collect_seldom()  # of every way
    asyncio.run(main(sys.argv[1]))
