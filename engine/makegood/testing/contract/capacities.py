"""Capacity of an account: configured, told, learned from refusals; and accounts that cannot be used."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio
from dataclasses import replace

from makegood.job import Job, Occupancy, ProviderAccount, Verdict
from makegood.outcome import Capacity
from makegood.testing.contract.rests import FIRST_SECONDS, MARGIN_SECONDS, SECONDS_MAX, dispatched, rest
from makegood.testing.drive import GROW_SECONDS, PLAIN, Drive, accounts, edge_of

NO_MONEY = "416: not enough coins"


def limits(use: Occupancy) -> tuple[int, int | None, int | None, int | None]:
    """Return what counts, and what it was made of."""
    return use.capacity, use.configured, use.told, use.learned


async def tell(drive: Drive, pool: str, limit: int | None, in_use: int | None = None) -> None:
    """Let the provider tell of the pool's account."""
    [name] = accounts(pool)
    mark = await drive.store.attempts.mark(name)
    await drive.store.attempts.surveyed(name, Capacity(limit, in_use), mark=mark)


async def running(drive: Drive, pool: str, n: int) -> list[Job]:
    """Return *n* jobs whose tasks the account has accepted."""
    return [await drive.to("running", pool=pool) for _ in range(n)]


async def refused(drive: Drive, pool: str) -> None:
    """Let the account refuse one more job for lack of room, and the job end."""
    job = await drive.submit(await drive.to("starting", pool=pool))
    attempt = await drive.attempt(job)
    await drive.event(job, "fail", Verdict.REJECTED)
    await drive.store.attempts.shrink(attempt)


async def unfit(drive: Drive, pool: str, problem: str = NO_MONEY) -> bool:
    """Let the pool's account be of no use."""
    [name] = accounts(pool)
    return await drive.store.attempts.unfit(name, problem, FIRST_SECONDS, SECONDS_MAX)


class CapacitiesContract:
    """What `Accounts` promises about how many slots an account has."""

    async def test_what_is_configured_counts_before_what_is_told(self, drive: Drive) -> None:
        pool = await drive.pool(2)
        await tell(drive, pool, 5)
        assert limits(await drive.use(pool)) == (2, 2, 5, None)

    async def test_an_account_without_a_limit_has_one_slot_until_its_provider_tells(
        self, drive: Drive
    ) -> None:
        await drive.grant()
        pool = await drive.pool(None)
        assert limits(await drive.use(pool)) == (1, None, None, None)
        await drive.queued(pool, 4)
        assert len(await dispatched(drive, pool)) == 1
        await tell(drive, pool, 3)
        assert limits(await drive.use(pool)) == (3, None, 3, None)
        assert len(await dispatched(drive, pool)) == 2

    async def test_a_provider_that_does_not_tell_takes_nothing_back(self, drive: Drive) -> None:
        pool = await drive.pool(None)
        await tell(drive, pool, 3, in_use=1)
        await tell(drive, pool, None)
        use = await drive.use(pool)
        assert (use.capacity, use.told, use.in_use) == (3, 3, None)

    async def test_registering_again_keeps_what_was_told_and_learned(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(5)
        await running(drive, pool, 2)
        await refused(drive, pool)
        await tell(drive, pool, 4)
        await drive.resize(pool, 8)
        assert limits(await drive.use(pool)) == (2, 8, 4, 2)
        await drive.resize(pool, None)
        assert limits(await drive.use(pool)) == (2, None, 4, 2)

    async def test_of_two_processes_the_last_one_says_what_is_configured(self, drive: Drive) -> None:
        pool = await drive.pool(5)
        for capacity in (3, 7):
            await drive.resize(pool, capacity)
        assert limits(await drive.use(pool)) == (7, 7, None, None)

    async def test_a_refusal_teaches_how_many_tasks_there_is_room_for(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(9)
        await running(drive, pool, 3)
        await refused(drive, pool)
        assert limits(await drive.use(pool)) == (3, 9, None, 3)
        await drive.queued(pool)
        assert await dispatched(drive, pool) == []

    async def test_what_was_not_sent_takes_no_room(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(9)
        await running(drive, pool, 2)
        job = await drive.submit(await drive.to("starting", pool=pool))
        await drive.to("starting", pool=pool)
        await drive.store.attempts.shrink(await drive.attempt(job))
        assert (await drive.use(pool)).learned == 2

    async def test_one_slot_is_always_left(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(9)
        for _ in range(2):
            await refused(drive, pool)
            assert limits(await drive.use(pool)) == (1, 9, None, 1)

    async def test_many_refusals_at_one_moment_teach_the_least(self, drive: Drive) -> None:
        await drive.grant(10_000)
        pool = await drive.pool(9)
        await running(drive, pool, 2)
        jobs = [await drive.submit(await drive.to("starting", pool=pool)) for _ in range(5)]
        attempts = [await drive.attempt(job) for job in jobs]

        async def refuse(n: int) -> None:
            await drive.event(jobs[n], "fail", Verdict.REJECTED)
            await drive.store.attempts.shrink(attempts[n])

        await asyncio.gather(*(refuse(n) for n in range(5)))
        assert (await drive.use(pool)).learned == 2

    async def test_success_up_to_the_learned_limit_makes_it_grow_one_at_a_time(self, drive: Drive) -> None:
        await drive.grant(10_000)
        pool = await drive.pool(4)
        await running(drive, pool, 1)
        await refused(drive, pool)
        for learned in (2, 3):
            await drive.advance(GROW_SECONDS)
            use = await drive.use(pool)
            job = (await drive.queued(pool))[0]
            if use.open == use.capacity:  # full: one of them ends first
                await self._end_one(drive, pool)
            await drive.take(await drive.dispatch(job), edge_of(PLAIN, "starting", "begin"))
            assert (await drive.use(pool)).learned == learned
            if (await drive.use(pool)).open < learned:
                await running(drive, pool, 1)
        await drive.advance(GROW_SECONDS)
        await self._end_one(drive, pool)
        await running(drive, pool, 1)
        assert limits(await drive.use(pool)) == (4, 4, None, None)

    async def _end_one(self, drive: Drive, pool: str) -> None:
        [attempt, *_] = await drive.store.attempts.due(accounts(pool), 1, 1)
        job = await drive.store.jobs.get(attempt.job_id)
        assert job is not None
        await drive.event(job, "fail", Verdict.FAILED)

    async def test_growth_takes_its_time(self, drive: Drive) -> None:
        await drive.grant(10_000)
        pool = await drive.pool(9)
        await running(drive, pool, 1)
        await refused(drive, pool)
        await drive.advance(GROW_SECONDS - MARGIN_SECONDS)
        await self._end_one(drive, pool)
        await running(drive, pool, 1)
        assert (await drive.use(pool)).learned == 1
        await drive.advance(MARGIN_SECONDS)
        await self._end_one(drive, pool)
        await running(drive, pool, 1)
        assert (await drive.use(pool)).learned == 2
        await running(drive, pool, 1)
        assert (await drive.use(pool)).learned == 2

    async def test_slots_that_only_doubts_hold_do_not_keep_an_account_from_trying(self, drive: Drive) -> None:
        """One more a time, no faster than it grows, and a refusal teaches anew."""
        await drive.grant(10_000)
        pool = await drive.pool(3)
        job = await drive.submit(await drive.to("starting", pool=pool))
        await drive.store.attempts.doubt(await drive.attempt(job), "timed out")
        await refused(drive, pool)
        await drive.queued(pool, 3)
        await drive.advance(GROW_SECONDS - MARGIN_SECONDS)
        assert await dispatched(drive, pool) == []
        await drive.advance(MARGIN_SECONDS)
        assert len(await dispatched(drive, pool)) == 1
        assert limits(await drive.use(pool)) == (2, 3, None, 2)
        await drive.advance(GROW_SECONDS)
        assert await dispatched(drive, pool) == []  # what tries has said nothing yet

    async def test_tasks_below_the_learned_limit_teach_nothing(self, drive: Drive) -> None:
        await drive.grant(10_000)
        pool = await drive.pool(9)
        first, second = await running(drive, pool, 2)
        await refused(drive, pool)
        for job in (first, second):
            await drive.event(job, "fail", Verdict.FAILED)
        await drive.advance(GROW_SECONDS)
        await running(drive, pool, 1)
        assert (await drive.use(pool)).learned == 2

    async def test_a_limit_below_what_is_open_is_no_violation(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(None)
        await tell(drive, pool, 4)
        await running(drive, pool, 3)
        await tell(drive, pool, 1)
        use = await drive.use(pool)
        assert (use.open, use.capacity, use.learned) == (3, 1, None)
        await drive.queued(pool)
        assert await dispatched(drive, pool) == []
        assert (await drive.store.audit()).violations == ()

    async def test_free_slots_of_equally_empty_accounts_are_for_any_of_them(self, drive: Drive) -> None:
        await drive.grant(100_000)
        pool = await drive.pool(1)
        both = [*accounts(pool), f"{pool}-b"]
        await drive.store.attempts.register(ProviderAccount(name=both[1], pool=pool, capacity=1))
        used: set[str] = set()
        for _ in range(64):  # each takes either: all of them one and the same only once in 2 ** 63
            [job] = await drive.queued(pool)
            [attempt] = await drive.store.attempts.dispatch(pool, both, 1)
            used.add(attempt.account)
            await drive.event(await drive.job(job), "fail")
            if len(used) == 2:
                break
        assert used == set(both)


class UnfitContract:
    """What `Accounts` promises about accounts that cannot be used, and about surveys."""

    async def test_an_unfit_account_rests_and_then_one_job_tries(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(3)
        await drive.queued(pool, 3)
        assert not await unfit(drive, pool)
        assert await dispatched(drive, pool) == []
        use = await drive.use(pool)
        assert (use.problem, use.healthy, use.problem_since is None) == (NO_MONEY, False, False)
        assert use.rests_until is not None
        await drive.advance(FIRST_SECONDS)
        assert len(await dispatched(drive, pool)) == 1
        assert (await drive.use(pool)).rests_until is None

    async def test_each_time_it_rests_twice_as_long_and_the_first_moment_is_kept(self, drive: Drive) -> None:
        await drive.grant()
        [job] = await drive.queued(await drive.pool(3))
        since = None
        for seconds in (100, 200, 350, 350):
            await unfit(drive, job.pool)
            await unfit(drive, job.pool)  # of many at one moment one counts
            use = await drive.use(job.pool)
            since = since or use.problem_since
            assert use.problem_since == since
            await drive.advance(seconds - MARGIN_SECONDS)
            assert await dispatched(drive, job.pool) == []
            await drive.advance(MARGIN_SECONDS)
            assert await dispatched(drive, job.pool) == [job.id]
            await drive.event(await drive.job(job), "defer")

    async def test_a_short_rest_does_not_keep_an_account_from_being_unfit(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(3)
        [name] = accounts(pool)
        await drive.store.attempts.rest(name, 1, 1)
        await unfit(drive, pool)
        await drive.queued(pool)
        await drive.advance(FIRST_SECONDS - MARGIN_SECONDS)
        assert await dispatched(drive, pool) == []

    async def test_a_task_that_is_accepted_afterwards_ends_it(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(3)
        await unfit(drive, pool)
        await drive.advance(FIRST_SECONDS)
        await drive.to("running", pool=pool)
        use = await drive.use(pool)
        assert (use.problem, use.problem_since, use.healthy, use.capacity) == (None, None, True, 3)
        await unfit(drive, pool)
        await drive.advance(FIRST_SECONDS)
        await drive.queued(pool, 2)
        assert len(await dispatched(drive, pool)) == 1  # though one runs there
        assert await dispatched(drive, pool) == []
        assert (await drive.use(pool)).rests_until is None

    async def test_a_task_that_was_sent_before_proves_nothing(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(3)
        job = await drive.submit(await drive.to("starting", pool=pool))
        await drive.advance(60)
        await unfit(drive, pool)
        await drive.event(job, "begin", Verdict.ACCEPTED)
        assert (await drive.use(pool)).problem == NO_MONEY

    async def test_another_account_of_the_pool_may_be_fit(self, drive: Drive) -> None:
        pool = await drive.pool(3)
        other = ProviderAccount(name=f"{pool}-b", pool=pool, capacity=1)
        store = drive.store.attempts
        await store.register(other)
        await store.register(replace(other, name="elsewhere", pool="another pool"))
        assert await unfit(drive, pool)
        await store.register(replace(other, capacity=0))
        assert not await unfit(drive, pool)
        await store.register(other)
        assert not await store.unfit(other.name, NO_MONEY, 100, 100)
        assert not await unfit(drive, pool)

    async def test_an_account_that_no_worker_has_any_more_is_not_fit(self, drive: Drive) -> None:
        pool = await drive.pool(3)
        other = ProviderAccount(name=f"{pool}-b", pool=pool, capacity=1)
        await drive.store.attempts.register(other)
        await drive.advance(3_601)
        assert not await unfit(drive, pool)
        assert await drive.store.attempts.to_survey([other.name], 60) == [other.name]
        assert await unfit(drive, pool)

    async def test_a_pool_is_served_by_any_account_that_a_worker_had_within_the_last_hour(
        self, drive: Drive
    ) -> None:
        pool, store = await drive.pool(3), drive.store.attempts
        other = ProviderAccount(name=f"{pool}-b", pool=f"{pool} two", capacity=0)
        assert {pool, other.pool} & await store.served_pools() == {pool}
        await store.register(other)
        await unfit(drive, pool)
        assert {pool, other.pool} <= await store.served_pools()
        await drive.advance(3_601)
        assert await store.to_survey([other.name], 60) == [other.name]
        assert {pool, other.pool} & await store.served_pools() == {other.pool}

    async def test_refusals_in_a_row_are_counted_by_rests(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(3)
        [name] = accounts(pool)
        again = drive.store.attempts.rest
        await rest(drive, pool)  # because it was full: that is not its own fault
        assert await again(name, FIRST_SECONDS, SECONDS_MAX, refused=True) == 0
        for times in (1, 2):
            await drive.advance(SECONDS_MAX)
            for _ in range(3):
                assert await again(name, FIRST_SECONDS, SECONDS_MAX, refused=True) == times
        await drive.advance(SECONDS_MAX)
        await drive.to("running", pool=pool)
        assert await again(name, FIRST_SECONDS, SECONDS_MAX, refused=True) == 1
        assert await again("nobody's", FIRST_SECONDS, SECONDS_MAX, refused=True) == 0

    async def test_one_worker_surveys_an_account_at_a_time(self, drive: Drive) -> None:
        pool = await drive.pool(3)
        survey = drive.store.attempts.to_survey
        taken = await asyncio.gather(*(survey(accounts(pool), 600) for _ in range(5)))
        assert sorted(name for names in taken for name in names) == accounts(pool)
        assert await survey(accounts(pool), 600) == []
        await drive.advance(601)
        assert await survey(["nobody's"], 600) == []
        assert await survey([*accounts(pool), "nobody's"], 600) == accounts(pool)

    async def test_surveys_without_an_answer_are_counted_and_the_last_error_is_kept(
        self, drive: Drive
    ) -> None:
        pool = await drive.pool(3)
        [name] = accounts(pool)
        for times in (1, 2, 3):
            assert (await drive.use(pool)).healthy
            await drive.store.attempts.unanswered(name, f"error {times}")
        use = await drive.use(pool)
        assert (use.failures, use.last_error, use.healthy) == (3, "error 3", False)
        await tell(drive, pool, 3)
        use = await drive.use(pool)
        assert (use.failures, use.last_error, use.healthy) == (0, None, True)

    async def test_a_key_that_answers_again_is_fit_and_one_job_tries_first(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(3)
        [name] = accounts(pool)
        await drive.queued(pool, 2)
        await unfit(drive, pool, "401: wrong key")
        await tell(drive, pool, 3)
        assert (await drive.use(pool)).problem == "401: wrong key"  # it answered all the time
        await drive.store.attempts.unanswered(name, "401: wrong key")
        await tell(drive, pool, 3)
        use = await drive.use(pool)
        assert (use.problem, use.rests_until, use.learned) == (None, None, 1)
        assert len(await dispatched(drive, pool)) == 1

    async def test_a_key_that_answers_again_may_be_tried_though_tasks_are_there(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(3)
        [name] = accounts(pool)
        await running(drive, pool, 1)
        await drive.queued(pool, 2)
        await unfit(drive, pool, "401: wrong key")
        await drive.store.attempts.unanswered(name, "401: wrong key")
        await tell(drive, pool, 3)
        assert len(await dispatched(drive, pool)) == 1

    async def test_attempts_given_up_are_counted_until_a_person_has_looked(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.event(await drive.to("running"), "fail", Verdict.DEADLINE)
        await drive.record(job, Verdict.ABSENT, source="draining deadline")
        await drive.record(job, Verdict.ADMINISTRATOR)  # who had ended the job has not looked yet
        assert (await drive.use(job.pool)).abandoned == 1
        await drive.record(job, Verdict.RESOLVED)
        assert (await drive.use(job.pool)).abandoned == 0
