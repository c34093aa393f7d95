"""Waiting: where a job stands, what is learned of those that ended, and how often others are asked about."""

# ruff: noqa: D102 - the name of a test is its sentence

import heapq
import math
import random
import statistics
from datetime import timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest

from makegood.fairness import Scope
from makegood.job import Job, Verdict
from makegood.ports import Standing
from makegood.testing.drive import REVIEWED, Drive, accounts
from makegood.waiting import estimate

RUN_SECONDS = 600.0
AGAIN_SECONDS, AGAIN_MAX_SECONDS = 5.0, 3_600.0
# A store that took long to reckon may rest for longer than the interval, never this much.
REST_SECONDS = 1_200.0
# Between two readings of a store's clock real time may pass, never this much.
SLACK = 30.0


async def standing(drive: Drive, job: Job) -> Standing:
    """Return where a job stands that waits."""
    found = await drive.store.queue.standing(job.id)
    assert found is not None
    return found


async def learn(drive: Drive, *runs: float, pool: str | None = None) -> str:
    """Let tasks of the plain type run so long, one after the other, learn of it, and return their pool."""
    pool = pool or await drive.pool()
    for seconds in runs:
        job = await drive.to("running", pool=pool)
        await drive.advance(seconds)
        await drive.event(job, "complete", Verdict.SUCCEEDED)
    assert await drive.store.queue.reckon(AGAIN_SECONDS, AGAIN_MAX_SECONDS)
    return pool


async def asked(drive: Drive, job: Job, minutes: int, most_seconds: float = AGAIN_MAX_SECONDS) -> list[int]:
    """Look once a minute, and return the minutes in which the job's attempt was due."""
    found = []
    for minute in range(1, minutes + 1):
        await drive.advance(60)
        due = await drive.store.attempts.due(accounts(job.pool), 10, AGAIN_SECONDS, most_seconds)
        if job.id in {attempt.job_id for attempt in due}:
            found.append(minute)
    return found


async def run_out(drive: Drive, pool: str, jobs: list[Job], seconds: list[float]) -> dict[UUID, float]:
    """Run the queue of *jobs* to its end, each for so many seconds, and return how long each waited."""
    lasts = {job.id: run for job, run in zip(jobs, seconds, strict=True)}
    waited, ends, clock = dict[UUID, float](), list[tuple[float, UUID]](), 0.0
    while len(waited) < len(jobs) or ends:
        for attempt in await drive.store.attempts.dispatch(pool, accounts(pool), 100):
            job = await drive.submit(await drive.job(attempt.job_id))
            await drive.event(job, "begin", Verdict.ACCEPTED)
            waited[job.id] = clock
            heapq.heappush(ends, (clock + lasts[job.id], job.id))
        end, job_id = heapq.heappop(ends)
        await drive.advance(end - clock)
        clock = end
        await drive.event(await drive.job(job_id), "complete", Verdict.SUCCEEDED)
    return waited


class StandingContract:
    """What `Queue.standing` promises."""

    async def test_places_are_those_of_the_queue(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(capacity=2)
        usual = await drive.queued(pool, 2)
        urgent = await drive.to("queued", pool=pool, priority=5)
        await drive.queued(await drive.pool())
        told = [await standing(drive, job) for job in (*usual, urgent)]
        assert [s.position for s in told] == [2, 3, 1]
        assert {(s.length, s.exact, s.held_back, s.slots, s.free) for s in told} == {(3, True, False, 2, 2)}
        assert [s.rivals for s in told] == [2, 3, 1]
        await drive.dispatch(urgent)
        [first, second] = [await standing(drive, job) for job in usual]
        assert (first.position, second.position, second.free) == (1, 2, 1)

    async def test_a_job_that_does_not_wait_stands_nowhere(self, drive: Drive) -> None:
        await drive.grant()
        for job in (await drive.insert(), await drive.to("starting"), await drive.to("failed")):
            assert await drive.store.queue.standing(job.id) is None
        assert await drive.store.queue.standing(uuid4()) is None

    async def test_slots_are_those_of_accounts_that_can_be_used(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(capacity=3)
        [job] = await drive.queued(pool)
        assert (await standing(drive, job)).slots == 3
        [account] = accounts(pool)
        await drive.store.attempts.unfit(account, "no money", 300, 3_600)
        assert ((await standing(drive, job)).slots, (await standing(drive, job)).free) == (0, 0)

    @pytest.mark.parametrize("scope", Scope)
    async def test_of_a_pause_nobody_knows_the_end(self, drive: Drive, scope: Scope) -> None:
        await drive.grant()
        pool = await learn(drive, 100)
        [job] = await drive.queued(pool)
        assert estimate(await standing(drive, job)) == 0
        name = {Scope.POOL: pool, Scope.TYPE: job.type, Scope.OWNER: job.owner}[scope]
        await drive.store.rules.pause(scope, name, actor="olga", reason="maintenance")
        assert (await standing(drive, job)).held_back
        assert estimate(await standing(drive, job)) is None
        await drive.store.rules.resume(scope, name, actor="olga")
        assert estimate(await standing(drive, job)) == 0

    async def test_it_knows_when_a_job_may_begin(self, drive: Drive) -> None:
        await drive.grant()
        start = await drive.now() + timedelta(hours=2)
        job = await drive.to("queued", not_before=start)
        told = await standing(drive, job)
        assert (told.not_before, told.position) == (start, 1)
        assert abs(told.now - await drive.now()).total_seconds() < SLACK


class EstimateContract:
    """What the numbers of `Queue.standing` are worth: queues are run whose times are known."""

    @pytest.mark.parametrize("seed", range(3))
    async def test_half_of_all_estimates_are_wrong_by_a_fifth_at_most(self, drive: Drive, seed: int) -> None:
        chance, slots = random.Random(seed), 3
        await drive.grant(100_000)
        pool = await drive.pool(slots)
        # Run times of real tools: most near their median, a few several times as long.
        seconds = [chance.lognormvariate(math.log(100), 0.4) for _ in range(60)]
        learned, told = seconds[:24], seconds[24:]
        await run_out(drive, pool, await drive.queued(pool, len(learned)), learned)
        assert await drive.store.queue.reckon(AGAIN_SECONDS, AGAIN_MAX_SECONDS)
        jobs = await drive.queued(pool, len(told))
        estimates = [estimate(await standing(drive, job)) for job in jobs]
        waited = await run_out(drive, pool, jobs, told)
        assert estimates[:slots] == [0.0] * slots
        wrong = [
            abs(guess - waited[job.id]) / waited[job.id]
            for job, guess in list(zip(jobs, estimates, strict=True))[slots:]
            if guess is not None
        ]
        assert len(wrong) == len(told) - slots
        assert statistics.median(wrong) <= 0.2


class ReckoningContract:
    """What `Queue.reckon` promises, and what `Attempts.due` makes of it."""

    async def test_the_time_of_a_slot_is_the_mean_of_a_pools_tasks(self, drive: Drive) -> None:
        await drive.grant()
        pool = await learn(drive, 100, 200, 600)
        told = await standing(drive, *await drive.queued(pool))
        assert told.slot_seconds == pytest.approx(300, abs=SLACK)
        other = await standing(drive, *await drive.queued(await drive.pool()))
        assert other.slot_seconds is None

    async def test_it_is_done_once_in_an_interval_whoever_asks(self, drive: Drive) -> None:
        queue = drive.store.queue
        assert [await queue.reckon(600, 60) for _ in range(3)] == [True, False, False]
        await drive.advance(600)
        assert await queue.reckon(600, 60)

    async def test_few_samples_do_not_replace_many_for_a_day(self, drive: Drive) -> None:
        await drive.grant(10_000)
        pool = await learn(drive, *[100.0] * 3)
        told = await standing(drive, *await drive.queued(pool))
        assert told.slot_seconds == pytest.approx(100, abs=SLACK)
        await drive.advance(REST_SECONDS)
        assert await drive.store.queue.reckon(AGAIN_SECONDS, AGAIN_MAX_SECONDS)
        assert (await standing(drive, *await drive.queued(pool))).slot_seconds == told.slot_seconds

    async def test_of_a_type_of_which_nothing_is_learned_every_pause_is_the_shortest(
        self, drive: Drive
    ) -> None:
        await drive.grant()
        await learn(drive, RUN_SECONDS)
        assert await asked(drive, await drive.to("running", REVIEWED), 4) == [1, 2, 3, 4]

    async def test_a_long_task_is_asked_about_after_half_its_time_then_every_tenth(
        self, drive: Drive
    ) -> None:
        await drive.grant()
        await learn(drive, RUN_SECONDS, RUN_SECONDS, RUN_SECONDS)
        minutes = await asked(drive, await drive.to("running"), 12)
        assert minutes[0] in (5, 6)
        assert 3 <= len(minutes) <= 8

    async def test_long_after_its_time_a_task_is_asked_about_ever_more_seldom(self, drive: Drive) -> None:
        await drive.grant()
        await learn(drive, RUN_SECONDS)
        minutes = await asked(drive, await drive.to("running"), 240)
        gaps = [later - earlier for earlier, later in pairwise(minutes)]
        assert max(gaps[:3]) <= 3
        assert 9 <= gaps[-1] <= 13
        assert len(minutes) < 80

    async def test_no_pause_is_longer_than_the_longest(self, drive: Drive) -> None:
        await drive.grant()
        await learn(drive, 100 * RUN_SECONDS)
        await drive.advance(REST_SECONDS)
        assert await drive.store.queue.reckon(AGAIN_SECONDS, 120)
        minutes = await asked(drive, await drive.to("running"), 20, most_seconds=120)
        assert minutes[0] in (2, 3)
        assert len(minutes) >= 6

    async def test_a_hint_makes_a_task_due_at_once_also_one_from_before_it_was_known(
        self, drive: Drive
    ) -> None:
        await drive.grant()
        await learn(drive, RUN_SECONDS)
        known = await drive.to("running")
        early = await drive.submit(await drive.to("starting"))
        assert await drive.store.attempts.due(accounts(known.pool), 10, AGAIN_SECONDS, 3_600) == []
        for job in (known, early):
            await drive.store.hints.report(job.id, "client", "it is done")
        await drive.event(early, "begin", Verdict.ACCEPTED)
        for job in (known, early):
            [due] = await drive.store.attempts.due(accounts(job.pool), 10, AGAIN_SECONDS, 3_600)
            assert due.job_id == job.id

    async def test_a_job_that_shall_be_cancelled_is_asked_about_soon(self, drive: Drive) -> None:
        await drive.grant()
        await learn(drive, RUN_SECONDS)
        job = await drive.wants_cancel(await drive.to("running"))
        assert await asked(drive, job, 3) == [1, 2, 3]

    async def test_a_task_that_came_when_its_job_was_over_is_asked_about_at_once(self, drive: Drive) -> None:
        await drive.grant()
        await learn(drive, RUN_SECONDS)
        job = await drive.submit(await drive.to("starting"))
        over = await drive.event(job, "fail", Verdict.DEADLINE)
        await drive.record(over, Verdict.ACCEPTED)
        assert await asked(drive, over, 3) == [1, 2, 3]


class AskBudgetContract:
    """What `Attempts.due` promises about the pace of questions."""

    async def test_an_account_is_asked_no_more_than_its_budget_allows(self, drive: Drive) -> None:
        await drive.grant(10_000)
        [busy, calm] = pools = [await drive.pool(20), await drive.pool(20)]
        for pool, many in ((busy, 12), (calm, 2)):
            for _ in range(many):
                await drive.to("running", pool=pool)
        both = [*accounts(busy), *accounts(calm)]
        first = await drive.store.attempts.due(both, 100, 600, per_second=5)
        assert sorted(attempt.account for attempt in first) == sorted(
            [*accounts(busy) * 5, *accounts(calm) * 2]
        )
        await drive.advance(60)
        taken = [await drive.store.attempts.due(both, 100, 3_600, per_second=5) for _ in pools]
        assert len(taken[0]) == 5

    async def test_a_slow_budget_lets_one_question_pass_when_its_time_has_come(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool()
        for _ in range(3):
            await drive.to("running", pool=pool)
        counts = []
        for _ in range(4):
            due = await drive.store.attempts.due(accounts(pool), 100, 1, per_second=0.001)
            counts.append(len(due))
            await drive.advance(600)
        assert counts == [1, 0, 1, 0]

    async def test_who_hints_or_cancels_comes_before_the_usual_questions(self, drive: Drive) -> None:
        await drive.grant(10_000)
        pool = await drive.pool(20)
        [*_, early, hinted, cancelled] = [await drive.to("running", pool=pool) for _ in range(16)]
        unknown = await drive.submit(await drive.to("starting", pool=pool))
        await drive.advance(600)
        await drive.store.hints.report(unknown.id, "client", "it is done")
        await drive.event(unknown, "begin", Verdict.ACCEPTED)
        await drive.store.hints.report(hinted.id, "client", "it is done")
        await drive.wants_cancel(cancelled)
        due = await drive.store.attempts.due(accounts(pool), 100, 60, per_second=3)
        assert {attempt.job_id for attempt in due} == {hinted.id, cancelled.id, unknown.id}
        await drive.advance(3_600)
        await drive.store.hints.report(hinted.id, "client", "and still is")
        due = await drive.store.attempts.due(accounts(pool), 100, 60, per_second=14)
        assert early.id in {attempt.job_id for attempt in due}
        assert hinted.id not in {attempt.job_id for attempt in due}

    async def test_who_wants_to_cancel_again_and_again_is_heard_once(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        asked = 0
        for _ in range(5):
            job = await drive.wants_cancel(job)
            asked += len(await drive.store.attempts.due(accounts(job.pool), 10, 60))
        assert asked == 1
