"""By which event a job moves on when its result is home, and what it costs then."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from pydantic import BaseModel

from makegood import BaseJob, Completion, Event, Failure, Job, JobMoney, Money, State
from makegood.outcome import JSON, Output, Succeeded
from tests.engine.world import PRICE, World, a_world


class Look(Completion):
    """What a reviewer gets to see."""

    preview: str


class Seen(BaseJob):
    """Its result is looked at before it is paid."""

    pool, price = "gpu", PRICE
    in_review = State(deadline=timedelta(days=1), data=Look)
    deliver = Event(BaseJob.running >> in_review, Look)
    approve = Event(in_review >> BaseJob.completed, money=Money.CAPTURE)
    decline = Event(in_review >> BaseJob.failed, Failure, money=Money.RELEASE)

    @classmethod
    def delivered(cls, job: Job, files: Sequence[JSON]) -> tuple[Event[Any], BaseModel]:
        return cls.deliver, Look(output={"files": files}, preview=files[0]["kind"])


class Torn(Seen):
    """Cannot say what its result is worth."""

    @classmethod
    def delivered(cls, job: Job, files: Sequence[JSON]) -> tuple[Event[Any], BaseModel]:
        raise KeyError("width")


class Astray(Seen):
    """Gives an event what another one takes."""

    @classmethod
    def delivered(cls, job: Job, files: Sequence[JSON]) -> tuple[Event[Any], BaseModel]:
        return cls.deliver, Completion()


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with a_world(Seen, Torn, Astray) as opened:
        yield opened


async def delivered(world: World, job_type: type[BaseJob]) -> Job:
    """Return a job whose provider is done."""
    world.provider.plan(None)
    job = await world.opened(job_type)
    await world.work(world.submitter)
    await world.ask()
    return await world.job(job)


async def test_a_type_says_by_which_event_its_result_comes_and_with_what(world: World) -> None:
    job = await delivered(world, Seen)
    assert job.state == "in_review"
    assert job.data is not None
    assert job.data["preview"] == "png"
    assert job.output is not None
    assert len(job.output["files"]) == 1
    assert await world.money(job) == JobMoney(held=PRICE)


@pytest.mark.parametrize("job_type", [Torn, Astray])
async def test_a_type_that_cannot_say_costs_nothing(world: World, job_type: type[BaseJob]) -> None:
    job = await delivered(world, job_type)
    assert job.state == "running"
    await world.after(job_type.fetch_deadline)
    await world.work(world.collector)
    await world.ended(job, "failed")


async def test_a_process_without_the_type_leaves_the_result_to_those_who_have_it(world: World) -> None:
    job = await world.running(Seen)
    world.provider.tasks["task-1"].answers[0] = Succeeded((Output("https://provider.example/1.png", "png"),))
    known, world.catalog._types = world.catalog._types, {}
    await world.ask()
    assert (await world.job(job)).state == "running"
    assert world.provider.count("fetch") == 0
    world.catalog._types = known
    await world.clock.advance(world.settings.fetch_timeout_seconds + 1)
    await world.work(world.collector)
    assert (await world.job(job)).state == "in_review"
