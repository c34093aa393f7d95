"""Processes on one database wake each other; here no loop looks by itself for the length of a test."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from makegood import BaseJob, Catalog, Engine, ProviderAccount
from makegood.mover import DISPATCH
from makegood.ports import Bell, Wakeups
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.cli.stage import API_KEY
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups
from tests.adapters.postgres.proxy import proxy_before
from tests.scenarios.child import child_of
from tests.scenarios.stage import Stage, patience, quick, staged

NEVER_SECONDS = 3_600.0


class Portrait(BaseJob):
    pool, price = "studio", 5


class Waiting:
    """Wake-ups that tell when somebody begins to wait for a topic."""

    def __init__(self, wakeups: Wakeups, topic: str) -> None:
        self._wakeups, self._topic = wakeups, topic
        self.begun = asyncio.Event()

    def wake(self, topic: str) -> None:
        self._wakeups.wake(topic)

    @contextmanager
    def listen(self, topic: str) -> Iterator[Bell]:
        with self._wakeups.listen(topic) as bell:
            yield WaitingBell(bell, self.begun if topic == self._topic else asyncio.Event())


class WaitingBell:
    """A bell that sets an event at each wait."""

    def __init__(self, bell: Bell, begun: asyncio.Event) -> None:
        self._bell, self._begun = bell, begun

    async def wait(self, seconds: float) -> bool:
        self._begun.set()
        return await self._bell.wait(seconds)


async def test_an_engine_dispatches_at_once_what_another_one_accepts(database: str) -> None:
    """The second engine has looked, found nothing and sleeps for an hour; only a wake-up can reach it."""
    provider, catalog = ScriptedProvider(), Catalog([Portrait])
    submit = provider.gate("submit")
    account = ProviderAccount(name="studio", pool="studio", capacity=1)
    settings = quick(loop_interval_seconds=NEVER_SECONDS, drain_seconds=0)
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(PostgresStore.open(database)) for _ in range(2)]
        near, far = [await stack.enter_async_context(PostgresWakeups(database)) for _ in range(2)]
        sleeping = Waiting(far, DISPATCH)
        taking = await stack.enter_async_context(
            Engine(stores[0], catalog, blobs=MemoryBlobs(), settings=settings, wakeups=near, run_loops=False)
        )
        await stack.enter_async_context(
            Engine(
                stores[1],
                catalog,
                blobs=MemoryBlobs(),
                providers={account: provider},
                settings=settings,
                wakeups=sleeping,
            )
        )
        async with patience():
            await sleeping.begun.wait()
        await taking.grant("ada", 5, source_ref="gift")
        job = await taking.submit(Portrait, "ada", {})
        await taking.accept(job.id)
        async with patience():
            await submit.reached.wait()
            async for transition in taking.watch(job.id):  # told of by the other engine in its turn
                if transition.to_state == "starting":
                    break
        submit.opened.set()  # nothing is under way that the engine would wait for at its end


@asynccontextmanager
async def two_processes(
    database: str, folder: Path, monkeypatch: pytest.MonkeyPatch, address: str = "", **environment: str
) -> AsyncIterator[Stage]:
    """Take jobs here, without loops, for a `makegood serve` whose loops sleep for an hour, and whose
    configuration calls the database by *address* if one is given."""
    monkeypatch.setenv("MAKEGOOD_ENGINE__LOOP_INTERVAL_SECONDS", f"{NEVER_SECONDS}")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with (
        PostgresWakeups(database) as wakeups,
        staged(
            database,
            folder,
            key=API_KEY,
            run_loops=False,
            wakeups=wakeups,
            loop_interval_seconds=NEVER_SECONDS,
        ) as stage,
        child_of(stage, folder, address),
    ):
        yield stage


async def test_jobs_live_their_whole_life_in_two_processes_without_one_poll(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits for the one before it, so that no first look of a loop can find it by chance."""
    async with two_processes(database, tmp_path, monkeypatch) as stage:
        for _ in range(3):
            job = await stage.settled(await stage.order())
            assert job.state == "completed"


async def test_behind_a_pooler_wake_ups_take_the_address_that_is_theirs(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the service calls its database carries no notification."""
    direct = {"MAKEGOOD_WAKEUPS_DATABASE_URL": database}
    async with proxy_before(database) as proxy:
        proxy.deaf = True
        async with two_processes(database, tmp_path, monkeypatch, proxy.dsn, **direct) as stage:
            for _ in range(2):
                assert (await stage.settled(await stage.order())).state == "completed"
        assert proxy.connections_seen


async def test_a_service_whose_wake_ups_are_off_does_not_connect_for_them(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With this address it would not start."""
    off = {
        "MAKEGOOD_WAKEUPS": "false",
        "MAKEGOOD_WAKEUPS_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    }
    async with two_processes(database, tmp_path, monkeypatch, **off) as stage:
        job = await stage.order()
        assert job.state == "queued"
