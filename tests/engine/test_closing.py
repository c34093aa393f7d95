"""A job type whose jobs the provider refuses, whoever orders them, is closed before more are sent."""

import logging
from datetime import timedelta
from uuid import uuid4

import pytest

from makegood import BaseJob, Catalog, Engine, JobMoney, JobTypeClosed
from makegood.fairness import Rule
from makegood.outcome import Cause, Rejected, Retry
from makegood.runtime import Context, Surveyor
from makegood_adapters.memory import MemoryBlobs
from tests.engine.world import PRICE, QUEUE, WALLET, Upscale, World, a_world

MISMATCH = Rejected("803", "APIKEY_INVALID_NODE_INFO", Retry.NEVER, cause=Cause.TYPE)
WHY = (
    "3 jobs in a row were refused for what the type asks for (803: APIKEY_INVALID_NODE_INFO); compare its "
    "app and nodes with the provider's, then makegood resume --type upscale"
)


class Banner(BaseJob):
    pool, price = Upscale.pool, PRICE


async def refused(world: World, n: int, refusal: Rejected = MISMATCH) -> None:
    """Let the provider refuse *n* jobs, one after the other."""
    for _ in range(n):
        world.provider.plan(refusal)
        job = await world.queued()
        await world.start()
        assert await world.money(job) == JobMoney(released=PRICE)


async def rules(world: World) -> list[Rule]:
    """Return what rules there are."""
    return await world.engine.rules()


async def test_d36_three_refusals_in_a_row_close_the_type_which_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with a_world(Upscale, Banner, capacity=4) as world:
        await refused(world, 2)
        assert await rules(world) == []
        for _ in range(3):
            world.provider.plan(MISMATCH)
        under_way = [await world.queued() for _ in range(3)]
        await world.dispatcher.turn()
        waits, other = await world.queued(), await world.queued(Banner)
        with caplog.at_level(logging.ERROR, "makegood"):
            await world.work(world.submitter)
        for job in under_way:
            assert await world.money(job) == JobMoney(released=PRICE)
        assert caplog.messages == [f"job type upscale is closed: {WHY}"]
        [rule] = await rules(world)
        assert (rule.scope, rule.name, rule.closed, rule.actor) == ("type", "upscale", True, "submitter")
        assert rule.reason == WHY
        assert world.catalog.closed == {"upscale": WHY}
        await world.start()
        assert [(await world.job(job)).state for job in (waits, other)] == ["queued", "running"]
        await world.after(QUEUE + timedelta(seconds=1))
        assert (await world.job(waits)).state == "failed"
        assert await world.money(waits) == JobMoney(released=PRICE)


async def test_d36_an_accepted_job_and_refusals_of_other_causes_close_nothing() -> None:
    async with a_world(Upscale) as world:
        await refused(world, 3, Rejected("433", "the prompt is not valid", Retry.NEVER))
        await refused(world, 2)
        await world.running()
        await refused(world, 2)
        assert await rules(world) == []


async def test_d36_every_process_refuses_new_jobs_until_the_type_is_resumed() -> None:
    async with a_world(Upscale, Banner) as world:
        catalog = Catalog([Upscale, Banner])
        other = Surveyor(
            Context(
                world.store, catalog, world.mover, world.providers, world.blobs, world.wakeups, world.settings
            )
        )
        await refused(world, 3)
        assert catalog.closed == {}
        await other.turn()
        await other.crew.drain(1)
        assert catalog.closed == {"upscale": WHY}
        async with Engine(
            world.store, Catalog([Upscale, Banner]), blobs=MemoryBlobs(), run_loops=False, new_id=uuid4
        ) as late:
            before = await late.wallet("ada")
            with pytest.raises(JobTypeClosed, match=r"^No new jobs of 'upscale' .*Nothing was") as no:
                await late.submit(Upscale, "ada", {})
            assert no.value.why == WHY
            assert await late.wallet("ada") == before
            assert before.available == WALLET
            await late.submit(Banner, "ada", {})
            assert await late.resume(type=Upscale, actor="olga")
            assert (await late.submit(Upscale, "ada", {})).state == "pending"
        await refused(world, 2)
        assert await rules(world) == []
