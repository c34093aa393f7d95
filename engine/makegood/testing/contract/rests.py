"""Rests of a full account, and what an attempt remembers of a cancel."""

# ruff: noqa: D102 - the name of a test is its sentence

from uuid import UUID

from makegood.job import Job, ProviderAccount, Verdict
from makegood.testing.drive import PLAIN, Drive, accounts, edge_of

FIRST_SECONDS, SECONDS_MAX = 100.0, 350.0
# Real time may pass as well, but not so much.
MARGIN_SECONDS = 31.0


async def rest(drive: Drive, pool: str) -> None:
    """Let the account of *pool* rest."""
    [name] = accounts(pool)
    await drive.store.attempts.rest(name, FIRST_SECONDS, SECONDS_MAX)


async def dispatched(drive: Drive, pool: str, names: list[str] | None = None) -> list[UUID]:
    """Return the jobs that get one of the slots of *pool* now."""
    opened = await drive.store.attempts.dispatch(pool, names or accounts(pool), 10)
    return [attempt.job_id for attempt in opened]


async def rests_for(drive: Drive, job: Job, seconds: float) -> None:
    """Assert that the job's account rests for *seconds*, and put the job that it then takes back."""
    await drive.advance(seconds - MARGIN_SECONDS)
    assert await dispatched(drive, job.pool) == []
    await drive.advance(MARGIN_SECONDS)
    assert await dispatched(drive, job.pool) == [job.id]
    await drive.event(await drive.job(job), "defer")


class RestsContract:
    """What `Attempts.rest` and `Attempts.cancel_answered` promise."""

    async def test_a_resting_account_gets_nothing_and_others_do(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(1)
        other = f"{pool}-b"
        await drive.store.attempts.register(ProviderAccount(name=other, pool=pool, capacity=1))
        await drive.queued(pool, 3)
        await rest(drive, pool)
        assert await dispatched(drive, pool) == []
        opened = await drive.store.attempts.dispatch(pool, [*accounts(pool), other], 10)
        assert [attempt.account for attempt in opened] == [other]
        assert await dispatched(drive, pool) == []
        await drive.advance(FIRST_SECONDS)
        assert len(await dispatched(drive, pool)) == 1

    async def test_each_rest_in_a_row_is_twice_as_long_up_to_the_bound(self, drive: Drive) -> None:
        await drive.grant()
        [job] = await drive.queued(await drive.pool(1))
        for seconds in (100, 200, 350, 350):
            await rest(drive, job.pool)
            await rests_for(drive, job, seconds)

    async def test_many_refusals_at_one_moment_are_one_rest(self, drive: Drive) -> None:
        await drive.grant()
        [job] = await drive.queued(await drive.pool(1))
        for _ in range(5):
            await rest(drive, job.pool)
        await rests_for(drive, job, 100)
        await rest(drive, job.pool)
        await rests_for(drive, job, 200)

    async def test_a_task_that_is_accepted_ends_the_row(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(2)
        first, second = await drive.queued(pool, 2)
        first = await drive.dispatch(first)
        for seconds in (100, 200):
            await rest(drive, pool)
            await rests_for(drive, second, seconds)
        await rest(drive, pool)
        assert await dispatched(drive, pool) == []
        await drive.take(first, edge_of(PLAIN, "starting", "begin"))
        assert await dispatched(drive, pool) == [second.id]
        await drive.event(await drive.job(second), "defer")
        await rest(drive, pool)
        await rests_for(drive, second, 100)

    async def test_a_task_that_was_sent_before_does_not_end_the_rest(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(2)
        first = await drive.submit(await drive.to("starting", pool=pool))
        await drive.queued(pool)
        await drive.advance(60)
        await rest(drive, pool)
        await drive.event(first, "begin", Verdict.ACCEPTED)
        assert await dispatched(drive, pool) == []
        await drive.advance(FIRST_SECONDS)
        assert len(await dispatched(drive, pool)) == 1

    async def test_a_rest_of_an_unknown_account_is_nothing(self, drive: Drive) -> None:
        await drive.grant()
        [job] = await drive.queued(await drive.pool(1))
        await drive.store.attempts.rest("nobody's", FIRST_SECONDS, SECONDS_MAX)
        assert await dispatched(drive, job.pool) == [job.id]

    async def test_what_runs_at_a_resting_account_goes_on(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(2)
        running = await drive.to("running", pool=pool)
        opened = await drive.to("starting", pool=pool)
        await rest(drive, pool)
        assert [a.job_id for a in await drive.store.attempts.due(accounts(pool), 10, 60)] == [running.id]
        assert (await drive.claim(opened)).job_id == opened.id

    async def test_after_a_rest_the_jobs_come_in_the_order_of_their_positions(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(1)
        jobs = await drive.queued(pool, 3)
        await drive.advance(60)
        back = await drive.event(await drive.dispatch(jobs[0]), "defer")
        await rest(drive, pool)
        assert back.not_before is None
        assert [await drive.store.jobs.position(job.id) for job in jobs] == [1, 2, 3]
        await drive.advance(FIRST_SECONDS)
        served = []
        for _ in jobs:
            served += await dispatched(drive, pool)
            await drive.event(await drive.job(jobs[len(served) - 1]), "fail")
        assert served == [job.id for job in jobs]

    async def test_that_a_cancel_was_answered_is_remembered(self, drive: Drive) -> None:
        await drive.grant()
        job, other = await drive.to("running"), await drive.to("running")
        attempt = await drive.attempt(job)
        await drive.store.attempts.sent_cancel(attempt)
        sent = await drive.attempt(job)
        assert (sent.cancel_answered, sent.cancel_sent_at is None) == (False, False)
        await drive.advance(60)
        for _ in range(2):
            await drive.store.attempts.sent_cancel(attempt)
            await drive.store.attempts.cancel_answered(attempt)
        noted = await drive.attempt(job)
        assert (noted.cancel_answered, noted.cancel_sent_at) == (True, sent.cancel_sent_at)
        assert (noted.verdict, noted.closed_at) == (None, None)
        assert not (await drive.attempt(other)).cancel_answered

    async def test_an_answer_to_a_cancel_is_about_one_attempt(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        await drive.store.attempts.cancel_answered(await drive.attempt(job))
        again = await drive.dispatch(await drive.event(job, "rerun", Verdict.FAILED))
        assert [(await drive.attempt(again, number)).cancel_answered for number in (1, 2)] == [True, False]
