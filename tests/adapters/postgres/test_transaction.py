"""Whatever happens around COMMIT: the job moves once, and the caller learns what is true."""

import asyncio
from collections.abc import Awaitable
from itertools import repeat
from typing import TypeVar

import asyncpg
import pytest

from makegood.errors import OutcomeUnknown
from makegood.job import Job, JobMoney, Verdict
from makegood.testing.drive import (
    LEASE_SECONDS,
    PLAIN,
    PRICE,
    Drive,
    accounts,
    change,
    edge_of,
    fact,
    new_job,
    token_hash,
)
from makegood_adapters.postgres.ledger import PostgresLedger
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.transaction import Database, SilentRollback
from tests.adapters.postgres.far import (
    ACCEPT,
    MOVE,
    all_is_well,
    database_at,
    jobs_and_attempts,
    jobs_at,
    serves_and_is_idle,
)
from tests.adapters.postgres.proxy import AtCommit, Proxy
from tests.loop_time import hasten

T = TypeVar("T")
CUT_BEFORE, CUT_AFTER, HOLD_ANSWER = AtCommit.CUT_BEFORE, AtCommit.CUT_AFTER, AtCommit.HOLD_ANSWER


@pytest.mark.parametrize(
    "fates",
    [[CUT_BEFORE], [CUT_AFTER], [CUT_BEFORE, CUT_AFTER], [CUT_AFTER, CUT_BEFORE], [CUT_AFTER] * 3],
    ids=lambda fates: "-".join(fate.name.lower() for fate in fates),
)
async def test_a_cut_at_commit_is_found_out(
    drive: Drive, plain: asyncpg.Connection, proxy: Proxy, far: Database, pending: Job, fates: list[AtCommit]
) -> None:
    proxy.at_commits(fates)
    moved = await jobs_at(far).apply(change(pending, ACCEPT))
    assert moved == await drive.job(pending)
    assert proxy.commits_seen == len(fates) + 1
    await all_is_well(drive, plain, pending, far)


@pytest.mark.parametrize("fate", [CUT_BEFORE, CUT_AFTER])
async def test_every_step_of_a_life_survives_a_cut_at_its_commit(
    drive: Drive, plain: asyncpg.Connection, proxy: Proxy, far: Database, fate: AtCommit
) -> None:
    (jobs, attempts), ledger = jobs_and_attempts(far), PostgresLedger(far)
    pool = await drive.pool(capacity=1)

    async def cut(step: Awaitable[T]) -> T:
        proxy.at_commits([fate])
        done = await step
        assert proxy.commits_seen == 2
        return done

    await cut(ledger.grant("ada", PRICE, kind="purchased", source_ref="order-1"))
    job = await cut(jobs.insert(new_job(pool=pool)))
    await cut(jobs.apply(change(job, ACCEPT)))
    await cut(attempts.dispatch(pool, accounts(pool), 1))
    attempt = await drive.claim(job)
    assert await cut(attempts.intend(attempt, token_hash(attempt), LEASE_SECONDS))
    job = await drive.job(job)
    await cut(attempts.record(fact(job, Verdict.ACCEPTED)))
    running = await cut(jobs.apply(change(job, edge_of(PLAIN, "starting", "begin"))))
    assert running is not None
    asked = await cut(jobs.request_cancel(job.id))
    assert asked is not None
    assert asked.cancel_requested_at is not None
    succeeded = fact(asked, Verdict.SUCCEEDED)
    complete = change(asked, edge_of(PLAIN, "running", "complete"), evidence=succeeded, settle=70)
    assert await cut(jobs.apply(complete)) == await drive.job(job)
    assert [t.event for t in await drive.store.jobs.history(job.id)] == [
        *("submit", "accept", "dispatch", "begin", "complete")
    ]
    assert await drive.store.jobs.money(job.id) == JobMoney(captured=70, released=30)
    assert (await drive.store.ledger.wallet("ada")).available == 30
    assert await drive.slots(pool) == (0, 0)
    await serves_and_is_idle(plain, far)


async def test_a_caller_cancelled_during_commit_is_cancelled_after_it(
    drive: Drive, plain: asyncpg.Connection, proxy: Proxy, far: Database, pending: Job
) -> None:
    proxy.at_commits([HOLD_ANSWER])
    call = asyncio.create_task(jobs_at(far).apply(change(pending, ACCEPT)))
    await proxy.holding.wait()
    call.cancel()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not call.done()  # the answer is still held
    proxy.release()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert proxy.commits_seen == 1
    await all_is_well(drive, plain, pending, far)


async def test_a_caller_cancelled_twice_during_commit_does_not_wait_for_it(
    drive: Drive, plain: asyncpg.Connection, proxy: Proxy, far: Database, pending: Job
) -> None:
    proxy.at_commits([HOLD_ANSWER])
    accept = change(pending, ACCEPT)
    call = asyncio.create_task(jobs_at(far).apply(accept))
    await proxy.holding.wait()
    call.cancel()
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    proxy.release()
    assert await jobs_at(far).apply(accept) == await drive.job(pending)
    await all_is_well(drive, plain, pending, far)


async def test_a_caller_cancelled_before_commit_is_cancelled_after_it(
    drive: Drive, plain: asyncpg.Connection, far: Database, pending: Job
) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def work(connection: asyncpg.Connection) -> None:
        await connection.execute(MOVE, pending.id)
        reached.set()
        await go_on.wait()

    call = asyncio.create_task(far.transact(work))
    await reached.wait()
    call.cancel()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not call.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    await all_is_well(drive, plain, pending, far)


async def test_no_answer_to_commit_within_the_clients_patience(
    drive: Drive, plain: asyncpg.Connection, proxy: Proxy, pending: Job
) -> None:
    async with database_at(proxy.dsn, timeout_seconds=60.0) as far:
        proxy.at_commits([HOLD_ANSWER])
        moving = asyncio.create_task(jobs_at(far).apply(change(pending, ACCEPT)))
        await proxy.holding.wait()
        hasten(61)
        assert await moving == await drive.job(pending)
        proxy.release()
        await all_is_well(drive, plain, pending, far)


@pytest.mark.parametrize("fate", [CUT_BEFORE, CUT_AFTER])
async def test_after_its_bound_the_outcome_is_said_to_be_unknown(
    drive: Drive, plain: asyncpg.Connection, proxy: Proxy, pending: Job, fate: AtCommit
) -> None:
    accept = change(pending, ACCEPT)
    async with database_at(proxy.dsn, tries_max=3) as far:
        proxy.at_commits(repeat(fate))
        with pytest.raises(OutcomeUnknown, match="call again"):
            await jobs_at(far).apply(accept)
        assert proxy.commits_seen == 1 + 3  # once together with others, then alone
        assert (await drive.job(pending)).version == (1 if fate is CUT_AFTER else 0)
        proxy.at_commits([])
        assert await jobs_at(far).apply(accept) == await drive.job(pending)
        await all_is_well(drive, plain, pending, far)


async def test_an_error_swallowed_in_the_block_is_not_taken_for_success(
    drive: Drive, plain: asyncpg.Connection, far: Database, pending: Job
) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        await connection.execute(MOVE, pending.id)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.execute("SELECT 1 / 0")

    with pytest.raises(SilentRollback):
        await far.transact(work)
    assert await drive.job(pending) == pending
    await serves_and_is_idle(plain, far)


async def test_an_error_in_a_savepoint_spoils_nothing(
    drive: Drive, plain: asyncpg.Connection, far: Database, pending: Job
) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        await connection.execute(MOVE, pending.id)
        await connection.execute("SAVEPOINT here")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.execute("SELECT 1 / 0")
        await connection.execute("ROLLBACK TO SAVEPOINT here")

    await far.transact(work)
    await all_is_well(drive, plain, pending, far)


async def test_an_error_of_the_work_rolls_back_and_is_passed_on(
    drive: Drive, plain: asyncpg.Connection, far: Database, pending: Job
) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        await connection.execute(MOVE, pending.id)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await far.transact(work)
    assert await drive.job(pending) == pending
    await serves_and_is_idle(plain, far)


@pytest.mark.parametrize("refuses", [False, True])
async def test_what_an_effect_leaves_in_its_session_is_gone_after_it(
    drive: Drive, plain: asyncpg.Connection, database: str, pending: Job, refuses: bool
) -> None:
    """Our own statements leave nothing, so that sessions are not cleared after them."""

    async def effect(connection: asyncpg.Connection, _: Job) -> None:
        await connection.execute("SELECT pg_advisory_lock(4711)")
        if refuses:
            raise KeyError("mine")

    async with PostgresStore.open(database, connections_max=1) as store:
        apply = store.jobs.apply(change(pending, ACCEPT), [effect])
        if refuses:
            with pytest.raises(KeyError, match="mine"):
                await apply
        else:
            assert await apply == await drive.job(pending)
        assert await store.jobs.get(pending.id) == await drive.job(pending)  # the session goes on
        assert await plain.fetchval("SELECT pg_try_advisory_lock(4711)")
