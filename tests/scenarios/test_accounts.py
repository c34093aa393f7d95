"""Two accounts at two sites that share nothing: each job's input is where its task is, and one can fail."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from makegood import Engine, ProviderAccount
from makegood_adapters.runninghub import open_session
from makegood_adapters.runninghub.simulator import Faults, Match, Rule, Simulator
from tests.scenarios.line import line_to
from tests.scenarios.stage import FAST, KEY, POOL, Stage, quick, staged

SPARE_KEY = "spare-key"


@asynccontextmanager
async def two_sites(database: str, folder: Path) -> AsyncIterator[tuple[Stage, Simulator, Engine]]:
    """Yield a stage, a second site, and the engine that has an account at each."""
    async with (
        staged(database, folder, run_loops=False) as stage,
        Simulator(keys={SPARE_KEY: 5}, pace=FAST) as other,
        open_session() as session,
    ):
        main = line_to(session, stage.simulator.url, KEY)
        spare = line_to(session, other.url, SPARE_KEY)
        async with Engine(
            stage.store,
            stage.engine.catalog,
            blobs=stage.blobs,
            providers={
                ProviderAccount(name="main", pool=POOL, capacity=2): main,
                ProviderAccount(name="spare", pool=POOL, capacity=2): spare,
            },
            settings=quick(survey_interval_seconds=3_600),  # no question ends the rest of an account
            wakeups=stage.wakeups,
        ) as engine:
            yield stage, other, engine


async def test_f10_an_input_is_uploaded_to_the_account_that_runs_its_job(
    database: str, tmp_path: Path
) -> None:
    async with two_sites(database, tmp_path) as (stage, other, engine):
        jobs = [await stage.order(hold="running") for _ in range(8)]  # the other site knows of no hold
        await other.wait_for(lambda: len(other.tasks) == 6)
        for number in (1, 2):
            stage.simulator.release((await stage.task_exists(number)).id)
        assert {(await stage.settled(job)).state for job in jobs} == {"completed"}
        assert (len(stage.simulator.tasks), len(other.tasks)) == (2, 6)
        assert [use.healthy for use in await engine.occupancy()] == [True, True]


async def test_a_job_goes_to_the_other_site_when_one_account_is_out_of_money(
    database: str, tmp_path: Path
) -> None:
    async with two_sites(database, tmp_path) as (stage, other, engine):
        broke = Rule(faults=Faults(refuse="416"), match=Match(call="create"), times=None)
        stage.simulator.add(broke)
        jobs = [await stage.order() for _ in range(8)]
        assert {(await stage.settled(job)).state for job in jobs} == {"completed"}
        assert (len(stage.simulator.tasks), len(other.tasks)) == (0, 8)
        main, spare = await engine.occupancy()
        assert (main.healthy, main.open, spare.healthy) == (False, 0, True)
        assert main.problem is not None
        assert main.problem.startswith("416 ")


async def test_the_capacity_is_what_the_site_tells(database: str, tmp_path: Path) -> None:
    async with two_sites(database, tmp_path) as (stage, other, _), open_session() as session:
        provider = line_to(session, other.url, SPARE_KEY)
        async with Engine(
            stage.store,
            stage.engine.catalog,
            blobs=stage.blobs,
            providers={ProviderAccount(name="third", pool="elsewhere"): provider},
            settings=quick(),
            wakeups=stage.wakeups,
        ) as engine:

            async def told() -> bool:
                [use] = [use for use in await engine.occupancy() if use.account == "third"]
                return (use.capacity, use.told, use.in_use) == (5, 5, 0)

            await stage.until(told)
