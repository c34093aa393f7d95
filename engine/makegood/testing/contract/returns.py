"""What was taken is given back: whoever ends leaves nothing that others must wait for."""

# ruff: noqa: D102 - the name of a test is its sentence

from makegood.job import Job, Phase, Verdict
from makegood.testing.drive import LEASE_SECONDS, SPECS, Drive, accounts

TYPES = [spec.name for spec in SPECS]


class ReturnsContract:
    """How a worker hands over what it had taken."""

    async def taken_by_the_provider(self, drive: Drive) -> Job:
        """Return a job whose provider has its task."""
        await drive.grant()
        return await drive.to("running")

    async def test_a_question_that_was_not_asked_is_due_again_at_once(self, drive: Drive) -> None:
        job = await self.taken_by_the_provider(drive)
        [attempt] = await drive.store.attempts.due(accounts(job.pool), 10, 600)
        assert await drive.store.attempts.due(accounts(job.pool), 10, 600) == []
        await drive.store.attempts.ask_after(attempt, 0)
        assert len(await drive.store.attempts.due(accounts(job.pool), 10, 600)) == 1

    async def test_a_question_may_be_put_off(self, drive: Drive) -> None:
        job = await self.taken_by_the_provider(drive)
        [attempt] = await drive.store.attempts.due(accounts(job.pool), 10, 0)
        await drive.store.attempts.ask_after(attempt, 600)
        assert await drive.store.attempts.due(accounts(job.pool), 10, 0) == []
        await drive.advance(601)
        assert len(await drive.store.attempts.due(accounts(job.pool), 10, 0)) == 1

    async def test_a_result_that_was_not_fetched_is_due_again_at_once(self, drive: Drive) -> None:
        job = await self.taken_by_the_provider(drive)
        await drive.record(job, Verdict.SUCCEEDED)
        [attempt] = await drive.store.attempts.to_fetch(accounts(job.pool), 10, 600)
        assert await drive.store.attempts.to_fetch(accounts(job.pool), 10, 600) == []
        await drive.store.attempts.fetch_after(attempt, 0)
        assert len(await drive.store.attempts.to_fetch(accounts(job.pool), 10, 600)) == 1

    async def test_an_overdue_job_that_was_not_dealt_with_comes_again_at_once(self, drive: Drive) -> None:
        job = await self.taken_by_the_provider(drive)
        await drive.advance(1_000)
        there = accounts(job.pool)
        assert job.id in {late.id for late in await drive.store.jobs.overdue(there, 100, 600)}
        assert job.id not in {late.id for late in await drive.store.jobs.overdue(there, 100, 600)}
        before = await drive.job(job)
        await drive.store.jobs.hand_back(job.id)
        assert await drive.job(job) == before
        assert job.id in {late.id for late in await drive.store.jobs.overdue(there, 100, 600)}

    async def test_an_announcement_that_was_not_told_comes_again_at_once_and_was_not_tried(
        self, drive: Drive
    ) -> None:
        await drive.insert()
        [first] = await drive.store.outbox.take(TYPES, 10, 300)
        assert await drive.store.outbox.take(TYPES, 10, 300) == []
        await drive.store.outbox.give_back(first)
        [again] = await drive.store.outbox.take(TYPES, 10, 300)
        assert (again.id, again.tries) == (first.id, first.tries)

    async def test_who_lost_an_announcement_to_another_cannot_give_it_back(self, drive: Drive) -> None:
        await drive.insert()
        [first] = await drive.store.outbox.take(TYPES, 10, 300)
        await drive.advance(301)
        [second] = await drive.store.outbox.take(TYPES, 10, 300)
        await drive.store.outbox.give_back(first)
        assert await drive.store.outbox.take(TYPES, 10, 300) == []
        await drive.store.outbox.done([second])
        await drive.store.outbox.give_back(second)
        assert await drive.store.outbox.take(TYPES, 10, 300) == []

    async def test_who_lost_an_attempt_to_another_cannot_doubt_it(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("starting")
        there = accounts(job.pool)
        [first] = await drive.store.attempts.claim(there, 10, LEASE_SECONDS)
        await drive.advance(LEASE_SECONDS + 1)
        [second] = await drive.store.attempts.claim(there, 10, LEASE_SECONDS)
        assert await drive.store.attempts.intend(second, b"token", LEASE_SECONDS)
        await drive.store.attempts.doubt(first, "it ended")
        assert (await drive.attempt(job)).phase is Phase.SUBMITTING
        await drive.store.attempts.doubt(second, "it ended")
        assert (await drive.attempt(job)).phase is Phase.UNCERTAIN
        assert len(await drive.store.attempts.due(there, 10, 600)) == 1
