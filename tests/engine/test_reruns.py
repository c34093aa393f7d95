"""Runs that failed are made again under one hold: when, how often, and with what changed in the request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from makegood import BaseJob, Evidence, Job, JobMoney, Rerun, RerunPolicy, Verdict
from makegood.outcome import JSON, Failed, Output, Rejected, Retry, Succeeded, Trouble
from makegood.reruns import request_of
from tests.engine.world import PRICE, QUEUE, Upscale, World, a_job, a_postgres_world, a_world

PASSING = Failed("[Errno 116] Stale file handle", Trouble.PASSING)
FULL = Failed("CUDA out of memory", Trouble.MEMORY)
WRONG = Failed("division by zero")
DONE = Succeeded((Output("https://provider.example/1.png", "png"),))
LARGER = {"instance_type": "plus"}


class Patient(Upscale):
    """With the pauses that every job type has, and larger machines."""

    name = "patient"
    attempts_max = 6
    rerun_policy = RerunPolicy(larger=LARGER)


@pytest.fixture(params=["memory", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def world_of(kind: str, request: pytest.FixtureRequest, *types: type[BaseJob]) -> AsyncIterator[World]:
    opened = (
        a_world(*types) if kind == "memory" else a_postgres_world(request.getfixturevalue("database"), *types)
    )
    async with opened as world:
        yield world


async def failed(world: World, job: Job, answer: Failed) -> Job:
    """Let the job start, its run fail with *answer*, and return it as it then is."""
    world.provider.plan(None, answer)
    await world.start()
    await world.work(world.poller)
    return await world.job(job)


def asked(world: World) -> list[Any]:
    """Return what kind of machine each create call has asked for."""
    return [task.request.get("instance_type") for task in world.provider.tasks.values()]


async def test_d25_the_pause_before_another_run_grows_up_to_its_bound(
    kind: str, request: pytest.FixtureRequest
) -> None:
    async with world_of(kind, request, Patient) as world:
        job = await world.queued(Patient)
        for longest in (5.0, 15.0, 45.0, 135.0, 300.0):
            job = await failed(world, job, PASSING)
            assert job.state == "queued"
            assert 0.75 * longest <= await world.pause(job) <= longest
            await world.start()
            assert (await world.job(job)).state == "queued"  # not before its time
            await world.clock.advance(longest)
        await failed(world, job, PASSING)
        assert (await world.ended(job, "failed")).reruns == Patient.attempts_max - 1


async def test_d25_a_run_that_may_not_come_before_the_queues_end_gives_all_back(
    kind: str, request: pytest.FixtureRequest
) -> None:
    async with world_of(kind, request, Patient) as world:
        job = await world.queued(Patient)
        await world.clock.advance(QUEUE.total_seconds() - 2)
        await failed(world, job, PASSING)
        await world.after(2)
        await world.ended(job, "failed")


async def test_m11_out_of_memory_asks_for_a_larger_machine_under_the_same_hold(
    kind: str, request: pytest.FixtureRequest
) -> None:
    async with world_of(kind, request, Patient) as world:
        job = await world.queued(Patient)
        await failed(world, job, FULL)
        assert await world.money(job) == JobMoney(held=PRICE)
        await world.clock.advance(5)
        await failed(world, job, PASSING)
        await world.clock.advance(15)
        world.provider.plan(None, DONE)
        await world.start()
        await world.work(world.poller, world.collector)
        ended = await world.ended(job, "completed", captured=PRICE)
        assert asked(world) == [None, "plus", "plus"]  # what is changed stays so
        assert ended.request == job.request
        known = await world.store.attempts.evidence(job.id)
        changes = [
            (e.attempt, e.detail["trouble"], e.detail["again"]["changes"])
            for e in known
            if e.detail.get("again")
        ]
        assert changes == [(1, "memory", LARGER), (2, "passing", {})]


async def test_what_has_too_little_memory_on_the_larger_machine_fails() -> None:
    async with a_world(Patient) as world:
        job = await world.queued(Patient)
        await failed(world, job, FULL)
        await world.clock.advance(5)
        await failed(world, job, FULL)
        await world.ended(job, "failed")
        assert asked(world) == [None, "plus"]


async def test_c6_another_run_that_is_refused_settles_the_job_once(
    kind: str, request: pytest.FixtureRequest
) -> None:
    async with world_of(kind, request, Patient) as world:
        job = await world.queued(Patient)
        await failed(world, job, FULL)
        await world.clock.advance(5)
        world.provider.plan(Rejected("301", "PARAMS_INVALID", Retry.NEVER))
        await world.start()
        await world.work(world.poller)
        ended = await world.ended(job, "failed")
        assert (ended.attempt, ended.error and ended.error["category"]) == (2, "rejected")
        assert await world.slots() == (0, 0)


async def test_c15_fifty_who_learn_of_one_failure_count_one_run(
    kind: str, request: pytest.FixtureRequest
) -> None:
    async with world_of(kind, request, Patient) as world:
        job = await world.queued(Patient)
        for number in (1, 2, 3):
            world.provider.plan(None, PASSING)
            await world.start()
            attempt = await world.attempt(job, number)
            inquiry = world.poller._inquiry
            await asyncio.gather(*(inquiry.ask(attempt) for _ in range(50)))
            now = await world.job(job)
            assert (now.state, now.attempt, now.reruns) == ("queued", number, number)
            await world.clock.advance(300)
        history = await world.engine.history(job.id)
        assert [step.version for step in history] == list(range(len(history)))
        assert [step.event for step in history].count("rerun") == 3


async def test_a_run_that_fails_of_its_request_is_not_made_again(world: World) -> None:
    job = await world.queued()
    await failed(world, job, WRONG)
    await world.ended(job, "failed")


async def test_a_job_that_shall_be_cancelled_is_not_run_again(world: World) -> None:
    job = await world.running(Upscale, PASSING)
    await world.engine.cancel(job.id)
    await world.work(world.poller)
    await world.ended(job, "failed")


async def test_a_type_decides_for_itself() -> None:
    class Stubborn(Upscale):
        attempts_max = 2

        @classmethod
        def rerun_after(cls, job: Job, trouble: Trouble, request: JSON) -> Rerun | None:
            return Rerun(7, {"seed": 2, "was": trouble.value})

    async with a_world(Stubborn) as world:
        job = await failed(world, await world.queued(Stubborn), WRONG)
        assert 0.75 * 7 <= await world.pause(job) <= 7
        await world.clock.advance(7)
        await failed(world, job, WRONG)
        await world.ended(job, "failed")
        _, second = world.provider.tasks.values()
        assert (second.request["seed"], second.request["was"]) == (2, "request")


@pytest.mark.parametrize("answer", ["no rerun", KeyError("seed"), asyncio.CancelledError()])
async def test_a_policy_that_raises_gives_all_credits_back(answer: Any) -> None:
    class Broken(Upscale):
        @classmethod
        def rerun_after(cls, job: Job, trouble: Trouble, request: JSON) -> Rerun | None:
            if isinstance(answer, BaseException):
                raise answer
            return answer  # type: ignore[no-any-return]  # what a slip of the hand may return

    async with a_world(Broken) as world:
        job = await failed(world, await world.queued(Broken), PASSING)
        await world.ended(job, "failed")


def test_changes_are_those_of_earlier_runs_in_their_order() -> None:
    job = replace(a_job(), request={"app": "1", "size": 1})

    def fact(attempt: int, verdict: Verdict, **changes: Any) -> Evidence:
        again = {"after_seconds": 5, "changes": changes}
        return Evidence(
            job_id=job.id, attempt=attempt, verdict=verdict, source="query", detail={"again": again}
        )

    known = [
        fact(3, Verdict.FAILED, size=4),
        fact(2, Verdict.FAILED, size=3, more=True),
        fact(1, Verdict.FAILED, size=2),
        fact(1, Verdict.ACCEPTED, size=9),
    ]
    assert request_of(job, 1, known) == {"app": "1", "size": 1}
    assert request_of(job, 3, known) == {"app": "1", "size": 3, "more": True}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"first_seconds": 10, "seconds_max": 5}, "seconds_max"),
        ({"first_seconds": -1}, "first_seconds"),
        ({"factor": 0.5}, "factor"),
        ({"troubles": ["weather"]}, "weather"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        RerunPolicy(**given)


@pytest.mark.parametrize(("seconds", "changes"), [(-1, {}), (float("inf"), {}), (1, {"at": timedelta()})])
def test_a_rerun_that_cannot_be_kept_is_refused(seconds: float, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"after_seconds|changes"):
        Rerun(seconds, changes)
