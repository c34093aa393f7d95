import asyncio
import os

import uvicorn
from aiohttp import ClientSession
from fastapi import FastAPI
from login import Login

from makegood import Catalog, Engine
from makegood_adapters.http.asgi import asgi_app
from makegood_adapters.http.v1 import OPERATIONS, Api
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.toolfiles import default_tools_folder, load_tools


def application(engine):
    app = FastAPI()
    app.mount("/v1", asgi_app(OPERATIONS, Api(engine=engine), Login()))
    return app


class Server(uvicorn.Server):
    ready = asyncio.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.ready.set()


async def main():
    catalog = Catalog(load_tools(default_tools_folder()))
    async with (
        PostgresStore.open(os.environ["DATABASE_URL"], update_schema=True) as store,
        Engine(store, catalog, blobs=MemoryBlobs(), run_loops=False) as engine,
        ClientSession(headers={"X-User": "ana"}) as ana,
    ):
        server = Server(uvicorn.Config(application(engine), port=0, log_level="warning", ws="none"))
        serving = asyncio.create_task(server.serve())
        await server.ready.wait()
        port = server.servers[0].sockets[0].getsockname()[1]
        async with ana.get(f"http://127.0.0.1:{port}/v1/jobs?active=true") as reply:
            print(await reply.json())
        server.should_exit = True
        await serving


asyncio.run(main())
