"""Messages that name only a task: hints where somebody has it, parked for a while where nobody has."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio

from makegood.job import Attempt, Job, Verdict
from makegood.ports import (
    HINTS_MAX,
    PARKED_OF_SOURCE_MAX,
    PARKED_SECONDS,
    PARKING_SECONDS,
    REPORTS_MAX,
    Receipt,
    Swept,
)
from makegood.testing.drive import Drive, accounts


async def asks(drive: Drive, job: Job) -> bool:
    """Return whether the job's attempt is due, after which it is not for a while."""
    return bool(await drive.store.attempts.due(accounts(job.pool), 10, 600))


class ParkedContract:
    """What `Hints.hear` and `Hints.sweep` promise."""

    async def started(self, drive: Drive) -> tuple[Job, Attempt]:
        """Return a job whose create call has no reply yet, and its attempt."""
        await drive.grant()
        job = await drive.submit(await drive.to("starting"))
        return job, await drive.attempt(job)

    async def known(self, drive: Drive, task_id: str) -> tuple[Job, Attempt]:
        """Return a job with this task and its attempt, which was asked about a moment ago."""
        await drive.grant()
        job = await drive.submit(await drive.to("starting"))
        attempt = await drive.record(job, Verdict.ACCEPTED, task_id=task_id)
        assert await asks(drive, job)
        return job, attempt

    async def test_a_message_about_a_known_task_is_a_hint_and_only_asks(self, drive: Drive) -> None:
        job, attempt = await self.known(drive, "4711")
        assert not await asks(drive, job)
        assert await drive.store.hints.hear("4711", "10.0.0.1", "it failed") is Receipt.KNOWN
        assert await asks(drive, job)
        [hint] = await drive.store.hints.unread(attempt)
        assert (hint.job_id, hint.source, hint.task_id) == (job.id, "10.0.0.1", "4711")
        assert await drive.job(job) == job
        assert (await drive.attempt(job)).closed_at is None

    async def test_the_same_message_about_a_known_task_asks_once(self, drive: Drive) -> None:
        job, attempt = await self.known(drive, "4711")
        await drive.store.hints.hear("4711", "10.0.0.1", "it failed")
        assert await asks(drive, job)
        assert await drive.store.hints.hear("4711", "10.0.0.1", "it failed") is Receipt.KNOWN
        assert not await asks(drive, job)
        assert len(await drive.store.hints.unread(attempt)) == 1

    async def test_nobody_can_make_us_ask_at_will_about_a_task(self, drive: Drive) -> None:
        job, attempt = await self.known(drive, "4711")
        for source in range(HINTS_MAX // REPORTS_MAX + 1):
            for number in range(REPORTS_MAX + 1):
                receipt = await drive.store.hints.hear("4711", f"10.0.0.{source}", f"{number}")
                assert receipt is Receipt.KNOWN
        assert len(await drive.store.hints.unread(attempt)) == HINTS_MAX
        assert await asks(drive, job)
        await drive.store.hints.hear("4711", "10.0.9.9", "once more")
        assert not await asks(drive, job)

    async def test_all_accounts_that_have_a_task_of_this_name_are_asked(self, drive: Drive) -> None:
        jobs = [(await self.known(drive, "4711"))[0] for _ in range(2)]
        assert await drive.store.hints.hear("4711", "10.0.0.1", "{}") is Receipt.KNOWN
        assert [await asks(drive, job) for job in jobs] == [True, True]

    async def test_a_task_that_is_over_is_known_all_the_same(self, drive: Drive) -> None:
        job, attempt = await self.known(drive, "4711")
        await drive.record(job, Verdict.SUCCEEDED, task_id="4711")
        assert await drive.store.hints.hear("4711", "10.0.0.1", "{}") is Receipt.KNOWN
        assert len(await drive.store.hints.unread(attempt)) == 1

    async def test_a_message_that_names_a_task_waits_until_the_task_is_known(self, drive: Drive) -> None:
        job, attempt = await self.started(drive)
        assert await drive.store.hints.hear("4711", "10.0.0.1", "it is done") is Receipt.PARKED
        assert await drive.store.hints.hear("4712", "10.0.0.1", "another") is Receipt.PARKED
        assert await drive.store.hints.unread(attempt) == []
        assert not await asks(drive, job)
        await drive.record(job, Verdict.ACCEPTED, task_id="4711")
        assert await asks(drive, job)
        [hint] = await drive.store.hints.unread(attempt)
        assert (hint.source, hint.task_id) == ("10.0.0.1", "4711")
        assert await drive.store.hints.hear("4712", "10.0.0.1", "another") is Receipt.PARKED

    async def test_a_parked_message_stays_read(self, drive: Drive) -> None:
        job, attempt = await self.started(drive)
        await drive.store.hints.hear("4711", "10.0.0.1", "it is done")
        await drive.record(job, Verdict.ACCEPTED, task_id="4711")
        await drive.store.hints.read(await drive.store.hints.unread(attempt))
        await drive.store.hints.hear("4711", "10.0.0.1", "it is done")
        assert await drive.store.hints.unread(attempt) == []

    async def test_a_flood_takes_no_more_than_its_share_and_pushes_nobody_out(self, drive: Drive) -> None:
        job, attempt = await self.started(drive)
        assert await drive.store.hints.hear("4711", "10.0.0.1", "it is done") is Receipt.PARKED
        flood = [drive.store.hints.hear(f"no task {n}", "6.6.6.6", "{}") for n in range(PARKED_OF_SOURCE_MAX)]
        assert set(await asyncio.gather(*flood)) == {Receipt.PARKED}
        for n in range(3):
            assert await drive.store.hints.hear(f"more {n}", "6.6.6.6", "{}") is Receipt.FULL
        assert await drive.store.hints.hear("no task 0", "6.6.6.6", "{}") is Receipt.PARKED
        assert await drive.store.hints.hear("4711", "10.0.0.2", "it is done") is Receipt.PARKED
        await drive.record(job, Verdict.ACCEPTED, task_id="4711")
        assert {hint.source for hint in await drive.store.hints.unread(attempt)} == {"10.0.0.1", "10.0.0.2"}

    async def test_what_is_parked_for_a_day_is_dropped(self, drive: Drive) -> None:
        job, attempt = await self.started(drive)
        for number in range(3):
            await drive.store.hints.hear(f"no task {number}", "10.0.0.1", "{}")
        await drive.advance(PARKED_SECONDS - 100)
        await drive.store.hints.hear("4711", "10.0.0.1", "it is done")
        assert await drive.store.hints.sweep(10) == Swept()
        await drive.advance(PARKING_SECONDS + 100)
        assert await drive.store.hints.sweep(2) == Swept(expired=2)
        assert await drive.store.hints.sweep(2) == Swept(expired=1)
        assert await drive.store.hints.sweep(2) == Swept()
        await drive.record(job, Verdict.ACCEPTED, task_id="4711")
        assert len(await drive.store.hints.unread(attempt)) == 1
