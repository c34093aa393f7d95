"""The end of a job as its owner or a client asks for it: cancel, report, and events of the host."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from makegood import BaseJob, Failure, GuardFailed, IllegalTransition, Job, JobMoney
from makegood.outcome import Answer, Failed, Output, Succeeded, Unfinished
from makegood.ports import Change, Effect
from makegood_adapters.memory.jobs import MemoryJobs
from tests.engine.world import PRICE, STATES, WALLET, Upscale, World, a_world, in_state

DONE = Succeeded((Output("https://provider.example/1.png", "png"),))
LOST = Failed("It broke.")


@pytest.mark.parametrize("state", STATES)
async def test_states_are_what_they_are_called(world: World, state: str) -> None:
    stages = {"opened": "starting", "submitting": "starting", "deferred": "queued", "rejected": "queued"}
    assert (await in_state(world, state)).state == stages.get(state, state)


class TestCancel:
    @pytest.mark.parametrize(
        ("state", "released"), [("pending", 0), ("queued", PRICE), ("opened", PRICE), ("deferred", PRICE)]
    )
    async def test_s1_a_job_that_is_not_at_the_provider_ends_at_once_for_nothing(
        self, world: World, state: str, released: int
    ) -> None:
        job = await in_state(world, state)
        ended = await world.engine.cancel(job.id, actor="ada", reason="changed her mind")
        assert (ended.state, ended.settled) == ("cancelled", 0)
        assert await world.money(job) == JobMoney(released=released)
        assert (await world.engine.wallet("ada")).available == WALLET
        assert (await world.engine.history(job.id))[-1].reason == "changed her mind"
        await world.start()
        assert world.provider.count("submit") == 0
        assert await world.slots() == (0, 0)

    @pytest.mark.parametrize("state", ["submitting", "running"])
    async def test_of_a_submitted_job_the_wish_is_noted_and_nothing_moves(
        self, world: World, state: str
    ) -> None:
        job = await in_state(world, state)
        asked = await world.engine.cancel(job.id)
        assert asked == replace(job, cancel_requested_at=world.clock())
        assert await world.money(job) == JobMoney(held=PRICE)

    @pytest.mark.parametrize("state", ["completed", "failed", "cancelled"])
    async def test_a_job_that_is_over_cannot_be_cancelled(self, world: World, state: str) -> None:
        job = await in_state(world, state)
        money = await world.money(job)
        with pytest.raises(IllegalTransition):
            await world.engine.cancel(job.id)
        assert (await world.job(job), await world.money(job)) == (job, money)

    async def test_a_queued_job_that_was_rejected_before_ends_at_once(self, world: World) -> None:
        """It was submitted once; its attempt is over, so nobody needs to be asked."""
        job = await in_state(world, "rejected")
        assert job.submitted
        assert (await world.engine.cancel(job.id)).state == "cancelled"
        await world.ended(job, "cancelled")

    async def test_a_type_that_lets_nobody_cancel_a_run_says_so(self) -> None:
        class Committed(BaseJob, drop=[(BaseJob.cancel, BaseJob.running)]):
            pool, price = "gpu", PRICE

        async with a_world(Committed) as world:
            job = await world.running(Committed)
            with pytest.raises(IllegalTransition):
                await world.engine.cancel(job.id)
            assert await world.job(job) == job

    async def test_a_guard_on_cancel_is_asked_before_the_wish_is_noted(self) -> None:
        class Kept(BaseJob):
            pool, price = "gpu", PRICE

        @Kept.cancel.guard
        def allowed_by_ada(_: Job, __: BaseModel) -> bool:
            return False

        async with a_world(Kept) as world:
            for job in (await world.queued(Kept), await world.running(Kept)):
                with pytest.raises(GuardFailed, match="allowed_by_ada"):
                    await world.engine.cancel(job.id)
                assert (await world.job(job)).cancel_requested_at is None


class TestReport:
    """D9, M2: a client's word never moves state or money of a submitted job."""

    @pytest.mark.parametrize(("state", "released"), [("pending", 0), ("queued", PRICE), ("deferred", PRICE)])
    async def test_d9_a_job_that_waits_and_was_never_submitted_ends_with_its_refund(
        self, world: World, state: str, released: int
    ) -> None:
        job = await in_state(world, state)
        ended = await world.engine.report(job.id, "The page hangs.", source="browser")
        assert (ended.state, ended.error) == (
            "failed",
            {"category": "client_report", "message": "The page hangs.", "detail": {}},
        )
        assert await world.money(job) == JobMoney(released=released)
        assert (await world.engine.history(job.id))[-1].actor == "browser"
        assert await world.slots() == (0, 0)

    async def test_f1_waiting_is_no_failure_where_the_host_says_so(self, world: World) -> None:
        for state in ("queued", "deferred"):
            job = await in_state(world, state)
            assert await world.engine.report(job.id, "So slow!", settle_queued=False) == job
        pending = await world.pending()
        assert (await world.engine.report(pending.id, "So slow!", settle_queued=False)).state == "failed"

    @pytest.mark.parametrize("state", ["opened", "submitting", "running", "rejected"])
    async def test_d9_a_job_that_was_brought_to_the_provider_keeps_state_and_money(
        self, world: World, state: str
    ) -> None:
        job = await in_state(world, state)
        assert await world.engine.report(job.id, "It failed!", source="browser") == job
        await world.work(world.poller)
        assert await world.money(job) == JobMoney(held=PRICE)
        assert (await world.job(job)).state == job.state

    async def test_m2_the_provider_is_asked_at_once(self, world: World) -> None:
        job = await world.running()
        await world.work(world.poller)
        await world.work(world.poller)
        assert world.provider.count("query") == 1
        await world.engine.report(job.id, "It failed!")
        await world.work(world.poller)
        assert world.provider.count("query") == 2

    @pytest.mark.parametrize(
        ("answer", "state", "captured"), [(DONE, "completed", PRICE), (LOST, "failed", 0)]
    )
    async def test_m2_the_job_ends_as_the_provider_says(
        self, world: World, answer: Answer, state: str, captured: int
    ) -> None:
        job = await world.running(Upscale, Unfinished(running=True), answer)
        await world.work(world.poller)
        await world.engine.report(job.id, "It failed!")
        await world.work(world.poller, world.collector)
        await world.ended(job, state, captured)

    @pytest.mark.parametrize("state", ["completed", "failed", "cancelled"])
    async def test_p1_a_job_that_is_over_stays_as_it_is(self, world: World, state: str) -> None:
        job = await in_state(world, state)
        money = await world.money(job)
        assert await world.engine.report(job.id, "It failed!") == job
        assert await world.money(job) == money

    async def test_a_report_that_loses_every_race_is_kept_and_does_not_raise(self, world: World) -> None:
        class Busy(MemoryJobs):
            async def apply(
                self, change: Change, effects: Sequence[Effect] = (), *, conn: Any = None
            ) -> Job | None:
                return None

        job = await world.queued()
        world.store.jobs = Busy(world.store.tables)
        assert await world.engine.report(job.id, "It failed!") == job


async def test_an_event_that_a_host_fires_obeys_the_table(world: World) -> None:
    job = await world.queued()
    with pytest.raises(GuardFailed, match="dispatcher"):
        await world.engine.fire(job.id, BaseJob.dispatch)
    failed = await world.engine.fire(
        job.id, BaseJob.fail, Failure(message="No."), actor="host", reason="test"
    )
    assert failed.error == {"category": "unknown", "message": "No.", "detail": {}}
    assert (await world.engine.history(job.id))[-1].actor == "host"
