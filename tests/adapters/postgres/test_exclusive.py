"""One job at a time as a constraint of the database: whoever inserts it, in whatever transaction."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from makegood.errors import ActiveJob
from makegood.testing.drive import PLAIN, REVIEWED, Drive, change, edge_of, new_job
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.postgres.far import somebody_waits

SCOPE = "images"


@pytest_asyncio.fixture
async def watcher(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection that sees what the others wait for; one inside a transaction sees one moment."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def test_d20_m10_of_fifty_at_once_over_types_and_processes_one_is_taken(
    drive: Drive, other_store: PostgresStore
) -> None:
    stores = [drive.store, other_store] * 25
    told = await asyncio.gather(
        *(
            store.jobs.insert(new_job((PLAIN, REVIEWED)[n % 3 % 2], exclusive_scope=SCOPE))
            for n, store in enumerate(stores)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(found, ActiveJob) for found in told) == 49


async def test_scopes_of_one_owner_that_cross_do_not_deadlock(
    drive: Drive, other_store: PostgresStore, plain: asyncpg.Connection
) -> None:
    scopes = [f"scope-{n}" for n in range(20)]
    ways = [(drive.store, scopes), (other_store, scopes[::-1])]
    told = await asyncio.gather(
        *(store.jobs.insert(new_job(exclusive_scope=scope)) for store, way in ways for scope in way),
        return_exceptions=True,
    )
    assert {type(found).__name__ for found in told} == {"Job", "ActiveJob"}
    dead = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert await plain.fetchval(dead) == 0


async def test_a_refusal_leaves_the_transaction_of_the_host_as_it_was(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    first = await drive.store.jobs.insert(new_job(exclusive_scope=SCOPE))
    await plain.execute("CREATE TABLE host_order (number integer)")
    async with plain.transaction():
        await plain.execute("INSERT INTO host_order VALUES (1)")
        with pytest.raises(ActiveJob) as told:
            await drive.store.jobs.insert(new_job(exclusive_scope=SCOPE), conn=plain)
        other = await drive.store.jobs.insert(new_job(exclusive_scope="films"), conn=plain)
    assert told.value.job_id == first.id
    assert await plain.fetchval("SELECT count(*) FROM host_order") == 1
    assert await drive.store.jobs.active("ada", "films") == other


@pytest.mark.parametrize("commits", [True, False])
async def test_a_job_that_is_about_to_be_committed_is_waited_for(
    drive: Drive, plain: asyncpg.Connection, watcher: asyncpg.Connection, commits: bool
) -> None:
    host = plain.transaction()
    await host.start()
    first = await drive.store.jobs.insert(new_job(exclusive_scope=SCOPE), conn=plain)
    second = asyncio.create_task(drive.store.jobs.insert(new_job(exclusive_scope=SCOPE)))
    await somebody_waits(watcher, plain)
    assert not second.done()
    if commits:
        await host.commit()
        with pytest.raises(ActiveJob) as told:
            await second
        assert told.value.job_id == first.id
    else:
        await host.rollback()
        taken = await second
        assert await drive.store.jobs.active("ada", SCOPE) == taken


async def test_an_end_that_is_about_to_be_committed_is_waited_for(
    drive: Drive, plain: asyncpg.Connection, watcher: asyncpg.Connection
) -> None:
    first = await drive.store.jobs.insert(new_job(exclusive_scope=SCOPE))
    async with plain.transaction():
        refused = change(first, edge_of(PLAIN, "pending", "refuse"))
        assert await drive.store.jobs.apply(refused, conn=plain)
        second = asyncio.create_task(drive.store.jobs.insert(new_job(exclusive_scope=SCOPE)))
        await somebody_waits(watcher, plain)
    taken = await second
    assert await drive.store.jobs.active("ada", SCOPE) == taken


async def test_another_program_cannot_insert_a_second_one(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.store.jobs.insert(new_job(exclusive_scope=SCOPE))
    with pytest.raises(asyncpg.UniqueViolationError):
        await plain.execute(
            "INSERT INTO makegood.job (job_id, owner_id, type, type_version, pool, state, actor, price,"
            " input, request, attempts_max, exclusive_scope)"
            " SELECT gen_random_uuid(), owner_id, type, type_version, pool, 'pending', actor, price,"
            " input, request, attempts_max, exclusive_scope FROM makegood.job"
        )
