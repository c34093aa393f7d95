"""The database stops, freezes, or is slow: loops and listeners outlive it, and every job comes to its end."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from makegood import Catalog, Engine, Job, ProviderAccount, Settings
from makegood.errors import StoreError
from makegood.ports import Store, Wakeups
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres import store as module
from makegood_adapters.postgres.embedded import EmbeddedPostgres
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups
from tests.adapters.postgres.far import pool_at
from tests.adapters.postgres.proxy import proxy_before
from tests.engine.world import BASE_URL, PRICE, Upscale

STOPS, JOBS = 3, 6
#: A frozen client gives up after half a minute; what waits for that must not be near its own end.
PATIENCE_SECONDS = 240.0
ACCOUNT = ProviderAccount(name="gpu-1", pool=Upscale.pool, capacity=3)
#: Longer than the statement time-out below, shorter than the client's own.
SLOW = (
    "create or replace function makegood.now() returns timestamptz language sql volatile parallel safe"
    " as $$ select clock_timestamp() from pg_sleep(1) $$"
)
QUICK = (
    "create or replace function makegood.now() returns timestamptz language sql stable parallel safe"
    " as $$ select clock_timestamp() $$"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """Yield a server of the test's own: others must not meet its end."""
    own = EmbeddedPostgres(tmp_path / "postgres")
    own.start()
    try:
        yield own
    finally:
        own.remove()


def an_engine(
    store: Store, blobs: MemoryBlobs, provider: ScriptedProvider, wakeups: Wakeups | None = None
) -> Engine:
    settings = Settings(
        loop_interval_seconds=0.1, loop_backoff_max_seconds=0.3, poll_interval_seconds=0.1, drain_seconds=2,
        lease_seconds=3, upload_timeout_seconds=1, submit_timeout_seconds=1, webhook_base_url=BASE_URL,
    )  # fmt: skip
    return Engine(
        store,
        Catalog([Upscale]),
        blobs=blobs,
        providers={ACCOUNT: provider},
        settings=settings,
        wakeups=wakeups,
    )


async def until(holds: Callable[[], Any]) -> None:
    """Wait until *holds*, which no row and no event tells."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - it is the state of loops
            await asyncio.sleep(0.02)


def well(engine: Engine) -> bool:
    """Whether each loop takes its turns again."""
    return all(state.healthy for state in engine.health.values())


async def order(engine: Engine, count: int) -> list[Job]:
    jobs = [await engine.submit(Upscale, "ada", {}) for _ in range(count)]
    return [await engine.accept(job.id) for job in jobs]


async def told(engine: Engine, provider: ScriptedProvider) -> None:
    """Let the provider tell of its tasks: an outcome that could not be recorded, for the server was away for
    longer than a lease, is known by nothing else."""
    for task in list(provider.tasks.values()):
        assert await engine.receive_webhook(task.token_hash, {}, task.task_id.encode())


async def over(engine: Engine, job: Job) -> str:
    """Return the job's last state; a server that is away is asked again, as any client would."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                now = await engine.get(job.id)
            except StoreError:
                continue
            if now.finished_at is not None:
                return now.state
            await asyncio.sleep(0.02)


@asynccontextmanager
async def at_work(
    dsn: str, provider: ScriptedProvider, blobs: MemoryBlobs
) -> AsyncIterator[tuple[Engine, PostgresWakeups]]:
    async with (
        PostgresStore.open(dsn) as store,
        PostgresWakeups(dsn, pause_max_seconds=0.2) as wakeups,
        an_engine(store, blobs, provider, wakeups) as engine,
    ):
        yield engine, wakeups


async def test_two_engines_outlive_a_server_that_is_stopped_at_once_three_times(
    server: EmbeddedPostgres,
) -> None:
    """`pg_ctl stop -m immediate` is SIGQUIT: nobody is waited for, every connection breaks."""
    provider, blobs, jobs = ScriptedProvider(), MemoryBlobs(), list[Job]()
    async with PostgresStore.open(server.dsn, update_schema=True) as plain:
        await plain.ledger.grant("ada", 100 * PRICE, kind="purchased", source_ref="order-1")
        async with (
            at_work(server.dsn, provider, blobs) as (one, ears_of_one),
            at_work(server.dsn, provider, blobs) as (two, ears_of_two),
        ):
            for stop in range(1, STOPS + 1):
                jobs += await order(one, JOBS)
                assert server.pid is not None
                os.kill(server.pid, signal.SIGQUIT)
                await until(lambda: server.pid is None)
                server.start()
                await until(lambda: well(one) and well(two))
                await until(lambda: min(ears_of_one.reconnects, ears_of_two.reconnects) >= stop)  # noqa: B023 - it is awaited here
            await told(two, provider)
            assert [await over(two, job) for job in jobs] == ["completed"] * STOPS * JOBS
            await until(lambda: ears_of_one.connected and ears_of_two.connected)
        assert len(provider.tasks) <= len(jobs)
        assert (await plain.audit()).violations == ()
        assert (await plain.ledger.wallet("ada")).held == 0


async def test_a_network_that_freezes_and_thaws_costs_time_and_nothing_else(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is frozen between two statements keeps its locks so long; within one, until its own client gives
    # up, which takes half a minute.
    monkeypatch.setitem(module._TIMEOUTS, "idle_in_transaction_session_timeout", "2000")
    provider, blobs = ScriptedProvider(), MemoryBlobs()
    async with proxy_before(database) as proxy, at_work(database, provider, blobs) as (near, _):
        await near.grant("ada", 100 * PRICE, source_ref="order-1")
        async with at_work(proxy.dsn, provider, blobs) as (far, ears):
            jobs = await order(near, JOBS)
            proxy.pause()
            jobs += await order(near, JOBS)
            turns = {name: state.turns for name, state in near.health.items()}
            await until(lambda: all(near.health[name].turns > turns[name] + 2 for name in turns))
            proxy.resume()
            await told(near, provider)
            assert [await over(near, job) for job in jobs] == ["completed"] * 2 * JOBS
            await until(lambda: well(far) and ears.connected)
            assert [await over(far, job) for job in await order(far, 1)] == ["completed"]
        assert len(provider.tasks) == 2 * JOBS + 1


async def test_queries_that_are_too_slow_kill_no_loop(database: str) -> None:
    """Every statement runs into the server's time-out, until the server is quick again."""
    provider, blobs = ScriptedProvider(), MemoryBlobs()
    owner = await asyncpg.connect(database)
    settings = {"statement_timeout": "500"}
    async with pool_at(database, max_size=10, server_settings=settings) as pool:
        store = PostgresStore(pool)
        async with an_engine(store, blobs, provider) as engine:
            await engine.grant("ada", PRICE, source_ref="order-1")
            await owner.execute(SLOW)
            failing = ("watchdog", "surveyor", "heartbeat")
            await until(lambda: all(engine.health[name].failures for name in failing))
            for name in failing:
                assert str(engine.health[name].last_error).startswith("StoreUnavailable")
            await owner.execute(QUICK)
            [job] = await order(engine, 1)
            assert await over(engine, job) == "completed"
            await until(lambda: well(engine))
        await store.commits.close()
    owner.terminate()
