"""Deadlines: who is overdue, in which order, and who is left to others."""

# ruff: noqa: D102 - the name of a test is its sentence

from uuid import UUID

from makegood.job import Job, Verdict
from makegood.ports import ORPHAN_SECONDS, RESULT_SECONDS
from makegood.testing.drive import REVIEWED, Drive, accounts


async def overdue(
    drive: Drive, job: Job | None = None, *, limit: int = 10, again_seconds: float = 0
) -> list[UUID]:
    """Return the overdue jobs for a process that has the accounts of the pool of *job*."""
    ours = accounts(job.pool) if job else []
    return [late.id for late in await drive.store.jobs.overdue(ours, limit, again_seconds)]


class DeadlinesContract:
    """What `Jobs.overdue` promises."""

    async def test_overdue_jobs_come_longest_first(self, drive: Drive) -> None:
        await drive.grant()
        first = await drive.insert()
        await drive.advance(60)
        second = await drive.insert()
        await drive.to("queued")
        await drive.advance(100)
        assert await overdue(drive) == []
        await drive.advance(300)
        assert await overdue(drive) == [first.id, second.id]
        assert await overdue(drive, limit=1) == [first.id]

    async def test_one_that_cannot_be_ended_lets_others_pass(self, drive: Drive) -> None:
        await drive.grant()
        first = await drive.insert()
        await drive.advance(1)
        second = await drive.insert()
        await drive.advance(400)
        assert await overdue(drive, limit=1, again_seconds=60) == [first.id]
        assert await overdue(drive, limit=1, again_seconds=60) == [second.id]
        assert await overdue(drive, limit=1, again_seconds=60) == []
        await drive.advance(61)
        assert await overdue(drive, limit=1, again_seconds=60) == [first.id]

    async def test_a_change_of_state_begins_a_new_watch(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.insert()
        await drive.advance(400)
        assert await overdue(drive, again_seconds=10**6) == [job.id]
        await drive.event(job, "accept")
        await drive.advance(7 * 3_600)
        assert await overdue(drive) == [job.id]

    async def test_a_result_that_has_to_be_fetched_is_left_alone_for_a_day(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        await drive.advance(3_600)
        assert await overdue(drive, job) == [job.id]
        await drive.record(job, Verdict.SUCCEEDED)
        assert await overdue(drive, job) == []
        await drive.advance(RESULT_SECONDS + 60)
        assert await overdue(drive, job) == [job.id]

    async def test_a_submitted_job_is_left_to_those_who_can_ask_about_it(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        await drive.advance(901)
        assert await overdue(drive) == []
        assert await overdue(drive, job) == [job.id]
        await drive.advance(ORPHAN_SECONDS)
        assert await overdue(drive) == [job.id]

    async def test_what_was_never_submitted_anybody_may_end(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("starting")
        await drive.advance(601)
        assert await overdue(drive) == [job.id]

    async def test_who_waits_to_be_cancelled_is_overdue_and_not_dispatched(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("queued")
        job = await drive.wants_cancel(job)
        assert await drive.store.attempts.dispatch(job.pool, accounts(job.pool), 1) == []
        assert await overdue(drive) == [job.id]

    async def test_a_state_after_the_slot_has_its_own_deadline(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("awaiting_review", REVIEWED)
        assert (await drive.attempt(job)).verdict is Verdict.SUCCEEDED
        await drive.advance(3 * 86_400)
        assert await overdue(drive) == [job.id]
