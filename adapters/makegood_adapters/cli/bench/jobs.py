"""The job type that is measured, and jobs of it that are prepared before the clock runs."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from importlib.resources import files
from uuid import UUID

import asyncpg

from makegood import BaseJob, Engine

PRICE = 7
CREDITS = 10**12
_AT_ONCE = 20_000
#: As many transitions in one statement as a server without patience still takes.
_TOGETHER = 2_000


class Benchmark(BaseJob):
    """The life that every paid job has, at a price."""

    name, pool, price = "benchmark", "benchmark", PRICE


#: Prepared jobs may wait for longer than users do.
LONG = {"pending": timedelta(days=1), "queued": timedelta(days=1)}
BENCHMARK = Benchmark.with_deadlines(LONG)


@cache
def text_of(name: str) -> str:
    """Return the text of `sql/<name>.sql`."""
    return files("makegood_adapters.cli.bench").joinpath("sql", f"{name}.sql").read_text("utf-8")


def job_id(number: int) -> UUID:
    """Return the id of the prepared job with this number; insert_jobs.sql says the same."""
    return UUID(f"00000000-0000-7000-8000-{number:012x}")


def owner(number: int) -> str:
    """Return the name of an owner, from 0."""
    return f"owner-{number}"


async def grant_all(engine: Engine, owners: int) -> None:
    """Give every owner more credits than a benchmark spends."""
    for number in range(owners):
        await engine.grant(owner(number), CREDITS, kind="purchased", source_ref="benchmark")


class Preparer:
    """Makes jobs in one database, in the numbers from 1 on."""

    def __init__(self, connection: asyncpg.Connection, owners: int) -> None:
        self._connection, self._owners = connection, owners
        self._last = 0

    async def insert(self, count: int) -> range:
        """Insert *count* pending jobs and return their numbers."""
        numbers = range(self._last + 1, self._last + count + 1)
        for first in range(numbers.start, numbers.stop, _AT_ONCE):
            last = min(first + _AT_ONCE, numbers.stop) - 1
            await self._connection.execute(
                text_of("insert_jobs"),
                first,
                last,
                self._owners,
                BENCHMARK.name,
                BENCHMARK.version,
                BENCHMARK.pool,
                PRICE,
            )
        self._last += count
        return numbers

    async def queue(self, numbers: range) -> None:
        """Queue inserted jobs, with their credits held."""
        await self._connection.execute(text_of("queue_jobs"), numbers.start, numbers.stop - 1)

    async def queued(self, count: int) -> range:
        """Insert *count* jobs, queue them a few at a time, and return their numbers."""
        numbers = await self.insert(count)
        for part in _parts(numbers):
            await self.queue(part)
        return numbers

    async def end(self, numbers: range) -> None:
        """Cancel queued jobs, with their credits given back."""
        for part in _parts(numbers):
            await self._connection.execute(text_of("end_jobs"), part.start, part.stop - 1)

    async def settle(self) -> None:
        """Leave the tables as autovacuum would, so that it does not do so while something is measured."""
        await self._connection.execute(text_of("vacuum"))


def _parts(numbers: range) -> Iterator[range]:
    for first in range(numbers.start, numbers.stop, _TOGETHER):
        yield range(first, min(first + _TOGETHER, numbers.stop))
