"""The provider cannot be reached: jobs wait, nobody is charged for good, and they run when it is back."""

from pathlib import Path

from pydantic import BaseModel

from makegood import BaseJob, JobInput, JobMoney
from makegood.outcome import JSON
from makegood_adapters.runninghub.simulator import Simulator
from tests.scenarios.stage import FAST, KEY, POOL, picture, staged

APP = "2018000000000000000"
REFUSALS = 3


class Poster(BaseJob):
    """A job without a file, whose first call to the provider is the create call itself."""

    name = "poster"
    pool = POOL
    price = 60

    class Input(JobInput):
        """What stands on it."""

        words: str = "hello"

    @classmethod
    def request(cls, value: BaseModel) -> JSON:
        """Ask for the words."""
        return {"app": APP, "nodes": [{"node": "1", "field": "text", "value": value.model_dump()["words"]}]}


def site(port: int) -> Simulator:
    """Return the provider that will appear at *port*, with an app for posters."""
    return Simulator(keys={KEY: 5}, port=port, pace=FAST, apps={APP: lambda _: picture(1)})


async def test_d50_a_refused_connection_is_not_submitted_and_runs_when_the_provider_is_back(
    database: str, tmp_path: Path, port: int
) -> None:
    async with staged(database, tmp_path, provider_url=f"http://127.0.0.1:{port}", types=[Poster]) as stage:
        jobs = [await stage.engine.submit(Poster, "ada", {"words": f"poster {n}"}) for n in range(3)]
        for job in jobs:
            await stage.engine.accept(job.id)
        for job in jobs:
            await stage.sent_back(job, REFUSALS)
            now = await stage.engine.get(job.id)
            assert now.state in ("queued", "starting")
            assert now.reruns == 0
            assert await stage.engine.money(job.id) == JobMoney(held=job.price)
        async with site(port) as provider:
            for job in jobs:
                assert (await stage.settled(job)).state == "completed"
            sent = sorted(task.request.nodes[0].value for task in provider.tasks)
            assert sent == ["poster 0", "poster 1", "poster 2"]  # once each


async def test_d50_an_upload_that_cannot_be_made_defers_the_job_and_sends_nothing(
    database: str, tmp_path: Path, port: int
) -> None:
    async with staged(database, tmp_path, provider_url=f"http://127.0.0.1:{port}") as stage:
        job = await stage.order()
        await stage.sent_back(job, REFUSALS)
        assert await stage.engine.money(job.id) == JobMoney(held=job.price)
        assert await stage.value("select count(*) from makegood.attempt where intent_at is not null") == 0
        async with Simulator(keys={KEY: 5}, port=port, pace=FAST) as provider:
            assert (await stage.settled(job)).state == "completed"
            assert len(provider.tasks) == 1


async def test_d50_a_job_may_be_cancelled_while_the_provider_is_away(
    database: str, tmp_path: Path, port: int
) -> None:
    url = f"http://127.0.0.1:{port}"
    async with staged(database, tmp_path, provider_url=url, defer_seconds=30) as stage:
        job = await stage.order()
        before = await stage.engine.wallet("ada")
        await stage.sent_back(job)
        await stage.engine.cancel(job.id, actor="ada")
        job = await stage.settled(job)
        assert job.state == "cancelled"
        after = await stage.engine.wallet("ada")
        assert (after.available, after.held) == (before.available + before.held, 0)
