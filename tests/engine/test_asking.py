"""How often the provider is asked: by what is learned of a type, so that an end is found soon and cheaply."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from makegood import Job
from makegood.outcome import Output, Succeeded, Unfinished
from makegood.runtime import Estimator
from tests.engine.world import PRICE, SETTINGS, Upscale, World, a_postgres_world, a_world

LEAST, MOST = 2.0, 60.0
ASKING = replace(SETTINGS, poll_interval_seconds=LEAST, poll_interval_max_seconds=MOST, asks_per_second=3.0)
DONE = Succeeded((Output("https://provider.example/done.png", "png"),))


class Film(Upscale):
    """Takes ten minutes."""


class Still(Upscale):
    """Takes five seconds."""


@pytest_asyncio.fixture
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    given: Any = {"capacity": 50, "settings": ASKING}
    if getattr(request, "param", "memory") == "memory":
        made = a_world(Film, Still, **given)
    else:
        made = a_postgres_world(request.getfixturevalue("database"), Film, Still, **given)
    async with made as opened:
        await opened.engine.grant("ada", 200 * PRICE, source_ref="order-2")
        yield opened


async def run(world: World, job_type: type[Upscale], seconds: int) -> tuple[int, int]:
    """Let a task run so long without a webhook; return how often it was asked about until its end, and how
    many seconds after that its job was completed."""
    job = await world.running(job_type, Unfinished(running=True))
    task = world.provider.tasks[(await world.attempt(job)).task_id or ""]
    before, asked = world.provider.count("query"), 0
    for second in range(1, 10 * seconds + 1_000):
        await world.clock.advance(1)
        if second == seconds:
            asked = world.provider.count("query") - before
            task.answers.clear()
            task.answers.append(DONE)
        await world.work(world.poller, world.collector)
        if (await world.job(job)).state == "completed":
            return asked, second - seconds
    raise AssertionError("the job never came to its end")


async def learn(world: World, job_type: type[Upscale], seconds: int) -> None:
    for _ in range(3):
        await run(world, job_type, seconds)
    await world.clock.advance(world.settings.reckon_interval_seconds)
    assert not await Estimator(world.context).turn()


async def test_a_task_of_ten_minutes_is_asked_about_a_few_times(world: World) -> None:
    asked, late = await run(world, Film, 600)
    assert (asked, late) == (300, 1)  # of its type nothing is known yet
    await learn(world, Film, 600)
    asked, late = await run(world, Film, 600)
    assert asked <= 10
    assert late <= MOST


@pytest.mark.parametrize("seconds", [3, 5, 8])
async def test_a_task_of_five_seconds_is_asked_about_often(world: World, seconds: int) -> None:
    await learn(world, Still, 5)
    _, late = await run(world, Still, seconds)
    assert late <= LEAST


@pytest.mark.parametrize("seconds", [10, 290, 550, 599, 601, 660, 1_100, 2_400])
async def test_without_a_webhook_the_end_is_found_within_one_pause(world: World, seconds: int) -> None:
    await learn(world, Film, 600)
    _, late = await run(world, Film, seconds)
    assert late <= MOST


async def test_types_do_not_learn_from_each_other(world: World) -> None:
    await learn(world, Film, 600)
    asked, _ = await run(world, Still, 60)
    assert asked == 30


async def test_a_webhook_is_looked_into_at_once_however_long_the_pause(world: World) -> None:
    await learn(world, Film, 600)
    job = await world.running(Film, DONE)
    await world.clock.advance(20)
    await world.work(world.poller)
    assert (await world.attempt(job)).asked == 0
    await world.webhook(job, "task-4")
    await world.work(world.poller, world.collector)
    assert (await world.job(job)).state == "completed"


async def test_p16_questions_are_no_more_than_an_account_is_to_get(world: World) -> None:
    """However many tasks there are: the provider's patience is left to the submissions."""
    jobs = [await world.running(Still, Unfinished(running=True)) for _ in range(12)]
    counts = []
    for _ in range(8):
        before = world.provider.count("query")
        await world.clock.advance(1)
        await world.work(world.poller)
        counts.append(world.provider.count("query") - before)
    assert counts == [3] * 8
    assert {(await world.attempt(job)).asked for job in jobs} == {2}  # in turn: nobody is forgotten


async def wait_of(world: World, job: Job) -> float | None:
    place = await world.engine.place(job.id)
    assert place is not None
    return place.wait_seconds


async def test_a_place_says_how_long_it_may_take(world: World) -> None:
    job = await world.queued(Film)
    assert await wait_of(world, job) is None  # nothing is known of this pool
    await world.engine.cancel(job.id)
    await learn(world, Film, 600)
    running = [await world.running(Film, Unfinished(running=True)) for _ in range(50)]
    waiting = [await world.queued(Film) for _ in range(100)]
    assert len(running) == 50
    told = [await world.engine.place(job.id) for job in (waiting[0], waiting[49], waiting[99])]
    assert [place and (place.position, place.of, place.exact) for place in told] == [
        (1, 100, True),
        (50, 100, True),
        (100, 100, True),
    ]
    waits = [await wait_of(world, job) for job in (waiting[0], waiting[49], waiting[99])]
    assert waits == [pytest.approx(12, rel=0.1), pytest.approx(600, rel=0.1), pytest.approx(1_200, rel=0.1)]
    assert await world.engine.place(running[0].id) is None
