"""Accounts: what a refusal does to the account, to the job, and to the jobs behind it."""

import logging
from dataclasses import replace

import pytest

from makegood import JobMoney
from makegood.errors import AccountRefused
from makegood.outcome import (
    Capacity,
    Cause,
    Failed,
    Features,
    Rejected,
    Retry,
    Trouble,
    Unfinished,
)
from makegood.ports import Moved, unheard
from makegood.runtime import Submitter
from makegood.runtime.refusals import WISH_SECONDS_MAX
from makegood.testing.provider import ScriptedProvider
from tests.engine.world import PRICE, SETTINGS, Upscale, World, a_world

FULL = Rejected("421", "TASK_QUEUE_MAXED", Retry.LATER, cause=Cause.ROOM)
BUSY = Rejected("1003", "Rate limit exceeded", Retry.LATER, cause=Cause.PACE)
FLAKY_KEY = Rejected("-1", "ApiKey verification failed", Retry.LATER, cause=Cause.ACCOUNT)
NO_MONEY = Rejected("416", "NOT_ENOUGH_WALLET", Retry.NEVER, cause=Cause.ACCOUNT)
RUNS, FAILS = Unfinished(running=True), Failed("out of memory")
TELLS = Features(tells_webhook=True, tells_limit=True, counts_tasks=True)


async def restless(world: World) -> None:
    """Let every rest of every account pass."""
    await world.clock.advance(world.settings.unfit_max_seconds)
    await world.work(world.surveyor)


class TestRoom:
    async def test_p7_a_full_account_rests_and_counts_as_smaller(self, world: World) -> None:
        await world.running()
        world.provider.plan(FULL)
        job = await world.opened()
        await world.work(world.submitter)
        use = await world.use()
        assert (use.capacity, use.configured, use.learned, use.problem) == (1, 2, 1, None)
        assert use.rests_until is not None
        waiting = await world.job(job)
        assert (waiting.state, waiting.not_before) == ("queued", None)
        await world.clock.advance(world.settings.defer_max_seconds)
        await world.start()
        assert (await world.job(job)).state == "queued"  # there is room for the one that runs
        assert world.provider.count("submit") == 2

    async def test_the_room_comes_back_with_success(self, world: World) -> None:
        first = await world.running(Upscale, FAILS)
        world.provider.plan(FULL)
        world.provider.plan(None, RUNS)
        job = await world.opened()
        await world.work(world.submitter)
        await world.ask()
        assert (await world.job(first)).state == "failed"
        await world.clock.advance(world.settings.capacity_grow_seconds)
        await world.start()
        assert (await world.job(job)).state == "running"
        assert (await world.use()).learned is None

    async def test_a_site_in_trouble_teaches_nothing_about_room(self, world: World) -> None:
        await world.running()
        world.provider.plan(BUSY)
        await world.opened()
        await world.work(world.submitter)
        use = await world.use()
        assert (use.capacity, use.learned, use.rests_until is None) == (2, None, False)

    @pytest.mark.parametrize("refusal", [FULL, BUSY, FLAKY_KEY])
    async def test_the_account_rests_as_long_as_the_provider_wishes(
        self, world: World, refusal: Rejected
    ) -> None:
        world.provider.plan(
            Rejected(refusal.code, refusal.message, refusal.retry, 500.0, cause=refusal.cause)
        )
        await world.opened()
        await world.work(world.submitter)
        rests_until = (await world.use()).rests_until
        assert rests_until is not None
        assert (rests_until - world.clock()).total_seconds() == 500.0

    @pytest.mark.parametrize("cause", list(Cause))
    @pytest.mark.parametrize("wish", [1e300, float("inf"), float("nan"), -5.0])
    async def test_a_wish_that_makes_no_sense_keeps_neither_job_nor_account_for_ever(
        self, world: World, cause: Cause, wish: float
    ) -> None:
        world.provider.plan(Rejected("429", "slow down", Retry.LATER, wish, cause=cause))
        job = await world.opened()
        await world.work(world.submitter)
        assert (await world.job(job)).state == "queued"
        await world.clock.advance(WISH_SECONDS_MAX if wish > 0 else world.settings.defer_max_seconds)
        await world.start()
        assert (await world.job(job)).state == "running"

    @pytest.mark.parametrize("refusal", [FULL, BUSY, FLAKY_KEY])
    async def test_a_task_that_was_sent_before_the_rest_does_not_end_it(
        self, world: World, refusal: Rejected
    ) -> None:
        gate = world.provider.gate("submit")
        world.provider.plan(None, RUNS)
        slow = await world.opened()
        await world.submitter.turn()
        await gate.reached.wait()
        await world.clock.advance(1)
        world.provider.plan(Rejected("429", "slow down", Retry.LATER, 500.0, cause=refusal.cause))
        refused = await world.opened()
        await world.work(Submitter(world.context))
        await world.clock.advance(1)
        gate.opened.set()
        await world.submitter.crew.drain(30)
        assert [(await world.job(job)).state for job in (slow, refused)] == ["running", "queued"]
        rests_until = (await world.use()).rests_until
        assert rests_until is not None
        assert (rests_until - world.clock()).total_seconds() == 499.0


class TestUnfit:
    async def test_what_is_open_there_does_not_keep_a_job_from_trying_it_again(self, world: World) -> None:
        await world.uncertain()
        world.provider.plan(NO_MONEY)
        await world.opened()
        await world.work(world.submitter)
        jobs = [await world.queued() for _ in range(2)]
        await world.clock.advance(world.settings.unfit_seconds)
        world.provider.plan(None, RUNS)
        await world.start()
        assert [(await world.job(job)).state for job in jobs] == ["running", "queued"]
        assert ((await world.use()).problem, await world.slots()) == (None, (2, 0))

    async def test_d16_without_money_the_job_fails_at_once_with_words_for_its_user(
        self, world: World
    ) -> None:
        world.provider.plan(NO_MONEY)
        job = await world.opened()
        behind = await world.queued()
        await world.work(world.submitter)
        failed = await world.job(job)
        assert failed.error is not None
        assert (failed.state, failed.error["category"]) == ("failed", "provider")
        assert failed.error["message"] == "The provider cannot take jobs at the moment."
        assert failed.error["detail"] == {"code": "416", "message": "NOT_ENOUGH_WALLET"}
        assert await world.money(job) == JobMoney(released=PRICE)
        use = await world.use()
        assert (use.problem, use.problem_since, use.healthy) == (
            "416: NOT_ENOUGH_WALLET",
            world.clock(),
            False,
        )
        await world.start()
        assert (await world.job(behind)).state == "queued"  # it does not run into the same wall

    async def test_after_the_rest_one_job_tries_and_its_success_is_the_end_of_it(self, world: World) -> None:
        world.provider.plan(NO_MONEY)
        await world.opened()
        await world.work(world.submitter)
        jobs = [await world.queued() for _ in range(2)]
        await world.clock.advance(world.settings.unfit_seconds)
        gate = world.provider.gate("submit")
        world.provider.plan(None, RUNS)
        await world.dispatcher.turn()
        await world.submitter.turn()
        await gate.reached.wait()
        assert [(await world.job(job)).state for job in jobs] == ["starting", "queued"]
        gate.opened.set()
        await world.submitter.crew.drain(30)
        assert ((await world.use()).problem, (await world.use()).capacity) == (None, 2)
        await world.start()
        assert [(await world.job(job)).state for job in jobs] == ["running", "running"]

    async def test_a_job_whose_slot_is_there_but_which_was_not_sent_yet_waits_again(self) -> None:
        async with a_world(settings=replace(SETTINGS, batch_max=1)) as world:
            jobs = [await world.opened() for _ in range(2)]
            for _ in jobs:
                world.provider.plan(NO_MONEY)
                await world.work(world.submitter)
            assert [(await world.job(job)).state for job in jobs] == ["failed", "queued"]
            assert world.provider.count("submit") == 1
            await world.clock.advance(world.settings.unfit_max_seconds)
            await world.start()  # it is the one that tries
            assert world.provider.count("submit") == 2

    async def test_a_job_goes_to_another_account_that_is_fit(self, world: World) -> None:
        world.provider.plan(NO_MONEY)
        job = await world.opened(image=await world.with_image())
        other = await world.beside("gpu-2", capacity=1)
        await world.work(world.submitter)
        waiting = await world.job(job)
        assert (waiting.state, waiting.not_before, waiting.reruns) == ("queued", None, 0)
        await world.start()
        await world.ask()
        await world.ended(job, "completed", captured=PRICE)
        assert (await world.attempt(job, 2)).account == "gpu-2"
        # the input was brought to each account before it was to run the job
        assert (world.provider.count("upload"), other.count("upload")) == (1, 1)
        assert other.tasks["task-1"].files == {"image": f"there/{job.input['image']}"}

    async def test_where_no_account_is_fit_any_more_the_job_fails(self, world: World) -> None:
        world.provider.plan(NO_MONEY)
        job = await world.opened()
        other = await world.beside("gpu-2", capacity=1)
        other.plan(NO_MONEY)
        await world.work(world.submitter)
        await world.start()
        await world.ended(job, "failed")
        assert [use.healthy for use in await world.engine.occupancy()] == [False, False]

    async def test_a_key_that_is_refused_in_passing_costs_the_job_nothing(self, world: World) -> None:
        job = await world.queued()
        for _ in range(3):  # twice, and again after a success: never three times in a row
            for _ in range(2):
                world.provider.plan(FLAKY_KEY)
                await world.start()
                assert (await world.job(job)).state == "queued"
                await world.clock.advance(world.settings.defer_max_seconds)
            world.provider.plan(None, Failed("errno 116", trouble=Trouble.PASSING))
            await world.start()
            assert (await world.use()).problem is None
            await world.ask()
        assert (await world.way(job)).count("begin") == 3

    async def test_a_key_that_is_refused_three_times_in_a_row_is_unfit(self, world: World) -> None:
        job = await world.queued()
        for _ in range(3):
            assert (await world.use()).problem is None
            world.provider.plan(FLAKY_KEY)
            await world.start()
            await world.clock.advance(world.settings.defer_max_seconds)
        await world.ended(job, "failed")
        assert (await world.use()).problem == "-1: ApiKey verification failed"

    @pytest.mark.parametrize("refusal", [FULL, BUSY, FLAKY_KEY, NO_MONEY])
    async def test_a_job_that_was_to_be_cancelled_is_cancelled(self, world: World, refusal: Rejected) -> None:
        gate = world.provider.gate("submit")
        world.provider.plan(refusal)
        job = await world.opened()
        await world.submitter.turn()
        await gate.reached.wait()
        await world.engine.cancel(job.id)
        gate.opened.set()
        await world.submitter.crew.drain(30)
        await world.ended(job, "cancelled")
        assert (await world.use()).rests_until is not None  # what was learned is true all the same


class Locked(ScriptedProvider):
    """Takes no file, because of the key."""

    lasting = True

    async def upload(self, name: str, data: bytes, moved: Moved = unheard) -> str:
        await super().upload(name, data, moved)
        raise AccountRefused("APIKEY_UNAUTHORIZED", "802", lasting=self.lasting)


class TestUpload:
    """A file that is refused because of the account is refused as a create call would be."""

    async def test_a_key_that_takes_no_file_makes_the_account_unfit(self, world: World) -> None:
        world.providers[world.account] = locked = Locked()
        job = await world.opened(image=await world.with_image())
        await world.work(world.submitter)
        failed = await world.ended(job, "failed")
        assert failed.error is not None
        assert (failed.error["category"], locked.count("submit")) == ("provider", 0)
        assert await world.store.attempts.evidence(job.id) == []
        assert (await world.use()).problem == "802: APIKEY_UNAUTHORIZED"

    async def test_a_key_that_takes_no_file_in_passing_rests(self, world: World) -> None:
        world.providers[world.account] = locked = Locked()
        locked.lasting = False
        job = await world.queued(image=await world.with_image())
        for _ in range(3):
            assert (await world.job(job)).state == "queued"
            await world.start()
            await world.clock.advance(world.settings.defer_max_seconds)
        await world.ended(job, "failed")
        assert (locked.count("upload"), locked.count("submit")) == (3, 0)

    async def test_the_job_goes_to_an_account_that_takes_its_file(self, world: World) -> None:
        world.providers[world.account] = Locked()
        job = await world.opened(image=await world.with_image())
        await world.beside("gpu-2", capacity=1)
        await world.work(world.submitter)
        assert (await world.job(job)).state == "queued"
        await world.start()
        await world.ask()
        await world.ended(job, "completed", captured=PRICE)


class TestSpread:
    async def test_f11_each_account_runs_as_many_as_it_may(self) -> None:
        async with a_world(Upscale, capacity=3) as world:
            for name in ("gpu-2", "gpu-3"):
                await world.beside(name, capacity=3)
            for _ in range(9):
                await world.queued()
            await world.start()
            assert [use.open for use in await world.engine.occupancy()] == [3, 3, 3]

    async def test_a_resting_an_unfit_and_a_full_account_get_nothing(self) -> None:
        async with a_world(Upscale, capacity=1) as world:
            await world.running()
            for name in ("rests", "unfit", "free"):
                await world.beside(name, capacity=2)
            await world.store.attempts.rest("rests", 60, 60)
            await world.store.attempts.unfit("unfit", "no money", 60, 60)
            for _ in range(5):
                await world.queued()
            await world.dispatcher.turn()
            open_ = {use.account: use.open for use in await world.engine.occupancy()}
            assert open_ == {"gpu-1": 1, "rests": 0, "unfit": 0, "free": 2}


class TestSurvey:
    async def test_the_limit_that_the_provider_tells_is_used(self, world: World) -> None:
        await world.instead(TELLS)
        world.provider.room = Capacity(limit=3, in_use=0)
        assert (await world.use()).capacity == 1
        jobs = [await world.queued() for _ in range(4)]
        await world.work(world.surveyor)
        use = await world.use()
        assert (use.capacity, use.configured, use.told, use.in_use) == (3, None, 3, 0)
        assert use.told_at == world.clock()
        await world.dispatcher.turn()
        states = [(await world.job(job)).state for job in jobs]
        assert states == ["starting"] * 3 + ["queued"]

    async def test_it_is_asked_in_turn_and_by_one_of_many(self, world: World) -> None:
        await world.instead(TELLS)
        for _ in range(3):
            await world.work(world.surveyor)
        assert world.provider.count("capacity") == 1
        await world.clock.advance(1.2 * world.settings.survey_interval_seconds)
        await world.work(world.surveyor)
        assert world.provider.count("capacity") == 2

    async def test_who_tells_nothing_is_not_asked(self, world: World) -> None:
        await world.work(world.surveyor)
        assert world.provider.count("capacity") == 0

    async def test_no_answer_is_noted_and_changes_nothing_else(self, world: World) -> None:
        await world.instead(TELLS, capacity=2)
        world.provider.fail("capacity", times=3)
        for failures in (1, 2, 3):
            await world.work(world.surveyor)
            await world.clock.advance(1.2 * world.settings.survey_interval_seconds)
            use = await world.use()
            assert (use.failures, use.capacity, use.problem) == (failures, 2, None)
            assert (use.healthy, use.last_error) == (failures < 3, "capacity was told to fail")

    async def test_a_key_that_answers_again_may_be_tried(self, world: World) -> None:
        await world.instead(TELLS, capacity=2)
        world.provider.plan(NO_MONEY)
        await world.opened()
        await world.work(world.submitter)
        world.provider.fail("capacity")
        for _ in range(2):
            assert (await world.use()).problem is not None
            await world.work(world.surveyor)
            await world.clock.advance(1.2 * world.settings.survey_interval_seconds)
        assert (await world.use()).problem is None

    async def test_another_limit_than_the_configured_one_is_told_once(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        await world.instead(TELLS, capacity=5)
        world.provider.room = Capacity(limit=3)
        for _ in range(3):
            await world.work(world.surveyor)
            await world.clock.advance(1.2 * world.settings.survey_interval_seconds)
        assert (await world.use()).capacity == 5
        [line] = [record.getMessage() for record in caplog.records if record.name == "makegood.surveyor"]
        assert line == "provider account gpu-1 is configured for 5 tasks at a time, its provider says 3"

    @pytest.mark.parametrize("exclusive", [True, False])
    async def test_another_count_than_ours_for_long_is_told_of_an_exclusive_account(
        self, world: World, caplog: pytest.LogCaptureFixture, exclusive: bool
    ) -> None:
        await world.instead(TELLS, capacity=5, exclusive=exclusive)
        world.provider.room = Capacity(in_use=2)
        caplog.set_level(logging.WARNING, "makegood.surveyor")
        await world.work(world.surveyor)
        assert caplog.messages == []
        for _ in range(3):
            await world.clock.advance(world.settings.count_differs_seconds)
            await world.work(world.surveyor)
        said = "the provider counts 2 tasks of account gpu-1, which is used by us alone; we count 0"
        assert caplog.messages == [said] * exclusive
        assert (await world.use()).differs_since is not None
