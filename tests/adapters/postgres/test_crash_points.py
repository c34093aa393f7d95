"""A worker dies, or is struck, at any request and at any row of a job's life, and another one goes on."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from makegood import Catalog, Engine
from makegood.errors import StoreError
from makegood.job import NewJob
from makegood.ports import Store
from makegood.testing.drive import LEASE_SECONDS, PRICE, Drive, Plain, new_job
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.postgres.flights import Fate, FlightProxy, flights_to
from tests.adapters.postgres.lives import LIVES, NothingToDo, Plan, live, named, summary
from tests.adapters.postgres.strikes import Rows, Strike, rows_of
from tests.conftest import Tally

Work = Callable[[Store], Awaitable[object]]
#: Bring a fault of a kind to a worker's request or row of a number; whether there was one to meet.
Befall = Callable[[Any, int], Awaitable[bool]]

SAMPLE = 10  # of so many points `make test` takes one, `make soak` all
CUTS = (Fate.UNSENT, Fate.UNHEARD, Fate.TORN, Fate.LOST)
STRIKES = (Strike.REFUSED, Strike.LOST_TO_OTHERS, Strike.DISK_FULL, Strike.KILLED)
over_lives = pytest.mark.parametrize(("plan", "place"), LIVES, ids=named)
# Hundreds of points take their time where other programs work too; the bound is for what hangs.
pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


@pytest_asyncio.fixture
async def flights(database: str) -> AsyncIterator[FlightProxy]:
    async with flights_to(database) as opened:
        yield opened


@pytest_asyncio.fixture
async def rows(database: str) -> AsyncIterator[Rows]:
    async with rows_of(database) as opened:
        yield opened


@asynccontextmanager
async def armed(flights: FlightProxy, at: int, fate: Fate, *, fatal: bool) -> AsyncIterator[Store]:
    """Open the store of a process whose request number *at* will meet *fate*."""
    flights.arm()
    async with PostgresStore.open(flights.dsn, connections_max=2) as store:
        flights.arm(at, fate, fatal=fatal)
        yield store


async def dies(flights: FlightProxy, at: int, fate: Fate, work: Work) -> bool:
    """Let a process do *work* and end in the moment in which its request number *at* meets *fate*."""
    async with armed(flights, at, fate, fatal=True) as store:
        working, struck = asyncio.ensure_future(work(store)), asyncio.create_task(flights.struck.wait())
        await asyncio.wait({working, struck}, return_when=asyncio.FIRST_COMPLETED)
        for _ in range(3):  # the store brings a transaction to its end unless it is told more than once
            working.cancel()
            await asyncio.sleep(0)
        struck.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
    return flights.struck.is_set()


async def lives_on(flights: FlightProxy, at: int, fate: Fate, work: Work) -> bool:
    """Let a process do *work* and go on after its request number *at* has met *fate*."""
    async with armed(flights, at, fate, fatal=False) as store:
        with contextlib.suppress(NothingToDo):
            await work(store)
    return flights.struck.is_set()


async def is_struck(rows: Rows, dsn: str, at: int, strike: Strike, work: Work) -> bool:
    """Let a process do *work* and go on, or give up, after its row number *at* was struck."""
    async with PostgresStore.open(dsn, connections_max=2) as store:
        await rows.arm(at, strike)
        with contextlib.suppress(NothingToDo, StoreError):
            await work(store)
    return await rows.seen() >= at


async def every_point(
    faults: tuple[Any, ...],
    befall: Befall,
    *,
    usual: int,
    soak: bool,
    shift: int = 0,
    sample: int = SAMPLE,
) -> int:
    """Try each fault at 1, 2, ... until it meets nothing more, or one of *sample* of them up to *usual*."""
    tried, ticks = 0, count(shift)
    for fault in faults:
        for at in count(1):
            if not soak and (at > usual or next(ticks) % sample):
                if at > usual:
                    break
                continue
            if not await befall(fault, at):
                assert at > usual // 2, f"{fault} met nothing at {at} of about {usual}"
                break
            tried += 1
    return tried


class Lives:
    """Jobs that all follow one plan: what befalls their workers makes no difference in the end."""

    def __init__(self, drive: Drive, plain: asyncpg.Connection, plan: Plan, place: str) -> None:
        self._drive, self._plain, self._plan, self._place = drive, plain, plan, place
        self._pool, self._lived, self._found = "", 0, Counter[tuple[Any, ...]]()
        self.wanted: tuple[Any, ...] = ()

    async def begin(self) -> None:
        """Live one life undisturbed."""
        await self._drive.grant(10_000 * PRICE)
        self._pool = await self._drive.pool(capacity=1)
        store = self._drive.store
        job = await live(store, await store.jobs.insert(new_job(pool=self._pool)), self._plan)
        self.wanted = await summary(store, self._plain, job)

    async def another(self) -> tuple[NewJob, Work]:
        """Bring another job to the place, and return the work that a worker has with it."""
        new, store = new_job(pool=self._pool), self._drive.store
        if self._place:
            await live(store, await store.jobs.insert(new), self._plan, to=self._place)

        async def work(theirs: Store) -> None:
            job = await theirs.jobs.get(new.id) if self._place else await theirs.jobs.insert(new)
            assert job is not None
            await live(theirs, job, self._plan, through=self._place)

        return new, work

    async def recover(self, new: NewJob) -> None:
        """Let another process live the rest, and note what has become of the job."""
        store = self._drive.store
        await self._drive.advance(LEASE_SECONDS + 1)  # before that the lease of the dead stands
        job = await live(store, await store.jobs.insert(new), self._plan, alone=False)
        self._found[await summary(store, self._plain, job)] += 1
        self._lived += 1

    async def all_ended_alike(self) -> None:
        assert self._found == {self.wanted: self._lived}
        assert (await self._drive.store.audit()).violations == ()


@pytest_asyncio.fixture
async def lives(drive: Drive, plain: asyncpg.Connection, plan: Plan, place: str) -> Lives:
    made = Lives(drive, plain, plan, place)
    await made.begin()
    assert made.wanted[:2] == ((0, 0) if place == "pending 0" else (1, 1))
    return made


@over_lives
@pytest.mark.parametrize("how", [dies, lives_on])
@pytest.mark.soak(short=1, long=len(CUTS))
async def test_d35_c4_a_job_ends_alike_whatever_request_of_its_worker_was_cut(
    lives: Lives,
    flights: FlightProxy,
    plan: Plan,
    place: str,
    how: Any,
    part: int,
    soak: bool,
    tally: Tally,
) -> None:
    """Each request that any step makes, cut before, on and after its way."""

    async def befall(fate: Fate, at: int) -> bool:
        new, work = await lives.another()
        met: bool = await how(flights, at, fate, work)
        await lives.recover(new)
        return met

    assert not await befall(Fate.UNSENT, 0)
    usual, shift = flights.seen, LIVES.index((plan, place))
    faults = CUTS[part : part + 1] if soak else CUTS
    tally("crash points", await every_point(faults, befall, usual=usual, soak=soak, shift=shift))
    await lives.all_ended_alike()


@over_lives
@pytest.mark.soak(short=1, long=len(STRIKES))
async def test_d35_p12_a_job_ends_alike_whatever_row_of_its_worker_was_struck(
    lives: Lives,
    rows: Rows,
    database: str,
    plan: Plan,
    place: str,
    part: int,
    soak: bool,
    tally: Tally,
) -> None:
    """Each row that any step writes, in whatever function of the server, before and after it is written."""

    async def befall(strike: Strike, at: int) -> bool:
        new, work = await lives.another()
        met = await is_struck(rows, database, at, strike, work)
        await lives.recover(new)
        return met

    usual, shift = await rows_written(rows, database, lives), LIVES.index((plan, place))
    faults = STRIKES[part : part + 1] if soak else STRIKES
    tally("crash points", await every_point(faults, befall, usual=usual, soak=soak, shift=shift))
    await lives.all_ended_alike()


async def rows_written(rows: Rows, dsn: str, lives: Lives) -> int:
    """Count the rows that a worker writes whom nothing befalls."""
    new, work = await lives.another()
    await rows.arm()
    async with PostgresStore.open(dsn, connections_max=2) as store:
        await work(store)
    written = await rows.seen()
    await lives.recover(new)
    return written


async def test_a_wish_to_cancel_is_never_without_whose_it_is(
    drive: Drive, plain: asyncpg.Connection, flights: FlightProxy, tally: Tally
) -> None:
    await drive.grant(10_000 * PRICE)
    pool = await drive.pool(capacity=100)

    async def befall(fate: Fate, at: int) -> bool:
        job = await drive.to("running", pool=pool)

        async def work(store: Store) -> None:
            engine = Engine(store, Catalog([Plain]), blobs=MemoryBlobs(), run_loops=False)
            async with engine:
                await engine.cancel(job.id, actor="Ada", reason="too slow")

        met = await dies(flights, at, fate, work)
        asked = (await drive.job(job)).cancel_requested_at is not None
        kept = [message.body for message in await drive.store.hints.of(job.id, 10, 100)]
        assert kept == (["Ada asks to cancel it: too slow"] if asked else []), (fate, at)
        told[asked] += 1
        return met

    told = Counter[bool]()
    assert not await befall(Fate.UNSENT, 0)
    points = await every_point((Fate.UNSENT, Fate.LOST), befall, usual=flights.seen, soak=True)
    assert told[True] > 1, "the request was on its way"
    assert told[False] > 1, "the request was not made"
    tally("crash points", points)


@pytest.mark.parametrize("how", [dies, lives_on])
@pytest.mark.parametrize("act", ["grant", "expire"])
async def test_credits_come_and_go_once_whatever_request_was_cut(
    drive: Drive,
    plain: asyncpg.Connection,
    flights: FlightProxy,
    act: str,
    how: Any,
    soak: bool,
    tally: Tally,
) -> None:
    async def befall(fate: Fate, at: int) -> bool:
        owner, expiry = f"owner {uuid4()}", await drive.now() + timedelta(seconds=10)

        async def grant(store: Store) -> None:
            await store.ledger.grant(owner, PRICE, kind="monthly", source_ref="order", expires_at=expiry)

        async def expire(store: Store) -> None:
            await store.ledger.expire(100)

        if act == "expire":
            await grant(drive.store)
            await drive.advance(11)
        work = {"grant": grant, "expire": expire}[act]
        met: bool = await how(flights, at, fate, work)
        await work(drive.store)
        kinds = "SELECT array_agg(kind ORDER BY seq) FROM makegood.journal WHERE owner_id = $1"
        assert await plain.fetchval(kinds, owner) == {"grant": ["issue"], "expire": ["issue", "expire"]}[act]
        available = (await drive.store.ledger.wallet(owner)).available
        assert available == {"grant": PRICE, "expire": 0}[act]
        return met

    assert not await befall(Fate.UNSENT, 0)
    points = await every_point(CUTS, befall, usual=flights.seen, soak=soak)
    assert points > 0
    tally("crash points", points)
