"""Whole paid lives: the loops of the runtime carry jobs from submit to a result that is captured."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any
from uuid import UUID

from makegood import BaseJob, Catalog, Engine, Event, Job, ProviderAccount, Settings
from makegood.mover import Mover, job_topic
from makegood.outcome import JSON
from makegood.ports import Provider, Store
from makegood.runtime import (
    Collector,
    Context,
    Dispatcher,
    Health,
    LocalWakeups,
    Poller,
    Sequencer,
    Submitter,
    run_all,
)
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.cli.bench.jobs import LONG, Benchmark, Preparer, owner
from makegood_adapters.cli.bench.plan import BooksDisagree, Plan
from makegood_adapters.cli.bench.workloads import Slice, call_together
from makegood_adapters.memory import MemoryBlobs

_SLOTS = 32  # of one provider account
_LIFE_SECONDS = 180.0
_STOP_SECONDS = 10.0
_ASKS_PER_SECOND = 1_000_000.0


def watched(delivered_jobs: set[UUID]) -> type[BaseJob]:
    """Return the measured type; it notes in *delivered_jobs* whose result is about to be captured."""

    class Life(Benchmark):
        name = Benchmark.name

        @classmethod
        def delivered(cls, job: Job, files: Sequence[JSON]) -> tuple[Event[Any], Any] | None:
            delivered_jobs.add(job.id)
            return None

    return Life.with_deadlines(LONG)


def accounts_for(concurrency: int) -> dict[ProviderAccount, Provider]:
    """Return provider accounts in memory with a slot for every caller."""
    provider = ScriptedProvider()
    return {
        ProviderAccount(
            name=f"benchmark-{first}", pool=Benchmark.pool, capacity=min(_SLOTS, concurrency - first)
        ): provider
        for first in range(0, concurrency, _SLOTS)
    }


class Lifecycle:
    """Callers that each submit a job, accept it, and wait until it is completed.

    Dispatcher, submitter, poller and collector are those of the runtime. The relay is not running: the
    announcements stay in the outbox, as where another process tells of them.
    """

    name, unit, script = "lifecycle", "paid lives", "transitions"
    units_per_job, transitions_per_job, prepared = 1, 5, 0

    def __init__(self, store: Store, preparer: Preparer, plan: Plan) -> None:
        self._preparer, self._plan = preparer, plan
        self._delivered: set[UUID] = set()
        self._wakeups, self._owners = LocalWakeups(), count()
        # this provider knows the result at the first question: a second one would only be work
        settings = Settings(
            batch_max=max(50, plan.concurrency),
            poll_interval_seconds=_LIFE_SECONDS,
            asks_per_second=_ASKS_PER_SECOND,  # and has no patience to be spared
        )
        catalog, providers, blobs = (
            Catalog([watched(self._delivered)]),
            accounts_for(plan.concurrency),
            MemoryBlobs(),
        )
        self._settings = settings
        self.engine = Engine(
            store,
            catalog,
            blobs=blobs,
            providers=providers,
            settings=settings,
            wakeups=self._wakeups,
            run_loops=False,
        )
        mover = Mover(store, catalog, self._wakeups, settings, uuid.uuid4)
        self._context = Context(store, catalog, mover, providers, blobs, self._wakeups, settings)

    async def prepare(self, seconds: float) -> None:
        """See `Workload.prepare`."""
        self._delivered.clear()
        await self._preparer.settle()

    async def run(self, seconds: float) -> Slice:
        """Begin lives for *seconds* and return when all are over."""
        async with self._loops():
            return await call_together(self._plan.concurrency, seconds, self._live)

    async def _live(self, latencies: list[float]) -> bool:
        began = time.perf_counter()
        job = await self.engine.submit(Benchmark.name, owner(next(self._owners) % self._plan.owners), {})
        with self._wakeups.listen(job_topic(job.id)) as bell:
            await self.engine.accept(job.id)
            while job.finished_at is None:
                if time.perf_counter() - began > _LIFE_SECONDS:
                    raise BooksDisagree(f"Job {job.id} was still {job.state} after {_LIFE_SECONDS:g} s.")
                await bell.wait(self._settings.loop_interval_seconds)
                if job.id in self._delivered:
                    job = await self.engine.get(job.id)
        latencies.append(time.perf_counter() - began)
        return True

    @asynccontextmanager
    async def _loops(self) -> AsyncIterator[None]:
        crewed = (Submitter(self._context), Poller(self._context), Collector(self._context))
        loops = (Dispatcher(self._context), *crewed, Sequencer(self._context))
        healths: Mapping[str, Health] = {loop.name: Health(loop.name) for loop in loops}
        stopping = asyncio.Event()
        for account in self._context.providers:
            await self._context.store.attempts.register(account)
        running = asyncio.create_task(run_all(loops, self._wakeups, self._settings, stopping, healths))
        try:
            yield
        finally:
            stopping.set()
            for loop in loops:
                self._wakeups.wake(loop.topic)
            await running
            await asyncio.gather(*(loop.crew.drain(_STOP_SECONDS) for loop in crewed))
        failed = [health for health in healths.values() if health.last_error]
        if failed:
            raise BooksDisagree(f"The {failed[0].name} met an error: {failed[0].last_error}.")
