"""Ends by the stored rules alone, and what a process leaves to others that know more."""

# ruff: noqa: D102 - the name of a test is its sentence

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from makegood.errors import GuardFailed
from makegood.job import Evidence, Job, JobMoney, Verdict
from makegood.machine import Spec
from makegood.ports import RESULT_SECONDS
from makegood.testing.drive import PLAIN, PRICE, REVIEWED, Drive, fact

ERROR = {"category": "timeout", "message": "The job was too long.", "detail": {}}
HELD, BACK, SPENT = JobMoney(held=PRICE), JobMoney(released=PRICE), JobMoney(captured=PRICE)


async def end(
    drive: Drive, job: Job, *, operation_id: UUID | None = None, evidence: Evidence | None = None
) -> Job | None:
    """End *job* as the watchdog would."""
    return await drive.store.jobs.end(
        job,
        operation_id=operation_id or uuid4(),
        actor="watchdog",
        reason="too long",
        error=ERROR,
        evidence=evidence,
    )


class EndsContract:
    """What `Jobs.end` and `Outbox.take` promise."""

    @pytest.mark.parametrize(
        ("spec", "state", "event", "to_state", "money"),
        [
            (PLAIN, "pending", "refuse", "failed", JobMoney()),
            (PLAIN, "queued", "fail", "failed", BACK),
            (PLAIN, "starting", "fail", "failed", BACK),
            (PLAIN, "running", "fail", "failed", BACK),
            (REVIEWED, "awaiting_review", "decline", "failed", BACK),
            (REVIEWED, "handed_over", "archive", "completed", SPENT),
        ],
    )
    async def test_each_state_has_its_way_out(
        self, drive: Drive, spec: Spec, state: str, event: str, to_state: str, money: JobMoney
    ) -> None:
        await drive.grant()
        job = await drive.to(state, spec)
        evidence = fact(job, Verdict.DEADLINE) if state == "running" else None
        ended = await end(drive, job, evidence=evidence)
        assert ended is not None
        assert (ended.state, ended.error, ended.version) == (to_state, ERROR, job.version + 1)
        assert ended == await drive.job(job)
        last = (await drive.store.jobs.history(job.id))[-1]
        assert (last.event, last.actor, last.reason) == (event, "watchdog", "too long")
        assert await drive.store.jobs.money(job.id) == money
        wallet = await drive.store.ledger.wallet("ada")
        assert (wallet.available, wallet.held) == (1_000 - money.captured, 0)

    async def test_a_slot_that_was_never_used_is_free_and_another_drains(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool()
        await end(drive, await drive.to("starting", pool=pool))
        assert await drive.slots(pool) == (0, 0)
        job = await drive.to("running", pool=pool)
        await end(drive, job, evidence=fact(job, Verdict.DEADLINE))
        assert await drive.slots(pool) == (1, 1)

    async def test_a_job_that_was_submitted_does_not_end_without_evidence(self, drive: Drive) -> None:
        """Also if it was submitted only after it was read."""
        await drive.grant()
        before = await drive.to("starting")
        job = await drive.submit(before)
        assert await end(drive, before) is None
        with pytest.raises(GuardFailed):
            await end(drive, job)
        assert await drive.store.jobs.money(job.id) == HELD

    async def test_a_job_that_has_moved_is_left_alone(self, drive: Drive) -> None:
        await drive.grant()
        seen = await drive.to("queued")
        moved = await drive.event(await drive.dispatch(seen), "defer")
        assert (moved.state, moved.version) != (seen.state, seen.version)
        assert moved.state == seen.state
        assert await end(drive, seen) is None
        assert (await drive.job(seen), await drive.store.jobs.money(seen.id)) == (moved, HELD)

    async def test_who_loses_the_race_leaves_no_evidence(self, drive: Drive) -> None:
        await drive.grant()
        seen = await drive.submit(await drive.to("starting"))
        running = await drive.event(seen, "begin", Verdict.ACCEPTED)
        assert await end(drive, seen, evidence=fact(seen, Verdict.DEADLINE)) is None
        with pytest.raises(GuardFailed):  # with that evidence it could
            await drive.event(running, "fail")
        assert (await drive.job(seen), await drive.store.jobs.money(seen.id)) == (running, HELD)

    async def test_d48_a_result_that_came_before_the_end_is_kept_for_as_long_as_it_may_be_fetched(
        self, drive: Drive
    ) -> None:
        """Whoever ends the job has asked before, and does not know of it."""
        await drive.grant()
        job = await drive.to("running")
        await drive.record(job, Verdict.SUCCEEDED)
        assert await end(drive, job, evidence=fact(job, Verdict.DEADLINE)) is None
        assert (await drive.job(job), await drive.store.jobs.money(job.id)) == (job, HELD)
        known = await drive.store.attempts.evidence(job.id)
        assert [e.verdict for e in known] == [Verdict.ACCEPTED, Verdict.SUCCEEDED]
        await drive.advance(RESULT_SECONDS + 1)
        ended = await end(drive, job, evidence=fact(job, Verdict.DEADLINE))
        assert (ended and ended.state, await drive.store.jobs.money(job.id)) == ("failed", BACK)

    async def test_the_end_of_a_submitted_job_again_is_one_end_though_a_result_comes_after_it(
        self, drive: Drive
    ) -> None:
        await drive.grant()
        job, operation_id = await drive.to("running"), uuid4()
        ended = await end(drive, job, operation_id=operation_id, evidence=fact(job, Verdict.DEADLINE))
        await drive.record(job, Verdict.SUCCEEDED)
        assert ended is not None
        assert await end(drive, job, operation_id=operation_id) == ended
        assert await drive.store.jobs.money(job.id) == BACK

    @pytest.mark.parametrize("state", ["completed", "failed", "cancelled"])
    async def test_a_job_that_is_over_has_no_way_out(self, drive: Drive, state: str) -> None:
        await drive.grant()
        job = await drive.to(state)
        money = await drive.store.jobs.money(job.id)
        assert await end(drive, job) is None
        assert (await drive.job(job), await drive.store.jobs.money(job.id)) == (job, money)

    async def test_an_unknown_job_does_not_end(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("queued")
        for other in (replace(job, id=uuid4()), replace(job, version=job.version + 1)):
            assert await end(drive, other) is None
        assert await drive.job(job) == job

    async def test_the_same_end_again_is_one_end(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("queued")
        operation_id = uuid4()
        ended = await end(drive, job, operation_id=operation_id)
        assert ended is not None
        assert await end(drive, job, operation_id=operation_id) == ended
        assert await drive.store.jobs.money(job.id) == BACK
        assert [t.event for t in await drive.store.jobs.history(job.id)] == ["submit", "accept", "fail"]

    async def test_announcements_of_other_types_are_left_to_those_who_know_them(self, drive: Drive) -> None:
        await drive.grant()
        plain, reviewed = await drive.to("queued"), await drive.to("queued", REVIEWED)
        take = drive.store.outbox.take
        assert await take([], 10, 60) == []
        assert await take(["somebody_elses"], 10, 60) == []
        mine = await take([PLAIN.name], 10, 60)
        assert [(a.transition.job_id, a.transition.version, a.tries) for a in mine] == [(plain.id, 0, 1)]
        theirs = await take([REVIEWED.name, PLAIN.name], 10, 60)
        assert [(a.transition.job_id, a.transition.version, a.tries) for a in theirs] == [(reviewed.id, 0, 1)]

    async def test_others_do_not_use_up_the_limit(self, drive: Drive) -> None:
        for _ in range(3):
            await drive.insert(REVIEWED)
        job = await drive.insert()
        taken = await drive.store.outbox.take([PLAIN.name], 1, 60)
        assert [a.transition.job_id for a in taken] == [job.id]
