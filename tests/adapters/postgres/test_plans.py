"""What the runtime reads for a job does not grow with the queue, whichever of its statements it runs."""

import asyncio
from dataclasses import dataclass

import asyncpg
import pytest

from makegood import Catalog, Engine, ProviderAccount, Settings
from makegood.ports import Cursor, JobFilter
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.cli.bench.jobs import BENCHMARK, CREDITS, Preparer, job_id, owner
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore

OWNERS = 1_000
#: So many jobs of the queue come to their end, one after the other, while the tables are watched.
LIVES = 30
#: So many of those that are over had a slot.
ATTEMPTS = 1_000
#: The tables that are as long as the history of a service; a short one is read in turn, and rightly.
GROWING = ("attempt", "bucket", "history", "hold", "job", "journal", "outbox", "posting", "wallet")
ACCOUNT = ProviderAccount(name="benchmark", pool=BENCHMARK.pool, capacity=3)
FORMER = ProviderAccount(name="former", pool=BENCHMARK.pool, capacity=ATTEMPTS)
END_THEM = """
    update makegood.job set state = 'failed', event = 'fail', operation_id = gen_random_uuid(), reason = null,
                            actor = 'test' where state = 'starting'
"""
#: Everybody has a limit, and the owners of half of the queue are paused and were looked at.
RULE_THEM = """
    insert into makegood.rule (scope, name, actor, running_max) values ('owner', '*', 'test', 1);
    insert into makegood.rule (scope, name, actor, paused_at, reason)
        select 'owner', 'owner-' || n, 'test', makegood.now(), 'test' from generate_series(500, 999) as n;
    delete from makegood.freed;
    update makegood.job j set parked = 'owner' from makegood.rule r
        where j.waiting and r.scope = 'owner' and r.name = j.owner_id and r.paused_at is not null
"""


@dataclass(frozen=True)
class Read:
    """Rows that were read of the growing tables, in turn and by an index, and transitions made meanwhile."""

    in_turn: int
    by_index: int
    moves: int


async def read_so_far(connection: asyncpg.Connection) -> Read:
    """Return what is known once every other session has ended and so told what it has read."""
    while await connection.fetchval(  # noqa: ASYNC110  # the server has no event to wait for
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        " and backend_type = 'client backend'"
    ):
        await asyncio.sleep(0)
    await connection.execute("select pg_stat_clear_snapshot()")
    row = await connection.fetchrow(
        "select sum(seq_tup_read)::bigint as in_turn,"
        " (select sum(idx_tup_read)::bigint from pg_stat_user_indexes"
        "  where schemaname = 'makegood' and relname = any($1)) as by_index,"
        " sum(n_tup_ins) filter (where relname = 'history')::bigint as moves"
        " from pg_stat_user_tables where schemaname = 'makegood' and relname = any($1)",
        list(GROWING),
    )
    assert row is not None
    return Read(*row)


async def fill(dsn: str, jobs: int, *, ruled: bool) -> None:
    """Let *jobs* wait and as many be over, as autovacuum would leave them."""
    async with (
        PostgresStore.open(dsn) as store,
        Engine(store, Catalog([BENCHMARK]), blobs=MemoryBlobs(), run_loops=False) as engine,
    ):
        for number in range(OWNERS):
            await engine.grant(owner(number), CREDITS, kind="purchased", source_ref="plans")
        connection = await asyncpg.connect(dsn)
        try:
            preparer = Preparer(connection, OWNERS)
            over = await preparer.queued(jobs)
            await store.attempts.register(FORMER)
            await store.attempts.dispatch(FORMER.pool, [FORMER.name], ATTEMPTS)
            await connection.execute(END_THEM)
            await preparer.end(over[ATTEMPTS:])
            await preparer.queued(jobs)
            if ruled:
                await connection.execute(RULE_THEM)
            await connection.execute("vacuum (analyze)")
        finally:
            await connection.close()


async def lives(dsn: str, provider: ScriptedProvider, first: int) -> None:
    """Run the whole runtime until the jobs with the numbers from *first* on have come to their end."""
    async with (
        PostgresStore.open(dsn) as store,
        Engine(
            store,
            Catalog([BENCHMARK]),
            blobs=MemoryBlobs(),
            providers={ACCOUNT: provider},
            settings=Settings(loop_interval_seconds=60),  # turns that nothing asks for would be counted too
        ) as engine,
    ):
        for number in range(first, first + LIVES):
            await engine.position(job_id(number))
        for number in range(first, first + LIVES):
            async for _ in engine.watch(job_id(number)):
                pass


async def cost(dsn: str, jobs: int, *, ruled: bool) -> tuple[float, float]:
    """Return what each transition read beside *jobs* that wait: rows in turn, and rows by an index.

    The first lives do not count: they also look at what is true of every start.
    """
    await fill(dsn, jobs, ruled=ruled)
    provider = ScriptedProvider()
    connection = await asyncpg.connect(dsn)
    try:
        await lives(dsn, provider, jobs + 1)
        before = await read_so_far(connection)
        await lives(dsn, provider, jobs + 1 + LIVES)
        after = await read_so_far(connection)
    finally:
        await connection.close()
    moves = after.moves - before.moves
    return (after.in_turn - before.in_turn) / moves, (after.by_index - before.by_index) / moves


async def test_a_page_of_jobs_reads_little_more_than_it_shows(database: str) -> None:
    await fill(database, ATTEMPTS, ruled=False)
    connection = await asyncpg.connect(database)
    try:
        before = await read_so_far(connection)
        async with PostgresStore.open(database) as store:
            for wanted in (JobFilter(owner=owner(1)), JobFilter(), JobFilter(active=True)):
                first = await store.jobs.page(wanted, 2)
                await store.jobs.page(wanted, 2, Cursor(first[-1].created_at, first[-1].id))
        after = await read_so_far(connection)
    finally:
        await connection.close()
    assert after.in_turn == before.in_turn
    # What is live is read whole, where no owner is named.
    assert after.by_index - before.by_index <= 2 * (ATTEMPTS + 10)


async def test_a_search_and_the_feed_of_the_ledger_read_by_indexes_alone(database: str) -> None:
    await fill(database, ATTEMPTS, ruled=False)
    connection = await asyncpg.connect(database)
    try:
        before = await read_so_far(connection)
        async with PostgresStore.open(database) as store:
            for text in (str(job_id(7)), "no task and no key", owner(1)):
                found = await store.jobs.page(JobFilter(search=text), 2)
                for last in found[-1:]:
                    await store.jobs.page(JobFilter(search=text), 2, Cursor(last.created_at, last.id))
            engine = Engine(store, Catalog([]), blobs=MemoryBlobs(), run_loops=False)
            page = await engine.feed(limit=20)
            await engine.feed(limit=20, after=page.next)
        after = await read_so_far(connection)
    finally:
        await connection.close()
    assert len(page.entries) == 20
    assert after.in_turn == before.in_turn
    assert after.by_index - before.by_index <= 2 * 20 * 60


@pytest.mark.timeout(300)
@pytest.mark.parametrize("ruled", [False, True], ids=["no rules", "limits and pauses"])
async def test_a_life_reads_as_much_in_a_long_queue_as_in_a_short_one(
    database: str, empty_database: str, ruled: bool
) -> None:
    async with PostgresStore.open(empty_database, update_schema=True):
        pass
    # of each way to wait more than are counted one by one for a place, which is as many in any longer queue
    _, short = await cost(empty_database, (3 if ruled else 1) * ATTEMPTS, ruled=ruled)
    in_turn, long = await cost(database, 10 * ATTEMPTS, ruled=ruled)
    assert in_turn == 0
    assert long <= 2 * short
