"""Run one benchmark: make its databases, measure, check the books of both."""

import statistics
from contextlib import AsyncExitStack

import asyncpg

from makegood import Catalog, Engine, Settings
from makegood_adapters.cli.bench.baseline import Baseline, find_pgbench
from makegood_adapters.cli.bench.books import check_books
from makegood_adapters.cli.bench.figures import Against, Figures, Run, alternate
from makegood_adapters.cli.bench.jobs import BENCHMARK, Preparer, grant_all
from makegood_adapters.cli.bench.lifecycle import Lifecycle
from makegood_adapters.cli.bench.plan import Plan
from makegood_adapters.cli.bench.server import Meter, copy_product, databases_on
from makegood_adapters.cli.bench.workloads import Accept, Refund, Transitions, Workload
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore, connect

#: Jobs that are accepted were submitted by the same process, however many were prepared.
_REMEMBERED = 1_000_000
NO_PGBENCH = "there is no pgbench; pip install 'makegood[demo]' brings one"
BASELINES = {
    "accept": "pgbench, one hand-written statement for each accepted job",
    "transitions": "pgbench, one hand-written statement for each transition",
}


async def measure(plan: Plan, dsn: str, loop: str) -> Figures:
    """Measure on the server at *dsn* and return the figures; BooksDisagree when they do not count."""
    program = find_pgbench()
    async with AsyncExitStack() as stack:
        databases = await stack.enter_async_context(databases_on(dsn))
        async with PostgresStore.open(databases.product) as store, _engine(store) as engine:
            await grant_all(engine, plan.owners)
        await copy_product(dsn, databases)
        ours = await _connect(stack, databases.product)
        theirs = await _connect(stack, databases.baseline)
        meter = await stack.enter_async_context(Meter.open(databases.product))
        store = await stack.enter_async_context(PostgresStore.open(databases.product))
        workload, plain, engine = _workloads(plan, store, Preparer(ours, plan.owners))
        await stack.enter_async_context(engine)
        baseline = None
        if program:
            jobs = Preparer(theirs, plan.owners)
            baseline = Baseline(program, databases.baseline, theirs, jobs, meter, workload.script)
        run = await alternate(plan, workload, plain, baseline, meter)
        counted = run.counted + workload.prepared + (plain.prepared if plain else 0)
        await check_books(ours, "makegood", counted, all_completed=isinstance(workload, Lifecycle))
        if baseline:
            await check_books(theirs, "pgbench", baseline.transitions, baseline.transitions_max)
        units = sum(len(part.latencies) for part in run.slices)
        return Figures(
            plan=plan,
            unit=workload.unit,
            server=await meter.version(),
            loop=loop,
            lax=tuple(await meter.lax()),
            slices=tuple(run.slices),
            jobs=units // workload.units_per_job,
            transitions=units // workload.units_per_job * workload.transitions_per_job,
            usage=run.usage,
            against=_against(workload, baseline, run),
            batches=store.commits.batches,
            plain_rate=statistics.median(part.rate for part in run.plain) if plain else None,
        )


def _engine(store: PostgresStore) -> Engine:
    remembers = Settings(snapshots_max=_REMEMBERED)
    return Engine(store, Catalog([BENCHMARK]), blobs=MemoryBlobs(), settings=remembers, run_loops=False)


def _workloads(
    plan: Plan, store: PostgresStore, preparer: Preparer
) -> tuple[Workload, Workload | None, Engine]:
    """Return what is measured, the plain transitions beside it where it is compared with them, its engine."""
    if plan.name == "lifecycle":
        lives = Lifecycle(store, preparer, plan)
        return lives, None, lives.engine
    engine = _engine(store)
    if plan.name == "refund":
        return Refund(engine, preparer, plan), Transitions(engine, preparer, plan), engine
    kind = Accept if plan.name == "accept" else Transitions
    return kind(engine, preparer, plan), None, engine


def _against(workload: Workload, baseline: Baseline | None, run: Run) -> Against:
    name = BASELINES[workload.script]
    if baseline is None:
        return Against(name, None, None, missing=NO_PGBENCH)
    return Against(name, statistics.median(run.baseline), baseline.clients, baseline.postgres_us)


async def _connect(stack: AsyncExitStack, dsn: str) -> asyncpg.Connection:
    connection = await connect(dsn)
    stack.push_async_callback(connection.close)
    return connection
