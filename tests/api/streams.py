"""Streams of events over a real engine and database behind either server, and clients that listen."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp

from makegood import Catalog, Engine, Job, Settings
from makegood.mover import Mover
from makegood.runtime import Context, Health, LocalWakeups
from makegood.runtime.loop import run_all
from makegood.runtime.sequencer import Sequencer
from makegood.testing.drive import PLAIN, Drive, Plain
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.http.callers import Gate
from makegood_adapters.http.hub import StreamLimits
from makegood_adapters.http.v1 import Api
from makegood_adapters.postgres.store import PostgresStore
from tests.api.scene import OWNER, Client, NamingGate, serving

PATIENCE_SECONDS = 60.0
#: No test waits for what takes its time in a deployment.
BRISK = StreamLimits(place_seconds=0.01, places_per_second=1_000, pause_seconds=0.05)


@dataclass(frozen=True)
class Heard:
    """One event as it came; a comment has no name."""

    name: str | None
    id: int | None
    data: Any


class Ear:
    """Reads the events of one answer."""

    def __init__(self, reply: aiohttp.ClientResponse) -> None:
        self.reply = reply

    async def next(self, *, comments: bool = False) -> Heard | None:
        """Return the next event, None at the end of the stream; `retry` and comments are passed over."""
        while (block := await self._block()) is not None:
            fields = dict(line.partition(": ")[::2] for line in block if not line.startswith(":"))
            if fields.keys() - {"retry"} or (comments and not fields):
                number, data = fields.get("id"), fields.get("data")
                return Heard(fields.get("event"), int(number) if number else None, data and json.loads(data))
        return None

    async def steps(self, count: int | None = None) -> list[Heard]:
        """Return so many transitions, or those until the end, leaving out places."""
        heard: list[Heard] = []
        while len(heard) != count and (one := await self.next()):
            heard += [one] if one.name == "transition" else []
        assert count is None or len(heard) == count, heard
        return heard

    async def _block(self) -> list[str] | None:
        lines: list[str] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := await self.reply.content.readline():
                text = line.decode().rstrip("\n")
                if not text:
                    return lines
                lines.append(text)
        return None


@asynccontextmanager
async def listening(
    client: Client, path: str, last: int | str | None = None, **given: Any
) -> AsyncIterator[Ear]:
    """Open a stream as a browser does, which says what it heard last."""
    known = {} if last is None else {"Last-Event-ID": str(last)}
    headers: Mapping[str, str] = {**client.headers, **known}
    async with client.session.get(client.base + path, headers=headers, **given) as reply:
        assert reply.status == 200, await reply.text()
        yield Ear(reply)


@dataclass
class Streams:
    """Everything a test touches."""

    engine: Engine
    store: PostgresStore
    drive: Drive
    api: Api
    client: Client

    async def job(self, **given: Any) -> Job:
        """Insert a job that costs nothing yet, in a pool of its own; *given* replaces fields."""
        return await self.drive.insert(**{"owner": OWNER, **given})

    async def move(self, job: Job, *events: str) -> Job:
        """Take edges with whatever they need, and wake whoever gives places."""
        for event in events:
            edge = next(edge for edge in PLAIN.leaving(job.state) if edge.event == event)
            job = await self.drive.take(job, edge)
        return job

    async def placed(self, job: Job) -> int:
        """Return the place of the job's last step in the stream, once it has one."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for step in await self.engine.steps(0):
                    if (step.job_id, step.version) == (job.id, job.version):
                        assert step.seq is not None
                        return step.seq
                await asyncio.sleep(0.01)

    async def none_listen(self) -> None:
        """Return once nobody is left in the hub."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.api.hub.count:  # noqa: ASYNC110  # servers see it in their own time
                await asyncio.sleep(0.01)


LIFE = ("accept", "dispatch", "begin", "complete")


@asynccontextmanager
async def streaming(
    dsn: str,
    folder: Path,
    *,
    asgi: bool,
    limits: StreamLimits = BRISK,
    gate: Gate | None = None,
    advance: Any = None,
) -> AsyncIterator[Streams]:
    """Yield streams over the contract's plain job type, with places given as in a process with loops."""
    wakeups, settings = LocalWakeups(), Settings(loop_interval_seconds=0.02)
    catalog, blobs = Catalog([Plain]), FolderBlobs(folder)
    async with (
        PostgresStore.open(dsn) as store,
        Engine(store, catalog, blobs=blobs, wakeups=wakeups, settings=settings, run_loops=False) as engine,
        _sequencing(store, catalog, blobs, wakeups, settings),
    ):
        await engine.grant(OWNER, 10_000, source_ref="order-1")
        api = Api(engine=engine, stream_limits=limits)
        async with serving(api, gate or NamingGate(), asgi=asgi) as client:
            yield Streams(engine, store, Drive(store, advance), api, client)


@asynccontextmanager
async def _sequencing(
    store: PostgresStore, catalog: Catalog, blobs: FolderBlobs, wakeups: LocalWakeups, settings: Settings
) -> AsyncIterator[None]:
    mover = Mover(store, catalog, wakeups, settings, uuid4)
    loop, stopping = Sequencer(Context(store, catalog, mover, {}, blobs, wakeups, settings)), asyncio.Event()
    running = asyncio.create_task(
        run_all([loop], wakeups, settings, stopping, {loop.name: Health(loop.name)})
    )
    try:
        yield
    finally:
        stopping.set()
        wakeups.wake(loop.topic)
        await running


def told(heard: list[Heard]) -> list[tuple[int | None, str]]:
    """Return ids and events, to compare with a history."""
    return [(one.id, one.data["event"]) for one in heard]


async def history(streams: Streams, job_id: UUID) -> list[tuple[int | None, str]]:
    """Return the versions and events of a job."""
    return [(step.version, step.event) for step in await streams.engine.history(job_id)]
