"""The orderly end of an engine whose database has stopped to answer: it has an end, too."""

import asyncio
from datetime import timedelta

from makegood import BaseJob, Catalog, Engine, ProviderAccount, Settings
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.postgres.proxy import Proxy

#: Far below what all tries of one transaction take, and far above what the end does.
PATIENCE_SECONDS = 60.0
QUICK = Settings(
    loop_interval_seconds=0.01, worker_beat_seconds=0.01, drain_seconds=0, drain_submit_seconds=0
)


class Plain(BaseJob):
    """A job type with its usual states."""

    name = "plain"
    fetch_deadline = timedelta(hours=1)


async def test_an_engine_whose_database_is_frozen_comes_to_its_end(proxy: Proxy) -> None:
    account, asked = ProviderAccount(name="gpu-1", pool="gpu", capacity=1), {"dispatcher", "heartbeat"}
    async with asyncio.timeout(PATIENCE_SECONDS), PostgresStore.open(proxy.dsn) as store:
        engine = Engine(
            store,
            Catalog([Plain]),
            blobs=MemoryBlobs(),
            providers={account: ScriptedProvider()},
            settings=QUICK,
        )
        async with engine:
            proxy.pause()
            while any(engine.health[name].began_at is None for name in asked):  # noqa: ASYNC110 - a turn tells nobody that it began
                await asyncio.sleep(0.01)
        proxy.resume()
    assert all(health.over for health in engine.health.values())
