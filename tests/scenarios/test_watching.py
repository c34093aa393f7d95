"""Watching through processes that die: whoever comes back hears all of it once, each job in its order."""

import asyncio
import random
from contextlib import aclosing
from pathlib import Path

import pytest

from makegood import Engine, Transition
from makegood.testing.drive import Advance
from makegood_adapters.cli.stage import API_KEY
from makegood_adapters.postgres import wakeups as module
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups
from tests.adapters.postgres.proxy import proxy_before
from tests.scenarios.child import Mortal, child_of
from tests.scenarios.stage import OWNER, PATIENCE_SECONDS, Stage, patience, staged

JOBS, KILLS = 12, 4
#: So long a slow answer is awaited, and one that was asked for a moment before the silence began.
SLOW_SECONDS = 60.0


async def test_d18_a_push_channel_that_died_without_a_word_hides_no_result(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its socket stays open and carries nothing; whoever watches looks at its interval, and it is noticed."""
    monkeypatch.setattr(module, "_ANSWER_SECONDS", SLOW_SECONDS)  # a slow answer is an answer
    async with (
        proxy_before(database) as proxy,
        PostgresWakeups(database) as others,
        PostgresWakeups(proxy.dsn, pause_max_seconds=0.05, probe_seconds=0.05) as push,
        staged(database, tmp_path, wakeups=others) as stage,
        PostgresStore.open(database) as store,
    ):
        page = Engine(
            store,
            stage.engine.catalog,
            blobs=stage.blobs,
            settings=stage.engine.settings,
            wakeups=push,
            run_loops=False,
        )
        job = await stage.order(hold="running")
        task = await stage.task_exists()
        await stage.reached(job, "running")
        proxy.pause()
        monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.5)  # what is asked from now on has no answer
        stage.simulator.release(task.id)
        async with patience():
            seen = [step.to_state async for step in page.watch(job.id)]
        assert seen[-1] == "completed"
        assert (await page.get(job.id)).state == "completed"
        assert push.reconnects == 0, "nothing has come through since the pause"
        async with patience():
            while push.connected:  # noqa: ASYNC110  # noticed by its own probe, which tells nobody
                await asyncio.sleep(0.01)
        monkeypatch.setattr(module, "_ANSWER_SECONDS", SLOW_SECONDS)
        proxy.resume()
        with push.listen("anything") as bell:
            assert await bell.wait(PATIENCE_SECONDS)
        assert push.reconnects == 1


async def follow(stage: Stage, owner: str | None, heard: list[Transition], dice: random.Random) -> None:
    """Listen for ever, and leave again and again; who comes back knows the last number and nothing else."""
    while True:
        last = (heard[-1].seq or 0) if heard else 0
        stays = dice.randint(1, 5)
        async with aclosing(stage.engine.watch(owner=owner, after=last)) as steps:
            async for step in steps:
                heard.append(step)
                stays -= 1
                if not stays:
                    break


async def test_p17_who_watches_while_engines_are_killed_hears_every_step_once(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    heard: dict[str | None, list[Transition]] = {None: [], OWNER: [], "nobody": []}
    dice = random.Random(5)
    async with (
        PostgresWakeups(database) as wakeups,
        staged(database, tmp_path, key=API_KEY, run_loops=False, wakeups=wakeups) as stage,
        child_of(stage, tmp_path) as process,
        asyncio.TaskGroup() as watching,
    ):
        watchers = [watching.create_task(follow(stage, who, told, dice)) for who, told in heard.items()]
        jobs = [await stage.order() for _ in range(JOBS)]
        mortal = Mortal(stage, process, advance)
        for _ in range(KILLS):
            await mortal.dies_after(dice.randint(1, 3))
        await mortal.ends_all()
        for job in jobs:
            await stage.settled(job)
        made = await stage.sql.fetchval("SELECT count(*) FROM makegood.history")
        async with patience():
            while min(len(heard[None]), len(heard[OWNER])) < made:  # noqa: ASYNC110  # in their own time
                await asyncio.sleep(0.01)
        for watcher in watchers:
            watcher.cancel()
        histories = {job.id: await stage.engine.history(job.id) for job in jobs}
    assert [step.seq for step in heard[None]] == list(range(1, made + 1))
    assert heard[OWNER] == heard[None]
    assert heard["nobody"] == []
    for job_id, history in histories.items():
        told = [step.version for step in heard[None] if step.job_id == job_id]
        assert told == [step.version for step in history]
