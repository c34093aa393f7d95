"""A caller is cancelled, or its whole process told to stop, at any await of accept, complete or fail."""

import asyncio
import contextlib
from collections.abc import Coroutine, Generator, Iterator
from itertools import count
from typing import Any

import asyncpg
import pytest

from makegood import BaseJob, Catalog, Engine, Failure
from makegood.errors import IllegalTransition
from makegood.job import Job, JobMoney
from makegood.lifecycle import Completion
from makegood.testing.drive import PRICE, Drive, Plain, fact, new_job
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.postgres.far import nothing_is_open
from tests.adapters.postgres.lives import SAID, WHOLE_LIFE, live
from tests.conftest import Tally

SAMPLE = 10  # of so many points `make test` takes one
MONEY = {
    "accept": JobMoney(held=PRICE),
    "complete": JobMoney(captured=PRICE),
    "fail": JobMoney(released=PRICE),
}


class Awaits:
    """Counts the awaits of all tasks begun under `watched`; at number *at* it cancels one task, or all."""

    def __init__(self) -> None:
        self.at = self.seen = 0
        self.caller: asyncio.Task[Any] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def arm(self, at: int, caller: "asyncio.Task[Any] | None") -> None:
        """Count from here; without a *caller* every task is cancelled."""
        self.at, self.seen, self.caller = at, 0, caller

    def met(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            for task in [self.caller] if self.caller else list(self._tasks):
                task.cancel()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Make every task that is begun meanwhile a counted one."""
        loop = asyncio.get_running_loop()

        def begin(
            loop: asyncio.AbstractEventLoop, work: Any, **given: Any
        ) -> "asyncio.Task[Any]":  # what a loop asks of its task factory
            task = asyncio.Task(Counted(work, self), loop=loop, **given)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return task

        loop.set_task_factory(begin)
        try:
            yield
        finally:
            loop.set_task_factory(None)


class Counted(Coroutine[Any, Any, Any]):
    """A coroutine that tells each time when it waits."""

    def __init__(self, inner: Coroutine[Any, Any, Any], awaits: Awaits) -> None:
        self._inner, self._awaits = inner, awaits

    def send(self, value: Any) -> Any:
        waited_for = self._inner.send(value)
        self._awaits.met()
        return waited_for

    def throw(self, *error: Any) -> Any:
        waited_for = self._inner.throw(*error)
        self._awaits.met()
        return waited_for

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()


async def call(engine: Engine, job: Job, act: str) -> Job:
    """Do what a service does; once it is done it is an error to do it again, but for accept."""
    match act:
        case "accept":
            return await engine.accept(job.id)
        case "complete":
            done = Completion(output={"files": []})
            return await engine.fire(job.id, BaseJob.complete, done, evidence=fact(job, SAID[act]))
        case _:
            return await engine.fire(job.id, BaseJob.fail, Failure(), evidence=fact(job, SAID[act]))


@pytest.mark.soak
@pytest.mark.timeout(900)  # many points; the bound is for what hangs
@pytest.mark.parametrize("act", MONEY)
@pytest.mark.parametrize("whom", ["the caller", "every task"])
async def test_whoever_is_cancelled_at_any_await_leaves_no_transaction_open(
    drive: Drive,
    plain: asyncpg.Connection,
    database: str,
    act: str,
    whom: str,
    soak: bool,
    tally: Tally,
) -> None:
    await drive.grant(10_000 * PRICE)
    pool = await drive.pool(capacity=1_000)
    place = "pending 0" if act == "accept" else "running 1"
    awaits, points, usual = Awaits(), 0, 0
    for at in count(0):
        if not soak and usual and (at > usual or at % SAMPLE != 1):
            if at > usual:
                break
            continue
        job = await live(drive.store, await drive.store.jobs.insert(new_job(pool=pool)), WHOLE_LIFE, to=place)
        with awaits.watched():
            async with (
                PostgresStore.open(database, connections_max=2) as store,
                Engine(store, Catalog([Plain]), blobs=MemoryBlobs(), run_loops=False) as engine,
            ):
                working = asyncio.create_task(call(engine, job, act))
                awaits.arm(at, working if whom == "the caller" else None)
                with contextlib.suppress(asyncio.CancelledError):
                    await working
                awaits.at = 0
                if whom == "the caller":  # the same process serves on
                    with contextlib.suppress(IllegalTransition):
                        await call(engine, job, act)
                    await nothing_is_open(plain)
        await nothing_is_open(plain)
        async with Engine(drive.store, Catalog([Plain]), blobs=MemoryBlobs(), run_loops=False) as other:
            with contextlib.suppress(IllegalTransition):
                await call(other, job, act)
        assert [t.event for t in await drive.store.jobs.history(job.id)].count(act) == 1
        assert await drive.store.jobs.money(job.id) == MONEY[act]
        usual = usual or awaits.seen
        if at and awaits.seen < at:
            break
        points += bool(at)
    assert (await drive.store.audit()).violations == ()
    assert points > 0
    tally("cancel points", points)


async def test_a_batch_that_was_cancelled_before_it_began_keeps_nobody_waiting(
    store: PostgresStore,
) -> None:
    """A host that shuts down cancels every task, and then cleans up through the same store."""
    first = asyncio.create_task(store.jobs.insert(new_job(owner="ada")))
    await asyncio.sleep(0)  # the caller waits in the batch, whose task has not begun
    [batch] = [task for task in asyncio.all_tasks() if task.get_name() == "makegood group commit"]
    batch.cancel()
    second = await store.jobs.insert(new_job(owner="ada"))
    assert {(await first).state, second.state} == {"pending"}
