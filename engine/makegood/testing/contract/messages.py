"""Messages: hints are kept once and make an attempt due; every transition is announced in job order."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio

import pytest

from makegood.errors import GuardFailed
from makegood.job import Announcement, Attempt, Job, Verdict
from makegood.ports import REPORTS_MAX
from makegood.testing.drive import SPECS, Drive, accounts, token_hash

TYPES = [spec.name for spec in SPECS]


async def steps(drive: Drive, job: Job) -> list[Announcement]:
    """Take what may be delivered now and return what is about *job*."""
    return [a for a in await drive.store.outbox.take(TYPES, 100, 300) if a.transition.job_id == job.id]


class MessagesContract:
    """What `Store.hints` and `Store.outbox` promise."""

    async def running(self, drive: Drive) -> tuple[Job, Attempt]:
        """Return a running job and its attempt, which was asked about a moment ago."""
        await drive.grant()
        job = await drive.to("running")
        [attempt] = await drive.store.attempts.due(accounts(job.pool), 10, 600)
        return job, attempt

    async def test_a_message_with_an_unknown_token_is_about_nothing(self, drive: Drive) -> None:
        await self.running(drive)
        assert await drive.store.hints.receive(b"unknown", "{}", "task") is None
        assert await drive.store.hints.addressee(b"unknown") is None

    async def test_a_token_leads_to_its_own_attempt_while_it_runs_and_afterwards(self, drive: Drive) -> None:
        job, attempt = await self.running(drive)
        other = await drive.attempt(await drive.to("running"))
        assert await drive.store.hints.addressee(token_hash(attempt)) == await drive.attempt(job)
        assert await drive.store.hints.addressee(token_hash(other)) == other
        await drive.event(job, "fail", Verdict.FAILED)
        found = await drive.store.hints.addressee(token_hash(attempt))
        assert found == await drive.store.attempts.get(job.id, 1)
        assert found is not None
        assert found.verdict is Verdict.FAILED

    async def test_looking_for_an_addressee_keeps_nothing_and_makes_nothing_due(self, drive: Drive) -> None:
        job, attempt = await self.running(drive)
        await drive.store.hints.addressee(token_hash(attempt))
        assert await drive.store.hints.unread(attempt) == []
        assert await drive.store.attempts.due(accounts(job.pool), 10, 600) == []

    async def test_a_message_is_taken_in_if_its_attempt_is_at_one_of_the_accounts(self, drive: Drive) -> None:
        job, attempt = await self.running(drive)
        hints, at = drive.store.hints, [*accounts(job.pool), "another"]
        given = token_hash(attempt), "{}", "task-1"
        assert await hints.take_in(b"unknown", "{}", "task-1", at) is None
        assert await hints.take_in(*given, ["another"]) == at[0]
        assert await hints.unread(attempt) == []
        assert await drive.store.attempts.due(accounts(job.pool), 10, 600) == []
        told = await asyncio.gather(*(hints.take_in(*given, at) for _ in range(3)))
        assert told == [at[0]] * 3
        [hint] = await hints.unread(attempt)
        assert (hint.task_id, hint.source) == ("task-1", "webhook")
        [due] = await drive.store.attempts.due(accounts(job.pool), 10, 600)
        assert due.job_id == job.id

    async def test_what_was_said_of_a_job_is_read_as_it_came_and_long_texts_from_their_beginning(
        self, drive: Drive
    ) -> None:
        job, attempt = await self.running(drive)
        other = await drive.attempt(await drive.to("running"))
        hints = drive.store.hints
        await hints.receive(token_hash(attempt), '{"event": "end"}', "task-1")
        await hints.receive(token_hash(other), "of another job", None)
        await hints.read(await hints.unread(attempt))
        await hints.report(job.id, "client", "ä" * 1_000)
        told = await hints.of(job.id, 10, 20)
        shown = [(m.source, m.task_id, m.attempt, m.read, m.body, m.length) for m in told]
        assert shown == [
            ("webhook", "task-1", 1, True, '{"event": "end"}', 16),
            ("client", None, 1, False, "ä" * 20, 1_000),
        ]
        assert told[0].at.tzinfo is not None
        assert await hints.of(job.id, 1, 20) == told[1:]

    async def test_a_message_makes_its_attempt_due(self, drive: Drive) -> None:
        job, attempt = await self.running(drive)
        assert await drive.store.attempts.due(accounts(job.pool), 10, 600) == []
        received = await drive.store.hints.receive(token_hash(attempt), "{}", "task-1")
        assert received == (job.id, 1)
        [due] = await drive.store.attempts.due(accounts(job.pool), 10, 600)
        assert due.job_id == job.id
        assert await drive.job(job) == job

    async def test_the_same_message_is_kept_once(self, drive: Drive) -> None:
        job, attempt = await self.running(drive)
        for body in ("{}", "{}", '{"event": "end"}', "{}"):
            assert await drive.store.hints.receive(token_hash(attempt), body, "task-1") == (job.id, 1)
        first, second = await drive.store.hints.unread(attempt)
        assert (first.job_id, first.attempt, first.task_id) == (job.id, 1, "task-1")
        assert first.id != second.id
        assert first.received_at <= second.received_at

    async def test_a_message_that_was_read_stays_read(self, drive: Drive) -> None:
        _, attempt = await self.running(drive)
        await drive.store.hints.receive(token_hash(attempt), "{}", "task-1")
        await drive.store.hints.read(await drive.store.hints.unread(attempt))
        assert await drive.store.hints.unread(attempt) == []
        await drive.store.hints.receive(token_hash(attempt), "{}", "task-1")
        assert await drive.store.hints.unread(attempt) == []

    async def test_a_message_before_the_reply_waits_for_it(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.submit(await drive.to("starting"))
        attempt = await drive.attempt(job)
        assert await drive.store.hints.receive(token_hash(attempt), "{}", "task-1") == (job.id, 1)
        assert await drive.store.attempts.due(accounts(job.pool), 10, 600) == []
        await drive.record(job, Verdict.ACCEPTED, task_id="task-1")
        assert len(await drive.store.attempts.due(accounts(job.pool), 10, 600)) == 1
        assert len(await drive.store.hints.unread(attempt)) == 1

    async def test_messages_are_about_one_attempt(self, drive: Drive) -> None:
        job, first = await self.running(drive)
        await drive.store.hints.receive(token_hash(first), "{}", "task-1")
        job = await drive.event(job, "rerun", Verdict.FAILED)
        job = await drive.submit(await drive.dispatch(job))
        second = await drive.attempt(job)
        assert await drive.store.hints.unread(second) == []
        assert await drive.store.hints.receive(token_hash(first), '{"late": true}', "task-1") == (job.id, 1)
        assert len(await drive.store.hints.unread(first)) == 2

    async def test_a_report_of_a_client_is_kept_and_only_asks(self, drive: Drive) -> None:
        job, attempt = await self.running(drive)
        await drive.store.hints.report(job.id, "browser", '{"status": "failed"}')
        [hint] = await drive.store.hints.unread(attempt)
        assert (hint.job_id, hint.attempt, hint.source, hint.task_id) == (job.id, 1, "browser", None)
        assert len(await drive.store.attempts.due(accounts(job.pool), 10, 600)) == 1
        assert await drive.job(job) == job
        assert (await drive.store.jobs.money(job.id)).held == 100

    async def test_reports_cannot_make_us_ask_at_will(self, drive: Drive) -> None:
        job, attempt = await self.running(drive)

        async def asks() -> bool:
            return bool(await drive.store.attempts.due(accounts(job.pool), 10, 600))

        assert not await asks()
        for number in range(REPORTS_MAX):
            await drive.store.hints.report(job.id, "browser", f"it failed, {number}")
            assert await asks()
        await drive.store.hints.report(job.id, "browser", "it failed, 0")
        assert not await asks()
        await drive.store.hints.report(job.id, "browser", "it failed, once more")
        assert not await asks()
        assert len(await drive.store.hints.unread(attempt)) == REPORTS_MAX

    async def test_every_transition_is_announced_in_the_order_of_the_job(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("completed")
        heard = []
        while announced := await steps(drive, job):
            [announcement] = announced
            heard.append(announcement.transition)
            await drive.store.outbox.done([announcement])
        assert heard == await drive.store.jobs.history(job.id)

    async def test_a_job_that_waits_for_delivery_does_not_hold_up_others(self, drive: Drive) -> None:
        await drive.grant()
        one, two = await drive.to("queued"), await drive.to("queued")
        taken = await drive.store.outbox.take(TYPES, 100, 300)
        assert [(a.transition.job_id, a.transition.version) for a in taken] == [(one.id, 0), (two.id, 0)]
        assert await drive.store.outbox.take(TYPES, 100, 300) == []
        await drive.store.outbox.done(taken[1:])
        assert [a.transition.version for a in await steps(drive, two)] == [1]

    async def test_an_undelivered_announcement_comes_again_after_its_lease(self, drive: Drive) -> None:
        job = await drive.insert()
        [first] = await steps(drive, job)
        await drive.store.outbox.delivered(first, "0:after:mail")
        await drive.store.outbox.delivered(first, "1:enter:push")
        await drive.store.outbox.delivered(first, "0:after:mail")
        assert await steps(drive, job) == []
        await drive.advance(301)
        [again] = await steps(drive, job)
        assert (again.id, again.transition) == (first.id, first.transition)
        assert (first.tries, again.tries) == (1, 2)
        assert (first.delivered, sorted(again.delivered)) == ((), ["0:after:mail", "1:enter:push"])

    async def test_announcements_have_a_limit(self, drive: Drive) -> None:
        for _ in range(3):
            await drive.insert()
        first = await drive.store.outbox.take(TYPES, 2, 300)
        second = await drive.store.outbox.take(TYPES, 2, 300)
        assert (len(first), len(second)) == (2, 1)

    async def test_a_refused_transition_is_not_announced(self, drive: Drive) -> None:
        job, _ = await self.running(drive)
        seen = len(await drive.store.jobs.history(job.id))
        with pytest.raises(GuardFailed):
            await drive.event(job, "fail")
        while announced := await steps(drive, job):
            await drive.store.outbox.done(announced)
            seen -= len(announced)
        assert seen == 0
