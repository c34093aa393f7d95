"""What is measured: callers that use the engine as a service does, each one call at a time."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from makegood import Engine, Failure
from makegood_adapters.cli.bench.jobs import BENCHMARK, Preparer, job_id, owner
from makegood_adapters.cli.bench.plan import BooksDisagree, Plan

_CLOCK = time.perf_counter
_FIRST_JOBS = 200
_PREPARERS = 256
#: The rate of the slice before says how many jobs the next one needs; a slice that has used them up ends.
_SPARE = 2.0


@dataclass(frozen=True, slots=True)
class Slice:
    """What happened while the clock ran: how long each unit took, and all of them, in seconds."""

    latencies: list[float]
    seconds: float

    @property
    def rate(self) -> float:
        """Units per second."""
        return len(self.latencies) / self.seconds


class Workload(Protocol):
    """Something that can be run for a while; `script` is the pgbench script that it is compared with.

    Of each job `units_per_job` are counted, and `transitions_per_job` rows of history are written; `prepared`
    rows were written before the clock ran.
    """

    name: str
    unit: str
    script: str
    units_per_job: int
    transitions_per_job: int
    prepared: int

    async def prepare(self, seconds: float) -> None:
        """Make what a slice of *seconds* needs; this is not measured."""

    async def run(self, seconds: float) -> Slice:
        """Let all callers work for *seconds*, and return when the last one has come to its end."""


async def call_together(
    callers: int, seconds: float, turn: Callable[[list[float]], Awaitable[bool]]
) -> Slice:
    """Let *callers* take turns side by side until *seconds* have passed, each one at least, or a turn returns
    False."""
    latencies: list[float] = []
    began = _CLOCK()
    end = began + seconds

    async def caller() -> None:
        while await turn(latencies) and _CLOCK() < end:
            pass

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(caller())
    except ExceptionGroup as group_error:  # the first tells why, the others followed
        raise group_error.exceptions[0] from None
    return Slice(latencies, _CLOCK() - began)


class _Prepared(ABC):
    """A workload on jobs that are there before; of each slice a rate is kept to size the next one."""

    transitions_per_job = units_per_job = 1

    def __init__(self, engine: Engine, preparer: Preparer, plan: Plan) -> None:
        self._engine, self._preparer, self._plan = engine, preparer, plan
        self._jobs_per_second, self.prepared = 0.0, 0
        self._left: Iterator[UUID] = iter(())

    async def prepare(self, seconds: float) -> None:
        """See `Workload.prepare`; jobs that the slice before has left over stay as they are."""
        wanted = int(_SPARE * self._jobs_per_second * seconds)
        await self._take(max(wanted, _FIRST_JOBS, 2 * self._plan.concurrency))
        await self._preparer.settle()

    async def _take(self, count: int) -> None:
        """Submit jobs, as the service does whose users then pay for them."""
        owners = (owner(number % self._plan.owners) for number in range(count))
        jobs: list[UUID] = []

        async def submit(_: list[float]) -> bool:
            name = next(owners, None)
            if name is not None:
                jobs.append((await self._engine.submit(BENCHMARK, name, {})).id)
            return name is not None

        await call_together(_PREPARERS, float("inf"), submit)
        self.prepared += len(jobs)
        self._left = iter(jobs)

    async def run(self, seconds: float) -> Slice:
        """See `Workload.run`."""
        measured = await call_together(self._plan.concurrency, seconds, self._turn)
        self._jobs_per_second = measured.rate / self.units_per_job
        return measured

    @abstractmethod
    async def _turn(self, latencies: list[float]) -> bool:
        """Do one unit, note how long it took, and return whether there may be another."""


class Accept(_Prepared):
    """Accept pending jobs: each becomes queued, with its price held."""

    name, unit, script = "accept", "accepted jobs", "accept"

    async def _turn(self, latencies: list[float]) -> bool:
        job = next(self._left, None)
        if job is None:
            return False
        began = _CLOCK()
        await self._engine.accept(job)
        latencies.append(_CLOCK() - began)
        return True


class Transitions(_Prepared):
    """Accept a job and cancel it again: credits are held, then given back."""

    name, unit, script = "transitions", "transitions", "transitions"
    units_per_job = transitions_per_job = 2

    async def _turn(self, latencies: list[float]) -> bool:
        job = next(self._left, None)
        if job is None:
            return False
        began = _CLOCK()
        await self._engine.accept(job)
        between = _CLOCK()
        await self._engine.cancel(job)
        latencies += (between - began, _CLOCK() - between)
        return True


class Refund(_Prepared):
    """Fail many queued jobs at once, as when a provider closes: every credit comes back."""

    name, unit, script = "refund", "refunds", "transitions"

    async def prepare(self, seconds: float) -> None:
        """See `Workload.prepare`."""
        numbers = await self._preparer.insert(self._plan.jobs)
        await self._preparer.queue(numbers)
        self._left = map(job_id, numbers)
        await self._preparer.settle()

    async def run(self, seconds: float) -> Slice:
        """Fail all jobs, however long that takes."""
        measured = await super().run(float("inf"))
        if len(measured.latencies) != self._plan.jobs:
            raise BooksDisagree(f"{len(measured.latencies)} of {self._plan.jobs} jobs were refunded.")
        return measured

    async def _turn(self, latencies: list[float]) -> bool:
        job = next(self._left, None)
        if job is None:
            return False
        failure = Failure(category="closed", message="The provider has closed.")
        began = _CLOCK()
        await self._engine.fire(job, BENCHMARK.fail, failure, actor="benchmark", reason=failure.message)
        latencies.append(_CLOCK() - began)
        return True
