"""A Database that reaches its server through a proxy, and what must hold after every trouble."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from makegood.job import Job, JobMoney
from makegood.testing.drive import PLAIN, PRICE, Drive, edge_of
from makegood_adapters.postgres.attempts import PostgresAttempts
from makegood_adapters.postgres.commit import GroupCommit
from makegood_adapters.postgres.jobs import PostgresJobs
from makegood_adapters.postgres.transaction import Database

ACCEPT = edge_of(PLAIN, "pending", "accept")
MOVE = "UPDATE makegood.job SET state = 'queued' WHERE job_id = $1 AND state = 'pending'"


@asynccontextmanager
async def pool_at(dsn: str, **options: Any) -> AsyncIterator[asyncpg.Pool]:
    """Open a pool as the store does, but with *options*, which the store does not offer."""
    pool = await asyncpg.create_pool(dsn, **{"min_size": 1, "max_size": 2, **options})
    try:
        yield pool
    finally:
        pool.terminate()


def jobs_at(database: Database) -> PostgresJobs:
    """Return the port `Jobs` over *database*."""
    return jobs_and_attempts(database)[0]


def jobs_and_attempts(database: Database) -> tuple[PostgresJobs, PostgresAttempts]:
    """Return two ports that commit together."""
    commits = GroupCommit(database)
    return PostgresJobs(database, commits), PostgresAttempts(database, commits)


@asynccontextmanager
async def database_at(dsn: str, **bounds: Any) -> AsyncIterator[Database]:
    """Open a Database over a pool of its own; *bounds* are tries_max and timeout_seconds."""
    async with pool_at(dsn) as pool:
        yield Database(pool, **bounds)


async def all_is_well(drive: Drive, plain: asyncpg.Connection, job: Job, database: Database) -> None:
    """Check that the job was accepted exactly once, that *database* serves, and that nothing is left open."""
    now = await drive.job(job)
    assert (now.state, now.version) == ("queued", 1)
    assert [t.event for t in await drive.store.jobs.history(job.id)] == ["submit", "accept"]
    assert await drive.store.jobs.money(job.id) == JobMoney(held=PRICE)
    wallet = await drive.store.ledger.wallet("ada")
    assert (wallet.available, wallet.held) == (0, PRICE)
    await serves_and_is_idle(plain, database)


async def serves_and_is_idle(plain: asyncpg.Connection, database: Database) -> None:
    async def two(connection: asyncpg.Connection) -> int:
        return int(await connection.fetchval("SELECT 1 + 1"))

    assert await asyncio.gather(*(database.transact(two) for _ in range(4))) == [2, 2, 2, 2]
    await nothing_is_open(plain)


async def nothing_is_open(plain: asyncpg.Connection) -> None:
    """Wait until no client but *plain* is in a transaction, which must come about by itself."""
    # A server learns that a client is gone when it reads from it: soon, but it tells nobody.
    while await plain.fetchval(  # noqa: ASYNC110  # the database has no event to wait for
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'"
    ):
        await asyncio.sleep(0.005)


async def somebody_waits(plain: asyncpg.Connection, other: asyncpg.Connection) -> None:
    """Return when a connection waits for a lock that *other* holds."""
    waits = "SELECT exists (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))"
    async with asyncio.timeout(60):
        while not await plain.fetchval(waits, other.get_server_pid()):  # noqa: ASYNC110  # no event to wait for
            await asyncio.sleep(0.005)
