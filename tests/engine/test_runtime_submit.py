"""The way to the provider: slots, uploads, and one create call for each attempt, whatever comes of it."""

import asyncio
import hashlib

import pytest

from makegood import BaseJob, JobMoney, Settings, Verdict
from makegood.job import Phase
from makegood.outcome import Accepted, Failed, Rejected, Retry, Submission, Trouble, Uncertain, Unfinished
from makegood.runtime import Submitter
from tests.engine.world import BASE_URL, PATIENCE_SECONDS, PRICE, QUEUE, STARTING, Upscale, World, a_world

BUSY = Rejected("421", "queue limit reached", Retry.LATER)
BAD = Rejected("803", "node mismatch", Retry.NEVER)
RUNS = Unfinished(running=True)


class TestDispatch:
    async def test_m4_never_more_slots_than_the_account_has(self) -> None:
        async with a_world(Upscale, capacity=4) as world:
            jobs = [await world.queued() for _ in range(9)]
            await asyncio.gather(*(world.dispatcher.turn() for _ in range(5)))
            states = [(await world.job(job)).state for job in jobs]
            assert states == ["starting"] * 4 + ["queued"] * 5
            assert await world.slots() == (4, 0)

    async def test_d28_a_free_slot_is_for_the_first_in_the_queue(self) -> None:
        async with a_world(Upscale, capacity=1) as world:
            first, second = await world.queued(), await world.queued()
            await world.start()
            assert (await world.job(first)).state == "running"
            await world.work(world.poller)
            await world.dispatcher.turn()
            assert (await world.job(second)).state == "starting"

    async def test_a_full_batch_asks_for_another_turn(self) -> None:
        async with a_world(settings=Settings(batch_max=1)) as world:
            await world.queued()
            assert await world.dispatcher.turn()
            assert not await world.dispatcher.turn()


class TestOneCall:
    """P7: one create call for each attempt; an uncertain outcome is never a reason for another."""

    @pytest.mark.parametrize(
        ("outcome", "state", "phase"),
        [
            (Accepted("task-7"), "running", Phase.ACCEPTED),
            (BAD, "failed", Phase.CLOSED),
            (Uncertain("the reply is lost"), "starting", Phase.UNCERTAIN),
            (RuntimeError("a fault of the adapter"), "starting", Phase.UNCERTAIN),
            (TimeoutError(), "starting", Phase.UNCERTAIN),
        ],
        ids=["accepted", "rejected", "uncertain", "raised", "timed out"],
    )
    async def test_whatever_comes_of_it(
        self, world: World, outcome: Submission | Exception, state: str, phase: Phase
    ) -> None:
        world.provider.plan(outcome, RUNS)
        job = await world.opened()
        await world.work(world.submitter)
        for _ in range(8):  # past the lease of the worker, within every deadline
            await world.clock.advance(70)
            await world.start()
            await world.work(world.poller)
        assert world.provider.count("submit") == 1
        assert ((await world.job(job)).state, (await world.attempt(job)).phase) == (state, phase)

    async def test_a_call_that_hangs_is_given_up_and_not_made_again(self) -> None:
        async with a_world(settings=Settings(submit_timeout_seconds=0.01)) as world:
            world.provider.gate("submit")
            job = await world.opened()
            await world.work(world.submitter)
            assert (await world.attempt(job)).phase is Phase.UNCERTAIN
            await world.start()
            assert world.provider.count("submit") == 1

    async def test_a_worker_that_dies_in_the_call_leaves_an_uncertain_attempt(self, world: World) -> None:
        gate = world.provider.gate("submit")
        job = await world.opened()
        await world.submitter.turn()
        await gate.reached.wait()
        await world.submitter.crew.drain(0)
        await world.clock.advance(world.settings.lease_seconds)
        await world.start()
        await world.work(world.poller)
        assert (await world.attempt(job)).phase is Phase.UNCERTAIN
        assert world.provider.count("submit") == 1

    async def test_a_call_is_not_doubted_while_its_worker_may_still_be_answered(self, world: World) -> None:
        gate = world.provider.gate("submit")
        job = await world.opened()
        await world.submitter.turn()
        await gate.reached.wait()
        await world.clock.advance(world.settings.lease_seconds - 1)
        await world.work(world.poller)
        assert (await world.attempt(job)).phase is Phase.SUBMITTING
        gate.opened.set()
        await world.submitter.crew.drain(PATIENCE_SECONDS)
        assert await world.way(job) == ["submit", "accept", "dispatch", "begin"]

    async def test_m3_of_two_workers_one_submits(self, world: World) -> None:
        other = Submitter(world.context)
        jobs = [await world.queued() for _ in range(2)]
        await world.dispatcher.turn()
        await asyncio.gather(world.work(world.submitter), world.work(other))
        assert world.provider.count("submit") == 2
        assert [(await world.job(job)).state for job in jobs] == ["running", "running"]

    async def test_a_worker_that_lost_its_lease_during_the_upload_sends_nothing(self, world: World) -> None:
        gate = world.provider.gate("upload")
        job = await world.opened(image=await world.with_image())
        await world.submitter.turn()
        await gate.reached.wait()
        await world.clock.advance(world.settings.lease_seconds)
        await world.work(Submitter(world.context))
        assert (await world.job(job)).state == "running"
        gate.opened.set()
        await world.submitter.crew.drain(30)
        assert world.provider.count("submit") == 1

    async def test_a_worker_that_stops_during_the_upload_lets_another_begin_at_once(
        self, world: World
    ) -> None:
        gate = world.provider.gate("upload")
        job = await world.opened(image=await world.with_image())
        await world.submitter.turn()
        await gate.reached.wait()
        await world.submitter.crew.drain(0)
        await world.work(Submitter(world.context))
        assert (await world.job(job)).state == "running"
        assert world.provider.count("submit") == 1

    @pytest.mark.parametrize("act", ["cancel", "deadline"])
    async def test_c10_a_job_that_ends_during_the_upload_is_not_sent(self, world: World, act: str) -> None:
        gate = world.provider.gate("upload")
        job = await world.opened(image=await world.with_image())
        await world.submitter.turn()
        await gate.reached.wait()
        if act == "cancel":
            await world.engine.cancel(job.id)
        else:
            await world.after(STARTING)
        gate.opened.set()
        await world.submitter.crew.drain(30)
        assert world.provider.count("submit") == 0
        await world.ended(job, "cancelled" if act == "cancel" else "failed")
        assert await world.slots() == (0, 0)

    async def test_m5_a_job_that_ends_during_the_call_has_its_stray_task_cancelled(
        self, world: World
    ) -> None:
        gate = world.provider.gate("submit")
        world.provider.plan(None, RUNS)
        job = await world.opened()
        await world.submitter.turn()
        await gate.reached.wait()
        await world.after(STARTING)
        await world.ended(job, "failed")
        assert await world.slots() == (1, 1)
        gate.opened.set()
        await world.submitter.crew.drain(30)
        assert (await world.attempt(job)).task_id == "task-1"
        await world.ask()
        assert world.provider.calls[-2:] == [("cancel", "task-1"), ("query", "task-1")]
        await world.ended(job, "failed")
        assert await world.way(job) == ["submit", "accept", "dispatch", "fail"]
        assert await world.slots() == (0, 0)

    async def test_a_wish_to_cancel_is_met_before_the_next_call(self, world: World) -> None:
        """It may come while the job is on its way from one attempt to the next."""
        job = await world.running(Upscale, Failed("errno 116", trouble=Trouble.PASSING))
        await world.work(world.poller)
        await world.dispatcher.turn()
        await world.store.jobs.request_cancel(job.id)
        await world.work(world.submitter)
        await world.ended(job, "cancelled")
        assert world.provider.count("submit") == 1

    async def test_a_wish_to_cancel_is_met_before_the_next_attempt(self, world: World) -> None:
        job = await world.running(Upscale, Failed("errno 116", trouble=Trouble.PASSING))
        await world.work(world.poller)
        await world.store.jobs.request_cancel(job.id)
        await world.start()
        assert (await world.job(job)).state == "queued"
        await world.work(world.watchdog)
        await world.ended(job, "cancelled")
        assert await world.way(job) == ["submit", "accept", "dispatch", "begin", "rerun", "cancel"]


class TestRejected:
    async def test_d26_ten_refusals_for_now_and_then_a_slot(self, world: World) -> None:
        """P4: the job keeps its credits and its place, and waiting uses up none of its tries."""
        for _ in range(10):
            world.provider.plan(BUSY)
        world.provider.plan(None, Failed("errno 116", trouble=Trouble.PASSING))
        job = await world.queued()
        for number in range(1, 11):
            await world.start()
            waiting = await world.job(job)
            assert (waiting.state, waiting.attempt, await world.slots()) == ("queued", number, (0, 0))
            assert await world.money(job) == JobMoney(held=PRICE)
            await world.start()  # nothing happens before its time
            await world.clock.advance(world.settings.defer_max_seconds)
        for _ in range(2):
            await world.start()
            await world.work(world.poller, world.collector)
        await world.ended(job, "completed", captured=PRICE)
        assert world.provider.count("submit") == 12

    async def test_d26_who_was_refused_for_now_keeps_the_place_in_the_queue(self) -> None:
        async with a_world(Upscale, capacity=1) as world:
            world.provider.plan(BUSY)
            first = await world.opened()
            second = await world.queued()
            await world.work(world.submitter)
            assert [await world.engine.position(job.id) for job in (first, second)] == [1, 2]
            await world.clock.advance(world.settings.defer_seconds)
            await world.start()
            assert [(await world.job(job)).state for job in (first, second)] == ["running", "queued"]

    async def test_the_pause_is_at_least_what_the_provider_wishes(self, world: World) -> None:
        world.provider.plan(Rejected("421", "queue limit", Retry.LATER, 45.0))
        job = await world.opened()
        await world.work(world.submitter)
        assert await world.pause(job) == 45.0

    async def test_d25_the_pause_doubles_up_to_its_bound(self, world: World) -> None:
        job = await world.queued()
        settings = world.settings
        for number in range(8):
            world.provider.plan(BUSY)
            await world.start()
            longest = min(settings.defer_seconds * 2**number, settings.defer_max_seconds)
            assert 0.75 * longest <= await world.pause(job) <= longest
            await world.clock.advance(settings.defer_max_seconds)

    async def test_d46_refusals_for_ever_end_at_the_deadline_of_the_queue(self, world: World) -> None:
        for _ in range(3):
            world.provider.plan(BUSY)
        job = await world.opened()
        await world.work(world.submitter)
        await world.clock.advance(QUEUE.total_seconds() / 2)
        await world.start()
        assert (await world.job(job)).state == "queued"
        await world.after(QUEUE / 2)
        ended = await world.ended(job, "failed")
        assert ended.error is not None
        assert ended.error["category"] == "timeout"

    @pytest.mark.parametrize("code", ["803", "1000", "request"])
    async def test_d16_a_refusal_for_ever_ends_the_job_with_its_refund(self, world: World, code: str) -> None:
        world.provider.plan(Rejected(code, "No.", Retry.NEVER))
        job = await world.opened()
        await world.work(world.submitter)
        ended = await world.ended(job, "failed")
        assert ended.error is not None
        assert (ended.error["category"], ended.error["detail"]) == (
            "rejected",
            {"code": code, "message": "No."},
        )
        assert await world.slots() == (0, 0)
        assert (await world.attempt(job)).verdict is Verdict.REJECTED

    @pytest.mark.parametrize("outcome", [BUSY, BAD])
    async def test_a_refused_job_that_was_to_be_cancelled_is_cancelled(
        self, world: World, outcome: Rejected
    ) -> None:
        gate = world.provider.gate("submit")
        world.provider.plan(outcome)
        job = await world.opened()
        await world.submitter.turn()
        await gate.reached.wait()
        assert (await world.engine.cancel(job.id)).state == "starting"
        gate.opened.set()
        await world.submitter.crew.drain(30)
        await world.ended(job, "cancelled")


class TestUpload:
    async def test_d11_the_provider_is_sent_what_was_frozen_with_the_job(self, world: World) -> None:
        key = await world.with_image()
        job = await world.opened(image=key, scale=4)
        await world.work(world.submitter)
        [task] = world.provider.tasks.values()
        assert task.request == job.request == {"input": {"image": key, "scale": 4}}
        assert task.files == {"image": f"there/{key}"}

    async def test_d25_an_outage_while_uploading_is_waited_out_in_the_queue(self, world: World) -> None:
        world.provider.fail("upload", times=3)
        job = await world.queued(image=await world.with_image())
        for _ in range(3):
            await world.start()
            assert ((await world.job(job)).state, await world.slots()) == ("queued", (0, 0))
            assert (await world.use()).rests_until is not None, "it would be tried again at once"
            await world.clock.advance(world.settings.defer_max_seconds)
        await world.start()
        assert (await world.job(job)).state == "running"
        assert world.provider.count("submit") == 1

    async def test_m12_an_input_that_is_gone_ends_the_job_with_its_refund(self, world: World) -> None:
        key = await world.with_image()
        job = await world.opened(image=key)
        world.blobs._files.clear()
        await world.work(world.submitter)
        ended = await world.ended(job, "failed")
        assert ended.error is not None
        assert ended.error["category"] == "input"
        assert await world.slots() == (0, 0)
        assert world.provider.count("submit") == 0


class TestToken:
    async def test_only_the_hash_of_the_token_is_kept(self, world: World) -> None:
        job = await world.running()
        webhook = world.provider.tasks["task-1"].webhook
        assert webhook is not None
        base, _, token = webhook.rpartition("/")
        assert (base, len(token) >= 43) == (f"{BASE_URL}/hooks", True)
        assert (await world.attempt(job)).token_hash == hashlib.sha256(token.encode()).digest()
        assert token not in repr(world.store.tables)

    async def test_every_attempt_has_a_token_of_its_own(self, world: World) -> None:
        job = await world.running(Upscale, Failed("errno 116", trouble=Trouble.PASSING))
        await world.work(world.poller)
        await world.start()
        assert (await world.job(job)).attempt == 2
        assert len({task.webhook for task in world.provider.tasks.values()}) == 2

    async def test_without_an_address_no_webhook_is_asked_for(self) -> None:
        async with a_world(settings=Settings()) as world:
            await world.running()
            assert world.provider.tasks["task-1"].webhook is None


async def test_a_type_is_submitted_to_its_own_pool_alone() -> None:
    class Elsewhere(BaseJob):
        pool, price = "another pool", PRICE

    async with a_world(Upscale, Elsewhere) as world:
        job = await world.queued(Elsewhere)
        await world.start()
        assert (await world.job(job)).state == "queued"
        assert world.provider.calls == []
