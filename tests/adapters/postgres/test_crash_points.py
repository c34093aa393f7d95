"""A worker dies before or after any statement of a job's life, and another one takes the same steps again."""

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from itertools import count
from typing import Any, NoReturn, TypeVar

import asyncpg
import pytest

from makegood.job import Job, NewJob, Verdict
from makegood.ports import Store
from makegood.testing.drive import (
    LEASE_SECONDS,
    PLAIN,
    PRICE,
    Drive,
    accounts,
    change,
    edge_of,
    fact,
    new_job,
    token_hash,
)
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.postgres.far import pool_at

# What is done at each place of a life; a place is the job's state and the number of its attempt, and a slot
# has two: before and after its attempt may have been sent.
FORWARD = {"pending": "accept", "queued": "dispatch", "opened": "submit", "starting": "begin"}
SAID = {
    "begin": Verdict.ACCEPTED,
    "complete": Verdict.SUCCEEDED,
    "fail": Verdict.FAILED,
    "cancel": Verdict.CANCELLED,
    "defer": Verdict.REJECTED,
    "rerun": Verdict.FAILED,
}
T = TypeVar("T")
Plan = Mapping[str, str]

WHOLE_LIFE: Plan = {"running 1": "complete"}
# The first place of each differs from the usual way, and its statements are those at which the worker dies.
TURNS: list[Plan] = [
    {"pending 0": "refuse"},
    {"pending 0": "cancel"},
    {"queued 0": "fail"},
    {"queued 0": "cancel"},
    {"opened 1": "fail"},
    {"opened 1": "cancel"},
    {"starting 1": "complete"},
    {"starting 1": "fail"},
    {"starting 1": "cancel"},
    {"starting 1": "defer", "running 2": "complete"},
    {"running 1": "fail"},
    {"running 1": "cancel"},
    {"running 1": "rerun", "running 2": "complete"},
]


class Crash(BaseException):
    """The process dies here; nothing may catch it."""


class Worker:
    """Counts its statements, BEGIN and COMMIT too, and dies at number *at*, on the side *when*."""

    def __init__(self, at: int, when: str) -> None:
        self.at, self.when = at, when
        self.seen, self.dead = 0, False

    async def does(self, connection: asyncpg.Connection, statement: Callable[[], Awaitable[T]]) -> T:
        self.seen += 1
        here = self.seen == self.at
        if self.dead or (here and self.when == "before"):
            self._die(connection)
        result = await statement()
        if here:
            self._die(connection)
        return result

    def _die(self, connection: asyncpg.Connection) -> NoReturn:
        self.dead = True
        connection.terminate()
        raise Crash


def connection_of(worker: Worker) -> type[asyncpg.Connection]:
    """Return the class of the connections through which *worker* does everything."""

    class Mortal(asyncpg.Connection):
        async def execute(self, *args: Any, **options: Any) -> Any:
            return await worker.does(self, partial(super().execute, *args, **options))

        async def fetch(self, *args: Any, **options: Any) -> Any:
            return await worker.does(self, partial(super().fetch, *args, **options))

        async def fetchrow(self, *args: Any, **options: Any) -> Any:
            return await worker.does(self, partial(super().fetchrow, *args, **options))

        async def fetchval(self, *args: Any, **options: Any) -> Any:
            return await worker.does(self, partial(super().fetchval, *args, **options))

    return Mortal


def place_of(job: Job) -> str:
    opened = job.state == "starting" and not job.submitted
    return f"{'opened' if opened else job.state} {job.attempt}"


async def step(store: Store, job: Job, plan: Plan) -> None:
    """Do what comes next, as any worker would that finds the job like this."""
    act = plan.get(place_of(job)) or FORWARD[place_of(job).split()[0]]
    match act:
        case "dispatch":
            await store.attempts.dispatch(job.pool, accounts(job.pool), 1)
        case "submit":
            [attempt] = await store.attempts.claim(accounts(job.pool), 1, LEASE_SECONDS)
            assert await store.attempts.intend(attempt, token_hash(attempt), LEASE_SECONDS)
        case _:
            if act == "cancel":
                await store.jobs.request_cancel(job.id)
            evidence = fact(job, SAID[act]) if job.submitted and job.state != "queued" else None
            await store.jobs.apply(change(job, edge_of(PLAIN, job.state, act), evidence=evidence))


async def live(store: Store, job: Job, plan: Plan, *, to: str = "", through: str = "") -> Job:
    """Live from wherever the job is to its end, or *to* a place, or *through* the one where it is."""
    while job.finished_at is None and place_of(job) != to:
        if through and place_of(job) != through:
            break
        await step(store, job, plan)
        found = await store.jobs.get(job.id)
        assert found is not None
        job = found
    return job


async def summary(store: Store, plain: asyncpg.Connection, job: Job) -> tuple[Any, ...]:
    """Return what is the same for every job of one plan, wherever its worker died."""
    row = await plain.fetchrow(
        "SELECT count(*) FILTER (WHERE kind = 'hold') AS holds,"
        " count(*) FILTER (WHERE kind IN ('capture', 'release')) AS settlements"
        " FROM makegood.journal WHERE job_id = $1",
        job.id,
    )
    assert row is not None
    events = tuple(transition.event for transition in await store.jobs.history(job.id))
    return row["holds"], row["settlements"], await store.jobs.money(job.id), job.state, events


async def die_and_recover(drive: Drive, dsn: str, worker: Worker, new: NewJob, plan: Plan, place: str) -> Job:
    """Let *worker* live the job's life, or only what is done at *place*, and another one the rest."""
    if place:
        await live(drive.store, await drive.store.jobs.insert(new), plan, to=place)
    async with pool_at(dsn, max_size=1, connection_class=connection_of(worker)) as pool:
        store = PostgresStore(pool)
        job = await drive.store.jobs.get(new.id)
        worker.seen = 0
        with contextlib.suppress(Crash):
            await live(store, job or await store.jobs.insert(new), plan, through=place)
    if worker.dead:
        await drive.advance(LEASE_SECONDS + 1)  # before that the lease of the dead stands
    return await live(drive.store, await drive.store.jobs.insert(new), plan)


@pytest.mark.parametrize(
    ("plan", "place"),
    [(WHOLE_LIFE, ""), *((plan, next(iter(plan))) for plan in TURNS)],
    ids=["whole life", *(" ".join(next(iter(plan.items()))) for plan in TURNS)],
)
async def test_a_worker_may_die_at_any_statement(
    drive: Drive, plain: asyncpg.Connection, database: str, plan: Plan, place: str
) -> None:
    await drive.grant(1_000 * PRICE)
    pool = await drive.pool(capacity=1)
    undisturbed = await live(drive.store, await drive.store.jobs.insert(new_job(pool=pool)), plan)
    wanted = await summary(drive.store, plain, undisturbed)
    assert wanted[:2] == ((0, 0) if place == "pending 0" else (1, 1))
    found: Counter[tuple[Any, ...]] = Counter()
    points = 0
    for when in ("before", "after"):
        for at in count(1):
            worker = Worker(at, when)
            job = await die_and_recover(drive, database, worker, new_job(pool=pool), plan, place)
            if not worker.dead:
                break
            points += 1
            found[await summary(drive.store, plain, job)] += 1
    assert points >= (
        14 if place else 100
    )  # of a step: BEGIN, two statements, COMMIT, the pool's reset, a read and its reset
    assert found == {wanted: points}
