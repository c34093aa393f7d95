"""Streams through what breaks: a store that is away, a server that stops, readers who come and go."""

import asyncio
import copy
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from makegood import Catalog, Engine, Job, Settings, watching
from makegood.mover import PLACED
from makegood.runtime import LocalWakeups
from makegood.testing.drive import Drive, Plain
from makegood_adapters.http.callers import Caller, CallerKind
from makegood_adapters.http.operation import Call, Reply, Request
from makegood_adapters.http.sse import EventStream
from makegood_adapters.http.v1 import Api, events
from makegood_adapters.http.v1.events import Since, watch_job, watch_jobs
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.postgres.proxy import proxy_before
from tests.api.streams import BRISK, LIFE, PATIENCE_SECONDS, history, listening, streaming, told
from tests.conftest import Tally

UNTOLD_MAX = 4


@pytest.mark.parametrize("asgi", [False, True])
async def test_streams_stay_open_while_the_store_is_away_and_go_on_where_they_were(
    database: str, tmp_path: Path, asgi: bool
) -> None:
    async with (
        proxy_before(database) as proxy,
        streaming(proxy.dsn, tmp_path, asgi=asgi) as streams,
        PostgresStore.open(database) as elsewhere,
    ):
        jobs = [await streams.job() for _ in range(3)]
        async with AsyncExitStack() as stack:
            ears = [
                await stack.enter_async_context(listening(streams.client, f"/jobs/{job.id}/events"))
                for job in jobs
            ]
            owned = await stack.enter_async_context(listening(streams.client, "/events", 0))
            first = await owned.steps(3)
            await proxy.refuse()
            streams.drive.store = elsewhere
            for job in jobs:
                await streams.move(job, *LIFE)
            await proxy.listen()
            heard = [await ear.steps() for ear in ears]
            rest = await owned.steps(4 * len(jobs))
        for job, steps in zip(jobs, heard, strict=True):
            assert told(steps) == await history(streams, job.id)
        assert [one.id for one in first + rest] == list(range(1, 16))


@pytest.mark.parametrize("asgi", [False, True])
async def test_an_engine_that_stops_ends_all_streams_and_takes_no_new_ones(
    database: str, tmp_path: Path, asgi: bool
) -> None:
    """What stops calls `Engine.stop` first, and waits for no reader; nothing says that a job is over."""
    async with streaming(database, tmp_path, asgi=asgi) as streams:
        job = await streams.job()
        async with (
            listening(streams.client, f"/jobs/{job.id}/events") as one,
            listening(streams.client, "/events", 0) as all_of_them,
        ):
            await one.steps(1)
            await all_of_them.steps(1)
            streams.engine.stop()
            assert (await one.next(), await all_of_them.next()) == (None, None)
        async with listening(streams.client, "/events", 0) as late:
            assert len(await late.steps()) <= 1
        await streams.none_listen()


class Uneven:
    """A part of a store each of whose calls takes a while, before and after, so that others come between."""

    def __init__(self, part: Any, dice: random.Random) -> None:
        self._part, self._dice = part, dice

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._part, name)

        async def call(*args: Any, **given: Any) -> Any:
            await turns(self._dice, self._dice.choice((0, 3, 40)))
            result = await real(*args, **given)
            await turns(self._dice, self._dice.choice((0, 3, 40)))
            return result

        return call


async def turns(dice: random.Random, most: int) -> None:
    """Let others have up to so many turns."""
    for _ in range(dice.randint(0, most)):
        await asyncio.sleep(0)


class Crowd:
    """Readers of a store in memory that leave and come back at any moment, and those who write meanwhile."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.wakeups, self.store = dice, LocalWakeups(), MemoryStore()
        self.drive = Drive(self.store, _no_time_passes)
        uneven: Any = replace_parts(self.store, dice)
        settings = Settings(loop_interval_seconds=0.01)
        self.engine = Engine(
            uneven,
            Catalog([Plain]),
            blobs=MemoryBlobs(),
            wakeups=self.wakeups,
            settings=settings,
            run_loops=False,
        )
        self.api = Api(engine=self.engine, stream_limits=replace(BRISK, untold_max=UNTOLD_MAX))

    async def open(self) -> list[Job]:
        """Return jobs of three owners that all stand at their beginning."""
        await self.store.declare([Plain.spec])
        for number in range(3):
            await self.drive.grant(10_000, owner=f"owner {number}")
        return [await self.drive.insert(owner=f"owner {number % 3}") for number in range(12)]

    async def write(self, jobs: Sequence[Job]) -> None:
        """Let the jobs live side by side to their ends, and give places late and in any numbers."""
        alive = list(jobs)
        while alive:
            index = self.dice.randrange(len(alive))
            job = await self.drive.job(alive[index])
            alive[index] = await self.drive.take(job, self.dice.choice(Plain.spec.leaving(job.state)))
            if alive[index].finished_at:
                del alive[index]
            await turns(self.dice, 10)
            if self.dice.random() < 0.3 or not alive:
                await self.place()

    async def place(self) -> None:
        while await self.store.stream.place(self.dice.randint(1, 9)):
            self.wakeups.wake(PLACED)
            await turns(self.dice, 3)

    async def follow(self, who: str | UUID, first: int, done: Callable[[int], Awaitable[bool]]) -> list[int]:
        """Return the ids heard after *first* by one who leaves again and again, and comes back."""
        heard, last = [], first
        while not await done(last):
            reply = await self.reply(who, last)
            stays = self.dice.randint(1, 6)
            assert isinstance(reply.body, EventStream)
            async with aclosing(reply.body) as pieces:
                async for piece in pieces:
                    ids = ids_of(piece)
                    heard += ids
                    last = ids[-1] if ids else last
                    stays -= 1
                    if not stays or await done(last):
                        break
                    await turns(self.dice, 4)
        return heard

    async def reply(self, who: str | UUID, last: int) -> Reply:
        known = {"last-event-id": str(last)} if last >= 0 else {}
        owner = (await self.drive.job(who)).owner if isinstance(who, UUID) else who
        request = Request(method="GET", path={}, query={}, headers=known, chunks=_nothing(), address="")
        call = Call(Caller(kind=CallerKind.USER, owner=owner), request, owner)
        if isinstance(who, UUID):
            return await watch_job(self.api, call, who, Since())
        return await watch_jobs(self.api, call, Since())


def ids_of(piece: bytes) -> list[int]:
    """Return the ids of the events in a piece."""
    return [int(number) for number in re.findall(rb"^id: (\d+)$", piece, re.MULTILINE)]


def replace_parts(store: MemoryStore, dice: random.Random) -> Any:
    """Return the store as an engine sees it over a slow line."""
    uneven = copy.copy(store)
    for part in ("stream", "jobs", "queue"):
        setattr(uneven, part, Uneven(getattr(store, part), dice))
    return uneven


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield


async def _no_time_passes(_: float) -> None:
    raise AssertionError("this test does not move the clock")


@pytest.mark.soak(short=10, long=500)
async def test_readers_who_come_and_go_at_any_moment_hear_all_of_it_once(
    part: int, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    """Pages are tiny and inboxes too, so that every way is gone: past, future, too slow, and back."""
    monkeypatch.setattr(watching, "STEPS_MAX", 3)
    monkeypatch.setattr(events, "STEPS_MAX", 3)
    crowd = Crowd(random.Random(part))
    jobs = await crowd.open()

    def over(job: Job) -> Callable[[int], Awaitable[bool]]:
        async def is_over(last: int) -> bool:
            now = await crowd.drive.job(job)
            return now.finished_at is not None and last == now.version

        return is_over

    written = asyncio.Event()

    async def all_heard(owner: str, last: int) -> bool:
        return written.is_set() and not await crowd.store.stream.read(last, 1, owner)

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        readers = [group.create_task(crowd.follow(job.id, -1, over(job))) for job in jobs for _ in range(2)]
        owners = [f"owner {number}" for number in range(3)]
        owned = [
            group.create_task(crowd.follow(owner, 0, partial(all_heard, owner)))
            for owner in owners
            for _ in range(2)
        ]
        await crowd.write(jobs)
        # Who has heard all of an owner's stream waits for more until the stream is ended.
        written.set()
        await turns(crowd.dice, 3)
        crowd.api.end_streams()
    for reader, job in zip(readers, [job for job in jobs for _ in range(2)], strict=True):
        assert reader.result() == [step.version for step in await crowd.store.jobs.history(job.id)]
    for reader, owner in zip(owned, [owner for owner in owners for _ in range(2)], strict=True):
        assert reader.result() == [step.seq for step in await crowd.store.stream.read(0, 1_000, owner)]
    assert crowd.api.hub.count == 0
    tally("readers", len(readers) + len(owned))


async def test_who_takes_too_little_is_let_go_and_holds_nobody_up() -> None:
    crowd = Crowd(random.Random(1))
    await crowd.store.declare([Plain.spec])
    slow, quick = [(await crowd.reply("ada", 0)).body for _ in range(2)]
    assert isinstance(slow, EventStream)
    assert isinstance(quick, EventStream)
    async with aclosing(slow) as idle, aclosing(quick) as pieces, asyncio.timeout(PATIENCE_SECONDS):
        assert (await anext(idle)).startswith(b"retry: ")
        heard: list[int] = []
        for number in range(UNTOLD_MAX + 2):
            await crowd.drive.insert()
            await crowd.place()
            while len(heard) <= number:
                heard += ids_of(await anext(pieces))
        assert heard == list(range(1, UNTOLD_MAX + 3))
        assert [piece async for piece in idle] == [], "what waited for it is gone, and so is the stream"
