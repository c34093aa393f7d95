"""Group commit: callers are answered together and fail alone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from makegood import InsufficientCredits
from makegood.errors import StoreUnavailable
from makegood.job import Job, Verdict
from makegood.testing.drive import (
    LEASE_SECONDS,
    PLAIN,
    PRICE,
    Drive,
    change,
    edge_of,
    fact,
    new_job,
    token_hash,
)
from makegood_adapters.postgres.commit import GroupCommit, Kind
from makegood_adapters.postgres.jobs import PostgresJobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.transaction import Database
from tests.adapters.postgres.far import ACCEPT, database_at, jobs_at, serves_and_is_idle
from tests.adapters.postgres.proxy import AtCommit, Proxy


@pytest_asyncio.fixture
async def jobs(drive: Drive) -> list[Job]:
    """Return twenty jobs of five owners, each of whom can just pay for four."""
    for number in range(5):
        await drive.grant(4 * PRICE, owner=f"owner-{number}")
    return [await drive.insert(owner=f"owner-{number % 5}") for number in range(20)]


@pytest_asyncio.fixture
async def near(database: str) -> AsyncIterator[Database]:
    async with database_at(database) as opened:
        yield opened


async def accept_all(port: PostgresJobs, jobs: list[Job]) -> list[Any]:
    accepts = (port.apply(change(job, ACCEPT)) for job in jobs)
    return await asyncio.gather(*accepts, return_exceptions=True)


async def states(drive: Drive, jobs: list[Job]) -> set[str]:
    return {(await drive.job(job)).state for job in jobs}


async def test_concurrent_callers_are_committed_together(
    drive: Drive, jobs: list[Job], near: Database
) -> None:
    commits = GroupCommit(near)
    moved = await accept_all(PostgresJobs(near, commits), jobs)
    assert moved == [await drive.job(job) for job in jobs]
    assert {job.state for job in moved} == {"queued"}
    told = commits.batches["move"]
    assert (told.items, told.alone) == (20, 0)
    assert told.batches <= 4  # the first caller of each of two shards goes alone, then all the others
    assert told.largest >= 4


async def test_a_batch_is_no_larger_than_its_bound(drive: Drive, jobs: list[Job], near: Database) -> None:
    commits = GroupCommit(near, batch_max=3)
    await accept_all(PostgresJobs(near, commits), jobs)
    assert await states(drive, jobs) == {"queued"}
    assert (commits.batches["move"].items, commits.batches["move"].largest) == (20, 3)


async def test_who_comes_alone_is_sent_at_once_as_one_statement(
    drive: Drive, proxy: Proxy, far: Database, pending: Job
) -> None:
    proxy.at_commits([])
    assert await jobs_at(far).apply(change(pending, ACCEPT)) == await drive.job(pending)
    assert proxy.commits_seen == 1


async def test_a_caller_who_cannot_pay_fails_alone(drive: Drive, jobs: list[Job], near: Database) -> None:
    poor = [await drive.insert(owner="poor"), await drive.insert(owner="owner-0")]  # the fifth of owner-0
    told = await accept_all(jobs_at(near), [*jobs[:7], *poor, *jobs[7:]])
    refused = [answer for answer in told if isinstance(answer, InsufficientCredits)]
    assert {error.owner for error in refused} == {"poor", "owner-0"}
    assert sum(isinstance(answer, Job) for answer in told) == 20
    assert [(await drive.store.ledger.wallet(f"owner-{n}")).available for n in range(5)] == [0] * 5


async def test_what_cannot_be_stored_fails_alone(drive: Drive, near: Database) -> None:
    new = [new_job(), new_job(priority=2**40), new_job(input={"scale": float("nan")}), new_job(), new_job()]
    commits = GroupCommit(near)
    port = PostgresJobs(near, commits)
    told = await asyncio.gather(*(port.insert(one) for one in new), return_exceptions=True)
    assert [isinstance(answer, Job) for answer in told] == [True, False, False, True, True]
    assert [job.id for job in told if isinstance(job, Job)] == [new[0].id, new[3].id, new[4].id]


async def test_the_same_key_at_the_same_moment_is_one_job(drive: Drive, near: Database) -> None:
    told = await asyncio.gather(*(jobs_at(near).insert(new_job(key="click")) for _ in range(20)))
    assert len({job.id for job in told}) == 1


async def test_a_row_that_a_host_has_locked_delays_nobody_else(
    drive: Drive, jobs: list[Job], near: Database, plain: asyncpg.Connection
) -> None:
    port, held = jobs_at(near), jobs[10]
    async with plain.transaction():
        await plain.execute("SELECT FROM makegood.job WHERE job_id = $1 FOR UPDATE", held.id)
        waits = asyncio.create_task(port.apply(change(held, ACCEPT)))
        others = [job for job in jobs if job.id != held.id]
        assert {job.state for job in await accept_all(port, others)} == {"queued"}
        assert not waits.done()
    assert await waits == await drive.job(held)


async def test_of_two_changes_of_one_job_in_a_batch_one_is_made(drive: Drive, near: Database) -> None:
    await drive.grant()
    job = await drive.to("queued")
    commits = GroupCommit(near)
    port = PostgresJobs(near, commits)
    ends = [change(job, edge_of(PLAIN, "queued", event)) for event in ("fail", "cancel", "fail", "cancel")]
    told = await asyncio.gather(*(port.apply(end) for end in ends))
    assert [answer is None for answer in told].count(False) == 1
    assert (await drive.store.jobs.money(job.id)).released == PRICE


@pytest.mark.parametrize("fate", [AtCommit.CUT_BEFORE, AtCommit.CUT_AFTER])
async def test_callers_whose_batch_was_cut_off_find_out_each_for_itself(
    drive: Drive,
    jobs: list[Job],
    plain: asyncpg.Connection,
    proxy: Proxy,
    far: Database,
    fate: AtCommit,
) -> None:
    commits = GroupCommit(far, shards=1)
    port = PostgresJobs(far, commits)
    proxy.at_commits([fate])
    told = await accept_all(port, jobs)
    assert told == [await drive.job(job) for job in jobs]
    assert all([len(await drive.store.jobs.history(job.id)) == 2 for job in jobs])
    assert commits.batches["move"].alone == 20
    await serves_and_is_idle(plain, far)


async def test_a_caller_cancelled_before_its_batch_changes_nothing(
    drive: Drive, jobs: list[Job], proxy: Proxy, far: Database
) -> None:
    port = PostgresJobs(far, GroupCommit(far, shards=1))
    proxy.at_commits([AtCommit.HOLD_ANSWER])
    first = asyncio.create_task(port.apply(change(jobs[0], ACCEPT)))
    await proxy.holding.wait()
    second, third = (asyncio.create_task(port.apply(change(job, ACCEPT))) for job in jobs[1:3])
    await asyncio.sleep(0)  # both have joined the next batch
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    proxy.release()
    assert [await first, await third] == [await drive.job(jobs[0]), await drive.job(jobs[2])]
    assert await drive.job(jobs[1]) == jobs[1]


async def test_callers_beyond_the_bound_wait_for_room(
    drive: Drive, jobs: list[Job], proxy: Proxy, far: Database
) -> None:
    commits = GroupCommit(far, shards=1, waiting_max=6)
    port = PostgresJobs(far, commits)
    proxy.at_commits([AtCommit.HOLD_ANSWER])
    call = asyncio.create_task(accept_all(port, jobs))
    await proxy.holding.wait()
    proxy.release()
    await call
    assert await states(drive, jobs) == {"queued"}
    assert commits.batches["move"].largest <= 6


async def test_nobody_who_is_cancelled_keeps_room_not_even_what_it_was_just_handed(near: Database) -> None:
    commits, soon = GroupCommit(near, waiting_max=1), asyncio.get_running_loop().call_soon

    def answers(given: Sequence[bytes], _: Sequence[asyncpg.Record]) -> Sequence[bytes]:
        if given == [b"0"]:  # after the step in which its caller leaves, before the next one's
            soon(lambda: soon(calls[2].cancel))
        return given

    async def alone(_: bool) -> bytes:
        raise AssertionError

    kind: Kind[bytes, bytes] = Kind("probe", "hints/addressee", lambda one: one, lambda one: (one,), answers)
    calls = [asyncio.create_task(commits.run(kind, 0, b"%d" % n, alone)) for n in range(5)]
    await asyncio.sleep(0)  # the first is taken, the others wait
    calls[1].cancel()
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert [each for each in told if isinstance(each, bytes)] == [b"0", b"3", b"4"]
    assert [call.cancelled() for call in calls] == [False, True, True, False, False]
    assert commits.batches["probe"].items == 3


async def test_messages_of_many_attempts_are_kept_in_one_batch(drive: Drive, store: PostgresStore) -> None:
    await drive.grant(10 * PRICE)
    pool = await drive.pool(capacity=10)
    for _ in range(10):
        await drive.to("queued", pool=pool)
    await store.attempts.dispatch(pool, [f"{pool}-a"], 10)
    claimed = await store.attempts.claim([f"{pool}-a"], 10, LEASE_SECONDS)
    for attempt in claimed:
        assert await store.attempts.intend(attempt, token_hash(attempt), LEASE_SECONDS)
    kept = (store.hints.take_in(token_hash(attempt), "{}", None, [f"{pool}-a"]) for attempt in claimed)
    assert await asyncio.gather(*kept) == [f"{pool}-a"] * 10
    told = store.commits.batches[f"take in at {pool}-a"]
    assert (told.items, told.batches, told.largest, told.alone) == (10, 1, 10, 0)


async def test_intents_and_facts_are_committed_together_too(drive: Drive, store: PostgresStore) -> None:
    await drive.grant()
    pool = await drive.pool(capacity=5)
    queued = [await drive.to("queued", pool=pool) for _ in range(5)]
    opened = await store.attempts.dispatch(pool, [f"{pool}-a"], 5)
    claimed = await store.attempts.claim([f"{pool}-a"], 5, LEASE_SECONDS)
    assert len(opened) == len(claimed) == 5
    intends = (store.attempts.intend(attempt, token_hash(attempt), LEASE_SECONDS) for attempt in claimed)
    assert await asyncio.gather(*intends) == [True] * 5
    stale = [await store.attempts.intend(attempt, b"another token", LEASE_SECONDS) for attempt in claimed]
    assert stale == [False] * 5
    starting = [await drive.job(job) for job in queued]
    recorded = await asyncio.gather(*(store.attempts.record(fact(j, Verdict.ACCEPTED)) for j in starting))
    assert [attempt.task_id for attempt in recorded] == [f"task-{job.id}-1" for job in starting]
    assert store.commits.batches["intend"].items >= 5
    assert store.commits.batches["record"].items == 5


async def test_a_closed_store_answers_who_waits_and_takes_nothing_new(
    drive: Drive, jobs: list[Job], near: Database
) -> None:
    commits = GroupCommit(near)
    port = PostgresJobs(near, commits)
    calls = [asyncio.create_task(port.apply(change(job, ACCEPT))) for job in jobs]
    await asyncio.sleep(0)
    await commits.close()
    assert {job.state for job in await asyncio.gather(*calls) if job} == {"queued"}
    with pytest.raises(StoreUnavailable, match="closed"):
        await port.insert(new_job())


async def test_two_processes_with_the_same_wallets_end_every_job(
    drive: Drive, store: PostgresStore, other_store: PostgresStore
) -> None:
    """Their batches overlap in wallets and in jobs, and in another order each."""
    for number in range(4):
        await drive.grant(25 * PRICE, owner=f"owner-{number}")
    jobs = [await drive.insert(owner=f"owner-{number % 4}") for number in range(100)]
    first, second = accept_all(store.jobs, jobs), accept_all(other_store.jobs, jobs[::-1])
    told = await asyncio.gather(first, second)
    won = [answer for answers in told for answer in answers if isinstance(answer, Job)]
    assert len(won) == 100
    assert [(await store.ledger.wallet(f"owner-{n}")).held for n in range(4)] == [25 * PRICE] * 4
