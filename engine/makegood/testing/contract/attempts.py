"""Attempts: worked on by one worker at a time, submitted once, asked about in turn."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio
from datetime import timedelta

from makegood.job import Phase, Verdict
from makegood.ports import PROLONGED_TIMES
from makegood.testing.drive import LEASE_SECONDS, PLAIN, Drive, accounts, token_hash


class AttemptsContract:
    """What `Store.attempts` promises about leases, intents and questions."""

    async def test_an_attempt_is_claimed_by_one_worker(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("starting")
        claims = await asyncio.gather(
            *(drive.store.attempts.claim(accounts(job.pool), 10, 300) for _ in range(5))
        )
        [attempt] = [attempt for claimed in claims for attempt in claimed]
        assert (attempt.job_id, attempt.number, attempt.epoch) == (job.id, 1, 1)
        assert attempt.phase is Phase.OPENED

    async def test_no_more_is_claimed_than_wished(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool()
        await drive.queued(pool, 3)
        await drive.store.attempts.dispatch(pool, accounts(pool), 10)
        assert len(await drive.store.attempts.claim(accounts(pool), 2, 300)) == 2
        assert len(await drive.store.attempts.claim(accounts(pool), 2, 300)) == 1

    async def test_after_its_lease_an_attempt_goes_to_the_next_worker(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("starting")
        [lost] = await drive.store.attempts.claim(accounts(job.pool), 10, 300)
        await drive.advance(301)
        assert not await drive.store.attempts.intend(lost, b"lost", 300)
        [mine] = await drive.store.attempts.claim(accounts(job.pool), 10, 300)
        assert mine.epoch == lost.epoch + 1
        assert not await drive.store.attempts.intend(lost, b"lost", 300)
        assert await drive.store.attempts.intend(mine, b"mine", 300)

    async def test_what_is_given_back_can_be_taken_at_once(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("starting")
        [first] = await drive.store.attempts.claim(accounts(job.pool), 10, 300)
        await drive.store.attempts.give_back(first)
        assert not await drive.store.attempts.intend(first, b"first", 300)
        [second] = await drive.store.attempts.claim(accounts(job.pool), 10, 300)
        assert second.epoch == first.epoch + 1
        await drive.store.attempts.give_back(first)
        assert await drive.store.attempts.claim(accounts(job.pool), 10, 300) == []

    async def test_d29_an_upload_that_goes_on_keeps_lease_and_deadline(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("starting")
        mine, deadline = await drive.claim(job), PLAIN.state["starting"].deadline_seconds or 0
        for _ in range(int(3 * deadline / 200)):
            await drive.advance(200)
            assert await drive.store.attempts.renew(mine, LEASE_SECONDS)
            assert await drive.store.attempts.claim(accounts(job.pool), 10, LEASE_SECONDS) == []
            assert await drive.store.jobs.overdue(accounts(job.pool), 10, 0) == []
        put_off, now = (await drive.job(job)).deadline_at, await drive.now()
        assert put_off is not None
        assert deadline - 60 < (put_off - now).total_seconds() <= deadline
        assert await drive.store.attempts.intend(mine, b"token", LEASE_SECONDS)

    async def test_d29_no_upload_goes_on_for_ever(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("starting")
        mine, deadline = await drive.claim(job), PLAIN.state["starting"].deadline_seconds or 0
        for _ in range(int(PROLONGED_TIMES * deadline / 200)):
            await drive.advance(200)
            assert await drive.store.attempts.renew(mine, LEASE_SECONDS)
        assert [late.id for late in await drive.store.jobs.overdue(accounts(job.pool), 10, 0)] == [job.id]
        last = job.entered_at + timedelta(seconds=PROLONGED_TIMES * deadline)
        assert (await drive.job(job)).deadline_at == last

    async def test_d29_who_lost_the_lease_prolongs_nothing(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("starting")
        lost = await drive.claim(job)
        await drive.advance(LEASE_SECONDS + 1)
        before = await drive.job(job)
        assert not await drive.store.attempts.renew(lost, LEASE_SECONDS)
        mine = await drive.claim(job)
        assert not await drive.store.attempts.renew(lost, LEASE_SECONDS)
        assert await drive.job(job) == before
        assert await drive.store.attempts.intend(mine, b"token", LEASE_SECONDS)
        assert not await drive.store.attempts.renew(mine, LEASE_SECONDS)  # what is sent has its own time
        assert (await drive.job(job)).deadline_at == before.deadline_at

    async def test_d29_an_upload_whose_job_has_left_learns_it(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("starting")
        mine = await drive.claim(job)
        await drive.event(job, "fail")
        assert not await drive.store.attempts.renew(mine, LEASE_SECONDS)

    async def test_an_attempt_whose_job_is_over_is_not_claimed(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("starting")
        await drive.event(job, "fail")
        assert await drive.store.attempts.claim(accounts(job.pool), 10, 300) == []

    async def test_the_intent_is_written_on_the_job(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("starting")
        attempt = await drive.claim(job)
        assert await drive.store.attempts.intend(attempt, b"token", 300)
        after, submitting = await drive.job(job), await drive.attempt(job)
        assert (after.submitted, after.intent_attempt, after.version) == (True, 1, job.version)
        assert (submitting.phase, submitting.token_hash) == (Phase.SUBMITTING, b"token")
        assert [each.token_hash for each in await drive.store.attempts.of(job.id)] == [None]
        assert submitting.intent_at is not None
        await drive.advance(400)
        assert await drive.store.attempts.claim(accounts(job.pool), 10, 300) == []

    async def test_the_same_intent_twice_is_one_intent(self, drive: Drive) -> None:
        await drive.grant()
        attempt = await drive.claim(await drive.to("starting"))
        assert await drive.store.attempts.intend(attempt, b"token", 300)
        assert await drive.store.attempts.intend(attempt, b"token", 300)
        assert not await drive.store.attempts.intend(attempt, b"another", 300)

    async def test_of_many_intents_one_wins(self, drive: Drive) -> None:
        await drive.grant()
        attempt = await drive.claim(await drive.to("starting"))
        intend = drive.store.attempts.intend
        won = await asyncio.gather(*(intend(attempt, f"token-{n}".encode(), 300) for n in range(5)))
        assert sum(won) == 1

    async def test_nothing_is_sent_for_a_job_that_has_left(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("starting")
        attempt = await drive.claim(job)
        await drive.event(job, "cancel")
        assert not await drive.store.attempts.intend(attempt, b"token", 300)
        assert (await drive.attempt(job)).intent_at is None

    async def test_an_intent_is_not_confirmed_for_a_job_that_is_over(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("starting")
        attempt = await drive.claim(job)
        assert await drive.store.attempts.intend(attempt, b"token", 300)
        await drive.event(await drive.job(job), "fail", Verdict.DEADLINE)
        assert not await drive.store.attempts.intend(attempt, b"token", 300)

    async def test_an_ended_job_and_an_intent_exclude_each_other(self, drive: Drive) -> None:
        await drive.grant()
        for _ in range(10):
            job = await drive.to("starting")
            attempt = await drive.claim(job)
            intended, ended = await asyncio.gather(
                drive.store.attempts.intend(attempt, token_hash(attempt), 300),
                drive.event(job, "fail"),
                return_exceptions=True,
            )
            assert (intended is True) is isinstance(ended, BaseException)
            if intended is True:
                await drive.event(await drive.job(job), "fail", Verdict.REJECTED)

    async def test_doubt_makes_an_attempt_uncertain_and_due(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.submit(await drive.to("starting"))
        submitting = await drive.attempt(job)
        assert await drive.store.attempts.due(accounts(job.pool), 10, 5) == []
        await drive.store.attempts.doubt(submitting, "timed out")
        [due] = await drive.store.attempts.due(accounts(job.pool), 10, 5)
        assert (due.phase, due.asked) == (Phase.UNCERTAIN, 1)
        assert await drive.slots(job.pool) == (1, 0)
        assert (await drive.record(job, Verdict.ACCEPTED)).phase is Phase.ACCEPTED

    async def test_doubt_does_not_undo_what_is_known(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.submit(await drive.to("starting"))
        accepted = await drive.record(job, Verdict.ACCEPTED)
        await drive.store.attempts.doubt(accepted, "timed out")
        assert await drive.attempt(job) == accepted

    async def test_a_submission_whose_worker_died_becomes_uncertain(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.submit(await drive.to("starting"))
        await drive.advance(LEASE_SECONDS + 60)
        [due] = await drive.store.attempts.due(accounts(job.pool), 10, 5)
        assert (due.job_id, due.phase) == (job.id, Phase.UNCERTAIN)
        assert not await drive.store.attempts.intend(due, token_hash(due), 300)

    async def test_the_first_answer_to_a_cancel_counts(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        attempt = await drive.attempt(job)
        assert await drive.store.attempts.sent_cancel(attempt)
        for late in (True, False):
            await drive.store.attempts.cancel_answered(attempt, late=late)
        assert (await drive.attempt(job)).cancel_late

    async def test_a_submission_that_is_given_back_becomes_uncertain_all_the_same(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.submit(await drive.to("starting"))
        await drive.store.attempts.give_back(await drive.attempt(job))  # and who gave it back died then
        await drive.advance(LEASE_SECONDS + 60)
        [due] = await drive.store.attempts.due(accounts(job.pool), 10, 5)
        assert (due.job_id, due.phase) == (job.id, Phase.UNCERTAIN)

    async def test_an_accepted_attempt_is_asked_about_in_turn(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        [first] = await drive.store.attempts.due(accounts(job.pool), 10, 600)
        assert (first.job_id, first.asked) == (job.id, 1)
        assert await drive.store.attempts.due(accounts(job.pool), 10, 600) == []
        await drive.advance(601)
        [second] = await drive.store.attempts.due(accounts(job.pool), 10, 600)
        assert second.asked == 2

    async def test_one_worker_asks(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        due = await asyncio.gather(*(drive.store.attempts.due(accounts(job.pool), 10, 600) for _ in range(5)))
        assert sum(len(attempts) for attempts in due) == 1

    async def test_an_attempt_whose_job_shall_be_cancelled_is_due_now(self, drive: Drive) -> None:
        await drive.grant()
        job, other = await drive.to("running"), await drive.to("running")
        for pool in (job.pool, other.pool):
            assert len(await drive.store.attempts.due(accounts(pool), 10, 600)) == 1
        job = await drive.wants_cancel(job)
        assert await drive.store.attempts.due(accounts(other.pool), 10, 600) == []
        assert len(await drive.store.attempts.due(accounts(job.pool), 10, 600)) == 1

    async def test_what_has_not_been_sent_or_is_over_is_not_asked_about(self, drive: Drive) -> None:
        await drive.grant()
        opened, over = await drive.to("starting"), await drive.to("running")
        await drive.record(over, Verdict.FAILED)
        for job in (opened, over):
            job = await drive.wants_cancel(job)
            assert await drive.store.attempts.due(accounts(job.pool), 10, 600) == []

    async def test_a_draining_attempt_is_still_asked_about(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        await drive.event(job, "fail", Verdict.DEADLINE)
        assert [a.job_id for a in await drive.store.attempts.due(accounts(job.pool), 10, 600)] == [job.id]

    async def test_questions_have_a_limit_and_the_longest_due_comes_first(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool()
        jobs = []
        for _ in range(3):
            jobs.append(await drive.to("running", pool=pool))
            await drive.advance(60)
        first = await drive.store.attempts.due(accounts(pool), 2, 600)
        second = await drive.store.attempts.due(accounts(pool), 2, 600)
        assert [attempt.job_id for attempt in first + second] == [job.id for job in jobs]

    async def test_what_was_seen_and_sent_is_noted(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        attempt = await drive.attempt(job)
        assert (attempt.ran, attempt.cancel_sent_at) == (False, None)
        await drive.store.attempts.saw_running(attempt)
        assert await drive.store.attempts.sent_cancel(attempt)
        assert not await drive.store.attempts.sent_cancel(attempt)  # only once is the first time
        noted = await drive.attempt(job)
        assert noted.ran
        assert noted.cancel_sent_at is not None

    async def test_a_result_is_fetched_while_its_job_waits_for_it(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        assert await drive.store.attempts.to_fetch(accounts(job.pool), 10, 600) == []
        succeeded = await drive.record(job, Verdict.SUCCEEDED)
        assert await drive.store.attempts.to_fetch(accounts(job.pool), 10, 600) == [succeeded]
        assert await drive.store.attempts.to_fetch(accounts(job.pool), 10, 600) == []
        await drive.advance(601)
        assert await drive.store.attempts.to_fetch(accounts(job.pool), 10, 600) == [succeeded]
        await drive.event(job, "complete")
        await drive.advance(601)
        assert await drive.store.attempts.to_fetch(accounts(job.pool), 10, 600) == []

    async def test_a_result_is_fetched_no_sooner_than_said(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        running = await drive.attempt(job)
        await drive.store.attempts.fetch_after(running, 60)
        succeeded = await drive.record(job, Verdict.SUCCEEDED)
        await drive.store.attempts.fetch_after(succeeded, 3_600)
        await drive.advance(3_000)
        assert await drive.store.attempts.to_fetch(accounts(job.pool), 10, 600) == []
        await drive.store.attempts.fetch_after(succeeded, 0)
        assert await drive.store.attempts.to_fetch(accounts(job.pool), 10, 600) == [succeeded]

    async def test_a_late_result_is_not_fetched(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        await drive.event(job, "fail", Verdict.DEADLINE)
        await drive.record(job, Verdict.SUCCEEDED)
        assert await drive.store.attempts.to_fetch(accounts(job.pool), 10, 600) == []
