"""How soon a step reaches those who listen over HTTP, and what each of them costs the process."""

import asyncio
import re
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

from makegood import Catalog, Engine
from makegood_adapters.cli.bench.jobs import owner, text_of
from makegood_adapters.cli.bench.paired.pair import Pair, in_milliseconds
from makegood_adapters.cli.bench.plan import BenchError, BooksDisagree, Plan
from makegood_adapters.http.v1.events import StepEvent
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore, connect
from makegood_adapters.postgres.wakeups import PostgresWakeups

#: So many jobs end in a second, and each has so many steps.
JOBS_PER_SECOND, _STEPS = 50, 5
_PATIENCE_SECONDS = 60.0
_PAGE = 4_096
_SKEW_SECONDS = 0.1
_WATCH = "engine.watch in a process without HTTP"
_BARE = "bare aiohttp, a queue for each in memory"
_ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)
_AT = re.compile(rb'"at":"([^"]+)"')


class Reader(asyncio.Protocol):
    """Listens to an owner's jobs; *skew* is by how many seconds the clock of the steps is ahead of ours."""

    def __init__(self, who: str, skew: float = 0.0) -> None:
        self._who, self._skew = who, skew
        self._rest = b""
        self.begun = asyncio.get_running_loop().create_future()
        self.ids: list[int] = []
        self.delays: list[float] = []
        self.news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask as a browser does, by a version of HTTP that does not cut the answer into chunks."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(f"GET /v1/events HTTP/1.0\r\nAuthorization: Bearer {self._who}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Take what is whole of it."""
        now = time.time() + self._skew
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        for block in blocks:
            if not self.begun.done():
                self.begun.set_result(None)
            if (number := _ID.search(block)) and (at := _AT.search(block)):
                self.ids.append(int(number[1]))
                self.delays.append(now - datetime.fromisoformat(at[1].decode()).timestamp())
        self.news.set()

    def connection_lost(self, error: Exception | None) -> None:
        """Nobody ends a stream while it is measured."""
        if not self.begun.done():
            self.begun.set_exception(BenchError(f"A stream could not be opened: {self._rest[:200]!r}."))


@dataclass(frozen=True, slots=True)
class Cost:
    """What one side took: seconds until steps were heard, and of the process KiB for each reader and
    microseconds for each step told; the last two are None where the system does not tell."""

    delays: tuple[float, ...]
    memory: float | None
    cpu: float | None


async def measure(plan: Plan, dsn: str) -> list[Pair]:
    """Let readers of the API hear of jobs, and readers of a bare server of as many lines in memory, while as
    many jobs live beside it."""
    async with AsyncExitStack() as stack:
        amount = (str(plan.owners), str(JOBS_PER_SECOND), str(plan.seconds))
        writer = await stack.enter_async_context(child("stream_writer", dsn, *amount))
        await word_of(writer)
        ours, watched = await _product(plan, dsn, writer)
        bare = await _bare(plan, writer)
    heard = in_milliseconds(ours.delays)
    pairs = [
        _pair(f"step heard, {plan.readers:,} readers", "ms", heard, in_milliseconds(watched), _WATCH),
        _pair("the same, next to memory", "ms", heard, in_milliseconds(bare.delays)),
    ]
    if ours.memory and bare.memory:
        pairs.append(_pair("memory of each reader", "KiB", (ours.memory,), (bare.memory,)))
    if ours.cpu and bare.cpu:
        pairs.append(_pair("CPU of each step told", "µs", (ours.cpu,), (bare.cpu,)))
    return pairs


def _pair(
    name: str, unit: str, ours: tuple[float, ...], others: tuple[float, ...], other: str = _BARE
) -> Pair:
    return Pair(name=name, unit=unit, ours=ours, other=other, others=others, owed=None)


async def _product(plan: Plan, dsn: str, writer: Process) -> tuple[Cost, tuple[float, ...]]:
    """Return what our side took, and how soon `engine.watch` of one process knew of the same steps."""
    async with AsyncExitStack() as stack:
        connection = await connect(dsn)
        stack.push_async_callback(connection.close)
        ahead = await connection.fetchval("select extract(epoch from clock_timestamp())::float8")
        # A clock on this machine differs by less than a look at it takes, and is not corrected.
        skew = ahead - time.time() if abs(ahead - time.time()) > _SKEW_SECONDS else 0.0
        server = await stack.enter_async_context(child("stream_server", dsn))
        port = int(await word_of(server))
        before = _memory(server)
        readers = await _connect(stack, plan, port, skew)
        used = _cpu(server)
        watched: list[float] = []
        watching = asyncio.create_task(_watch(dsn, watched, skew))
        stack.callback(watching.cancel)
        await _tell(writer, "go")
        await word_of(writer)
        places = {row["owner_id"]: row["places"] for row in await connection.fetch(text_of("placed"), 0)}
        expected = [places.get(owner(number % plan.owners), []) for number in range(plan.readers)]
        await _all_heard(readers, expected)
        if not watched:
            raise BenchError("engine.watch has heard nothing: is the way to the server a pooler?")
        return _cost(server, readers, before, used), tuple(watched)


async def _watch(dsn: str, delays: list[float], skew: float) -> None:
    async with PostgresStore.open(dsn, connections_max=1) as store, PostgresWakeups(dsn) as wakeups:
        engine = Engine(store, Catalog([]), blobs=MemoryBlobs(), wakeups=wakeups, run_loops=False)
        async with aclosing(engine.watch()) as steps:
            async for step in steps:
                delays.append(time.time() + skew - step.at.timestamp())


async def _bare(plan: Plan, writer: Process) -> Cost:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(child("stream_server", ""))
        port = int(await word_of(server))
        before = _memory(server)
        readers = await _connect(stack, plan, port)
        used = _cpu(server)
        clock = asyncio.get_running_loop().time
        await _tell(writer, "go")
        began, told = clock(), [0] * plan.owners
        jobs = max(1, int(JOBS_PER_SECOND * plan.seconds))
        for number in range(jobs * _STEPS):
            await asyncio.sleep(began + number / (JOBS_PER_SECOND * _STEPS) - clock())
            who = number % jobs % plan.owners
            told[who] += 1
            await _tell(server, f"{owner(who)}\t{_line()}")
        await word_of(writer)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            for number, reader in enumerate(readers):
                while len(reader.ids) < told[number % plan.owners]:
                    reader.news.clear()
                    await reader.news.wait()
        return _cost(server, readers, before, used)


def _line() -> str:
    """Return what a reader is told of a step."""
    step = StepEvent(
        job_id=uuid4(),
        version=3,
        type="benchmark",
        event="begin",
        from_state="starting",
        to_state="running",
        attempt=1,
        at=datetime.now(UTC),
    )
    return step.model_dump_json()


async def _connect(stack: AsyncExitStack, plan: Plan, port: int, skew: float = 0.0) -> list[Reader]:
    loop, readers = asyncio.get_running_loop(), []
    for number in range(plan.readers):
        make = partial(Reader, owner(number % plan.owners), skew)
        transport, reader = await loop.create_connection(make, "127.0.0.1", port)
        stack.callback(transport.abort)
        readers.append(reader)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await asyncio.gather(*(reader.begun for reader in readers))
    return readers


async def _all_heard(readers: Sequence[Reader], expected: Sequence[list[int]]) -> None:
    """Return when everybody has heard all of it. Raises BooksDisagree where something is missing or twice."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            for reader, ids in zip(readers, expected, strict=True):
                while len(reader.ids) < len(ids):
                    reader.news.clear()
                    await reader.news.wait()
    except TimeoutError:
        raise BooksDisagree("A reader has not heard all of its owner's steps.") from None
    if any(reader.ids != ids for reader, ids in zip(readers, expected, strict=True)):
        raise BooksDisagree("A reader has heard other steps than its owner's, or one of them twice.")


@asynccontextmanager
async def child(name: str, *words: str) -> AsyncIterator[Process]:
    """Run a process of this folder; it ends with its standard input."""
    module = f"makegood_adapters.cli.bench.paired.{name}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *words, stdin=PIPE, stdout=PIPE
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def word_of(process: Process) -> str:
    """Return the next line that a process says."""
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode().strip()
    if not line:
        raise BenchError("A process of the benchmark has ended; what it says stands above.")
    return line


async def _tell(process: Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n".encode())
    await process.stdin.drain()


def _cost(process: Process, readers: Sequence[Reader], memory: int | None, cpu: int | None) -> Cost:
    now_memory, now_cpu = _memory(process), _cpu(process)
    told = sum(len(reader.ids) for reader in readers)
    kib = micro = None
    if memory is not None and now_memory is not None:
        kib = max(now_memory - memory, _PAGE) / 1_024 / len(readers)
    if cpu is not None and now_cpu is not None:
        micro = (now_cpu - cpu) / 1_000 / max(1, told)
    return Cost(tuple(delay for reader in readers for delay in reader.delays), kib, micro)


def _memory(process: Process) -> int | None:
    """Return the bytes that a process has in memory, see proc(5); None where nobody tells."""
    try:
        return int(Path("/proc", str(process.pid), "statm").read_text().split()[1]) * _PAGE
    except OSError:
        return None


def _cpu(process: Process) -> int | None:
    """Return for how many nanoseconds a process has run."""
    try:
        return int(Path("/proc", str(process.pid), "schedstat").read_text().split()[0])
    except OSError:
        return None
