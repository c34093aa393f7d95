"""A service that was away, or came back with less: whatever happened meanwhile, each job is settled."""

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from makegood import Catalog, JobMoney
from makegood.testing.drive import Advance
from makegood_adapters.http import application, hook_routes, runner
from tests.scenarios.stage import FAST, PATIENCE_SECONDS, Stage, engine_beside, staged

JOBS = 3
PENDING_SECONDS = 180


@asynccontextmanager
async def service(stage: Stage, port: int) -> AsyncIterator[None]:
    """Run a whole service: its loops, and the receiver of webhooks at *port*; both are gone afterwards."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        async with engine_beside(stage) as engine:
            app = application()
            app.add_routes(hook_routes(engine))
            serving = runner(app)
            await serving.setup()
            try:
                await web.SockSite(serving, listener).start()
                yield
            finally:
                await serving.cleanup()


async def test_d14_a_service_that_was_away_for_longer_than_webhooks_are_repeated_loses_no_result(
    database: str, tmp_path: Path, port: int
) -> None:
    """Some tasks end well meanwhile and one fails; nobody tells of them again."""
    url = f"http://127.0.0.1:{port}"
    async with staged(database, tmp_path, run_loops=False, webhook_base_url=url) as stage:
        async with service(stage, port):
            jobs = [await stage.order(hold="running") for _ in range(JOBS - 1)]
            jobs.append(await stage.order(hold="running", fail="out of luck"))
            await stage.task_exists(JOBS)
            for job in jobs:
                await stage.reached(job, "running")
            waiting = await stage.order()
        tasks = stage.simulator.tasks
        for task in tasks:
            stage.simulator.release(task.id)
        sendings = FAST.webhook_retries + 1
        await stage.simulator.wait_for(
            lambda: all(len(task.deliveries) == sendings for task in tasks), PATIENCE_SECONDS
        )
        assert not any(delivery.ok for task in tasks for delivery in task.deliveries)
        for job in jobs:
            assert (await stage.engine.get(job.id)).state == "running"
        async with service(stage, port):
            ended = [(await stage.settled(job)).state for job in (*jobs, waiting)]
            assert ended == ["completed"] * (JOBS - 1) + ["failed", "completed"]
            await stage.slots_free()
        assert all(len(task.deliveries) == sendings for task in tasks)


@pytest.mark.parametrize("comes_back", [True, False])
async def test_d33_a_start_without_the_type_of_live_jobs_says_so_and_each_of_them_is_settled(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, advance: Advance, comes_back: bool
) -> None:
    """What a result is worth only the type can say: it waits for a process that has it, but not for ever."""
    known = "select count(*) from makegood.attempt where verdict = 'succeeded'"
    async with staged(database, tmp_path, capacity=1) as stage:
        running = await stage.order(hold="running")
        task = await stage.task_exists()
        await stage.reached(running, "running")
        waiting, abandoned = await stage.order(), await stage.draft()
        await stage.stop_engine()
        with caplog.at_level(logging.WARNING, "makegood.engine"):
            async with engine_beside(stage, Catalog([])):
                told = [r.getMessage() for r in caplog.records if r.name == "makegood.engine"]
                assert [text.partition(":")[0] for text in told] == [
                    "3 jobs of upscaler@1 are under way, a type that this process does not have"
                ]
                stage.simulator.release(task.id)

                async def both_are_known() -> bool:
                    return bool(await stage.value(known) == 2)

                await stage.until(both_are_known)
                assert [(await stage.engine.get(job.id)).state for job in (running, waiting)] == [
                    "running"
                ] * 2
                if not comes_back:
                    await advance(stage.engine.catalog.get("upscaler").fetch_deadline.total_seconds() + 1)
                    assert [(await stage.settled(job)).state for job in (running, waiting)] == ["failed"] * 2
        caplog.clear()
        async with engine_beside(stage):
            assert [r for r in caplog.records if r.name == "makegood.engine"] == []
            if comes_back:
                assert [(await stage.settled(job)).state for job in (running, waiting)] == ["completed"] * 2
                await advance(PENDING_SECONDS + 1)
            left = await stage.ended(abandoned)
            assert (left.state, await stage.engine.money(left.id)) == ("failed", JobMoney())
