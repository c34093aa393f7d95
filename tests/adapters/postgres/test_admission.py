"""Order, limits and pauses against races, raw SQL, and words that were lost."""

import asyncio
import logging
from datetime import timedelta

import asyncpg
import pytest

from makegood.fairness import EVERYBODY, Scope
from makegood.job import Job, ProviderAccount
from makegood.testing.contract.queues import crowd, owners, queue_of, queued, serve
from makegood.testing.contract.rules import ends, limit, pause, resume
from makegood.testing.drive import PLAIN, Drive, accounts, change, edge_of
from makegood_adapters.postgres.store import PostgresStore

RAW = "UPDATE makegood.job SET state = 'queued' WHERE job_id = any($1::uuid[])"


async def tags(plain: asyncpg.Connection, jobs: list[Job]) -> list[float]:
    rows = await plain.fetch("SELECT job_id, start_tag FROM makegood.job WHERE job_id = any($1)", ids(jobs))
    found = {row["job_id"]: row["start_tag"] for row in rows}
    return [found[job.id] for job in jobs]


async def parked(plain: asyncpg.Connection, pool: str) -> dict[str, int]:
    rows = await plain.fetch(
        "SELECT parked, count(*) FROM makegood.job WHERE pool = $1 AND waiting GROUP BY parked", pool
    )
    return {row["parked"]: row["count"] for row in rows}


def ids(jobs: list[Job]) -> list[object]:
    return [job.id for job in jobs]


async def test_raw_sql_queues_jobs_at_the_places_that_are_due_to_them(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    pool = await queue_of(drive)
    [first] = await queued(drive, pool, "ann")
    await drive.grant(5_000, owner="ann")
    await drive.grant(5_000, owner="bob")
    jobs = [await drive.insert(pool=pool, owner=owner) for owner in ("ann", "ann", "bob", "bob")]
    await plain.execute(RAW, ids(jobs))
    assert await tags(plain, [first, *jobs]) == [0.0, 1.0, 2.0, 0.0, 1.0]


@pytest.mark.parametrize("claimed", ["-5", "0.5", "1e9", "'NaN'", "'Infinity'"])
async def test_a_place_that_somebody_claims_is_not_believed(
    drive: Drive, plain: asyncpg.Connection, claimed: str
) -> None:
    pool = await queue_of(drive)
    waiting = await queued(drive, pool, "ann", 2)
    await drive.grant(owner="ann")
    job = await drive.insert(pool=pool, owner="ann")
    await plain.execute(
        f"UPDATE makegood.job SET state = 'queued', start_tag = {claimed} WHERE job_id = $1", job.id
    )
    for one in [*waiting, job]:
        await plain.execute(f"UPDATE makegood.job SET start_tag = {claimed} WHERE job_id = $1", one.id)
    assert await tags(plain, [*waiting, job]) == [0.0, 1.0, 2.0]


async def test_a_job_in_another_lane_begins_at_its_head(drive: Drive, plain: asyncpg.Connection) -> None:
    pool = await queue_of(drive)
    await queued(drive, pool, "bob", 6, priority=1)
    await serve(drive, pool, 3)
    *_, last = await queued(drive, pool, "ann", 5)
    await plain.execute("UPDATE makegood.job SET priority = 1 WHERE job_id = $1", last.id)
    assert owners(await serve(drive, pool, 2)) == ["ann", "bob"]


async def test_only_a_job_that_waits_can_be_parked(drive: Drive, plain: asyncpg.Connection) -> None:
    pool = await queue_of(drive)
    [running] = await queued(drive, pool, "ann")
    await serve(drive, pool, 1)
    await plain.execute("UPDATE makegood.job SET parked = 'owner' WHERE job_id = $1", running.id)
    assert await plain.fetchval("SELECT parked FROM makegood.job WHERE job_id = $1", running.id) == "no"


async def test_a_job_whose_time_has_not_come_is_parked_until_then(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    pool = await queue_of(drive)
    await drive.grant()
    early = await drive.insert(pool=pool)
    await plain.execute(
        "UPDATE makegood.job SET not_before = makegood.now() + interval '1 hour' WHERE job_id = $1", early.id
    )
    early = await drive.apply(await drive.job(early), edge_of(PLAIN, "pending", "accept"))
    assert early.not_before is not None
    assert await parked(plain, pool) == {"time": 1}
    await plain.execute("UPDATE makegood.job SET parked = 'no' WHERE job_id = $1", early.id)
    assert await serve(drive, pool, 1) == []
    await drive.advance(3_601)
    assert ids(await serve(drive, pool, 1)) == [early.id]


async def test_another_time_counts_at_once(drive: Drive, plain: asyncpg.Connection) -> None:
    pool = await queue_of(drive)
    [job] = await queued(drive, pool, "ann")
    for time, expected in (("makegood.now() + interval '1 hour'", {"time": 1}), ("null", {"no": 1})):
        await plain.execute(f"UPDATE makegood.job SET not_before = {time} WHERE job_id = $1", job.id)
        assert await parked(plain, pool) == expected


async def test_who_may_not_go_is_looked_at_once(drive: Drive, plain: asyncpg.Connection) -> None:
    pool = await queue_of(drive)
    await limit(drive, Scope.OWNER, "ann", 1)
    await queued(drive, pool, "ann", 8, priority=2)
    await queued(drive, pool, "bob", 2)
    assert owners(await serve(drive, pool, 2)) == ["ann", "bob"]
    assert await parked(plain, pool) == {"owner": 7, "no": 1}


async def test_a_slot_that_is_left_while_jobs_are_parked_is_not_forgotten(
    drive: Drive, other_store: PostgresStore, plain: asyncpg.Connection
) -> None:
    """The end is not committed when the dispatcher counts, and the parking not when the end looks."""
    pool = await queue_of(drive)
    await limit(drive, Scope.OWNER, "ann", 1)
    await queued(drive, pool, "ann", 2)
    [running] = await serve(drive, pool, 1)
    async with plain.transaction():
        await plain.execute("UPDATE makegood.job SET state = 'failed' WHERE job_id = $1", running.id)
        assert await other_store.attempts.dispatch(pool, accounts(pool), 1) == []
        assert await parked(plain, pool) == {"owner": 1}
    assert len(await serve(drive, pool, 1)) == 1


async def test_a_word_that_was_lost_is_made_good_by_the_sweep(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    pool = await drive.pool(400)
    await limit(drive, Scope.OWNER, EVERYBODY, 0)
    for n in range(120):  # more than one look at a time
        await queued(drive, pool, f"owner {n}")
    assert await serve(drive, pool, 1) == []
    await plain.execute("ALTER TABLE makegood.rule DISABLE TRIGGER is_obeyed")
    await limit(drive, Scope.OWNER, EVERYBODY, 1)
    await plain.execute("ALTER TABLE makegood.rule ENABLE TRIGGER is_obeyed")
    assert await serve(drive, pool, 1) == []
    await drive.advance(31)
    assert len(await drive.store.attempts.dispatch(pool, accounts(pool), 400)) == 120


async def test_processes_that_accept_for_the_same_owners_do_not_deadlock(
    drive: Drive,
    other_store: PostgresStore,
    plain: asyncpg.Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each in an order of its own; the wallets, then the shares are locked by owner."""
    caplog.set_level(logging.INFO, "makegood")
    pool = await queue_of(drive)
    names = [f"owner {n}" for n in range(12)]
    for name in names:
        await drive.grant(100_000, owner=name)
    accept = edge_of(PLAIN, "pending", "accept")
    for _ in range(6):
        ours = [await drive.insert(pool=pool, owner=name) for name in names]
        theirs = [await drive.insert(pool=pool, owner=name) for name in reversed(names)]
        moved = await asyncio.gather(
            *(drive.store.jobs.apply(change(job, accept)) for job in ours),
            *(other_store.jobs.apply(change(job, accept)) for job in theirs),
        )
        assert all(moved)
    assert "Deadlock" not in caplog.text
    rows = await plain.fetch("SELECT owner_id, start_tag FROM makegood.job WHERE pool = $1", pool)
    assert len({tuple(row) for row in rows}) == len(rows) == 144


@pytest.mark.parametrize("price", [0, 100])
async def test_processes_that_accept_and_cancel_for_the_same_owners_do_not_deadlock(
    drive: Drive, other_store: PostgresStore, price: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Of jobs that cost nothing no wallet is locked before the shares."""
    caplog.set_level(logging.INFO, "makegood")
    pool = await queue_of(drive)
    names = [f"owner {n}" for n in range(12)]
    for name in names:
        await drive.grant(100_000, owner=name)
    accept, cancel = edge_of(PLAIN, "pending", "accept"), edge_of(PLAIN, "queued", "cancel")
    ours: list[Job] = []
    theirs: list[Job] = []
    for _ in range(6):
        news = [
            [await drive.insert(pool=pool, owner=name, price=price) for name in order]
            for order in (names, names[::-1])
        ]
        ours, theirs = [
            [job for job in moved if job and job.state == "queued"]
            for moved in await asyncio.gather(
                *(
                    asyncio.gather(
                        *(store.jobs.apply(change(job, accept)) for job in new),
                        *(store.jobs.apply(change(job, cancel)) for job in old),
                    )
                    for store, new, old in ((drive.store, news[0], theirs), (other_store, news[1], ours))
                )
            )
        ]
        assert len(ours) == len(theirs) == len(names)
    assert "Deadlock" not in caplog.text


async def test_dispatchers_of_many_processes_keep_a_limit(
    drive: Drive, other_store: PostgresStore, plain: asyncpg.Connection
) -> None:
    pool = await queue_of(drive)
    other = ProviderAccount(name=f"{pool}-b", pool=pool, capacity=100)
    await drive.store.attempts.register(other)
    await limit(drive, Scope.OWNER, EVERYBODY, 2)
    for name in ("ann", "bob", "cy"):
        await crowd(drive, pool, name, 8)
    await asyncio.gather(
        *(
            store.attempts.dispatch(pool, names, 3)
            for store, names in ((drive.store, accounts(pool)), (other_store, [other.name]))
            for _ in range(6)
        )
    )
    rows = await plain.fetch(
        "SELECT owner_id, count(*) FROM makegood.job WHERE pool = $1 AND slot GROUP BY owner_id", pool
    )
    assert {row["owner_id"]: row["count"] for row in rows} == {"ann": 2, "bob": 2, "cy": 2}


async def test_a_paused_crowd_is_taken_up_again_in_its_order(drive: Drive, plain: asyncpg.Connection) -> None:
    pool = await queue_of(drive)
    jobs = await queued(drive, pool, "ann", 12)
    await pause(drive, Scope.OWNER, "ann")
    assert await serve(drive, pool, 1) == []
    assert await parked(plain, pool) == {"owner": 12}
    await resume(drive, Scope.OWNER, "ann")
    assert ids(await serve(drive, pool, 12)) == ids(jobs)


async def test_without_limits_nothing_is_written_for_them(drive: Drive, plain: asyncpg.Connection) -> None:
    pool = await queue_of(drive)
    await queued(drive, pool, "ann", 3)
    await ends(drive, *await serve(drive, pool, 3))
    assert await plain.fetchval("SELECT count(*) FROM makegood.freed") == 0
    assert await parked(plain, pool) == {}


async def test_what_was_freed_is_taken_away(drive: Drive, plain: asyncpg.Connection) -> None:
    pool = await queue_of(drive)
    await limit(drive, Scope.OWNER, "ann", 1)
    await queued(drive, pool, "ann", 4)
    for _ in range(4):
        await ends(drive, *await serve(drive, pool, 1))
    assert await serve(drive, pool, 1) == []
    assert await plain.fetchval("SELECT count(*) FROM makegood.freed") == 0


async def test_who_shall_be_cancelled_takes_no_room_of_others(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    pool = await queue_of(drive)
    await limit(drive, Scope.OWNER, "ann", 1)
    [_, doomed, last] = await queued(drive, pool, "ann", 3)
    [running] = await serve(drive, pool, 2)
    await plain.execute(
        "UPDATE makegood.job SET cancel_requested_at = makegood.now() WHERE job_id = $1", doomed.id
    )
    await ends(drive, running)
    assert ids(await serve(drive, pool, 1)) == [last.id]


async def test_room_for_a_job_that_somebody_holds_is_kept_in_mind(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    """The transaction of a host, say, that looks at its job for long."""
    pool = await queue_of(drive)
    await limit(drive, Scope.OWNER, "ann", 1)
    jobs = await queued(drive, pool, "ann", 2)
    [running] = await serve(drive, pool, 2)
    async with plain.transaction():
        await plain.execute("SELECT FROM makegood.job WHERE job_id = $1 FOR UPDATE", jobs[1].id)
        await ends(drive, running)
        assert await serve(drive, pool, 2) == []
    assert ids(await serve(drive, pool, 1)) == [jobs[1].id]


async def test_nobody_who_accepts_jobs_for_long_keeps_a_dispatcher_waiting(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    pool = await queue_of(drive)
    await drive.grant(5_000, owner="ann")
    soon = await drive.now() + timedelta(hours=1)
    late = [*await drive.queued(pool, 2, owner="ann", not_before=soon)]
    await queued(drive, pool, "bob", 6)
    await serve(drive, pool, 4)
    await drive.advance(3_601)
    new = await drive.insert(pool=pool, owner="ann")
    async with plain.transaction():
        await plain.execute(RAW, [new.id])
        assert owners(await serve(drive, pool, 3)) == ["bob", "bob"]
    assert set(ids(await serve(drive, pool, 3))) == {*ids(late), new.id}


async def test_pauses_that_end_at_once_in_two_pools_make_no_dispatcher_wait(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    pool = await queue_of(drive)
    await queued(drive, pool, "ann", 1)
    for scope, name in ((Scope.POOL, pool), (Scope.OWNER, "ann")):
        await pause(drive, scope, name, seconds=60)
    assert await serve(drive, pool, 1) == []
    await drive.advance(61)
    async with plain.transaction():  # what another dispatcher does, before it has committed
        await plain.execute("SELECT FROM makegood.rule FOR UPDATE")
        assert owners(await serve(drive, pool, 1)) == ["ann"]
