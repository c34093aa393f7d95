"""Places in a long queue: reckoned from milestones, no more wrong than promised, read in bounded time."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from makegood.ports import COUNTED_MAX, Standing
from makegood.testing.drive import Drive, accounts, change, edge_of
from makegood_adapters.postgres.store import PostgresStore

ORDER = "ORDER BY priority DESC, start_tag, queued_at, job_id"
LONG = 4 * COUNTED_MAX


@pytest_asyncio.fixture
async def fresh(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection whose statistics are its own: what a test reads is counted there."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def fill(plain: asyncpg.Connection, pool: str, jobs: int, *, priority: int = 0) -> None:
    """Queue many free jobs of as many owners, as another program may."""
    async with plain.transaction():
        ids = await plain.fetch(
            "INSERT INTO makegood.job (job_id, owner_id, type, type_version, pool, state, actor, price,"
            " input, request, attempts_max, priority)"
            " SELECT gen_random_uuid(), 'owner-' || n, 'contract_plain', 1, $1, 'pending', 'test', 0,"
            " '{}', '{}', 3, $3 FROM generate_series(1, $2) AS n RETURNING job_id",
            pool,
            jobs,
            priority,
        )
        await plain.execute(
            "UPDATE makegood.job SET state = 'queued' WHERE job_id = any($1)", [row["job_id"] for row in ids]
        )


async def order(plain: asyncpg.Connection, pool: str) -> list[UUID]:
    """Return the whole queue of a pool, first one first."""
    rows = await plain.fetch(f"SELECT job_id FROM makegood.job WHERE pool = $1 AND waiting {ORDER}", pool)
    return [row["job_id"] for row in rows]


async def errors(drive: Drive, plain: asyncpg.Connection, pool: str, step: int = 97) -> list[int]:
    """Return by how much the place of every so-many-th job is wrong; what is called exact must be."""
    found = []
    for place, job_id in list(enumerate(await order(plain, pool), 1))[::step]:
        told = await drive.store.queue.standing(job_id)
        assert told is not None
        assert await drive.store.jobs.position(job_id) == told.position
        assert told.exact is (place <= COUNTED_MAX)
        if told.exact:
            assert told.position == place
        found.append(abs(told.position - place))
    return found


async def marked(drive: Drive) -> None:
    await drive.advance(1_000)  # a server that took long to mark rests for twenty times as long
    assert await drive.store.queue.reckon(0.001, 60)


async def leave(drive: Drive, plain: asyncpg.Connection, jobs: list[UUID]) -> None:
    for job_id in jobs:
        job = await drive.store.jobs.get(job_id)
        assert job is not None
        assert await drive.store.jobs.apply(change(job, edge_of(drive.specs[job.type], "queued", "fail")))


async def test_the_place_in_a_long_queue_is_right_when_it_was_just_marked(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    pool = await drive.pool()
    await fill(plain, pool, LONG)
    await marked(drive)
    assert max(await errors(drive, plain, pool)) == 0
    last = await drive.store.queue.standing((await order(plain, pool))[-1])
    assert last is not None
    assert (last.position, last.length, last.exact) == (LONG, LONG, False)


async def test_who_leaves_at_the_head_or_comes_behind_makes_no_mistake(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    pool = await drive.pool(capacity=700)
    await fill(plain, pool, LONG)
    await marked(drive)
    while await drive.store.attempts.dispatch(pool, accounts(pool), 100):
        pass
    await fill(plain, pool, 300)
    assert len(await order(plain, pool)) == LONG - 700 + 300
    assert max(await errors(drive, plain, pool)) == 0


async def test_others_make_no_more_mistakes_than_they_are(drive: Drive, plain: asyncpg.Connection) -> None:
    pool = await drive.pool()
    await fill(plain, pool, LONG, priority=5)
    await fill(plain, pool, LONG, priority=0)
    await marked(drive)
    gone = (await order(plain, pool))[COUNTED_MAX + 1_000 : COUNTED_MAX + 1_040]
    await leave(drive, plain, gone)
    await fill(plain, pool, 150, priority=3)  # in the middle
    await fill(plain, pool, 60, priority=9)  # at the head
    found = await errors(drive, plain, pool)
    assert 0 < max(found) <= len(gone) + 150
    await marked(drive)
    assert max(await errors(drive, plain, pool)) == 0


async def test_a_job_that_is_held_back_in_front_does_not_hide_who_went_by(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    pool = await drive.pool(capacity=1_500)
    await fill(plain, pool, LONG)
    await hold_back(plain, (await order(plain, pool))[0])
    await marked(drive)
    while await drive.store.attempts.dispatch(pool, accounts(pool), 100):
        pass
    assert len(await order(plain, pool)) == LONG - 1_500
    found = []
    for place, job_id in list(enumerate(await order(plain, pool), 1))[::97]:
        told = await drive.store.queue.standing(job_id)
        assert told is not None
        found.append((told.position - place, told.rivals - told.position))
    assert set(found[1:]) == {(0, -1)}


async def test_before_the_first_marking_a_place_is_at_least_what_is_told(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    pool = await drive.pool()
    await fill(plain, pool, 2 * COUNTED_MAX)
    told = await drive.store.queue.standing((await order(plain, pool))[-1])
    assert told is not None
    assert (told.position, told.exact) == (COUNTED_MAX + 1, False)


async def test_only_long_queues_are_marked(drive: Drive, plain: asyncpg.Connection) -> None:
    short, long = await drive.pool(), await drive.pool()
    await fill(plain, short, COUNTED_MAX)
    await fill(plain, long, COUNTED_MAX + 1)
    await marked(drive)
    assert [r["pool"] for r in await plain.fetch("SELECT DISTINCT pool FROM makegood.milestone")] == [long]
    assert max(await errors(drive, plain, short)) == 0


@pytest.mark.parametrize("what", ["position", "standing"])
async def test_no_place_is_found_by_reading_the_queue(
    drive: Drive, plain: asyncpg.Connection, fresh: asyncpg.Connection, what: str
) -> None:
    """The index gives the same few entries in a queue of four times the length, and no table is read."""
    read = []
    for jobs in (5 * COUNTED_MAX, 15 * COUNTED_MAX):
        pool = await drive.pool()
        await fill(plain, pool, jobs)
        await marked(drive)
        last = (await order(plain, pool))[-1]
        await leave_alone(plain, fresh)
        [before, scans] = await entries_read(fresh)
        sql = {
            "position": "SELECT coalesce(sum(upto), 0) FROM makegood.standing($1, $2)",
            "standing": "SELECT * FROM makegood.standing($1, $2)",
        }[what]
        await fresh.fetch(sql, last, COUNTED_MAX)
        [after, scans_after] = await entries_read(fresh)
        assert scans_after == scans
        read.append(after - before)
    assert 0 < read[1] <= read[0] + COUNTED_MAX
    assert max(read) <= 6 * COUNTED_MAX


async def test_two_processes_reckon_once(
    drive: Drive, other_store: PostgresStore, plain: asyncpg.Connection
) -> None:
    async with plain.transaction():
        await plain.execute("SELECT 1 FROM makegood.reckoning FOR UPDATE")
        assert not await other_store.queue.reckon(3_600, 60)  # it does not wait for whoever is at it
    assert await drive.store.queue.reckon(3_600, 60)
    assert not await other_store.queue.reckon(3_600, 60)


async def test_the_estimate_rests_on_a_standing_as_it_is_read(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    pool = await drive.pool(capacity=2)
    await fill(plain, pool, 5)
    told = await drive.store.queue.standing((await order(plain, pool))[4])
    assert isinstance(told, Standing)
    assert (told.position, told.slots, told.free, told.slot_seconds) == (5, 2, 2, None)


async def hold_back(plain: asyncpg.Connection, job_id: UUID) -> None:
    """Park one job until later, which only the store's own functions may."""
    await plain.execute("ALTER TABLE makegood.job DISABLE TRIGGER USER")
    await plain.execute(
        "UPDATE makegood.job SET parked = 'time', not_before = makegood.now() + interval '1 hour'"
        " WHERE job_id = $1",
        job_id,
    )
    await plain.execute("ALTER TABLE makegood.job ENABLE TRIGGER USER")


async def leave_alone(plain: asyncpg.Connection, fresh: asyncpg.Connection) -> None:
    """End every other session: what it has read, and might tell of seconds later, is told with its end."""
    await plain.execute("SELECT pg_stat_force_next_flush()")
    await plain.execute("SELECT 1")
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND pid <> $1"
    )
    while await plain.fetch(others, fresh.get_server_pid()):  # noqa: ASYNC110  # the server has no event to wait for
        await asyncio.sleep(0.005)


async def entries_read(fresh: asyncpg.Connection) -> list[int]:
    """Return how many entries of the queue's index were read, and how often a whole table of ours was."""
    await fresh.execute("SELECT pg_stat_force_next_flush()")
    await fresh.execute("SELECT 1")
    row = await fresh.fetchrow(
        "SELECT (SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'job_waiting')"
        " AS entries,"
        " (SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE schemaname = 'makegood'"
        "  AND relname IN ('job', 'milestone')) AS scans"
    )
    assert row is not None
    return [int(row["entries"]), int(row["scans"])]
