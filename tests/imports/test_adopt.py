"""Jobs under way are taken over by the provider's task: what it becomes decides, and they are paid once."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from makegood import JobMoney
from makegood.outcome import Accepted
from makegood_adapters.runninghub.simulator import Faults, Match, Rule
from tests.imports.old_app import ANA, BO, OldApp
from tests.scenarios.line import line_to
from tests.scenarios.stage import KEY, Stage, picture, staged

MAIN = {"name": "main", "pool": "runninghub", "capacity": 3, "api_key": KEY}


@asynccontextmanager
async def beside(app: OldApp, folder: Path, **given: Any) -> AsyncIterator[Stage]:
    """Run the service that takes the old app's place, and the provider of both."""
    async with staged(app.new_dsn, folder, **given) as stage:
        app.accounts = [{**MAIN, "base_url": stage.simulator.url}]
        app.side = '[accounts]\nprimary = "main"\n'
        yield stage


async def task_of_the_old_app(stage: Stage, number: int = 0, **faults: Any) -> str:
    """Create a task as the old app has, and return its id; *faults* meet it."""
    provider = line_to(stage.session, stage.simulator.url, KEY)
    data = picture(number)
    if faults:
        match = Match(input_sha256=hashlib.sha256(data).hexdigest())
        stage.simulator.add(Rule(faults=Faults(**faults), match=match))
    upscaler = stage.engine.catalog.get("upscaler")
    name = await provider.upload("input.png", data)
    request = upscaler.request(upscaler.parse({"image": "input.png"}))
    made = await provider.submit(request, {"image": name}, None)
    assert isinstance(made, Accepted)
    return made.task_id


async def test_a_task_that_is_taken_over_ends_as_the_provider_says_and_is_paid_once(
    app: OldApp, tmp_path: Path
) -> None:
    async with beside(app, tmp_path) as stage:
        good, bad = [
            await task_of_the_old_app(stage, 1),
            await task_of_the_old_app(stage, 2, fail="out of luck"),
        ]
        done = await app.job(ANA, "running", task_id=good, credits_refunded=False, prompt="hill")
        lost = await app.job(BO, "running", task_id=bad, credits_refunded=False)
        waiting = await app.job(BO, "queued", credits_refunded=False)
        free = await app.job(BO, "pending", credits_charged=False)
        assert "Nothing was changed" in await app.run(1, apply=True)
        assert await app.all_of_it() == {**await app.all_of_it(), "jobs": [], "tasks": []}
        told = await app.bring_in(apply=True, adopt=True)
        assert told["credits"]["live jobs"]["new"] == 180
        assert told["undone"] == []
        await app.bring_in(apply=True, adopt=True)
        jobs = [await stage.ended(await stage.engine.get(job)) for job in (done, lost, waiting, free)]
        assert [job.state for job in jobs] == ["completed", "failed", "failed", "failed"]
        assert await stage.engine.money(done) == JobMoney(captured=60)
        assert await stage.engine.money(lost) == JobMoney(released=60)
        assert await stage.result(jobs[0])
        assert await app.wallet(ANA) == {f"import:job:{done}": (0, 0, 60)}
        assert await app.wallet(BO) == {
            f"import:job:{lost}": (60, 0, 0),
            f"import:job:{waiting}": (60, 0, 0),
        }
        assert len(stage.simulator.tasks) == 2


async def test_what_finds_no_slot_stays_as_it_is_and_is_taken_over_once_there_is_one(app: OldApp) -> None:
    app.accounts = [{**MAIN, "capacity": 1}]
    app.side = '[accounts]\nprimary = "main"\n'
    jobs = {await app.job(ANA, "running", task_id=f"task-{n}", credits_refunded=False) for n in range(2)}
    told = await app.bring_in(1, apply=True, adopt=True)
    [undone] = told["undone"]
    assert "all 1 slots of provider account main are taken" in undone["what"]
    assert (told["credits"]["live jobs"]["new"], told["credits"]["live jobs"]["difference"]) == (60, 60)
    assert len((await app.all_of_it())["buckets"]) == 1
    app.accounts = [{**MAIN, "capacity": 2}]
    again = await app.bring_in(apply=True, adopt=True)
    assert again["credits"]["live jobs"] | {"difference": 0} == again["credits"]["live jobs"]
    assert {row[0] for row in (await app.all_of_it())["tasks"]} == jobs
