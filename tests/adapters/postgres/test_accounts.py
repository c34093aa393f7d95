"""Accounts under real concurrency and plain SQL: nobody overshoots, and one at a time means one at a time."""

import asyncio

import asyncpg
import pytest

from makegood.job import Attempt, ProviderAccount
from makegood.outcome import Capacity
from makegood.ports import Store
from makegood.testing.drive import (
    GROW_SECONDS,
    LEASE_SECONDS,
    PLAIN,
    PRICE,
    Drive,
    accounts,
    edge_of,
    token_hash,
)
from makegood_adapters.postgres.refusal import DatabaseRefusal
from makegood_adapters.postgres.store import PostgresStore
from tests.roles import login

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
ON_THE_WAY = "SELECT count(*) FROM makegood.attempt WHERE account = $1 AND phase IN ('opened', 'submitting')"
SUBMITTING = "SELECT count(*) FROM makegood.attempt WHERE account = $1 AND phase = 'submitting'"


async def test_submissions_of_an_exclusive_account_take_turns_over_all_processes(
    drive: Drive, other_store: PostgresStore, plain: asyncpg.Connection
) -> None:
    n = 24
    await drive.grant(n * PRICE)
    pool = await drive.pool(n, exclusive=True)
    await drive.queued(pool, n)
    done: list[Attempt] = []
    watching = asyncio.Lock()

    async def work(store: Store) -> None:
        while len(done) < n:
            await store.attempts.dispatch(pool, accounts(pool), n)
            async with watching:
                assert await plain.fetchval(ON_THE_WAY, *accounts(pool)) <= 2
            for attempt in await store.attempts.claim(accounts(pool), 10, LEASE_SECONDS):
                assert await store.attempts.intend(attempt, token_hash(attempt), LEASE_SECONDS)
                async with watching:
                    assert await plain.fetchval(SUBMITTING, *accounts(pool)) == 1
                job = await store.jobs.get(attempt.job_id)
                assert job is not None
                await Drive(store, drive.advance).take(job, edge_of(PLAIN, "starting", "begin"))
                done.append(attempt)

    await asyncio.gather(*(work(store) for store in (drive.store, other_store) * 3))
    assert len({attempt.job_id for attempt in done}) == len(done) == n
    assert await drive.slots(pool) == (n, 0)


async def test_refusals_during_dispatching_never_let_the_account_overshoot(
    drive: Drive, other_store: PostgresStore
) -> None:
    await drive.grant(100 * PRICE)
    for _ in range(8):
        pool = await drive.pool(6)
        refused = [await drive.submit(await drive.to("starting", pool=pool)) for _ in range(3)]
        attempts = [await drive.attempt(job) for job in refused]
        await drive.queued(pool, 6)
        dispatch = [store.attempts.dispatch(pool, accounts(pool), 3) for store in (drive.store, other_store)]
        shrink = [other_store.attempts.shrink(attempt) for attempt in attempts]
        await asyncio.gather(*dispatch, *shrink)
        use = await drive.use(pool)
        assert use.learned == 2
        assert await drive.store.attempts.dispatch(pool, accounts(pool), 9) == []
        assert (await drive.store.audit()).violations == ()


async def test_many_that_are_accepted_at_one_moment_make_the_limit_grow_by_one(
    drive: Drive, other_store: PostgresStore, plain: asyncpg.Connection
) -> None:
    await drive.grant(100 * PRICE)
    for _ in range(5):
        pool = await drive.pool(20)
        jobs = [await drive.submit(await drive.to("starting", pool=pool)) for _ in range(6)]
        sql = "UPDATE makegood.provider_account SET learned = 2, learned_at = makegood.now() WHERE name = $1"
        await plain.execute(sql, *accounts(pool))
        await drive.advance(GROW_SECONDS)
        begin = edge_of(PLAIN, "starting", "begin")
        drives = [drive, Drive(other_store, drive.advance)]
        await asyncio.gather(*(drives[n % 2].take(job, begin) for n, job in enumerate(jobs)))
        assert (await drive.use(pool)).learned == 3


async def test_a_claim_waits_for_whoever_decides_about_the_exclusive_account(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    await drive.grant()
    pool = await drive.pool(3, exclusive=True)
    await drive.to("starting", pool=pool)
    transaction = plain.transaction()
    await transaction.start()
    await plain.execute("SELECT 1 FROM makegood.provider_account FOR NO KEY UPDATE")
    claim = asyncio.ensure_future(drive.store.attempts.claim(accounts(pool), 10, LEASE_SECONDS))
    while not (claim.done() or await plain.fetchval(WAITING)):
        continue
    assert not claim.done()
    await transaction.commit()
    assert len(await claim) == 1


async def test_of_many_workers_one_surveys(drive: Drive, other_store: PostgresStore) -> None:
    pools = [await drive.pool() for _ in range(5)]
    names = [name for pool in pools for name in accounts(pool)]
    taken = await asyncio.gather(
        *(store.attempts.to_survey(names, 600) for store in (drive.store, other_store) * 4)
    )
    assert sorted(name for found in taken for name in found) == sorted(names)


@pytest.mark.parametrize("column", ["capacity", "capacity_since"])
async def test_the_capacity_is_computed_whatever_is_written(
    drive: Drive, plain: asyncpg.Connection, column: str
) -> None:
    await drive.pool(3)
    sql = "SELECT capacity, capacity_since FROM makegood.provider_account"
    before = await plain.fetchrow(sql)
    value = "99" if column == "capacity" else "now() + interval '1 day'"
    await plain.execute(f"UPDATE makegood.provider_account SET {column} = {value}")
    assert await plain.fetchrow(sql) == before


@pytest.mark.parametrize(
    ("change", "capacity"),
    [
        ("configured = 7", 7),
        ("configured = NULL", 1),
        ("configured = NULL, told = 4", 4),
        ("told = 4", 3),
        ("learned = 2", 2),
        ("learned = 9", 3),
        ("problem = 'x', problem_since = now()", 3),
    ],
)
async def test_whoever_changes_a_limit_changes_the_slots(
    drive: Drive, plain: asyncpg.Connection, change: str, capacity: int
) -> None:
    pool = await drive.pool(3)
    await plain.execute(f"UPDATE makegood.provider_account SET {change}")
    assert (await drive.use(pool)).capacity == capacity


@pytest.mark.parametrize(
    "change", ["learned = 0", "configured = -1", "told = -1", "problem = 'x'", "grow_seconds = 0"]
)
async def test_limits_that_make_no_sense_are_refused(
    drive: Drive, plain: asyncpg.Connection, change: str
) -> None:
    await drive.pool(3)
    with pytest.raises(asyncpg.CheckViolationError):
        await plain.execute(f"UPDATE makegood.provider_account SET {change}")


async def test_a_worker_keeps_accounts_and_an_api_only_reads_them(drive: Drive, database: str) -> None:
    await drive.grant()
    pool = await drive.pool(3, exclusive=True)
    [name] = accounts(pool)
    job = await drive.submit(await drive.to("starting", pool=pool))
    attempt = await drive.attempt(job)
    await drive.store.attempts.doubt(attempt, "timed out")
    account = ProviderAccount(name=name, pool=pool, exclusive=True)
    bounds = {"gap_seconds": 60.0, "settle_seconds": 60.0}
    async with login(database, "worker") as worker, PostgresStore.open(worker) as store:
        reading = await store.attempts.begin_reading(name)
        assert reading is not None
        assert await store.attempts.end_reading(reading, 0, **bounds) == []
        await store.attempts.register(account)
        assert await store.attempts.to_survey([name], 60) == [name]
        await store.attempts.unanswered(name, "no answer")
        await store.attempts.surveyed(name, Capacity(5, 1))
        assert await store.attempts.rest(name, 1, 1, refused=True) == 1
        await store.attempts.shrink(attempt)
        assert not await store.attempts.unfit(name, "no money", 60, 60)
        assert await store.attempts.late([name], 10, 60) == []
        assert await store.attempts.claim([name], 10, 60) == []
        [use] = await store.attempts.occupancy()
        assert (use.told, use.learned, use.problem) == (5, 1, "no money")
    async with login(database, "api") as api, PostgresStore.open(api) as store:
        assert await store.attempts.occupancy() == [use]
        for refused in (
            store.attempts.register(account),
            store.attempts.rest(name, 1, 1),
            store.attempts.shrink(attempt),
            store.attempts.unfit(name, "no money", 1, 1),
            store.attempts.to_survey([name], 60),
            store.attempts.surveyed(name, Capacity()),
            store.attempts.unanswered(name, "no answer"),
            store.attempts.end_reading(reading, 0, **bounds),
        ):
            with pytest.raises(DatabaseRefusal, match="permission denied"):
                await refused
