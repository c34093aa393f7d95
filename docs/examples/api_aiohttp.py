import asyncio
import os

from aiohttp import ClientSession, web
from login import Login

from makegood import Catalog, Engine
from makegood_adapters.http.aiohttp_app import aiohttp_app
from makegood_adapters.http.v1 import OPERATIONS, Api
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.toolfiles import default_tools_folder, load_tools


def application(engine):
    app = web.Application()
    app.add_subapp("/v1", aiohttp_app(OPERATIONS, Api(engine=engine), Login()))
    return app


async def main():
    catalog = Catalog(load_tools(default_tools_folder()))
    async with (
        PostgresStore.open(os.environ["DATABASE_URL"], update_schema=True) as store,
        Engine(store, catalog, blobs=MemoryBlobs(), run_loops=False) as engine,
        ClientSession(headers={"X-User": "ana"}) as ana,
    ):
        await engine.grant("ana", 500, source_ref="order-4711")
        runner = web.AppRunner(application(engine))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        async with ana.get(f"{base}/wallet") as reply:
            print("available", (await reply.json())["available"])
        async with ana.get(f"{base}/job-types/upscaler") as reply:
            print((await reply.json())["label"])
        await runner.cleanup()


asyncio.run(main())
