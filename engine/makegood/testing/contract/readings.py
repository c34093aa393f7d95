"""Exclusive accounts: submissions one at a time, counts that prove one lost; and late webhooks."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio

import pytest

from makegood.errors import GuardFailed
from makegood.job import Attempt, Job, Phase, Verdict
from makegood.testing.drive import LEASE_SECONDS, PLAIN, Drive, accounts, edge_of, fact, token_hash

# Far apart: real time may pass as well.
GAP_SECONDS, SETTLE_SECONDS, STEP_SECONDS = 200.0, 500.0, 100.0


async def alone(drive: Drive, n: int = 0) -> tuple[str, list[Job]]:
    """Return an exclusive pool with *n* opened attempts."""
    await drive.grant(10_000)
    pool = await drive.pool(9, exclusive=True)
    return pool, [await drive.to("starting", pool=pool) for _ in range(n)]


async def uncertain(drive: Drive, pool: str) -> Job:
    """Return a job whose create reply was lost a moment ago."""
    job = await drive.submit(await drive.to("starting", pool=pool))
    await drive.store.attempts.doubt(await drive.attempt(job), "timed out")
    return job


async def count(drive: Drive, pool: str, more: int = 0) -> list[Attempt]:
    """Take a reading in which the provider counts *more* tasks than we know; return what is proved by it."""
    reading = await drive.store.attempts.begin_reading(*accounts(pool))
    assert reading is not None
    in_use = len(reading.tasks) + more
    return await drive.store.attempts.end_reading(
        reading, in_use, gap_seconds=GAP_SECONDS, settle_seconds=SETTLE_SECONDS
    )


async def counts(drive: Drive, pool: str, n: int) -> list[list[Attempt]]:
    """Take *n* clean readings, one after another."""
    found = []
    for _ in range(n):
        await drive.advance(STEP_SECONDS)
        found.append(await count(drive, pool))
    return found


class ReadingsContract:
    """What `Accounts` promises about counts, and `Attempts.claim` about exclusive accounts."""

    async def test_an_exclusive_account_is_submitted_to_by_one_at_a_time(self, drive: Drive) -> None:
        pool, jobs = await alone(drive, 2)
        claim, names = drive.store.attempts.claim, accounts(pool)
        taken = await asyncio.gather(*(claim(names, 10, LEASE_SECONDS) for _ in range(5)))
        [attempt] = [attempt for attempts in taken for attempt in attempts]
        assert attempt.job_id == jobs[0].id
        assert await drive.store.attempts.intend(attempt, token_hash(attempt), LEASE_SECONDS)
        assert await claim(names, 10, LEASE_SECONDS) == []
        await drive.event(await drive.job(jobs[0]), "begin", Verdict.ACCEPTED)
        [attempt] = await claim(names, 10, LEASE_SECONDS)
        assert attempt.job_id == jobs[1].id
        await drive.store.attempts.give_back(attempt)
        assert len(await claim(names, 10, LEASE_SECONDS)) == 1

    async def test_a_worker_that_died_on_the_way_holds_up_the_others_only_for_its_lease(
        self, drive: Drive
    ) -> None:
        pool, _ = await alone(drive, 2)
        names = accounts(pool)
        [first] = await drive.store.attempts.claim(names, 10, LEASE_SECONDS)
        assert await drive.store.attempts.claim(names, 10, LEASE_SECONDS) == []
        await drive.advance(LEASE_SECONDS)
        [again] = await drive.store.attempts.claim(names, 10, LEASE_SECONDS)
        assert (again.job_id, again.epoch) == (first.job_id, first.epoch + 1)
        assert not await drive.store.attempts.intend(first, b"token", LEASE_SECONDS)

    async def test_two_are_on_their_way_and_the_others_wait_in_the_queue(self, drive: Drive) -> None:
        pool, _ = await alone(drive)
        jobs = await drive.queued(pool, 4)
        dispatch, claim, names = drive.store.attempts.dispatch, drive.store.attempts.claim, accounts(pool)
        first, second = await dispatch(pool, names, 10)
        [attempt] = await claim(names, 10, LEASE_SECONDS)
        assert attempt.job_id == first.job_id
        assert await drive.store.attempts.intend(attempt, token_hash(attempt), LEASE_SECONDS)
        assert await dispatch(pool, names, 10) == []
        [sent] = [job for job in jobs if job.id == attempt.job_id]
        await drive.event(await drive.job(sent), "begin", Verdict.ACCEPTED)
        [third] = await dispatch(pool, names, 10)
        assert {first.job_id, second.job_id} == {job.id for job in jobs[:2]}
        assert third.job_id == jobs[2].id

    async def test_an_uncertain_submission_keeps_no_other_waiting(self, drive: Drive) -> None:
        pool, _ = await alone(drive)
        await uncertain(drive, pool)
        await drive.to("running", pool=pool)

    async def test_other_accounts_are_claimed_beside_it(self, drive: Drive) -> None:
        pool, _ = await alone(drive, 2)
        free = await drive.pool(9)
        for _ in range(2):
            await drive.to("starting", pool=free)
        names = [*accounts(pool), *accounts(free)]
        taken = await drive.store.attempts.claim(names, 10, LEASE_SECONDS)
        assert sorted(attempt.account for attempt in taken) == sorted([*names, *accounts(free)])

    async def test_clean_counts_without_a_gap_prove_that_there_is_no_task(self, drive: Drive) -> None:
        pool, _ = await alone(drive)
        await drive.to("running", pool=pool)
        job = await uncertain(drive, pool)
        assert await counts(drive, pool, 5) == [[]] * 5
        [[proved]] = await counts(drive, pool, 1)
        assert (proved.job_id, proved.number) == (job.id, 1)
        back = await drive.event(job, "defer", Verdict.REJECTED)
        assert (back.state, back.reruns, await drive.slots(pool)) == ("queued", 0, (1, 0))
        assert (await drive.attempt(job)).verdict is Verdict.REJECTED

    async def test_two_counts_at_one_moment_are_one(self, drive: Drive) -> None:
        pool, _ = await alone(drive)
        await uncertain(drive, pool)
        await counts(drive, pool, 4)
        await drive.advance(STEP_SECONDS)
        readings = [await drive.store.attempts.begin_reading(*accounts(pool)) for _ in range(2)]
        for reading in readings:
            assert reading is not None
            bounds = {"gap_seconds": GAP_SECONDS, "settle_seconds": SETTLE_SECONDS}
            assert await drive.store.attempts.end_reading(reading, 0, **bounds) == []
        assert len((await counts(drive, pool, 1))[0]) == 1

    async def test_one_task_too_many_voids_the_proof_for_ever(self, drive: Drive) -> None:
        pool, _ = await alone(drive)
        await uncertain(drive, pool)
        await counts(drive, pool, 2)
        await count(drive, pool, more=1)
        assert await drive.store.attempts.begin_reading(*accounts(pool)) is None

    async def test_one_task_too_few_voids_it_too(self, drive: Drive) -> None:
        pool, _ = await alone(drive)
        await drive.to("running", pool=pool)
        await uncertain(drive, pool)
        await count(drive, pool, more=-1)
        assert await drive.store.attempts.begin_reading(*accounts(pool)) is None

    async def test_a_gap_between_two_counts_voids_it(self, drive: Drive) -> None:
        pool, _ = await alone(drive)
        await uncertain(drive, pool)
        await counts(drive, pool, 2)
        await drive.advance(GAP_SECONDS + 1)
        assert await count(drive, pool) == []
        assert await drive.store.attempts.begin_reading(*accounts(pool)) is None

    async def test_a_gap_before_the_first_count_voids_it(self, drive: Drive) -> None:
        pool, _ = await alone(drive)
        await uncertain(drive, pool)
        await drive.advance(GAP_SECONDS + 1)
        await count(drive, pool)
        assert await drive.store.attempts.begin_reading(*accounts(pool)) is None

    async def test_a_webhook_with_its_token_voids_it(self, drive: Drive) -> None:
        pool, _ = await alone(drive)
        attempt = await drive.attempt(await uncertain(drive, pool))
        await counts(drive, pool, 4)
        assert await drive.store.hints.receive(token_hash(attempt), "body", None)
        await drive.store.hints.read(await drive.store.hints.unread(attempt))
        assert await counts(drive, pool, 4) == [[]] * 4

    async def test_a_proof_loses_against_a_webhook_that_comes_before_it_is_acted_on(
        self, drive: Drive
    ) -> None:
        pool, _ = await alone(drive)
        job = await uncertain(drive, pool)
        [proved] = (await counts(drive, pool, 6))[-1]
        assert proved.token_hash is not None
        await drive.store.hints.receive(proved.token_hash, "{}", "task-1")
        proof = proved.evidence(Verdict.REJECTED, "count")
        with pytest.raises(GuardFailed):
            await drive.apply(job, edge_of(PLAIN, "starting", "defer"), evidence=proof)
        assert (await drive.store.attempts.record(proof)).phase is Phase.UNCERTAIN
        assert await drive.store.attempts.evidence(job.id) == []
        assert await drive.slots(pool) == (1, 0)

    async def test_a_proof_takes_no_slot_from_a_task_that_was_found_before_it_is_acted_on(
        self, drive: Drive
    ) -> None:
        pool, _ = await alone(drive)
        job = await uncertain(drive, pool)
        [proved] = (await counts(drive, pool, 6))[-1]
        await drive.event(job, "begin", Verdict.ACCEPTED)
        proof = proved.evidence(Verdict.REJECTED, "count")
        assert (await drive.store.attempts.record(proof)).phase is Phase.ACCEPTED
        assert await drive.slots(pool) == (1, 0)

    async def test_a_person_who_says_no_task_loses_against_one_that_was_found_meanwhile(
        self, drive: Drive
    ) -> None:
        pool, _ = await alone(drive)
        job = await uncertain(drive, pool)
        word = (await drive.attempt(job)).evidence(Verdict.REJECTED, "administrator")
        await drive.record(job, Verdict.ACCEPTED)  # its job has not begun yet
        with pytest.raises(GuardFailed):
            await drive.apply(job, edge_of(PLAIN, "starting", "defer"), evidence=word)
        assert (await drive.store.attempts.record(word)).phase is Phase.ACCEPTED
        assert await drive.slots(pool) == (1, 0)

    async def test_a_person_who_says_no_task_loses_against_a_webhook_that_nobody_has_looked_into(
        self, drive: Drive
    ) -> None:
        pool, _ = await alone(drive)
        job = await uncertain(drive, pool)
        attempt = await drive.attempt(job)
        assert attempt.token_hash is not None
        word = attempt.evidence(Verdict.REJECTED, "administrator")
        await drive.store.hints.receive(attempt.token_hash, "{}", "task-1")
        with pytest.raises(GuardFailed):
            await drive.apply(job, edge_of(PLAIN, "starting", "defer"), evidence=word)
        await drive.store.hints.read(await drive.store.hints.unread(attempt))  # it names another's task
        back = await drive.apply(job, edge_of(PLAIN, "starting", "defer"), evidence=word)
        assert (back.state, await drive.slots(pool)) == ("queued", (0, 0))

    async def test_a_count_loses_against_a_webhook_that_names_no_task_and_was_looked_into(
        self, drive: Drive
    ) -> None:
        pool, _ = await alone(drive)
        job = await uncertain(drive, pool)
        attempt = await drive.attempt(job)
        assert attempt.token_hash is not None
        await drive.store.hints.receive(attempt.token_hash, "{}", None)
        await drive.store.hints.read(await drive.store.hints.unread(attempt))
        counted = attempt.evidence(Verdict.REJECTED, "count")
        with pytest.raises(GuardFailed):
            await drive.apply(job, edge_of(PLAIN, "starting", "defer"), evidence=counted)
        assert (await drive.job(job), await drive.slots(pool)) == (job, (1, 0))

    async def test_nothing_is_counted_while_a_submission_is_under_way(self, drive: Drive) -> None:
        pool, _ = await alone(drive)
        await uncertain(drive, pool)
        await drive.submit(await drive.to("starting", pool=pool))
        assert await drive.store.attempts.begin_reading(*accounts(pool)) is None

    async def test_nothing_is_counted_where_no_submission_is_uncertain(self, drive: Drive) -> None:
        pool, _ = await alone(drive)
        await drive.to("running", pool=pool)
        assert await drive.store.attempts.begin_reading(*accounts(pool)) is None

    async def test_a_count_during_which_something_was_sent_or_ended_counts_for_nothing(
        self, drive: Drive
    ) -> None:
        bounds = {"gap_seconds": GAP_SECONDS, "settle_seconds": SETTLE_SECONDS}
        for what in ("sent", "sent and doubted", "accepted", "ended"):
            pool, _ = await alone(drive)
            other = await drive.to("running", pool=pool)
            await uncertain(drive, pool)
            reading = await drive.store.attempts.begin_reading(*accounts(pool))
            assert reading is not None
            await drive.advance(1)
            job = await drive.to("starting", pool=pool)
            if what == "ended":
                await drive.event(other, "fail", Verdict.FAILED)
            else:
                job = await drive.submit(job)
            if what == "accepted":
                await drive.event(job, "begin", Verdict.ACCEPTED)
            elif what == "sent and doubted":
                await drive.store.attempts.doubt(await drive.attempt(job), "timed out")
            # were it kept, it would void the proof
            assert await drive.store.attempts.end_reading(reading, 7, **bounds) == []
            if what == "sent":
                await drive.event(await drive.job(job), "begin", Verdict.ACCEPTED)
            assert await drive.store.attempts.begin_reading(*accounts(pool)) is not None, what

    async def test_each_uncertain_submission_has_a_proof_of_its_own(self, drive: Drive) -> None:
        pool, _ = await alone(drive)
        first = await uncertain(drive, pool)
        await counts(drive, pool, 3)
        await uncertain(drive, pool)
        found = await counts(drive, pool, 3)
        assert [[a.job_id for a in proved] for proved in found] == [[], [], [first.id]]


class LateContract:
    """What `Attempts.late` promises: a webhook that comes when its attempt is closed is looked into."""

    async def _closed(self, drive: Drive, verdict: Verdict) -> Attempt:
        await drive.grant()
        job = await drive.submit(await drive.to("starting"))
        evidence = fact(job, verdict, task_id=None)
        await drive.apply(job, edge_of(PLAIN, "starting", "fail"), evidence=evidence)
        return await drive.attempt(job)

    async def _late(self, drive: Drive, attempt: Attempt) -> list[Attempt]:
        await drive.advance(60)
        return await drive.store.attempts.late([attempt.account], 10, 60)

    async def test_one_for_a_rejected_attempt_is_looked_into_until_it_is_dealt_with(
        self, drive: Drive
    ) -> None:
        attempt = await self._closed(drive, Verdict.REJECTED)
        assert await self._late(drive, attempt) == []
        assert await drive.store.hints.receive(token_hash(attempt), "body", "task-1")
        for _ in range(2):
            [late] = await self._late(drive, attempt)
            assert (late.job_id, late.number) == (attempt.job_id, attempt.number)
            assert await drive.store.attempts.late([attempt.account], 10, 60) == []
        assert await drive.store.attempts.late(["nobody's"], 10, 60) == []
        known = await drive.store.attempts.record(
            attempt.evidence(Verdict.ACCEPTED, "late webhook", task_id="task-1")
        )
        assert (known.task_id, known.verdict, known.closed_at) == (
            "task-1",
            Verdict.REJECTED,
            attempt.closed_at,
        )
        await drive.store.hints.read(await drive.store.hints.unread(attempt))
        assert await self._late(drive, attempt) == []

    async def test_a_late_task_takes_no_slot_and_is_counted(self, drive: Drive) -> None:
        attempt = await self._closed(drive, Verdict.REJECTED)
        [name] = {attempt.account}
        await drive.store.attempts.record(
            attempt.evidence(Verdict.ACCEPTED, "late webhook", task_id="task-1")
        )
        [use] = [use for use in await drive.store.attempts.occupancy() if use.account == name]
        assert (use.open, use.late) == (0, 1)

    async def test_a_late_task_does_not_end_the_rest_of_its_account(self, drive: Drive) -> None:
        attempt = await self._closed(drive, Verdict.REJECTED)
        await drive.store.attempts.rest(attempt.account, 600, 600)
        await drive.store.attempts.record(
            attempt.evidence(Verdict.ACCEPTED, "late webhook", task_id="task-1")
        )
        [use] = [use for use in await drive.store.attempts.occupancy() if use.account == attempt.account]
        assert use.rests_until is not None

    async def test_one_that_came_while_the_attempt_was_open_is_looked_into_as_well(
        self, drive: Drive
    ) -> None:
        await drive.grant()
        job = await drive.submit(await drive.to("starting"))
        attempt = await drive.attempt(job)
        assert await drive.store.hints.receive(token_hash(attempt), "body", "task-1")
        assert await self._late(drive, attempt) == []
        await drive.event(job, "defer", Verdict.REJECTED)
        assert len(await self._late(drive, attempt)) == 1

    async def test_the_usual_one_about_a_task_that_is_over_is_dealt_with(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.event(await drive.to("running"), "fail", Verdict.FAILED)
        attempt = await drive.attempt(job)
        assert await drive.store.hints.receive(token_hash(attempt), "body", attempt.task_id)
        assert len(await drive.store.hints.unread(attempt)) == 1
        assert await self._late(drive, attempt) == []
        assert await drive.store.hints.unread(attempt) == []

    async def test_one_that_names_another_task_is_looked_into(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.event(await drive.to("running"), "fail", Verdict.FAILED)
        attempt = await drive.attempt(job)
        assert await drive.store.hints.receive(token_hash(attempt), "body", "another task")
        assert len(await self._late(drive, attempt)) == 1

    async def test_one_for_an_attempt_that_was_given_up_is_looked_into(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.event(await drive.to("running"), "fail", Verdict.DEADLINE)
        attempt = await drive.record(job, Verdict.ABSENT, source="draining deadline")
        assert await drive.store.hints.receive(token_hash(attempt), "body", attempt.task_id)
        assert len(await self._late(drive, attempt)) == 1
