"""How soon a slot that is given back is taken by the next job, in another engine's dispatcher."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from makegood import Catalog, Engine, Failure, ProviderAccount, Settings
from makegood.mover import SUBMIT, Mover
from makegood.ports import Wakeups
from makegood.runtime import Context, Dispatcher, Health, run_all
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.cli.bench.jobs import BENCHMARK, Preparer, grant_all, text_of
from makegood_adapters.cli.bench.paired.pair import WARM_UP_ROUNDS, Pair, Way, in_milliseconds, in_turn
from makegood_adapters.cli.bench.paired.wakeup import BareBell
from makegood_adapters.cli.bench.plan import BenchError, Plan
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore, connect
from makegood_adapters.postgres.wakeups import PostgresWakeups

_ROUNDS_PER_SECOND = 20
_PATIENCE_SECONDS = 60.0
_ACCOUNT = ProviderAccount(name="benchmark", pool=BENCHMARK.pool, capacity=1)
_FAILURE = Failure(category="closed", message="The run has failed.")


async def measure(plan: Plan, dsn: str) -> list[Pair]:
    """Fail the job in the only slot, and wait until the dispatcher of another engine has started the next.

    It is held against a notification after which another connection claims a row of a bare table.
    """
    rounds = max(10, int(plan.seconds * _ROUNDS_PER_SECOND))
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(PostgresStore.open(dsn))
        wakeups = await stack.enter_async_context(PostgresWakeups(dsn))
        engine = Engine(store, Catalog([BENCHMARK]), blobs=MemoryBlobs(), wakeups=wakeups, run_loops=False)
        await stack.enter_async_context(engine)
        await grant_all(engine, plan.owners)
        await store.attempts.register(_ACCOUNT)
        connection = await connect(dsn)
        stack.push_async_callback(connection.close)
        await Preparer(connection, plan.owners).queued(rounds + WARM_UP_ROUNDS + 1)
        elsewhere = await stack.enter_async_context(PostgresStore.open(dsn))
        heard = await stack.enter_async_context(PostgresWakeups(dsn))
        bare = await _bare(stack, dsn, rounds + WARM_UP_ROUNDS)
        with heard.listen(SUBMIT) as started:

            async def next_start() -> None:
                if not await started.wait(_PATIENCE_SECONDS):
                    raise BenchError("The next job was not started: is the way to the server a pooler?")

            async def ours() -> float:
                await engine.fire(
                    await connection.fetchval(text_of("in_slot")), BENCHMARK.fail, _FAILURE, actor="benchmark"
                )
                began = time.perf_counter()
                await next_start()
                return time.perf_counter() - began

            async with _dispatcher(elsewhere, heard):
                await next_start()
                mine, others = map(in_milliseconds, await in_turn(ours, bare, rounds))
    name, other = "slot given back, next job starts", "a bare NOTIFY, then a claim of a bare row"
    return [Pair(name=name, unit="ms", ours=mine, other=other, others=others, owed=None)]


@asynccontextmanager
async def _dispatcher(store: PostgresStore, wakeups: Wakeups) -> AsyncIterator[None]:
    """Run the dispatcher alone, as that of another engine."""
    catalog, settings = Catalog([BENCHMARK]), Settings()
    mover = Mover(store, catalog, wakeups, settings, uuid.uuid4)
    context = Context(store, catalog, mover, {_ACCOUNT: ScriptedProvider()}, MemoryBlobs(), wakeups, settings)
    loop, stopping = Dispatcher(context), asyncio.Event()
    health = {loop.name: Health(loop.name)}
    running = asyncio.create_task(run_all([loop], wakeups, settings, stopping, health))
    try:
        yield
    finally:
        stopping.set()
        wakeups.wake(loop.topic)
        await running
    if error := health[loop.name].last_error:
        raise BenchError(f"The dispatcher met an error: {error}.")


async def _bare(stack: AsyncExitStack, dsn: str, rows: int) -> Way:
    """Return the way without a product: be notified, claim one row in one statement."""
    bell = await stack.enter_async_context(BareBell.open(dsn))
    claimer: asyncpg.Connection = await connect(dsn)
    stack.push_async_callback(claimer.close)
    await claimer.execute(text_of("bare_table"))
    await claimer.execute(text_of("bare_rows"), rows)

    async def claim() -> float:
        began = time.perf_counter()
        await bell.ring()
        if await claimer.fetchval(text_of("bare_claim")) is None:
            raise BenchError("There was no row left to claim.")
        return time.perf_counter() - began

    return claim
