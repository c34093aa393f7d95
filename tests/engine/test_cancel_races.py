"""Two ask about one task while its owner cancels it: whoever learns of the end, it ends as was asked for."""

import asyncio

from makegood import Job, JobMoney
from makegood.outcome import Unfinished
from makegood.runtime.inquiry import Inquiry
from tests.engine.world import PATIENCE_SECONDS, PRICE, Upscale, World, a_world

RUNS = Unfinished(running=True)


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


async def ended(world: World, job: Job) -> None:
    async for _ in world.engine.watch(job.id):
        pass
