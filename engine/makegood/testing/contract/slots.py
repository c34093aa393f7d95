"""Slots: an open attempt each; never more than there are, never lost, given out in queue order."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio

from makegood.job import Job, Phase, ProviderAccount, Verdict
from makegood.testing.drive import PLAIN, Drive, accounts, edge_of


def ids(jobs: list[Job]) -> list[object]:
    """Return what names the jobs."""
    return [job.id for job in jobs]


class SlotsContract:
    """What `Store.attempts` promises about dispatching and occupancy."""

    async def test_an_attempt_is_opened_with_its_slot(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool()
        [job] = await drive.queued(pool)
        [attempt] = await drive.store.attempts.dispatch(pool, accounts(pool), 10)
        assert (attempt.job_id, attempt.number, attempt.account) == (job.id, 1, accounts(pool)[0])
        assert (attempt.phase, attempt.epoch, attempt.asked, attempt.ran) == (Phase.OPENED, 0, 0, False)
        assert (attempt.task_id, attempt.intent_at, attempt.verdict, attempt.outputs) == (
            None,
            None,
            None,
            (),
        )
        moved = await drive.job(job)
        assert (moved.state, moved.attempt, moved.version) == ("starting", 1, job.version + 1)
        assert await drive.attempt(moved) == attempt
        assert await drive.store.attempts.get(job.id, 2) is None

    async def test_no_more_attempts_are_open_than_there_are_slots(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(2)
        await drive.queued(pool, 5)
        assert len(await drive.store.attempts.dispatch(pool, accounts(pool), 10)) == 2
        assert await drive.store.attempts.dispatch(pool, accounts(pool), 10) == []
        [use] = [o for o in await drive.store.attempts.occupancy() if o.pool == pool]
        assert (use.account, use.capacity, use.open, use.draining, use.waiting) == (
            accounts(pool)[0],
            2,
            2,
            0,
            3,
        )

    async def test_dispatchers_at_one_moment_do_not_overshoot(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(3)
        await drive.queued(pool, 8)
        opened = await asyncio.gather(
            *(drive.store.attempts.dispatch(pool, accounts(pool), 2) for _ in range(6))
        )
        rest = await drive.store.attempts.dispatch(pool, accounts(pool), 10)
        attempts = [attempt for batch in [*opened, rest] for attempt in batch]
        assert len(attempts) == 3
        assert len({attempt.job_id for attempt in attempts}) == 3
        assert await drive.slots(pool) == (3, 0)

    async def test_a_limit_is_kept_over_all_accounts(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(2)
        both = [*accounts(pool), f"{pool}-b"]
        await drive.store.attempts.register(ProviderAccount(name=both[1], pool=pool, capacity=2))
        await drive.queued(pool, 5)
        assert len(await drive.store.attempts.dispatch(pool, both, 3)) == 3
        assert len(await drive.store.attempts.dispatch(pool, both, 3)) == 1
        assert await drive.slots(pool) == (2, 0)

    async def test_only_the_accounts_that_were_named_are_used(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(2)
        other = f"{pool}-b"
        await drive.store.attempts.register(ProviderAccount(name=other, pool=pool, capacity=2))
        await drive.queued(pool, 5)
        attempts = await drive.store.attempts.dispatch(pool, [other], 10)
        assert [attempt.account for attempt in attempts] == [other, other]
        assert await drive.store.attempts.claim(accounts(pool), 10, 300) == []
        assert len(await drive.store.attempts.claim([other], 10, 300)) == 2
        assert await drive.store.attempts.dispatch(pool, [], 10) == []

    async def test_an_account_of_another_pool_serves_nobody_here(self, drive: Drive) -> None:
        await drive.grant()
        pool, other = await drive.pool(), await drive.pool()
        await drive.queued(pool)
        assert await drive.store.attempts.dispatch(pool, accounts(other), 10) == []

    async def test_a_pool_serves_its_own_jobs(self, drive: Drive) -> None:
        await drive.grant()
        pool, other = await drive.pool(), await drive.pool()
        await drive.queued(pool)
        assert await drive.store.attempts.dispatch(other, accounts(other), 10) == []
        assert await drive.store.attempts.claim(accounts(other), 10, 300) == []

    async def test_a_freed_slot_is_given_out_again(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(1)
        first, second = await drive.queued(pool, 2)
        first = await drive.submit(await drive.dispatch(first))
        assert await drive.store.attempts.dispatch(pool, accounts(pool), 10) == []
        await drive.event(first, "complete", Verdict.SUCCEEDED)
        await drive.dispatch(second)

    async def test_fewer_slots_than_open_attempts_open_nothing_more(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(2)
        first, second, third = await drive.queued(pool, 3)
        for job in (first, second):
            await drive.dispatch(job)
        await drive.resize(pool, 1)
        await drive.event(await drive.job(first), "fail")
        assert await drive.store.attempts.dispatch(pool, accounts(pool), 10) == []
        await drive.event(await drive.job(second), "fail")
        await drive.dispatch(third)

    async def test_the_queue_is_served_by_priority_then_first_come(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(1)
        slow = await drive.queued(pool, 2, priority=-1)
        usual = await drive.queued(pool, 2)
        urgent = await drive.queued(pool, 2, priority=5)
        served = []
        for _ in range(6):
            [attempt] = await drive.store.attempts.dispatch(pool, accounts(pool), 1)
            served.append(attempt.job_id)
            job = await drive.store.jobs.get(attempt.job_id)
            assert job is not None
            await drive.event(job, "fail")
        assert served == ids(urgent + usual + slow)

    async def test_a_deferred_job_keeps_its_place(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(1)
        first, second, third = await drive.queued(pool, 3)
        await drive.advance(60)
        first = await drive.event(await drive.dispatch(first), "defer", defer_seconds=120)
        assert [await drive.store.jobs.position(job.id) for job in (first, second, third)] == [1, 2, 3]
        await drive.event(await drive.dispatch(second), "fail")
        await drive.advance(121)
        again = await drive.dispatch(first)
        assert (again.attempt, again.submitted) == (2, False)

    async def test_a_rerun_keeps_its_place_too(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(1)
        first, second = await drive.queued(pool, 2)
        await drive.advance(60)
        running = await drive.take(await drive.dispatch(first), edge_of(PLAIN, "starting", "begin"))
        back = await drive.event(running, "rerun", Verdict.FAILED)
        assert [await drive.store.jobs.position(job.id) for job in (back, second)] == [1, 2]

    async def test_an_attempt_keeps_its_slot_while_it_drains(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(1)
        job, waiting = await drive.queued(pool, 2)
        job = await drive.submit(await drive.dispatch(job))
        await drive.event(job, "fail", Verdict.DEADLINE)
        assert await drive.slots(pool) == (1, 1)
        draining = await drive.attempt(job)
        assert draining.phase is not Phase.CLOSED
        assert draining.draining_until is not None
        assert await drive.store.attempts.dispatch(pool, accounts(pool), 10) == []
        await drive.record(job, Verdict.FAILED)
        assert await drive.slots(pool) == (0, 0)
        await drive.dispatch(waiting)

    async def test_the_account_says_how_long_an_attempt_may_drain(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        [name] = accounts(job.pool)
        account = ProviderAccount(name=name, pool=job.pool, capacity=1, draining_seconds=600)
        await drive.store.attempts.register(account)
        await drive.event(job, "fail", Verdict.DEADLINE)
        await drive.advance(601)
        assert len(await drive.store.attempts.spent(10)) == 1

    async def test_draining_has_an_end_that_is_reported(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        await drive.event(job, "fail", Verdict.DEADLINE)
        await drive.advance(7_000)
        assert await drive.store.attempts.spent(10) == []
        await drive.advance(300)
        spent = await drive.store.attempts.spent(10)
        assert [(a.job_id, a.number) for a in spent] == [(job.id, 1)]
        await drive.record(job, Verdict.ABSENT)
        assert await drive.store.attempts.spent(10) == []

    async def test_an_attempt_that_was_known_to_be_over_does_not_drain(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        await drive.event(job, "complete", Verdict.SUCCEEDED)
        assert (await drive.attempt(job)).draining_until is None
        assert await drive.slots(job.pool) == (0, 0)
