"""Parked messages in Postgres: bounds that hold for many at a time, and what is parked at a bad moment."""

import asyncio

import asyncpg
import pytest

from makegood.job import Attempt, Job, Verdict
from makegood.ports import PARKED_OF_SOURCE_MAX, PARKING_SECONDS, Receipt, Swept
from makegood.testing.drive import Drive, accounts, token_hash
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.postgres.far import somebody_waits


async def started(drive: Drive) -> Job:
    await drive.grant()
    return await drive.submit(await drive.to("starting"))


async def test_a_message_that_is_parked_while_its_task_becomes_known_is_found_later(
    drive: Drive, plain: asyncpg.Connection, other_store: PostgresStore
) -> None:
    """Neither of the two transactions sees what the other one has not yet committed."""
    job = await started(drive)
    async with plain.transaction():
        receipt = await plain.fetchval(
            "SELECT makegood.hear_of_task('4711', '10.0.0.1', '\\x00', '{}', 20, 100, 10000, 100)"
        )
        assert receipt == Receipt.PARKED
        await drive.record(job, Verdict.ACCEPTED, task_id="4711")
    attempt = await drive.attempt(job)
    due = await drive.store.attempts.due(accounts(job.pool), 10, 600)
    assert due, "an accepted task is asked about at once"
    assert await drive.store.hints.unread(attempt) == []
    await drive.advance(PARKING_SECONDS + 1)
    swept = await asyncio.gather(drive.store.hints.sweep(10), other_store.hints.sweep(10))
    assert sum(each.adopted for each in swept) == 1
    assert len(await drive.store.hints.unread(attempt)) == 1
    assert await drive.store.hints.sweep(10) == Swept()


async def test_a_flood_of_many_at_a_time_stays_within_its_bound(
    drive: Drive, other_store: PostgresStore, plain: asyncpg.Connection
) -> None:
    stores = (drive.store, other_store)
    receipts = await asyncio.gather(
        *(stores[n % 2].hints.hear(f"task {n}", "6.6.6.6", "{}") for n in range(3 * PARKED_OF_SOURCE_MAX))
    )
    assert receipts.count(Receipt.PARKED) == PARKED_OF_SOURCE_MAX
    assert await plain.fetchval("SELECT count(*) FROM makegood.parked_hint") == PARKED_OF_SOURCE_MAX


async def test_there_is_a_bound_for_all_together(drive: Drive, plain: asyncpg.Connection) -> None:
    await plain.execute(
        "INSERT INTO makegood.parked_hint (task_id, source, digest, body)"
        " SELECT 'no task ' || n, 'source ' || n, '\\x00', '{}' FROM generate_series(1, 9999) n"
    )
    assert await drive.store.hints.hear("4711", "10.0.0.1", "{}") is Receipt.PARKED
    assert await drive.store.hints.hear("4712", "10.0.0.2", "{}") is Receipt.FULL
    job = await started(drive)
    await drive.record(job, Verdict.ACCEPTED, task_id="4711")
    assert len(await drive.store.hints.unread(await drive.attempt(job))) == 1


async def test_messages_with_tokens_are_committed_together(drive: Drive, store: PostgresStore) -> None:
    await drive.grant(10_000)
    pool = await drive.pool(capacity=40)
    attempts = []
    for _ in range(40):
        job = await drive.submit(await drive.to("starting", pool=pool))
        attempts.append(await drive.attempt(job))
    calls = [store.hints.receive(token_hash(attempt), body, "1") for attempt in attempts for body in "ab"]
    received = await asyncio.gather(*calls, store.hints.receive(b"nobody's", "{}", None))
    assert received == [(a.job_id, 1) for a in attempts for _ in range(2)] + [None]
    together = store.commits.batches["receive"]
    assert together.largest > 10
    for attempt in attempts:
        assert len(await store.hints.unread(attempt)) == 2
    at = accounts(pool)
    known = [store.hints.take_in(token_hash(attempt), "c", "1", at) for attempt in attempts]
    guessed = [store.hints.take_in(b"nobody's %d" % n, "c", "1", at) for n in range(40)]
    assert await asyncio.gather(*known, *guessed) == at * 40 + [None] * 40
    [taken_in] = [told for name, told in store.commits.batches.items() if name.startswith("take in")]
    # who guesses tokens does not make us do anything for each of them
    assert (taken_in.items, taken_in.alone) == (80, 0)
    assert taken_in.largest > 10


@pytest.mark.parametrize("in_one_step", [True, False])
async def test_a_message_about_an_attempt_that_somebody_holds_delays_no_other(
    drive: Drive, store: PostgresStore, plain: asyncpg.Connection, database: str, in_one_step: bool
) -> None:
    async def receive(attempt: Attempt, task_id: str) -> bool:
        if in_one_step:
            return bool(await store.hints.take_in(token_hash(attempt), "{}", task_id, accounts(pool)))
        return await store.hints.receive(token_hash(attempt), "{}", task_id) == (attempt.job_id, 1)

    await drive.grant(10_000)
    pool = await drive.pool(capacity=2)
    jobs = [await drive.submit(await drive.to("starting", pool=pool)) for _ in range(2)]
    held, free = [await drive.attempt(job) for job in jobs]
    transaction = plain.transaction()
    await transaction.start()
    await plain.execute("UPDATE makegood.attempt SET asked = asked + 1 WHERE job_id = $1", held.job_id)
    slow = asyncio.create_task(receive(held, "1"))
    assert await receive(free, "2")
    watching = await asyncpg.connect(database)
    await somebody_waits(watching, plain)
    watching.terminate()
    assert not slow.done()
    await transaction.commit()
    assert await slow
    assert [len(await store.hints.unread(attempt)) for attempt in (held, free)] == [1, 1]
