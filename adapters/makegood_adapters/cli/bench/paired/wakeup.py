"""How fast a wake-up reaches another connection, and what it costs those who commit meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import asyncpg

from makegood import Catalog, Engine, Settings
from makegood.ports import Wakeups
from makegood.runtime import LocalWakeups
from makegood_adapters.cli.bench.jobs import BENCHMARK, Preparer, grant_all
from makegood_adapters.cli.bench.paired.pair import Pair, in_milliseconds, in_turn
from makegood_adapters.cli.bench.plan import BenchError, Plan
from makegood_adapters.cli.bench.workloads import Transitions
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore, connect
from makegood_adapters.postgres.wakeups import PostgresWakeups

_TOPIC = "benchmark"
_CHANNEL = "makegood_bench"
_ROUNDS_PER_SECOND = 50
_PATIENCE_SECONDS = 60.0
_CALLERS = 32
_RATES = 6
#: The jobs that are accepted were submitted by the same process, however many there are.
_REMEMBERED = 1_000_000
_BARE = "a bare NOTIFY heard by another connection"


class BareBell:
    """A connection that notifies and one that listens, and nothing between them."""

    def __init__(self, mouth: asyncpg.Connection, ears: asyncpg.Connection) -> None:
        self._mouth, self._ears, self._heard = mouth, ears, asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str) -> AsyncIterator["BareBell"]:
        """Connect both; the one that notifies need not wait for the disk, as the product's does not."""
        async with AsyncExitStack() as stack:
            mouth, ears = await connect(dsn), await connect(dsn)
            stack.push_async_callback(mouth.close)
            stack.push_async_callback(ears.close)
            await mouth.execute("set synchronous_commit = off")
            bell = cls(mouth, ears)
            await ears.add_listener(_CHANNEL, bell._ring)
            yield bell

    async def ring(self) -> None:
        """Notify and return when it was heard."""
        self._heard.clear()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self._mouth.execute("select pg_notify($1, $2)", _CHANNEL, "")
            await self._heard.wait()

    def _ring(self, *_: object) -> None:
        self._heard.set()


async def measure(plan: Plan, dsn: str) -> list[Pair]:
    """Compare wake-ups with bare notifications, idle and beside commits, and commits with and without."""
    rounds = max(10, int(plan.seconds * _ROUNDS_PER_SECOND))
    async with AsyncExitStack() as stack:
        sender = await stack.enter_async_context(PostgresWakeups(dsn))
        hearer = await stack.enter_async_context(PostgresWakeups(dsn))
        bare = await stack.enter_async_context(BareBell.open(dsn))
        store = await stack.enter_async_context(PostgresStore.open(dsn))
        connection = await connect(dsn)
        stack.push_async_callback(connection.close)
        async with _engine(store, LocalWakeups()) as engine:  # makes the type known
            await grant_all(engine, plan.owners)

        async def ours() -> float:
            with hearer.listen(_TOPIC) as bell:
                began = time.perf_counter()
                sender.wake(_TOPIC)
                if not await bell.wait(_PATIENCE_SECONDS):
                    raise BenchError("A wake-up was not heard: is the way to the server a pooler?")
                return time.perf_counter() - began

        async def others() -> float:
            began = time.perf_counter()
            await bare.ring()
            return time.perf_counter() - began

        idle = await in_turn(ours, others, rounds)
        load = _Commits(store, connection, plan, LocalWakeups())
        async with load.beside():
            busy = await in_turn(ours, others, rounds)
        rates = await _rates(plan, store, connection, sender)
    return [
        _heard("wake-up, idle server", idle, owed=2.0),
        _heard(f"wake-up, beside {_CALLERS} callers", busy, owed=2.0),
        rates,
    ]


class _Commits:
    """Callers that commit transitions, in the process that is measured."""

    def __init__(
        self, store: PostgresStore, connection: asyncpg.Connection, plan: Plan, wakeups: Wakeups
    ) -> None:
        callers = replace(plan, name="transitions", concurrency=_CALLERS)
        engine = _engine(store, wakeups)
        self._work = Transitions(engine, Preparer(connection, plan.owners), callers)

    async def rate(self, seconds: float) -> float:
        """Return how many transitions were committed in a second."""
        await self._work.prepare(seconds)
        return (await self._work.run(seconds)).rate

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Commit without a pause meanwhile."""

        async def work() -> None:
            while True:
                await self.rate(0.5)

        working = asyncio.create_task(work())
        try:
            yield
        finally:
            working.cancel()
            ended = (await asyncio.gather(working, return_exceptions=True))[0]
        if not isinstance(ended, asyncio.CancelledError):
            raise BenchError(f"The callers beside it came to an end: {ended}.")


def _engine(store: PostgresStore, wakeups: Wakeups) -> Engine:
    remembers = Settings(snapshots_max=_REMEMBERED)
    catalog, blobs = Catalog([BENCHMARK]), MemoryBlobs()
    return Engine(store, catalog, blobs=blobs, settings=remembers, wakeups=wakeups, run_loops=False)


async def _rates(plan: Plan, store: PostgresStore, connection: asyncpg.Connection, wakeups: Wakeups) -> Pair:
    with_wakeups = _Commits(store, connection, plan, wakeups)
    without = _Commits(store, connection, plan, LocalWakeups())
    seconds = max(0.1, plan.seconds / _RATES)
    told = await in_turn(lambda: with_wakeups.rate(seconds), lambda: without.rate(seconds), _RATES)
    name = f"commits, {_CALLERS} callers"
    return Pair(
        name=name, unit="per second", ours=told[0], other="without wake-ups", others=told[1], owed=0.9
    )


def _heard(name: str, told: tuple[tuple[float, ...], tuple[float, ...]], *, owed: float) -> Pair:
    ours, others = map(in_milliseconds, told)
    return Pair(name=name, unit="ms", ours=ours, other=_BARE, others=others, owed=owed)
