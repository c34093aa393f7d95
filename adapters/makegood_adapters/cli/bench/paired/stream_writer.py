"""A process that lets paid jobs live at an even rate: whole lives, by an engine with all its loops.

It says when it is ready, begins at each line of its standard input, says when all jobs are over, and ends
with its input.
"""

import asyncio
import sys

from makegood import Catalog, Engine, Settings
from makegood_adapters.cli.bench.jobs import BENCHMARK, grant_all, owner
from makegood_adapters.cli.bench.lifecycle import accounts_for
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups

_SLOTS = 64


async def _write(dsn: str, owners: int, rate: float, seconds: float) -> None:
    settings = Settings(asks_per_second=10 * rate)
    async with (
        PostgresStore.open(dsn) as store,
        PostgresWakeups(dsn) as wakeups,
        Engine(
            store,
            Catalog([BENCHMARK]),
            blobs=MemoryBlobs(),
            providers=accounts_for(_SLOTS),
            settings=settings,
            wakeups=wakeups,
        ) as engine,
    ):
        await grant_all(engine, owners)
        _say("ready")
        clock = asyncio.get_running_loop().time
        while await asyncio.to_thread(sys.stdin.readline):
            began = clock()
            async with asyncio.TaskGroup() as lives:
                for number in range(max(1, int(rate * seconds))):
                    await asyncio.sleep(began + number / rate - clock())
                    lives.create_task(_live(engine, owner(number % owners)))
            _say("done")


async def _live(engine: Engine, who: str) -> None:
    job = await engine.submit(BENCHMARK, who, {})
    await engine.accept(job.id)
    async for _ in engine.watch(job.id):
        pass


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_write(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
