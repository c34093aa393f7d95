"""Webhooks come twice, early, forged or never: a webhook is a hint, and what the provider says decides."""

import asyncio
from pathlib import Path

import pytest

from makegood import JobMoney
from tests.scenarios.stage import PATIENCE_SECONDS, staged, token_of

NEVER_POLL = 300.0


async def test_d32_a_webhook_that_comes_again_and_again_captures_once(database: str, tmp_path: Path) -> None:
    async with staged(database, tmp_path, poll_interval_seconds=NEVER_POLL) as stage:
        job = await stage.order(webhooks=2, hold="running")
        task = await stage.task_exists()
        await stage.seen_running(job)  # the next question is far away, unless a webhook asks for it
        body = {"event": "TASK_END", "taskId": task.id}
        stage.simulator.release(task.id)
        statuses = await asyncio.gather(*(stage.hook(token_of(task), body) for _ in range(10)))
        await stage.settled(job)
        await stage.simulator.wait_for(lambda: len(task.deliveries) == 2, PATIENCE_SECONDS)
        assert [*statuses, *(d.status for d in task.deliveries)] == [200] * 12
        await stage.settled(job)
        assert (await stage.events(job)).count("complete") == 1
        assert await stage.value("select sum(copies) from makegood.inbox") == 12


async def test_d15_a_webhook_before_the_create_reply_loses_no_result(database: str, tmp_path: Path) -> None:
    """It comes once, while nobody knows the task's id, and the next poll is far away."""
    async with staged(database, tmp_path, capacity=5, poll_interval_seconds=NEVER_POLL) as stage:
        jobs = [await stage.order(webhook_before_reply=True) for _ in range(20)]
        for job in jobs:
            assert (await stage.settled(job)).state == "completed"
        assert [[d.status for d in t.deliveries] for t in stage.simulator.tasks] == [[200]] * 20
        early = await stage.value(
            "select count(*) from makegood.inbox i join makegood.attempt a"
            " on a.job_id = i.job_id and a.number = i.attempt where i.received_at < a.accepted_at"
        )
        assert early == 20
        assert stage.create_calls() == 20


async def test_c1_a_forged_webhook_with_an_unknown_token_is_nobodys(database: str, tmp_path: Path) -> None:
    async with staged(database, tmp_path) as stage:
        job = await stage.reached(await stage.order(hold="running"), "running")
        task = stage.simulator.tasks[0]
        body = {"event": "TASK_END", "taskId": task.id, "eventData": '{"code": 0, "msg": "success"}'}
        assert await stage.hook("A" * 43, body) == 404
        assert await stage.value("select count(*) from makegood.inbox") == 0
        assert (await stage.engine.get(job.id)).state == "running"
        stage.simulator.release(task.id)
        await stage.settled(job)


@pytest.mark.parametrize("claim", ["SUCCESS", "FAILED"])
async def test_c1_a_webhook_that_lies_about_its_task_moves_nothing(
    claim: str, database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path, poll_interval_seconds=NEVER_POLL) as stage:
        job = await stage.reached(await stage.order(hold="running"), "running")
        task = stage.simulator.tasks[0]
        files = [{"url": "https://example.org/cheap.png", "outputType": "png"}]
        body = {"taskId": task.id, "eventData": {"taskId": task.id, "status": claim, "results": files}}
        assert await stage.hook(token_of(task), body) == 200
        await stage.hints_read(job)  # the provider was asked
        assert (await stage.engine.get(job.id)).state == "running"
        assert await stage.engine.money(job.id) == JobMoney(held=job.price)
        stage.simulator.release(task.id)
        assert (await stage.settled(job)).state == "completed"


async def test_c1_a_webhook_that_names_somebody_elses_task_binds_nothing(
    database: str, tmp_path: Path
) -> None:
    """The create reply is lost, and somebody who knows the token names a task that is not its own."""
    async with staged(database, tmp_path, poll_interval_seconds=NEVER_POLL) as stage:
        other = await stage.settled(await stage.order())
        [foreign] = await stage.tasks_of(other)
        job = await stage.order(drop_reply=True, hold="running")
        task = await stage.task_exists(2)
        await stage.simulator.wait_for(lambda: task.reply == "dropped", PATIENCE_SECONDS)
        assert await stage.hook(token_of(task), {"event": "TASK_END", "taskId": foreign.id}) == 200
        await stage.hints_read(job)
        attempt = await stage.store.attempts.get(job.id, 1)
        assert attempt is not None
        assert attempt.task_id is None
        assert (await stage.engine.get(job.id)).state == "starting"

        stage.simulator.release(task.id)
        assert (await stage.settled(job)).state == "completed"
        assert await stage.tasks_of(job) == [task]
        assert stage.create_calls() == 2
