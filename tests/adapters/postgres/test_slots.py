"""Slots against other programs: what they may open, what they cannot close, and what the audit sees."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from makegood.job import Job, JobMoney, Verdict
from makegood.testing.drive import PRICE, Drive, accounts

OPEN = "INSERT INTO makegood.attempt (job_id, number, account) VALUES ($1, 1, $2)"
FOLLOW = "UPDATE makegood.job SET state = 'starting', attempt = 1 WHERE job_id = $1"
CLOSE = (
    "UPDATE makegood.attempt SET phase = 'closed', closed_at = makegood.now(), verdict = $2 WHERE job_id = $1"
)
# Switches the triggers of a session off: only a superuser can.
UNWATCHED, WATCHED = "SET session_replication_role = replica", "RESET session_replication_role"


async def refusal(plain: asyncpg.Connection, sql: str, *arguments: object) -> str | None:
    """Execute *sql* and return the code with which it was refused."""
    with pytest.raises(asyncpg.PostgresError) as refused:
        await plain.execute(sql, *arguments)
    return refused.value.sqlstate


async def open_unwatched(plain: asyncpg.Connection, job: Job) -> None:
    """Open the first attempt of *job* past every trigger."""
    await plain.execute(UNWATCHED)
    await plain.execute(OPEN, job.id, *accounts(job.pool))
    await plain.execute(WATCHED)


@pytest_asyncio.fixture
async def draining(drive: Drive) -> AsyncIterator[Job]:
    """Yield a job that is over while its task may still run at the provider."""
    await drive.grant()
    yield await drive.event(await drive.to("running"), "fail", Verdict.DEADLINE)


class TestOpening:
    async def test_an_attempt_whose_job_does_not_follow_is_refused_at_commit(
        self, drive: Drive, plain: asyncpg.Connection
    ) -> None:
        await drive.grant()
        pool = await drive.pool(3)
        jobs = await drive.queued(pool, 3)
        transaction = plain.transaction()
        await transaction.start()
        await plain.execute(OPEN, jobs[0].id, *accounts(pool))
        with pytest.raises(asyncpg.PostgresError, match="did not follow") as refused:
            await transaction.commit()
        assert refused.value.sqlstate == "MG003"
        assert await drive.slots(pool) == (0, 0)
        opened = await drive.store.attempts.dispatch(pool, accounts(pool), 10)
        assert {attempt.job_id for attempt in opened} == {job.id for job in jobs}

    async def test_an_attempt_whose_job_follows_is_kept(
        self, drive: Drive, plain: asyncpg.Connection
    ) -> None:
        await drive.grant()
        job = await drive.to("queued")
        async with plain.transaction():
            await plain.execute(OPEN, job.id, *accounts(job.pool))
            await plain.execute(FOLLOW, job.id)
        assert ((await drive.job(job)).state, await drive.slots(job.pool)) == ("starting", (1, 0))

    @pytest.mark.parametrize("state", ["pending", "starting", "running", "failed"])
    async def test_a_job_that_does_not_wait_gets_no_attempt(
        self, drive: Drive, plain: asyncpg.Connection, state: str
    ) -> None:
        await drive.grant()
        job = await drive.to(state)
        before = await drive.slots(job.pool)
        sql = OPEN.replace("$1, 1", "$1, (SELECT attempt + 1 FROM makegood.job WHERE job_id = $1)")
        with pytest.raises(asyncpg.PostgresError, match="of a job that waits may be opened"):
            await plain.execute(sql, job.id, *accounts(job.pool))
        assert await drive.slots(job.pool) == before

    async def test_a_pool_goes_on_where_somebody_opened_the_attempt_first(
        self, drive: Drive, plain: asyncpg.Connection
    ) -> None:
        await drive.grant()
        pool = await drive.pool(3)
        jobs = await drive.queued(pool, 3)
        await open_unwatched(plain, jobs[0])
        opened = await drive.store.attempts.dispatch(pool, accounts(pool), 10)
        assert [attempt.job_id for attempt in opened] == [jobs[1].id]
        assert [(await drive.job(job)).state for job in jobs] == ["queued", "starting", "queued"]
        await plain.execute(FOLLOW, jobs[0].id)
        await drive.dispatch(jobs[2])
        assert await drive.slots(pool) == (3, 0)

    @pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
    async def test_an_old_snapshot_cannot_miscount_the_slots(
        self, drive: Drive, plain: asyncpg.Connection, isolation: str
    ) -> None:
        await drive.grant()
        pool = await drive.pool(1)
        first, second = await drive.queued(pool, 2)
        transaction = plain.transaction(isolation=isolation)  # type: ignore[arg-type]  # one of two literals
        await transaction.start()
        assert await plain.fetchval("SELECT count(*) FROM makegood.attempt") == 0
        await drive.dispatch(first)
        assert await refusal(plain, OPEN, second.id, *accounts(pool)) == "MG004"
        await transaction.rollback()
        assert await drive.slots(pool) == (1, 0)


class TestClosing:
    @pytest.mark.parametrize("verdict", [None, "succeeded", "absent", "deadline", "administrator"])
    async def test_an_accepted_attempt_is_not_over_because_somebody_says_so(
        self, drive: Drive, plain: asyncpg.Connection, verdict: str | None
    ) -> None:
        await drive.grant()
        job = await drive.to("running")
        await drive.record(job, Verdict.DEADLINE)  # evidence, and yet the task may run
        before = await drive.attempt(job)
        assert await refusal(plain, CLOSE, job.id, verdict) == "MG002"
        assert (await drive.attempt(job), await drive.slots(job.pool)) == (before, (1, 0))

    async def test_an_attempt_is_closed_with_the_evidence_that_it_is_over(
        self, drive: Drive, plain: asyncpg.Connection
    ) -> None:
        await drive.grant()
        job = await drive.to("running")
        async with plain.transaction():
            await plain.execute(
                "INSERT INTO makegood.evidence (job_id, attempt, verdict, source)"
                " VALUES ($1, 1, 'failed', 'a person who looked')",
                job.id,
            )
            await plain.execute(CLOSE, job.id, "failed")
        assert await drive.slots(job.pool) == (0, 0)

    @pytest.mark.parametrize("moment", ["NULL", "'infinity'", "makegood.now()", "'-infinity'"])
    async def test_the_last_moment_of_a_draining_attempt_stands(
        self, drive: Drive, plain: asyncpg.Connection, draining: Job, moment: str
    ) -> None:
        before = await drive.attempt(draining)
        assert before.draining_until is not None
        sql = f"UPDATE makegood.attempt SET draining_until = {moment} WHERE job_id = $1"
        assert await refusal(plain, sql, draining.id) == "MG002"
        assert await drive.attempt(draining) == before
        await drive.advance(7_201)
        assert [spent.job_id for spent in await drive.store.attempts.spent(10)] == [draining.id]
        assert await drive.store.jobs.money(draining.id) == JobMoney(released=PRICE)


class TestAudit:
    @pytest.mark.tampers
    async def test_an_overshoot_is_a_violation(self, drive: Drive, plain: asyncpg.Connection) -> None:
        await drive.grant()
        pool = await drive.pool(1)
        first, second = await drive.queued(pool, 2)
        await drive.dispatch(first)
        assert (await drive.store.audit()).violations == ()
        await open_unwatched(plain, second)
        await plain.execute(FOLLOW, second.id)
        [found] = (await drive.store.audit()).violations
        assert (found.code, found.subject) == ("account_slots", f"{pool}-a")
