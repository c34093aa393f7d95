"""Uploads live as long as their bytes move: their lease and their job's deadline with them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest

from makegood import Attempt, Job, Settings, StoreUnavailable
from makegood.runtime import Submitter
from makegood.testing.provider import Gate
from tests.engine.world import BASE_URL, PATIENCE_SECONDS, PRICE, SETTINGS, STARTING, World, a_world

MINUTE = 60.0


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():  # noqa: ASYNC110 - a store tells nobody
            await asyncio.sleep(0)


async def uploading(world: World) -> tuple[Job, Gate]:
    """Return a job in the midst of its upload, which a gate holds."""
    gate = world.provider.gate("upload")
    job = await world.opened(image=await world.with_image())
    await world.submitter.turn()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await gate.reached.wait()
    return await world.job(job), gate


async def stopped(submitter: Submitter) -> None:
    """Wait until the submitter works on nothing any more, by itself."""

    async def at_rest() -> bool:
        return submitter.crew.room == SETTINGS.batch_max

    await until(at_rest)


async def deadline(world: World, job: Job) -> datetime:
    found = (await world.job(job)).deadline_at
    assert found is not None
    return found


async def let_move(world: World, job: Job, gate: Gate) -> None:
    """Let bytes leave, and wait until the store has heard of it."""
    wanted = world.clock() + STARTING

    async def heard() -> bool:
        gate.moved(1_000)
        return await deadline(world, job) == wanted

    await until(heard)


async def test_d29_an_upload_with_progress_survives(world: World) -> None:
    """Twelve minutes: longer than lease and deadline of one that stands still."""
    job, gate = await uploading(world)
    for _ in range(12):
        await world.clock.advance(MINUTE)
        await let_move(world, job, gate)
        await world.work(world.watchdog)
        assert (await world.job(job)).state == "starting"
        assert await world.store.attempts.claim(["gpu-1"], 10, 300) == []
    gate.opened.set()
    await world.submitter.crew.drain(PATIENCE_SECONDS)
    await world.work(world.poller, world.collector)
    await world.ended(job, "completed", captured=PRICE)
    assert (world.provider.count("upload"), world.provider.count("submit")) == (1, 1)


async def test_d29_an_upload_that_stands_still_ends_by_its_deadline_with_its_refund(world: World) -> None:
    job, gate = await uploading(world)
    await world.after(STARTING)
    await world.ended(job, "failed")
    assert await world.slots() == (0, 0)
    gate.opened.set()
    await world.submitter.crew.drain(PATIENCE_SECONDS)
    await world.ended(job, "failed")
    assert world.provider.count("submit") == 0


async def test_d29_a_worker_that_lost_its_lease_stops_and_another_one_goes_on(world: World) -> None:
    job, gate = await uploading(world)
    await world.clock.advance(world.settings.lease_seconds)
    another, second = Submitter(world.context), world.provider.gate("upload")
    await another.turn()
    await second.reached.wait()
    gate.moved(1_000)  # this is how the first one learns it
    await stopped(world.submitter)
    assert not gate.opened.is_set()
    assert (await world.job(job)).state == "starting"
    second.opened.set()
    await another.crew.drain(PATIENCE_SECONDS)
    assert (await world.job(job)).state == "running"
    assert world.provider.count("submit") == 1


async def test_d29_an_upload_whose_job_is_cancelled_stops_at_its_next_sign_of_life(world: World) -> None:
    job, gate = await uploading(world)
    await world.engine.cancel(job.id)
    gate.moved(1_000)
    await stopped(world.submitter)
    await world.ended(job, "cancelled")
    assert world.provider.count("submit") == 0


async def test_d29_the_bound_of_an_upload_is_for_a_standstill_and_not_for_its_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, passed = asyncio.get_running_loop(), 0.0
    began, bound = loop.time(), world.settings.upload_timeout_seconds
    monkeypatch.setattr(loop, "time", lambda: began + passed)
    job, gate = await uploading(world)
    for _ in range(3):
        gate.moved(1_000)
        passed += bound / 2
        for _ in range(5):  # the loop looks at its clock, and whom it wakes does what he wants
            await asyncio.sleep(0)
    assert (await world.job(job)).state == "starting"
    gate.opened.set()
    await world.submitter.crew.drain(PATIENCE_SECONDS)
    assert (await world.job(job)).state == "running"


async def test_an_upload_in_which_nothing_moves_is_made_again_later() -> None:
    quick = Settings(webhook_base_url=BASE_URL, upload_timeout_seconds=0.05)
    async with a_world(settings=quick) as world:
        job, _ = await uploading(world)
        await world.submitter.crew.drain(PATIENCE_SECONDS)
        assert (await world.job(job)).state == "queued"
        assert (await world.use()).rests_until is not None
        await world.clock.advance(quick.defer_seconds)
        await world.start()
        assert (await world.job(job)).state == "running"


async def test_a_store_that_is_away_for_a_moment_ends_no_upload(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, gate = await uploading(world)
    renew, fails = world.store.attempts.renew, 2

    async def away(attempt: Attempt, lease_seconds: float) -> bool:
        nonlocal fails
        fails -= 1
        if fails >= 0:
            raise StoreUnavailable("away")
        return await renew(attempt, lease_seconds)

    monkeypatch.setattr(world.store.attempts, "renew", away)
    await world.clock.advance(MINUTE)
    await let_move(world, job, gate)
    gate.opened.set()
    await world.submitter.crew.drain(PATIENCE_SECONDS)
    assert (await world.job(job)).state == "running"


async def test_a_sign_of_life_after_the_end_of_an_upload_means_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For instance of a task of the provider's own that outlives its call."""
    upload, told = world.provider.upload, list[Callable[[int], None]]()

    async def and_after(key: str, data: bytes, moved: Callable[[int], None]) -> str:
        told.append(moved)
        return await upload(key, data, moved)

    monkeypatch.setattr(world.provider, "upload", and_after)
    job = await world.opened(image=await world.with_image())
    await world.work(world.submitter)
    running = await world.job(job)
    [moved] = told
    moved(1_000)
    assert (running.state, await world.job(job)) == ("running", running)
