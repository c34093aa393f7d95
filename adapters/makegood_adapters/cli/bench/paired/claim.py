"""What it costs to claim the next job of a long queue, against a short one."""

import time
from contextlib import AsyncExitStack

from makegood import Catalog, Engine, ProviderAccount
from makegood_adapters.cli.bench.jobs import BENCHMARK, CREDITS, Preparer, owner
from makegood_adapters.cli.bench.paired.pair import WARM_UP_ROUNDS, Pair, Way, in_milliseconds, in_turn
from makegood_adapters.cli.bench.plan import BenchError, Plan
from makegood_adapters.cli.bench.server import Databases
from makegood_adapters.cli.bench.workloads import call_together
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore, connect

SHORT = 1_000
_JOBS_PER_OWNER = 10
_GRANTERS = 32
_ROUNDS_PER_SECOND = 20
_ROUNDS_MAX = SHORT - WARM_UP_ROUNDS - 1
_ACCOUNT = ProviderAccount(name="benchmark", pool=BENCHMARK.pool, capacity=1_000_000)


async def measure(plan: Plan, databases: Databases) -> list[Pair]:
    """Claim one job at a time from a queue of *plan.jobs* jobs and from one of a thousand, ten of each owner.

    The long one has as many jobs that are over beside it, the first of them where its head was.
    """
    rounds = min(_ROUNDS_MAX, max(10, int(plan.seconds * _ROUNDS_PER_SECOND)))
    if plan.jobs < SHORT:
        raise BenchError(f"--jobs takes at least {SHORT:,} for a long queue, not {plan.jobs:,}.")
    async with AsyncExitStack() as stack:
        long = await stack.enter_async_context(PostgresStore.open(databases.product))
        short = await stack.enter_async_context(PostgresStore.open(databases.baseline))
        await _fill(long, databases.product, plan.jobs, over=plan.jobs)
        await _fill(short, databases.baseline, SHORT, over=0)
        ours, others = map(in_milliseconds, await in_turn(_claim(long), _claim(short), rounds))
    return [
        Pair(
            name=f"claim, {plan.jobs:,} jobs wait",
            unit="ms",
            ours=ours,
            other=f"{SHORT:,} jobs wait",
            others=others,
            owed=1.5,
        )
    ]


async def _fill(store: PostgresStore, dsn: str, jobs: int, *, over: int) -> None:
    """Let *over* jobs come to their end and *jobs* wait, of a tenth as many owners."""
    async with Engine(store, Catalog([BENCHMARK]), blobs=MemoryBlobs(), run_loops=False) as engine:
        names = iter([owner(number) for number in range(jobs // _JOBS_PER_OWNER)])

        async def grant(_: list[float]) -> bool:
            name = next(names, None)
            if name is not None:
                await engine.grant(name, CREDITS, kind="purchased", source_ref="benchmark")
            return name is not None

        await call_together(_GRANTERS, float("inf"), grant)
    await store.attempts.register(_ACCOUNT)
    connection = await connect(dsn)
    try:
        preparer = Preparer(connection, jobs // _JOBS_PER_OWNER)
        if over:
            await preparer.end(await preparer.queued(over))
        await preparer.queued(jobs)
        await preparer.settle()
    finally:
        await connection.close()


def _claim(store: PostgresStore) -> Way:
    async def claim() -> float:
        began = time.perf_counter()
        opened = await store.attempts.dispatch(_ACCOUNT.pool, [_ACCOUNT.name], 1)
        took = time.perf_counter() - began
        if len(opened) != 1:
            raise BenchError(f"{len(opened)} jobs were claimed where one was waiting.")
        return took

    return claim
