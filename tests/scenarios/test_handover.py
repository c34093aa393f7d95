"""An engine ends in the midst of everything; another one goes on at once and waits for no lease."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import pytest

from makegood import Catalog, Engine, Job, ProviderAccount, Settings, Transition
from makegood.outcome import Unfinished
from makegood.ports import Wakeups, WorkerName
from makegood.runtime import crew, lifetime
from makegood.testing.provider import PNG, Gate, ScriptedProvider
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups
from tests.engine.world import PRICE, Upscale
from tests.scenarios.stage import PATIENCE_SECONDS, patience

RUNS = Unfinished(running=True)
#: Nobody looks by itself, so that what is not woken or due at the start is seen to wait.
SETTINGS: dict[str, Any] = {"loop_interval_seconds": 3_600, "poll_interval_seconds": 3_600}
#: Whatever others would have to wait for: leases, and turns that were taken and not used.
TAKEN = {
    "leases of attempts": "select count(*) from makegood.attempt where closed_at is null"
    " and phase in ('opened', 'submitting') and lease_until > makegood.now()",
    "create calls in doubt": "select count(*) from makegood.attempt where phase = 'submitting'",
    "results that are fetched": "select count(*) from makegood.attempt join makegood.job using (job_id)"
    " where verdict = 'succeeded' and finished_at is null and next_fetch_at > makegood.now()",
    "announcements that are told": "select count(*) from makegood.outbox where done_at is null"
    " and leased_until is not null",
    "overdue jobs": "select count(*) from makegood.job where watched_until > makegood.now()",
    "processes": "select count(*) from makegood.worker",
}

#: What stays taken while a create call is waited for.
SENDING = {"leases of attempts", "create calls in doubt", "processes"}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process that ends have the time to hand over, which a slow machine needs."""
    for name in ("_LEAVE_SECONDS", "_TURN_SECONDS", "_CUT_SECONDS", "_BEAT_SECONDS"):
        monkeypatch.setattr(lifetime, name, PATIENCE_SECONDS)
    monkeypatch.setattr(crew, "_HAND_BACK_SECONDS", PATIENCE_SECONDS)


class Told(Upscale):
    """Its hook can be held once."""

    name = "told"


class House:
    """What outlives an engine: the database, the files, the provider."""

    def __init__(self, store: PostgresStore, plain: asyncpg.Connection) -> None:
        self.store, self.plain = store, plain
        self.blobs, self.provider = MemoryBlobs(), ScriptedProvider()
        self.account = ProviderAccount(name="gpu-1", pool=Upscale.pool, capacity=10)

    def engine(self, wakeups: Wakeups | None = None, **settings: Any) -> Engine:
        return Engine(
            self.store,
            Catalog([Upscale, Told]),
            blobs=self.blobs,
            providers={self.account: self.provider},
            settings=Settings(**{**SETTINGS, **settings}),
            wakeups=wakeups,
            worker=WorkerName(host="here", pid=1),
        )

    async def taken(self) -> dict[str, int]:
        """Return what is taken, by kind; what nobody has is left out."""
        found = {what: await self.plain.fetchval(query) for what, query in TAKEN.items()}
        return {what: count for what, count in found.items() if count}

    async def over(self, engine: Engine, job: Job) -> Job:
        async with patience():
            async for _ in engine.watch(job.id):
                pass
        return await engine.get(job.id)


@asynccontextmanager
async def a_house(database: str) -> AsyncIterator[House]:
    plain = await asyncpg.connect(database)
    try:
        async with PostgresStore.open(database) as store:
            yield House(store, plain)
    finally:
        plain.terminate()


async def order(engine: Engine, job_type: type[Upscale] = Upscale, **given: Any) -> Job:
    return await engine.accept((await engine.submit(job_type, "ada", given)).id)


async def reached(gate: Gate) -> None:
    async with patience():
        await gate.reached.wait()


async def test_who_ends_hands_over_all_that_it_had_begun_and_the_next_waits_for_nothing(
    database: str,
) -> None:
    held, may_pass = asyncio.Event(), asyncio.Event()

    @Told.queued.on_enter
    async def tell(transition: Transition) -> None:
        if not held.is_set():
            held.set()
            await may_pass.wait()

    async with a_house(database) as house:
        provider, image = house.provider, await house.blobs.put(PNG, "image.png")
        async with house.engine(drain_seconds=0.05, drain_submit_seconds=60) as first:
            await first.grant("ada", 10 * PRICE, source_ref="order-1")
            asking = provider.gate("query")
            jobs = [await order(first)]
            await reached(asking)
            fetching = provider.gate("fetch")
            jobs.append(await order(first))
            await reached(fetching)
            uploading = provider.gate("upload")
            jobs.append(await order(first, image=image))
            await reached(uploading)
            sending = provider.gate("submit")
            jobs.append(await order(first))
            await reached(sending)
            jobs.append(await order(first, Told))
            async with patience():
                await held.wait()
            [row] = await house.store.workers.present()
            assert (row.state, row.name.host) == ("running", "here")

            async def answers_late() -> None:
                """The create call is answered when everything else was cut off."""
                await first._context.stopping.wait()
                async with patience():
                    while set(await house.taken()) - SENDING:  # noqa: ASYNC110 - rows have no event
                        await asyncio.sleep(0.01)
                    while await states() != ["draining"]:  # noqa: ASYNC110 - nor has this
                        await asyncio.sleep(0.01)
                sending.opened.set()

            async def states() -> list[str]:
                return [row.state.value for row in await house.store.workers.present()]

            late = asyncio.create_task(answers_late())
        await late
        may_pass.set()
        assert await house.taken() == {}
        sent = await house.store.attempts.get(jobs[3].id, 1)
        assert sent is not None
        assert sent.task_id is not None
        due = await house.plain.fetch(
            "select job_id from makegood.attempt where closed_at is null and next_ask_at <= makegood.now()"
        )
        assert jobs[0].id in {row["job_id"] for row in due}

        async with house.engine() as second:
            for job in jobs:
                assert (await house.over(second, job)).state == "completed"
        assert provider.count("submit") == len(provider.tasks) == len(jobs)
        assert await house.taken() == {}


async def test_a_create_call_that_outlasts_all_patience_is_asked_about_at_once(database: str) -> None:
    async with a_house(database) as house:
        sending = house.provider.gate("submit")
        async with house.engine(drain_seconds=0, drain_submit_seconds=0) as first:
            await first.grant("ada", PRICE, source_ref="order-1")
            job = await order(first)
            await reached(sending)
        assert await house.taken() == {}
        attempt = await house.store.attempts.get(job.id, 1)
        assert attempt is not None
        assert (attempt.phase, attempt.task_id) == ("uncertain", None)
        assert house.provider.count("submit") == 1


async def test_the_others_are_told_that_there_is_something_to_take(database: str) -> None:
    """The next engine runs already and looks by itself once an hour; only a wake-up brings it."""
    async with (
        a_house(database) as house,
        PostgresWakeups(database) as ours,
        PostgresWakeups(database) as theirs,
    ):
        uploading = house.provider.gate("upload")
        first, second = house.engine(ours, drain_seconds=30), house.engine(theirs)
        image = await house.blobs.put(PNG, "image.png")
        async with AsyncExitStack() as stack:
            async with first:
                await first.grant("ada", PRICE, source_ref="order-1")
                job = await order(first, image=image)
                await reached(uploading)
                await stack.enter_async_context(second)  # it looks, and finds that others have the job
            assert (await house.over(second, job)).state == "completed"
        assert house.provider.count("submit") == 1


@pytest.mark.parametrize("moment", ["upload", "query", "fetch"])
async def test_an_end_does_not_wait_for_a_provider_that_never_answers(database: str, moment: str) -> None:
    async with a_house(database) as house:
        gate = house.provider.gate(moment)
        async with house.engine(drain_seconds=0) as engine:
            await engine.grant("ada", PRICE, source_ref="order-1")
            await order(engine, image=await house.blobs.put(PNG, "image.png"))
            await reached(gate)
        assert await house.taken() == {}
