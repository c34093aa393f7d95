"""Deadlines: nothing waits for ever, the provider is asked first, one bad row delays only itself."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from makegood import BaseJob, Event, Failure, Job, JobMoney, Money, State, Verdict
from makegood.outcome import Cancelled, Failed, Output, Succeeded, Trouble, Unfinished
from makegood.runtime import Watchdog
from tests.engine.world import (
    PATIENCE_SECONDS,
    PRICE,
    QUEUE,
    RUNNING,
    STARTING,
    WALLET,
    Upscale,
    World,
    a_world,
    in_state,
)

PENDING = BaseJob.pending.deadline or timedelta()
MOMENT = timedelta(seconds=1)
RUNS, DONE = Unfinished(running=True), Succeeded((Output("https://provider.example/1.png", "png"),))


class TestEveryState:
    @pytest.mark.parametrize(
        ("state", "deadline", "released"),
        [
            ("pending", PENDING, 0),
            ("queued", QUEUE, PRICE),
            ("deferred", QUEUE, PRICE),
            ("rejected", QUEUE, PRICE),
            ("opened", STARTING, PRICE),
            ("submitting", STARTING, PRICE),
            ("running", RUNNING, PRICE),
        ],
    )
    async def test_d19_a_job_that_waits_anywhere_ends_at_its_deadline_with_all_credits_back(
        self, world: World, state: str, deadline: timedelta, released: int
    ) -> None:
        job = await in_state(world, state)
        await world.after(deadline - MOMENT)
        assert await world.job(job) == job
        await world.after(MOMENT)
        ended = await world.job(job)
        assert (ended.state, ended.settled) == ("failed", 0)
        assert ended.error is not None
        assert ended.error["category"] == "timeout"
        assert await world.money(job) == JobMoney(released=released)
        assert (await world.engine.wallet("ada")).available == WALLET

    async def test_d12_another_process_ends_what_one_has_left(self, world: World) -> None:
        job = await world.queued()
        await world.clock.advance(QUEUE.total_seconds())
        await Watchdog(world.context).turn()
        await world.work(world.watchdog)
        await world.ended(job, "failed")
        assert (await world.way(job)).count("fail") == 1

    async def test_f1_s10_waiting_in_the_queue_is_not_counted_as_work(self, world: World) -> None:
        await world.store.attempts.register(replace(world.account, capacity=1))
        first = await world.running(Upscale, DONE)
        second = await world.queued()
        await world.clock.advance((RUNNING - MOMENT).total_seconds())
        await world.work(world.poller)
        await world.start()
        await world.after(RUNNING - MOMENT)
        assert [(await world.job(job)).state for job in (first, second)] == ["running", "running"]
        await world.work(world.poller, world.collector)
        for job in (first, second):
            assert await world.money(job) == JobMoney(captured=PRICE)

    async def test_d37_every_type_has_its_own_time(self) -> None:
        class Video(BaseJob):
            pool, price = "gpu", PRICE

        slow = Video.with_deadlines({"running": timedelta(hours=1)})
        async with a_world(Upscale, slow) as world:
            film, picture = await world.running(slow), await world.running()
            await world.after(RUNNING)
            assert [(await world.job(job)).state for job in (film, picture)] == ["running", "failed"]


class TestAtTheLastMoment:
    """S10: the provider is asked before a running job is ended."""

    async def test_s10_a_success_is_delivered(self, world: World) -> None:
        job = await world.running(Upscale, DONE)
        await world.after(RUNNING)
        assert (await world.job(job)).state == "running"
        await world.work(world.collector)
        await world.ended(job, "completed", captured=PRICE)

    async def test_a_success_that_another_has_heard_of_meanwhile_is_delivered(self, world: World) -> None:
        job = await world.running()
        attempt = await world.attempt(job)
        await world.clock.advance(RUNNING.total_seconds())
        await world.watchdog.turn()  # has found it, and not begun to look into it
        outputs = ({"url": "https://provider.example/1.png", "kind": "png"},)
        await world.store.attempts.record(attempt.evidence(Verdict.SUCCEEDED, "query", outputs=outputs))
        await world.watchdog.crew.drain(PATIENCE_SECONDS)
        await world.work(world.collector)
        await world.ended(job, "completed", captured=PRICE)

    async def test_a_failure_is_told_as_such(self, world: World) -> None:
        job = await world.running(Upscale, Failed("a safety filter"))
        await world.after(RUNNING)
        ended = await world.ended(job, "failed")
        assert ended.error is not None
        assert ended.error["category"] == "provider"

    async def test_a_passing_failure_is_run_again(self, world: World) -> None:
        job = await world.running(Upscale, Failed("errno 116", trouble=Trouble.PASSING))
        await world.after(RUNNING)
        assert (await world.job(job)).state == "queued"

    async def test_a_cancelled_run_is_settled_by_its_type(self, world: World) -> None:
        job = await world.running(Upscale, RUNS, Cancelled(ran=True))
        await world.work(world.poller)
        await world.engine.cancel(job.id)
        await world.after(RUNNING)
        await world.ended(job, "cancelled", captured=PRICE)

    async def test_a_lost_create_reply_is_bound_by_its_webhook(self, world: World) -> None:
        job = await world.uncertain(DONE)
        await world.webhook(job, "task-1")
        await world.after(STARTING)
        await world.work(world.collector)
        await world.ended(job, "completed", captured=PRICE)

    @pytest.mark.parametrize("fault", ["no answer", "a fault of the adapter"])
    async def test_a_provider_that_does_not_answer_cannot_keep_the_credits(
        self, world: World, fault: str
    ) -> None:
        answers = (RuntimeError(fault),) if "fault" in fault else ()
        job = await world.running(Upscale, RUNS, *answers)
        await world.work(world.poller)
        if not answers:
            world.provider.fail("query", times=100)
        await world.after(RUNNING)
        await world.ended(job, "failed")


class TestDraining:
    """C9: a slot is free when the task is known to be over, and not when its job is."""

    async def test_the_slot_is_held_until_the_provider_confirms_the_end(self, world: World) -> None:
        world.provider.fail("cancel", times=2)
        job = await world.running()
        await world.after(RUNNING)
        await world.ended(job, "failed")
        for _ in range(2):
            assert await world.slots() == (1, 1)
            await world.ask()
        await world.ask()
        assert world.provider.calls[-2:] == [("cancel", "task-1"), ("query", "task-1")]
        assert await world.slots() == (0, 0)

    async def test_a_job_that_waits_gets_the_slot_only_then(self) -> None:
        async with a_world(Upscale, capacity=1) as world:
            first = await world.running()
            second = await world.queued()
            await world.after(RUNNING)
            await world.start()
            assert [(await world.job(job)).state for job in (first, second)] == ["failed", "queued"]
            await world.ask()
            await world.start()
            assert (await world.job(second)).state == "running"

    async def test_an_uncertain_attempt_holds_its_slot_until_the_last_moment_and_then_raises_an_alarm(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        job = await world.uncertain()
        await world.after(STARTING)
        await world.ended(job, "failed")
        await world.after(world.account.draining_seconds - 1)
        assert await world.slots() == (1, 1)
        with caplog.at_level(logging.ERROR, "makegood.watchdog"):
            await world.after(1)
        assert await world.slots() == (0, 0)
        assert (await world.attempt(job)).verdict is Verdict.ABSENT, "nobody has refused it"
        assert "look at the provider" in caplog.text
        assert world.provider.count("submit") == 1

    async def test_c5_a_task_that_shows_up_after_the_deadline_is_cancelled(self, world: World) -> None:
        job = await world.uncertain()
        await world.after(STARTING)
        await world.webhook(job, "task-1")
        await world.ask()
        assert ("cancel", "task-1") in world.provider.calls
        assert await world.slots() == (0, 0)
        await world.ended(job, "failed")


class TestOneBadRow:
    async def test_a_policy_that_raises_does_not_keep_the_credits(self) -> None:
        class Faulty(BaseJob):
            pool, price = "gpu", PRICE

            @classmethod
            def cancellation_price(cls, job: Job, ran: bool) -> int:
                raise ZeroDivisionError

        async with a_world(Faulty) as world:
            job = await world.running(Faulty, RUNS)
            await world.engine.cancel(job.id)
            await world.ask()
            assert (await world.job(job)).state == "running"
            await world.after(RUNNING)
            await world.ended(job, "failed")
            await world.ask()
            assert await world.slots() == (0, 0)

    async def test_a_job_of_a_type_that_is_gone_is_ended_by_its_stored_rules(self) -> None:
        class Gone(BaseJob):
            pool, price = "gpu", PRICE
            aside = State(deadline=timedelta(hours=1))
            put = Event(BaseJob.queued >> aside)
            drop = Event(aside >> BaseJob.failed, money=Money.RELEASE)

        async with a_world(Gone, Upscale) as world:
            gone, other = await world.queued(Gone), await world.queued()
            await world.engine.fire(gone.id, Gone.put)
            world.catalog._types.pop((Gone.name, 1))
            await world.after(QUEUE)
            assert (await world.job(other)).state == "failed"
            assert (await world.job(gone)).state == "failed"
            assert await world.money(gone) == JobMoney(released=PRICE)

    @pytest.mark.parametrize("answer", ["says no", "raises"])
    async def test_no_guard_keeps_the_credits_of_an_overdue_job(self, answer: str) -> None:
        class Guarded(BaseJob):
            pool, price = "gpu", PRICE

        @Guarded.fail.guard
        def never(_: Job, __: Failure) -> bool:
            if answer == "raises":
                raise ZeroDivisionError
            return False

        async with a_world(Guarded) as world:
            job = await world.running(Guarded, RUNS)
            await world.after(RUNNING)
            await world.ended(job, "failed")

    async def test_a_provider_that_never_answers_delays_no_other(self, world: World) -> None:
        job, other = await world.running(Upscale, RUNS), await world.pending()
        gate = world.provider.gate("query")
        await world.clock.advance(RUNNING.total_seconds())
        await world.watchdog.turn()
        await gate.reached.wait()
        assert (await world.job(other)).state == "failed"
        gate.opened.set()
        await world.work(world.watchdog)
        await world.ended(job, "failed")


async def test_credits_past_their_time_are_taken_out_of_the_wallet(world: World) -> None:
    expires_at = world.clock() + timedelta(days=1)
    await world.engine.grant("ada", 50, source_ref="gift", expires_at=expires_at)
    await world.after(timedelta(days=1))
    wallet = await world.engine.wallet("ada")
    assert wallet.available == WALLET
    assert sum(bucket.expired for bucket in wallet.buckets) == 50


async def test_s7_credits_that_expired_while_they_were_held_come_back_all_the_same(world: World) -> None:
    await world.engine.grant("bo", PRICE, source_ref="plan", expires_at=world.clock() + timedelta(hours=1))
    job = await world.engine.accept((await world.engine.submit(Upscale, "bo", {})).id)
    await world.after(QUEUE)
    assert (await world.job(job)).state == "failed"
    assert (await world.engine.wallet("bo")).available == PRICE
