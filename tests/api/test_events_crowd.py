"""A crowd listens to a server in a process of its own while everything breaks: nobody misses anything."""

import asyncio
import random
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from makegood import Catalog, Engine, Settings
from makegood_adapters.cli.bench.jobs import BENCHMARK, grant_all, owner
from makegood_adapters.cli.bench.lifecycle import accounts_for
from makegood_adapters.cli.bench.paired.stream import child, word_of
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups
from tests.adapters.postgres.proxy import Proxy, proxy_before
from tests.conftest import Tally

PATIENCE_SECONDS = 500.0
OWNERS, JOBS_PER_SECOND = 50, 50
#: How often a reader leaves by itself: after at most so many events.
STAYS_MAX = 40


@dataclass
class Listener:
    """One client with the memory of a browser: it knows the last id that it heard, and comes back with it."""

    who: str
    path: str
    dice: random.Random
    heard: list[int] = field(default_factory=list)
    came: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, port: int) -> None:
        """Listen for ever, or until the server says that there is nothing more."""
        while True:
            try:
                if not await self._once(port):
                    return
            except (OSError, asyncio.IncompleteReadError):
                await self._pause()  # the server is being started again

    async def _once(self, port: int) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            known = f"Last-Event-ID: {self.heard[-1]}\r\n" if self.heard else ""
            said = f"GET {self.path} HTTP/1.0\r\nAuthorization: Bearer {self.who}\r\n{known}\r\n"
            writer.write(said.encode())
            status = (await reader.readuntil(b"\r\n")).split()[1]
            if status != b"200":
                await self._pause()
                return status != b"204"
            self.came += 1
            stays = self.dice.randint(1, STAYS_MAX)
            while stays and (line := await reader.readline()):
                self.opened.set()
                if line.startswith(b"id: ") and (await reader.readuntil(b"\n\n")):
                    self.heard.append(int(line[4:]))
                    stays -= 1
                    self.news.set()
            return True
        finally:
            writer.close()

    async def _pause(self) -> None:
        """Wait as browsers do before they come back, though not as long: not all at one moment."""
        await asyncio.sleep(self.dice.uniform(0.2, 1.0))

    async def has_heard(self, ids: list[int]) -> None:
        while len(self.heard) < len(ids):
            self.news.clear()
            await self.news.wait()


@dataclass
class Crowd:
    """The server, which may be killed and begun again at the same port, and those who listen to it."""

    dsn: str
    port: int = 0
    server: Process | None = None
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> None:
        self.server = await self.stack.enter_async_context(child("stream_server", self.dsn, str(self.port)))
        self.port = int(await word_of(self.server))

    async def kill(self) -> None:
        assert self.server is not None
        self.server.kill()
        await self.server.wait()
        await self.start()


@asynccontextmanager
async def engine_at(dsn: str) -> AsyncIterator[Engine]:
    """Yield an engine whose loops end jobs, in this process, which nobody kills."""
    async with (
        PostgresStore.open(dsn) as store,
        PostgresWakeups(dsn) as wakeups,
        Engine(
            store,
            Catalog([BENCHMARK]),
            blobs=MemoryBlobs(),
            providers=accounts_for(64),
            settings=Settings(asks_per_second=1_000, loop_interval_seconds=0.2),
            wakeups=wakeups,
        ) as engine,
    ):
        await grant_all(engine, OWNERS)
        yield engine


async def _breaks(crowd: Crowd, proxy: Proxy, times: int, over: asyncio.Event) -> None:
    """Kill the server and cut the connections of its store in turn, while jobs end, at least so often."""
    done = 0
    while done < times or not over.is_set():
        if done % 2:
            await crowd.kill()
        else:
            await proxy.refuse()
            await proxy.listen()
        done += 1
        try:
            async with asyncio.timeout(3.0 if done >= times else 0.7):
                await over.wait()
        except TimeoutError:
            continue


async def _live(engine: Engine, jobs: list[UUID]) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    async with asyncio.TaskGroup() as group:
        for number, job_id in enumerate(jobs):
            await asyncio.sleep(began + number / JOBS_PER_SECOND - clock())
            group.create_task(engine.accept(job_id))
    alive = len(jobs)
    async with aclosing(engine.watch()) as steps:
        async for step in steps:
            alive -= step.to_state in BENCHMARK.spec.terminal
            if not alive:
                return


@pytest.mark.soak(short=1, long=1)
@pytest.mark.timeout(600)
async def test_a_crowd_that_comes_and_goes_hears_every_step_once_through_kills_and_cuts(
    database: str, soak: bool, part: int, tally: Tally
) -> None:
    """A thousand readers of one process (40 in the short form), half of a job each, half of an owner, while
    50 jobs a second end, readers leave at any moment, the server is killed and its database is cut off."""
    readers, jobs_count = (1_000, 1_000) if soak else (40, 40)
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        proxy_before(database) as proxy,
        engine_at(database) as engine,
        AsyncExitStack() as stack,
    ):
        crowd = Crowd(proxy.dsn, stack=stack)
        await crowd.start()
        jobs = [
            (await engine.submit(BENCHMARK, owner(number % OWNERS), {})).id for number in range(jobs_count)
        ]
        listeners = [
            Listener(owner(n % OWNERS), f"/v1/jobs/{jobs[n]}/events", random.Random(n))
            if n % 2
            else Listener(owner(n % OWNERS), "/v1/events?last_event_id=0", random.Random(n))
            for n in range(readers)
        ]
        listening = [asyncio.create_task(one.listen(crowd.port)) for one in listeners]
        await asyncio.gather(*(one.opened.wait() for one in listeners))
        over = asyncio.Event()
        breaking = asyncio.create_task(_breaks(crowd, proxy, 6 if soak else 2, over))
        await _live(engine, jobs)
        over.set()
        await breaking
        owned: dict[str, list[int]] = {}
        seq = 0
        while steps := await engine.steps(seq):
            for step in steps:
                seq = step.seq or seq
                owned.setdefault(step.owner, []).append(seq)
        for n, one in enumerate(listeners):
            history = [step.version for step in await engine.history(jobs[n])] if n % 2 else owned[one.who]
            await one.has_heard(history)
            assert one.heard == history, (one, listening[n])
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
    tally("readers through kills", readers)
    tally("streams opened", sum(one.came for one in listeners))
    tally("events heard", sum(len(one.heard) for one in listeners))
