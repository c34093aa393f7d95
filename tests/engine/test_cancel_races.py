"""Two ask about one task while its owner cancels it: whoever learns of the end, it ends as was asked for."""

import asyncio
from typing import Any

import pytest

from makegood import Job, JobMoney
from makegood.outcome import Cancelled, CancelReply, Output, Rejected, Retry, Succeeded, Unfinished
from makegood.runtime.inquiry import Inquiry
from tests.engine.world import PATIENCE_SECONDS, PRICE, RUNNING, Upscale, World, a_world

RUNS = Unfinished(running=True)
DONE = Succeeded((Output("https://provider.example/1.png", "png"),))


async def test_one_who_asked_before_the_cancel_hears_of_its_effect_first() -> None:
    """The one who sent it still waits for his answer, and knows nothing of the end."""
    async with a_world() as world:
        job = await world.running(Upscale, RUNS)
        attempt = await world.attempt(job)
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as both:
            early = world.provider.gate("query")
            both.create_task(Inquiry(world.context).ask(attempt))
            await early.reached.wait()
            await world.engine.cancel(job.id, actor="ada")
            sender = world.provider.gate("query")
            both.create_task(Inquiry(world.context).ask(attempt))
            await sender.reached.wait()
            early.opened.set()
            await ended(world, job)
            sender.opened.set()
        assert (await world.job(job)).state == "cancelled"
        assert await world.engine.money(job.id) in (JobMoney(captured=PRICE), JobMoney(released=PRICE))
        assert world.provider.count("cancel") == 1


@pytest.mark.parametrize("sent", [True, False])
async def test_one_who_asked_before_the_wish_charges_nothing_for_what_we_did_not_cancel(
    sent: bool, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider cancels it by itself, and its owner wishes it then: sent too late, or not sent yet."""

    async def too_late(_: str) -> CancelReply:
        return CancelReply.ALREADY_OVER

    monkeypatch.setattr(world.provider, "cancel", too_late)
    job = await world.running(Upscale, Cancelled(ran=True))
    attempt = await world.attempt(job)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as both:
        early = world.provider.gate("query")
        both.create_task(Inquiry(world.context).ask(attempt))
        await early.reached.wait()
        await world.engine.cancel(job.id, actor="ada")
        sender = world.provider.gate("query")
        if sent:
            both.create_task(Inquiry(world.context).ask(attempt))
            await sender.reached.wait()
        early.opened.set()
        await ended(world, job)
        sender.opened.set()
    assert (await world.attempt(job)).cancel_late is sent
    await world.ended(job, "failed")


async def ended(world: World, job: Job) -> None:
    async for _ in world.engine.watch(job.id):
        pass


async def test_c9_a_cancel_that_is_never_answered_ends_by_the_deadline_with_its_refund(world: World) -> None:
    job = await world.running(Upscale, RUNS)
    world.provider.fail("cancel", times=1_000)
    await world.engine.cancel(job.id)
    await world.work(world.poller)
    assert (await world.job(job)).state == "running"  # only evidence ends it
    await world.after(RUNNING)
    await world.ended(job, "failed")
    assert await world.slots() == (1, 1)
    asked = world.provider.count("cancel")
    await world.ask()
    assert world.provider.count("cancel") > asked  # and it goes on being asked to stop


async def test_c9_a_cancel_that_the_provider_takes_and_ignores_ends_by_the_deadline(world: World) -> None:
    job = await world.running(Upscale, *[RUNS] * 4, Cancelled(ran=True))
    world.provider.deaf = True
    await world.engine.cancel(job.id)
    await world.work(world.poller)
    await world.after(RUNNING)
    await world.ended(job, "failed")
    for _ in range(4):
        await world.ask()
    assert await world.slots() == (0, 0)  # its end is heard of all the same, and changes nothing
    await world.ended(job, "failed")


async def test_c10_a_success_that_wins_the_race_with_a_cancel_is_delivered_and_paid(world: World) -> None:
    job = await world.running(Upscale, RUNS, DONE)
    await world.work(world.poller)
    await world.engine.cancel(job.id)
    await world.work(world.poller, world.collector)
    await world.ended(job, "completed", captured=PRICE)


async def test_a_cancel_during_which_the_provider_refuses_the_job_ends_it_in_the_queue(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds the job submitted, and when it looks again the job waits: nobody is to be asked."""
    job, gate = await world.opened(), world.provider.gate("submit")
    world.provider.plan(Rejected("421", "queue limit", Retry.LATER))

    async def is_submitted() -> None:
        await world.submitter.turn()
        await gate.reached.wait()

    async def is_back() -> None:
        gate.opened.set()
        await world.submitter.crew.drain(PATIENCE_SECONDS)

    happenings, get, task = [is_submitted, is_back], world.store.jobs.get, asyncio.current_task()

    async def meanwhile(*which: Any, **given: Any) -> Job | None:
        if happenings and asyncio.current_task() is task:
            await happenings.pop(0)()
        return await get(*which, **given)

    monkeypatch.setattr(world.store.jobs, "get", meanwhile)
    assert (await world.engine.cancel(job.id)).state == "cancelled"
    assert happenings == []
    await world.ended(job, "cancelled")
