"""Many jobs, few slots, several engines and another program: nobody overshoots and nothing is sent twice."""

import random
from pathlib import Path
from typing import Any

import asyncpg

from makegood import Engine, Job
from tests.scenarios.stage import Stage, engine_beside, most_at_once, staged

SLOTS = 3


async def order_mixed(stage: Stage, count: int, **faults: Any) -> list[Job]:
    """Order jobs of two types in turn."""
    types = ("upscaler", "pose_changer")
    return [await stage.order(types[number % 2], **faults) for number in range(count)]


async def work_off(stage: Stage, jobs: list[Job], *engines: Engine) -> None:
    """Let the provider end one task after the other; all slots are taken meanwhile and nobody overshoots."""
    for done in range(len(jobs) - SLOTS + 1):
        await stage.task_exists(done + SLOTS)
        for engine in engines:
            await look_for_more(stage, engine)
        assert len(stage.simulator.tasks) == done + SLOTS
        stage.simulator.release(stage.simulator.tasks[done].id)
    for task in stage.simulator.tasks[-SLOTS:]:
        stage.simulator.release(task.id)
    assert {job.state for job in await stage.all_ended(jobs)} == {"completed"}
    assert most_at_once(stage.simulator.tasks) == SLOTS
    assert [len(await stage.tasks_of(job)) for job in jobs] == [1] * len(jobs)
    assert stage.create_calls() == len(jobs)


async def look_for_more(stage: Stage, engine: Engine) -> None:
    """Wait until the engine's dispatcher has taken a whole turn from now on."""
    turns = engine.health["dispatcher"].turns

    async def turned() -> bool:
        return engine.health["dispatcher"].turns > turns + 1

    await stage.until(turned)


async def test_d1_the_provider_never_holds_more_tasks_than_there_are_slots(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path, capacity=SLOTS) as stage:
        jobs = await order_mixed(stage, 12, hold="running")
        await work_off(stage, jobs, stage.engine)


async def test_m3_m4_two_engines_share_the_slots_and_submit_each_job_once(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path, capacity=SLOTS) as stage, engine_beside(stage) as other:
        jobs = await order_mixed(stage, 12, hold="running")
        await work_off(stage, jobs, stage.engine, other)


async def test_another_programs_update_races_two_engines_and_every_job_ends_once(
    database: str, tmp_path: Path
) -> None:
    """What the database lets through was never sent and is refunded; what it refuses goes its way."""
    async with staged(database, tmp_path, capacity=SLOTS) as stage, engine_beside(stage):
        held = [await stage.reached(await stage.order(hold="running"), "running") for _ in range(SLOTS)]
        jobs = await order_mixed(stage, 12)
        assert not await fail_by_hand(stage, held[0])
        assert await fail_by_hand(stage, jobs[-1])
        for task in stage.simulator.tasks:
            stage.simulator.release(task.id)
        rest = jobs[:-1]
        ended_by_hand = {jobs[-1].id}
        for job in random.sample(rest, len(rest)):
            if await fail_by_hand(stage, job):
                ended_by_hand.add(job.id)

        sent = 0
        for job in [await stage.settled(job) for job in [*held, *jobs]]:
            tasks = await stage.tasks_of(job)
            sent += len(tasks)
            by_hand = job.id in ended_by_hand
            assert (job.state, len(tasks)) == (("failed", 0) if by_hand else ("completed", 1))
            if by_hand:
                assert (await stage.last(job)).actor.startswith("database:")
        assert stage.create_calls() == sent
        await stage.slots_free()


async def fail_by_hand(stage: Stage, job: Job) -> bool:
    """Write `failed` into the row as a nightly script would; return whether the database did it."""
    try:
        tag: str = await stage.sql.execute(
            "update makegood.job set state = 'failed' where job_id = $1", job.id
        )
    except asyncpg.PostgresError as error:
        if error.sqlstate not in ("MG001", "MG002"):  # no such edge, or too little is known
            raise
        return False
    return tag == "UPDATE 1"
