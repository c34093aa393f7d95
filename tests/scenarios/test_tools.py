"""Job types as data: one way to start them, one file to add them, one place that tells what they send."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from makegood import BaseJob, Catalog, Engine, Job, JobInput, JobMoney, ProviderAccount
from makegood.errors import DeclarationError
from makegood.outcome import JSON
from makegood.testing.drive import Advance
from makegood_adapters.runninghub import open_session
from makegood_adapters.runninghub.simulator import Habits, Simulator, Task
from makegood_adapters.toolfiles import load_tool, load_tools
from tests.scenarios.line import line_to
from tests.scenarios.stage import FAST, KEY, PATIENCE_SECONDS, POOL, picture, quick, staged

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "new_app.toml"
UPSCALER_APP, SECOND_APP = "2037188547966406658", "2017030861371219969"
QUEUED = 6 * 3_600
#: How the site was seen to differ from what its pages say, a few differences at a time.
SHAPES = {
    "as documented": Habits(),
    "words instead of codes": Habits(pending="msg_only", codes="text", msg="lower"),
    "no data while it runs": Habits(pending="null_data", codes="number", ids="number"),
    "other spellings": Habits(cancel_word="CANCELLED", status_object=True, numbers="number"),
    "reasons left out": Habits(failed_reason="absent", cancelled_reason="null", traceback="text"),
}


def sent(task: Task) -> object:
    """Return what the create call asked for, but for its number, its webhook and the names of files there."""
    nodes = tuple(n if n.field != "image" else replace(n, value="a file") for n in task.request.nodes)
    return replace(task.request, arrival=0, webhook_url=None, nodes=nodes)


@pytest.mark.parametrize("job_type", ["upscaler", "pose_changer"])
async def test_d4_d11_a_job_that_waited_sends_what_one_that_started_at_once_sends(
    job_type: str, database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path, capacity=1) as stage:
        data = picture(7)
        direct = await stage.order(job_type, data=data, hold="running")
        first = await stage.task_exists()
        waited = await stage.order(job_type, data=data)
        assert await stage.engine.position(waited.id) == 1
        stage.simulator.release(first.id)
        second = await stage.task_exists(2)
        stage.simulator.release(second.id)
        assert {job.state for job in await stage.all_ended([direct, waited])} == {"completed"}
        assert sent(first) == sent(second)


class Hopeless(BaseJob):
    """Its author has mistaken what the provider takes."""

    name, pool, price = "hopeless", POOL, 60

    class Input(JobInput):
        """Whether the mistake is in the code or in what it returns."""

        raises: bool

    @classmethod
    def request(cls, value: BaseModel) -> JSON:
        """Ask for an app without saying which."""
        if value.model_dump()["raises"]:
            raise KeyError("category")
        return {"nodes": "none"}


async def test_d23_a_builder_that_fails_leaves_no_job_and_a_request_that_is_none_is_refunded(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path, types=[Hopeless]) as stage:
        before = await stage.buckets()
        with pytest.raises(KeyError):
            await stage.engine.submit(Hopeless, "ada", {"raises": True})
        assert await stage.value("select count(*) from makegood.job") == 0
        job = await stage.engine.submit(Hopeless, "ada", {"raises": False})
        job = await stage.settled(await stage.engine.accept(job.id))
        assert job.state == "failed"
        assert await stage.buckets() == before
        assert await stage.slots() == (0, 0)
        assert stage.create_calls() == 0


def test_d23_a_type_without_a_mapping_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    apps = text.index("[[apps]]")
    for name, broken in (("no apps", text[:apps]), ("no such input", text.replace('"strength"', '"power"'))):
        file = tmp_path / "sharpen.toml"
        file.write_text(broken)
        with pytest.raises(DeclarationError) as refused:
            load_tool(file)
        assert refused.value.problems, name


async def test_d34_a_type_that_is_one_new_file_is_cancelled_timed_reported_and_counted_as_all_are(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "sharpen.toml").write_text(EXAMPLE.read_text().replace("2018000000000000000", UPSCALER_APP))
    async with staged(database, tmp_path, capacity=1, types=load_tools(folder)) as stage:

        async def ordered() -> Any:
            image = await stage.blobs.put(picture(1), "input.png")
            job = await stage.engine.submit("sharpen", "ada", {"image": image, "strength": 5})
            return await stage.engine.accept(job.id)

        before = await stage.engine.wallet("ada")
        assert (await stage.settled(await ordered())).state == "completed"
        busy = await stage.reached(await stage.order(hold="running", cancel="ignored"), "running")
        cancelled, reported, late = [await ordered() for _ in range(3)]
        assert [await stage.engine.position(job.id) for job in (cancelled, reported, late)] == [1, 2, 3]
        assert [use.waiting for use in await stage.engine.occupancy()] == [3]
        assert (await stage.engine.cancel(cancelled.id)).state == "cancelled"
        assert (await stage.engine.report(reported.id, "the page is gone")).state == "failed"
        assert await stage.engine.position(late.id) == 1
        await advance(QUEUED + 1)
        assert (await stage.settled(late)).state == "failed"
        for job in (cancelled, reported, late):
            assert await stage.engine.money(job.id) == JobMoney(released=20)
        await stage.ended(busy)
        after = await stage.engine.wallet("ada")
        assert before.available - after.available == 20


async def test_c6_a_second_try_runs_on_another_app_and_its_failure_settles_once(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    """The first app fails of the request itself, so that no run of the same could help: another app may."""
    far, price = {"category": "pessoas_longe"}, 60

    async def second_try(job: Job) -> Job:
        await stage.sent_back(job)
        await advance(10)
        return await stage.settled(job)

    async with staged(database, tmp_path) as stage:
        saved = await second_try(await stage.order(more=far, fail="no people found", times=1))
        assert saved.state == "completed"
        assert [task.request.app for task in stage.simulator.tasks] == [UPSCALER_APP, SECOND_APP]
        assert await stage.engine.money(saved.id) == JobMoney(captured=price)
        lost = await second_try(await stage.order(more=far, fail="no people found"))
        assert lost.state == "failed"
        assert [task.request.app for task in stage.simulator.tasks][2:] == [UPSCALER_APP, SECOND_APP]
        assert await stage.engine.money(lost.id) == JobMoney(released=price)


@pytest.mark.parametrize("shape", SHAPES)
async def test_c14_whatever_shape_the_site_speaks_in_each_end_is_understood(
    shape: str, database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path, habits=SHAPES[shape]) as stage:
        assert (await stage.settled(await stage.order())).state == "completed"
        assert (await stage.settled(await stage.order(fail="CUDA error"))).state == "failed"
        job = await stage.reached(await stage.order(hold="queued"), "running")
        await stage.engine.cancel(job.id)
        assert (await stage.settled(job)).state == "cancelled"
        await stage.slots_free()


class Elsewhere(BaseJob):
    """A job that another provider account runs."""

    name, pool, price = "elsewhere", "elsewhere", 60

    class Input(JobInput):
        """What stands on it."""

        words: str = "hello"

    @classmethod
    def request(cls, value: BaseModel) -> JSON:
        """Ask for the words."""
        return {
            "app": "2018000000000000000",
            "nodes": [{"node": "1", "field": "text", "value": value.model_dump()["words"]}],
        }


async def test_c8_each_pool_counts_the_tasks_that_are_alive_at_its_own_provider(
    database: str, tmp_path: Path
) -> None:
    """Two sites, two pools, two sizes: what one has under way takes no room of the other."""
    async with (
        staged(database, tmp_path, run_loops=False) as stage,
        Simulator(keys={"other": 9}, pace=FAST, apps={"2018000000000000000": lambda _: picture(1)}) as other,
        open_session() as session,
        Engine(
            stage.store,
            Catalog([*stage.engine.catalog, Elsewhere]),
            blobs=stage.blobs,
            providers={
                ProviderAccount(name="main", pool=POOL, capacity=2): line_to(
                    session, stage.simulator.url, KEY
                ),
                ProviderAccount(name="other", pool="elsewhere", capacity=3): line_to(
                    session, other.url, "other"
                ),
            },
            settings=quick(),
            wakeups=stage.wakeups,
        ) as engine,
    ):
        here = [await stage.order(hold="running") for _ in range(4)]
        there = [await engine.submit(Elsewhere, "ada", {"words": f"{n}"}) for n in range(5)]
        for job in there:
            await engine.accept(job.id)
        await stage.task_exists(2)
        await stage.all_ended(there)
        assert other.counters.live_max["other"] <= 3
        assert len(other.tasks) == 5
        assert len(stage.simulator.tasks) == 2  # the other pool was busy and free again, this one is full
        uses = {use.account: (use.open, use.waiting) for use in await engine.occupancy()}
        assert uses == {"main": (2, 2), "other": (0, 0)}
        for number in range(4):
            stage.simulator.release((await stage.task_exists(number + 1)).id)
        assert {job.state for job in await stage.all_ended(here)} == {"completed"}
        assert stage.simulator.counters.live_max[KEY] == 2


async def test_f12_the_place_in_the_queue_moves_with_everyone_who_leaves_it(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path, capacity=1) as stage:
        await stage.order(hold="running")
        ahead = [await stage.order(hold="running") for _ in range(2)]
        mine = await stage.order()
        places = [await stage.engine.position(mine.id)]
        for number in range(3):
            stage.simulator.release((await stage.task_exists(number + 1)).id)
            await stage.simulator.wait_for(
                lambda n=number: len(stage.simulator.tasks) > n + 1,  # type: ignore[misc]  # a default is bound
                PATIENCE_SECONDS,
            )
            places.append(await stage.engine.position(mine.id))
        assert places == [3, 2, 1, 0]
        assert {job.state for job in await stage.all_ended([*ahead, mine])} == {"completed"}
