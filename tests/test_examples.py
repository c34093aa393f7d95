"""The job types of the documentation: short, tested by what is made of them, and run on Postgres."""

import asyncio
import importlib.util
import io
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from makegood import BaseJob, Catalog, Engine, Job, JobMoney, ProviderAccount, Settings, Verdict
from makegood.outcome import Failed, Output, Rejected, Retry, Succeeded, Trouble, Uncertain, Unfinished
from makegood.ports import Blobs, Provider
from makegood.testing import edge_coverage, job_type_tests
from makegood.testing.drive import Advance
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.runninghub import open_session
from makegood_adapters.runninghub.simulator import Simulator, WorkOrder
from makegood_adapters.toolfiles import default_tools_folder, load_tools
from makegood_adapters.toolfiles.load import load_tool
from tests.adapters.catalogue import CASES
from tests.scenarios.line import line_to

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"
QUICK = Settings(loop_interval_seconds=0.05, poll_interval_seconds=0.05, defer_seconds=0.01)
#: A wait that takes this long has failed; nothing waits so long on purpose.
PATIENCE_SECONDS = 60.0
FOOTAGE = {"footage": "raw/1.mp4"}
#: Spent before purchased credits, and less than the price of a film or a batch.
BONUS, PURCHASED = 30, 5_000


def example(name: str) -> ModuleType:
    """Import a file of the documentation, which is in no package."""
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pydantic looks the names of annotations up
    spec.loader.exec_module(module)
    return module


film = example("film")
Film = film.Film
Batch = example("batch").Batch
Restyle = example("typed_app").Restyle
Sharpen = load_tool(EXAMPLES / "new_app.toml")

TestBase = job_type_tests(BaseJob)
TestFilm = job_type_tests(Film, input=FOOTAGE, payloads={Film.show: film.Cut(preview="cut.mp4")})
TestBatch = job_type_tests(Batch, input={"prompt": "a lighthouse", "count": 3})
TestRestyle = job_type_tests(Restyle, input={"image": "0.png"})
TestSharpen = job_type_tests(Sharpen, input={"image": "0.png"})

test_every_edge_of_the_film = edge_coverage(Film)


@pytest.fixture
def makegood_dsn(database: str) -> str:
    return database


@pytest.mark.parametrize("tool", load_tools(default_tools_folder()), ids=lambda tool: tool.name)
def test_table_and_transitions_agree_for_every_shipped_tool(tool: type[BaseJob]) -> None:
    tests = job_type_tests(tool, input=next(case.raw for case in CASES if case.tool == tool.name))
    tests().test_table_and_transitions_give_one_answer()


@pytest.mark.parametrize(
    ("name", "lines_max"), [("new_app.toml", 15), ("typed_app.py", 20), ("film.py", 40), ("batch.py", 40)]
)
def test_an_example_is_short(name: str, lines_max: int) -> None:
    text = (EXAMPLES / name).read_text("utf-8")
    assert len(text.splitlines()) <= lines_max
    assert max(map(len, text.splitlines())) <= 110


@asynccontextmanager
async def engine_on(
    database: str,
    job_type: type[BaseJob],
    provider: Provider,
    *,
    blobs: Blobs | None = None,
    run_loops: bool = True,
    capacity: int = 2,
) -> AsyncIterator[Engine]:
    """Yield an engine on a real database; Ada has a small bonus and many purchased credits."""
    providers = {ProviderAccount(name="one", pool=job_type.pool, capacity=capacity): provider}
    async with (
        PostgresStore.open(database) as store,
        Engine(
            store,
            Catalog([job_type]),
            blobs=blobs or MemoryBlobs(),
            providers=providers,
            settings=QUICK,
            run_loops=run_loops,
        ) as engine,
    ):
        await engine.grant("ada", BONUS, source_ref="welcome", kind="bonus", priority=10)
        await engine.grant("ada", PURCHASED, source_ref="order-1")
        yield engine
        assert await engine.violations() == []


async def reached(engine: Engine, job: Job, state: str) -> Job:
    """Wait until the job has come to *state*."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for step in engine.watch(job.id):
            if step.to_state == state:
                return await engine.get(job.id)
    raise AssertionError([(step.event, step.reason) for step in await engine.history(job.id)])


async def left(engine: Engine) -> dict[str, int]:
    """Return what remains in Ada's buckets, by kind."""
    return {bucket.kind: bucket.remaining for bucket in (await engine.wallet("ada")).buckets}


class TestFilmOnPostgres:
    async def uploaded(self, engine: Engine) -> Job:
        job = await engine.submit(Film, "ada", FOOTAGE)
        await engine.fire(job.id, Film.upload)
        return await engine.accept(job.id)

    async def under_review(self, engine: Engine) -> Job:
        job = await reached(engine, await self.uploaded(engine), "transcoding")
        assert job.output is not None
        cut = film.Cut(output={**job.output, "cut": "cut.mp4"}, preview="preview.mp4")
        shown = await engine.fire(job.id, Film.show, cut)
        assert shown.data is not None
        assert shown.data["preview"] == "preview.mp4"
        return shown

    @pytest.mark.parametrize(
        ("event", "payload", "state", "captured"),
        [
            (Film.publish, None, "published", 400),
            (Film.complete, film.Completion(output={"cut": "cut.mp4"}), "completed", 400),
            (Film.reject, film.Rejection(), "rejected", 100),
        ],
    )
    async def test_a_reviewer_decides_what_is_paid(
        self, database: str, event: Any, payload: Any, state: str, captured: int
    ) -> None:
        async with engine_on(database, Film, ScriptedProvider()) as engine:
            job = await self.under_review(engine)
            assert await engine.money(job.id) == JobMoney(held=400)
            done = await engine.fire(job.id, event, payload, actor="reviewer:eve")
            assert (done.state, done.settled, done.data) == (state, captured, None)
            assert done.output is not None
            assert ("cut" in done.output) == (state != "rejected")
            assert await engine.money(job.id) == JobMoney(captured=captured, released=400 - captured)
            assert await left(engine) == {"bonus": 0, "purchased": PURCHASED - captured + BONUS}

    async def test_a_film_that_nobody_looks_at_is_free_after_two_days(
        self, database: str, advance: Advance
    ) -> None:
        async with engine_on(database, Film, ScriptedProvider()) as engine:
            job = await self.under_review(engine)
            await advance(timedelta(days=1).total_seconds())
            assert (await engine.get(job.id)).state == "awaiting_review"
            await advance(timedelta(days=1).total_seconds() + 1)
            await reached(engine, job, "failed")
            assert (await engine.history(job.id))[-1].event == "expire"
            assert await left(engine) == {"bonus": BONUS, "purchased": PURCHASED}

    async def test_every_wait_has_an_end(self, database: str, advance: Advance) -> None:
        async with engine_on(database, Film, ScriptedProvider(), run_loops=False) as engine:
            pending = await engine.submit(Film, "ada", FOOTAGE)
            uploading = await engine.submit(Film, "ada", FOOTAGE)
            await engine.fire(uploading.id, Film.upload)
            queued = await self.uploaded(engine)
        await advance(6 * 3_600 + 1)
        async with engine_on(database, Film, ScriptedProvider(), capacity=0) as engine:
            for job in (pending, uploading, queued):
                await reached(engine, job, "failed")
        async with engine_on(database, Film, ScriptedProvider()) as engine:
            transcoding = await reached(engine, await self.uploaded(engine), "transcoding")
            await advance(90 * 60 + 1)
            await reached(engine, transcoding, "failed")
            assert await left(engine) == {"bonus": BONUS, "purchased": PURCHASED}

    async def test_what_the_provider_says_is_followed(self, database: str) -> None:
        provider = ScriptedProvider()
        async with engine_on(database, Film, provider) as engine:
            provider.plan(Rejected("421", "busy", Retry.LATER, after_seconds=0.01))
            provider.plan(None, Failed("out of memory", trouble=Trouble.PASSING))
            asked = provider.gate("query")  # until the job is known to run
            job = await reached(engine, await self.uploaded(engine), "running")
            asked.opened.set()
            job = await reached(engine, job, "transcoding")
            way = [step.event for step in await engine.history(job.id)]
            assert "defer" in way
            assert "rerun" in way
            provider.plan(Rejected("1", "never", Retry.NEVER))
            await reached(engine, await self.uploaded(engine), "failed")
            provider.plan(None, Failed("no such model"))
            await reached(engine, await self.uploaded(engine), "failed")

    async def test_a_lost_reply_may_be_followed_by_the_film(self, database: str) -> None:
        provider = ScriptedProvider()
        provider.plan(Uncertain("the connection broke"), Unfinished(running=True))
        async with engine_on(database, Film, provider) as engine, PostgresStore.open(database) as store:
            job = await reached(engine, await self.uploaded(engine), "starting")
            attempt = await store.attempts.get(job.id, 1)
            while attempt is None or attempt.phase != "uncertain":
                attempt = await store.attempts.get(job.id, 1)
            found = attempt.evidence(Verdict.SUCCEEDED, "the provider's list", task_id="task-1")
            moved = await engine.fire(job.id, Film.deliver, film.Completion(), evidence=found)
            assert moved.state == "transcoding"

    async def test_a_film_can_be_cancelled_until_it_is_rendered(self, database: str) -> None:
        provider = ScriptedProvider()
        async with (
            engine_on(database, Film, provider, run_loops=False) as engine,
            PostgresStore.open(database) as store,
        ):
            pending = await engine.submit(Film, "ada", FOOTAGE)
            starting = await self.uploaded(engine)
            await store.attempts.register(ProviderAccount(name="one", pool=Film.pool, capacity=1))
            assert len(await store.attempts.dispatch(Film.pool, ["one"], 1)) == 1
            queued = await self.uploaded(engine)
            for job in (pending, starting, queued):
                assert (await engine.cancel(job.id)).state == "cancelled"
            assert await left(engine) == {"bonus": BONUS, "purchased": PURCHASED}
        provider.plan(None, Unfinished(running=True))
        async with engine_on(database, Film, provider) as engine:
            running = await reached(engine, await self.uploaded(engine), "running")
            await engine.cancel(running.id)
            await reached(engine, running, "cancelled")


class TestBatchOnPostgres:
    @pytest.mark.parametrize(
        ("delivered", "captured"),
        [(1, 21), (2, 43), (3, 65), (4, 65)],
        ids=["one of three", "two of three", "all", "one too many"],
    )
    async def test_what_came_is_paid_rounded_down(self, database: str, delivered: int, captured: int) -> None:
        provider = ScriptedProvider()
        files = tuple(Output(f"https://provider.example/{n}.png", "png") for n in range(delivered))
        provider.plan(None, Succeeded(files))
        async with engine_on(database, Batch, provider) as engine:
            job = await engine.submit(Batch, "ada", {"prompt": "a lighthouse", "count": 3})
            job = await reached(engine, await engine.accept(job.id), "completed")
            assert job.output is not None
            assert len(job.output["files"]) == delivered
            assert await engine.money(job.id) == JobMoney(captured=captured, released=65 - captured)
            # The bonus is spent first, so what comes back are purchased credits, as long as there are some.
            from_bonus = min(captured, BONUS)
            assert await left(engine) == {
                "bonus": BONUS - from_bonus,
                "purchased": PURCHASED - (captured - from_bonus),
            }

    async def test_nothing_delivered_costs_nothing(self, database: str) -> None:
        provider = ScriptedProvider()
        provider.plan(None, Succeeded(()))
        async with engine_on(database, Batch, provider) as engine:
            job = await engine.submit(Batch, "ada", {"prompt": "a lighthouse", "count": 3})
            await reached(engine, await engine.accept(job.id), "failed")
            assert await left(engine) == {"bonus": BONUS, "purchased": PURCHASED}


@pytest.mark.parametrize(
    ("job_type", "input", "price", "values"),
    [
        (Sharpen, {"strength": 7}, 20, {"7": "7"}),
        (Restyle, {}, 20, {"4": "watercolour"}),
        (Restyle, {"style": "ink"}, 30, {"4": "ink"}),
    ],
)
async def test_a_new_app_runs(
    database: str, job_type: type[BaseJob], input: dict[str, Any], price: int, values: dict[str, str]
) -> None:
    orders: list[WorkOrder] = []
    file = io.BytesIO()
    Image.new("RGB", (4, 4), "teal").save(file, "PNG")

    def work(order: WorkOrder) -> bytes:
        orders.append(order)
        return order.files["1"]

    app = {"sharpen": "2018000000000000000", "restyle": "193700000001"}[job_type.name]
    async with Simulator(keys={"a-key": 3}, apps={app: work}) as simulator, open_session() as session:
        hub = line_to(session, simulator.url, "a-key")
        blobs = MemoryBlobs()
        image = await blobs.put(file.getvalue(), "picture.png")
        async with engine_on(database, job_type, hub, blobs=blobs) as engine:
            job = await engine.submit(job_type, "ada", {"image": image, **input})
            job = await reached(engine, await engine.accept(job.id), "completed")
            assert await engine.money(job.id) == JobMoney(captured=price)
            assert job.output is not None
            assert await blobs.get(job.output["files"][0]["key"]) == file.getvalue()
    assert [order.app for order in orders] == [app]
    assert orders[0].values == values
