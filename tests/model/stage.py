"""A real Postgres with a clock that stands still, and workers that take their turns when they are told to."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from makegood import BaseJob, Catalog, Completion, Engine, JobInput, MakegoodError, ProviderAccount, Settings
from makegood.job import Job
from makegood.machine import Event
from makegood.mover import Mover
from makegood.outcome import JSON
from makegood.runtime import (
    Collector,
    Context,
    Crew,
    Dispatcher,
    LocalWakeups,
    Poller,
    Submitter,
    Watchdog,
)
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from tests.model.site import Site, WorkerKilled

POOL, ACCOUNT = "gpu", "gpu-1"
LEASE_SECONDS = 300.0
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
# An account without money may be tried again within a story.
SETTINGS = Settings(webhook_base_url="https://makegood.example", unfit_seconds=20, unfit_max_seconds=60)
# A step that hangs has failed; nothing waits this long on purpose.
PATIENCE_SECONDS = 60.0

_CLOCK = """
create table public.clock (at timestamptz not null);
insert into public.clock values ('2026-01-01');
grant select on public.clock to public;
create or replace function makegood.now() returns timestamptz
language sql stable parallel safe as $$ select at from public.clock $$;
"""
# Rules are permanent, and so are the rows of this schema: only replica mode gets past its triggers.
_EMPTY = """
do $$ declare name text; begin
  set local session_replication_role = replica;
  for name in select c.oid::regclass::text from pg_class c where c.relnamespace = 'makegood'::regnamespace
      and c.relkind = 'r' and c.relname !~ '^(machine|migration|ledger_rule|granted)' loop
    execute 'delete from ' || name;
  end loop;
end $$;
"""


class Wanted(JobInput):
    """What a story decides about a job before it begins."""

    price: int
    earned: int | None = None
    fee: int = 0


class Picture(BaseJob):
    """The seven states as they are, at any price, for results and cancelled runs of any worth."""

    name = "model_picture"
    pool = POOL
    Input = Wanted

    @classmethod
    def price_of(cls, value: Any) -> int:
        return int(value.price)

    @classmethod
    def cancellation_price(cls, job: Job, ran: bool) -> int:
        return int(job.input["fee"]) if ran else 0

    @classmethod
    def delivered(cls, job: Job, files: Sequence[JSON]) -> tuple[Event[Any], Completion]:
        return BaseJob.complete, Completion(output={"files": list(files)}, earned=job.input["earned"])


class Loop(Protocol):
    """A loop whose work goes on in a crew."""

    crew: Crew

    async def turn(self) -> bool:
        """See `makegood.runtime.Loop`."""


class Worker:
    """One process: an engine and one of each loop over a store of its own."""

    def __init__(self, store: PostgresStore, site: Site, numbers: Iterator[int]) -> None:
        def new_id() -> UUID:  # told apart by nothing but their order, so that a story can be told again
            return UUID(int=next(numbers))

        blobs, wakeups, catalog = MemoryBlobs(), LocalWakeups(), Catalog([Picture])
        self.store = store
        providers = {ProviderAccount(name=ACCOUNT, pool=POOL, capacity=1): site}
        self.engine = Engine(
            store,
            catalog,
            blobs=blobs,
            providers=providers,
            settings=SETTINGS,
            wakeups=wakeups,
            run_loops=False,
            new_id=new_id,
        )
        mover = Mover(store, catalog, wakeups, SETTINGS, new_id)
        context = Context(store, catalog, mover, providers, blobs, wakeups, SETTINGS)
        self.dispatcher, self.submitter = Dispatcher(context), Submitter(context)
        self.poller, self.collector = Poller(context), Collector(context)
        self.watchdog = Watchdog(context)

    async def work(self, *loops: Loop) -> None:
        """Let each loop take a turn and end what it began; a killed worker leaves everything as it is."""
        for loop in loops:
            try:
                await loop.turn()
            except WorkerKilled:
                return
            await loop.crew.drain(PATIENCE_SECONDS)


@dataclass
class Stage:
    """One database for many stories, one after the other.

    `sql` looks and sets the clock, as the owner; `program` may read jobs and write their state and output.
    """

    stores: list[PostgresStore]
    sql: asyncpg.Connection
    program: asyncpg.Connection
    now: datetime = BEGINNING
    stories: int = 0
    steps: int = 0
    broken: list[str] = field(default_factory=list)  # the first story that failed, act by act

    async def begin(self, site: Site, capacity: int) -> list[Worker]:
        """Empty the database, set its clock back, and return two workers of one provider account."""
        await self.sql.execute(_EMPTY)
        await self.set_clock(BEGINNING)
        numbers = itertools.count(1)
        workers = [Worker(store, site, numbers) for store in self.stores]
        await self.resize(workers[0], capacity)
        return workers

    async def resize(self, worker: Worker, capacity: int) -> None:
        """Give the provider account another capacity."""
        await worker.store.attempts.register(ProviderAccount(name=ACCOUNT, pool=POOL, capacity=capacity))

    async def set_clock(self, now: datetime) -> None:
        """Set the database's time."""
        self.now = now
        await self.sql.execute("update public.clock set at = $1", now)

    async def advance(self, seconds: float) -> None:
        """Let time pass."""
        await self.set_clock(self.now + timedelta(seconds=seconds))

    async def set_state(self, jobs: Sequence[UUID], state: str, output: str | None) -> str | None:
        """Write a state into the job table as any program could; return the code of a refusal."""
        query = "update makegood.job set state = $2 where job_id = any($1)"
        if output is not None:
            query = "update makegood.job set state = $2, output = $3::jsonb where job_id = any($1)"
        try:
            await self.program.execute(query, jobs, state, *([] if output is None else [output]))
        except asyncpg.PostgresError as refused:
            return str(refused.sqlstate)
        return None


@asynccontextmanager
async def staged(dsn: str) -> AsyncIterator[Stage]:
    """Open two stores and a connection of another program on a migrated database of the test's own."""
    async with AsyncExitStack() as stack:
        sql = await asyncpg.connect(dsn)
        stack.callback(sql.terminate)
        await sql.execute(_CLOCK)
        stores = [
            await stack.enter_async_context(PostgresStore.open(dsn, connections_max=6)) for _ in range(2)
        ]
        await stores[0].declare([Picture.spec])
        program = await stack.enter_async_context(_another_program(dsn, sql))
        yield Stage(stores, sql, program)


@asynccontextmanager
async def _another_program(dsn: str, sql: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """Connect as a role that may do little; roles belong to the whole server, so it is dropped at the end."""
    role = f"makegood_model_{secrets.token_hex(6)}"
    await sql.execute(f"create role {role} nologin")
    program = await asyncpg.connect(dsn)
    try:
        await sql.execute(f"grant usage on schema makegood to {role}")
        await sql.execute(f"grant select, update (state, output) on makegood.job to {role}")
        await program.execute(f"set role {role}")
        yield program
    finally:
        program.terminate()
        await sql.execute(f"drop owned by {role}")
        await sql.execute(f"drop role {role}")


async def refusals(*acts: Awaitable[object]) -> list[MakegoodError | None]:
    """Run the acts at once; return for each the refusal with which it ended, None if it went well."""
    ends = await asyncio.gather(*acts, return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException) and not isinstance(end, MakegoodError):
            raise end
    return [end if isinstance(end, MakegoodError) else None for end in ends]
