import asyncio
import os
from uuid import UUID

from aiohttp import ClientSession, web
from login import Login

from makegood import BaseJob, Catalog, Engine, JobInput, ProviderAccount
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.http.aiohttp_app import aiohttp_app
from makegood_adapters.http.v1 import OPERATIONS, Api
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore


class Poster(BaseJob):
    pool = "print shop"

    class Input(JobInput):
        motif: str
        copies: int = 1

    @classmethod
    def price_of(cls, value):
        return 20 + 5 * value.copies


async def main():
    shop = {ProviderAccount(name="shop", pool="print shop", capacity=2): ScriptedProvider()}
    async with (
        PostgresStore.open(os.environ["DATABASE_URL"], update_schema=True) as store,
        Engine(store, Catalog([Poster]), blobs=MemoryBlobs(), providers=shop) as engine,
        ClientSession(headers={"X-User": "ana"}) as ana,
    ):
        await engine.grant("ana", 100, source_ref="order-4711")
        runner = web.AppRunner(aiohttp_app(OPERATIONS, Api(engine=engine), Login()))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        order = {"type": "poster", "input": {"motif": "a lighthouse", "copies": 4}}
        async with ana.post(f"{base}/quotes", json=order) as reply:
            print("price", (await reply.json())["price"])
        async with ana.post(f"{base}/jobs", json=order, headers={"Idempotency-Key": "click-1"}) as reply:
            job = await reply.json()
            print(reply.status, "held or paid", job["price"])
        async for _ in engine.watch(UUID(job["id"])):
            pass
        async with ana.get(f"{base}/jobs/{job['id']}") as reply:
            job = await reply.json()
            print(reply.status, job["state"], job["money"])
        await runner.cleanup()


asyncio.run(main())
