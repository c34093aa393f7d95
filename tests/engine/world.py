"""The engine and its loops, driven by hand while time stands still: over a store in memory or any other."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Protocol
from uuid import UUID, uuid4

import asyncpg

from makegood import (
    Attempt,
    BaseJob,
    Catalog,
    Engine,
    Failure,
    File,
    Job,
    JobInput,
    JobMoney,
    Occupancy,
    ProviderAccount,
    RerunPolicy,
    Settings,
    Transition,
)
from makegood.mover import Mover
from makegood.outcome import Answer, Features, Rejected, Retry, Uncertain, Unfinished
from makegood.runtime import (
    Collector,
    Context,
    Crew,
    Dispatcher,
    LocalWakeups,
    Poller,
    Relay,
    Sequencer,
    Submitter,
    Surveyor,
    Watchdog,
)
from makegood.testing.clock import FakeClock
from makegood.testing.provider import PNG, ScriptedProvider
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from makegood_adapters.postgres.store import PostgresStore

PRICE = 100
WALLET = 1_000
BASE_URL = "https://makegood.example"
# The interval is so long that a wake-up which does not come is seen; time stands still between heartbeats.
SETTINGS = Settings(webhook_base_url=BASE_URL, loop_interval_seconds=3_600, heartbeat_seconds=0.001)
QUEUE, STARTING, RUNNING = (
    s.deadline or timedelta() for s in (BaseJob.queued, BaseJob.starting, BaseJob.running)
)
# A test that hangs here has failed; nothing waits this long on purpose.
PATIENCE_SECONDS = 60.0


class Upscale(BaseJob):
    """The seven states as they are, with one file to upload if the user names one."""

    price = PRICE
    pool = "gpu"
    rerun_policy = RerunPolicy(first_seconds=0)  # its pauses have tests of their own

    class Input(JobInput):
        """A file and a number."""

        image: Annotated[str | None, File(("png",), size_max=1_000)] = None
        scale: int = 2


def a_job(state: str = "pending", **given: Any) -> Job:
    """Return a snapshot as no store made it; *given* replaces fields."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    usual = Job(
        id=uuid4(),
        owner="ada",
        type=Upscale.name,
        type_version=1,
        pool=Upscale.pool,
        state=state,
        version=4,
        price=PRICE,
        input={},
        request={},
        files={},
        key=None,
        priority=0,
        attempt=1,
        attempts_max=3,
        reruns=0,
        intent_attempt=None,
        created_at=now,
        entered_at=now,
        deadline_at=now,
        not_before=None,
        cancel_requested_at=None,
        finished_at=None,
        settled=None,
        output=None,
        error=None,
    )
    return replace(usual, **given)


class Loop(Protocol):
    """A loop whose work goes on in a crew."""

    crew: Crew

    async def turn(self) -> bool:
        """See `makegood.runtime.Loop`."""


@dataclass(frozen=True)
class Over:
    """Another store, and what lets its time pass."""

    store: Any
    clock: FakeClock


class World:
    """One engine and one of each loop over one store, one provider account and one wallet."""

    clock: FakeClock
    store: MemoryStore

    def __init__(
        self, types: Sequence[type[BaseJob]], capacity: int, settings: Settings, over: Over | None
    ) -> None:
        self.clock = over.clock if over else FakeClock()
        self.store = over.store if over else MemoryStore(self.clock)
        self.blobs = MemoryBlobs()
        self.provider = ScriptedProvider()
        self.catalog, self.wakeups, self.settings = Catalog(types), LocalWakeups(), settings
        self.account = ProviderAccount(name="gpu-1", pool=Upscale.pool, capacity=capacity)
        self.providers = {self.account: self.provider}
        self.engine = Engine(
            self.store,
            self.catalog,
            blobs=self.blobs,
            providers={self.account: self.provider},
            settings=settings,
            wakeups=self.wakeups,
            run_loops=False,
        )
        self.mover = Mover(self.store, self.catalog, self.wakeups, settings, uuid4)
        self.context = Context(
            self.store,
            self.catalog,
            self.mover,
            self.providers,
            self.blobs,
            self.wakeups,
            settings,
        )
        self.dispatcher, self.submitter = Dispatcher(self.context), Submitter(self.context)
        self.poller, self.collector = Poller(self.context), Collector(self.context)
        self.watchdog, self.relay = Watchdog(self.context), Relay(self.context)
        self.surveyor, self.sequencer = Surveyor(self.context), Sequencer(self.context)

    async def beside(self, name: str, features: Features | None = None, **given: Any) -> ScriptedProvider:
        """Give this process another account, with a provider of its own, and return that."""
        account, provider = ProviderAccount(name=name, pool=Upscale.pool, **given), ScriptedProvider(features)
        self.providers[account] = provider
        await self.store.attempts.register(account)
        return provider

    async def instead(self, features: Features, **given: Any) -> None:
        """Let the account be another one."""
        self.providers.clear()
        self.provider = await self.beside(self.account.name, features, **given)
        [self.account] = self.providers

    async def pending(self, job_type: type[BaseJob] = Upscale, **input: Any) -> Job:
        return await self.engine.submit(job_type, "ada", input)

    async def queued(self, job_type: type[BaseJob] = Upscale, **input: Any) -> Job:
        return await self.engine.accept((await self.pending(job_type, **input)).id)

    async def opened(self, job_type: type[BaseJob] = Upscale, **input: Any) -> Job:
        """Return a job with a slot of which nothing was sent to the provider."""
        job = await self.queued(job_type, **input)
        await self.dispatcher.turn()
        return await self.job(job)

    async def running(self, job_type: type[BaseJob] = Upscale, *answers: Any) -> Job:
        """Return a job whose task the provider has; *answers* are what it will say of it."""
        self.provider.plan(None, *(answers or (Unfinished(running=True),)))
        job = await self.opened(job_type)
        await self.work(self.submitter)
        return await self.job(job)

    async def with_image(self) -> str:
        """Return the key of a small PNG of ours."""
        return await self.blobs.put(PNG, "image.png")

    async def uncertain(self, *answers: Answer) -> Job:
        """Return a job whose create reply was lost; *answers* are what the provider will say of its task."""
        self.provider.plan(Uncertain("the connection broke"), *(answers or (Unfinished(running=True),)))
        job = await self.opened()
        await self.work(self.submitter)
        return await self.job(job)

    async def webhook(self, job: Job, task_id: str, number: int = 1) -> bool:
        """Let a webhook come with the token of the job's attempt, about any task."""
        token_hash = (await self.attempt(job, number)).token_hash
        assert token_hash is not None
        return await self.engine.receive_webhook(token_hash, {}, task_id.encode())

    async def work(self, *loops: Loop) -> None:
        """Let each loop take a turn and its crew end what the turn began."""
        for loop in loops:
            await loop.turn()
            await loop.crew.drain(PATIENCE_SECONDS)

    async def start(self) -> None:
        """Bring all that waits to the provider, as far as there is room."""
        await self.dispatcher.turn()
        await self.work(self.submitter)

    async def ask(self) -> None:
        """Let the next poll come, and what it finds be brought home."""
        await self.clock.advance(self.settings.poll_interval_seconds)
        await self.work(self.poller, self.collector)

    async def after(self, time: timedelta | float) -> None:
        """Let *time* pass and the watchdog look."""
        await self.clock.advance(time.total_seconds() if isinstance(time, timedelta) else time)
        await self.work(self.watchdog)

    async def tell(self) -> None:
        """Let the relay tell of all that may be told now."""
        while True:
            await self.relay.turn()
            if self.relay.crew.room == self.settings.batch_max:
                return
            await self.relay.crew.drain(PATIENCE_SECONDS)

    async def job(self, job: Job | UUID) -> Job:
        return await self.engine.get(job if isinstance(job, UUID) else job.id)

    async def attempt(self, job: Job, number: int = 1) -> Attempt:
        found = await self.store.attempts.get(job.id, number)
        assert found is not None
        return found

    async def money(self, job: Job) -> JobMoney:
        return await self.engine.money(job.id)

    async def pause(self, job: Job) -> float:
        """Return for how many seconds the job is not offered again."""
        not_before = (await self.job(job)).not_before
        assert not_before is not None
        return (not_before - self.clock()).total_seconds()

    async def use(self, name: str = "gpu-1") -> Occupancy:
        """Return how an account is doing."""
        [use] = [use for use in await self.engine.occupancy() if use.account == name]
        return use

    async def slots(self) -> tuple[int, int]:
        """Return how many slots are taken, and how many of them by jobs that are over."""
        [use] = await self.engine.occupancy()
        return use.open, use.draining

    async def way(self, job: Job) -> list[str]:
        """Return the events of the job's life."""
        return [step.event for step in await self.engine.history(job.id)]

    async def ended(self, job: Job, state: str, captured: int = 0) -> Job:
        """Assert that the job is over as said, with the rest of its credits back, and return it."""
        now = await self.job(job)
        released = PRICE - captured
        assert (now.state, now.error) == (state, now.error)
        assert await self.money(job) == JobMoney(captured=captured, released=released)
        wallet = await self.engine.wallet("ada")
        assert (wallet.available, wallet.held) == (WALLET - captured, 0)
        return now


@asynccontextmanager
async def a_world(
    *types: type[BaseJob], capacity: int = 2, settings: Settings | None = None, over: Over | None = None
) -> AsyncIterator[World]:
    """Yield a world in which Ada has credits; afterwards no invariant may be broken."""
    world = World(types or (Upscale,), capacity, settings or SETTINGS, over)
    async with world.engine:
        await world.store.attempts.register(world.account)
        await world.engine.grant("ada", WALLET, source_ref="order-1")
        yield world
        assert await world.engine.violations() == []


class DatabaseClock(FakeClock):
    """Makes a database's time stand still, and moves it; only its owner can."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        super().__init__()
        self._connection = connection

    async def advance(self, seconds: float) -> None:
        await super().advance(seconds)
        await self._connection.execute(
            "create or replace function makegood.now() returns timestamptz language sql stable parallel safe"
            f" as $$ select timestamptz '{self().isoformat()}' $$"
        )


@asynccontextmanager
async def a_postgres_world(dsn: str, *types: type[BaseJob], **given: Any) -> AsyncIterator[World]:
    """Yield a world as `a_world` does, over a database of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        clock = DatabaseClock(connection)
        await clock.advance(0)
        async with (
            PostgresStore.open(dsn) as store,
            a_world(*types, over=Over(store, clock), **given) as world,
        ):
            yield world
    finally:
        connection.terminate()


def moved(event: str, to_state: str, job_type: type[BaseJob] = Upscale) -> Transition:
    """Return a transition as the outbox would tell it."""
    return Transition(
        job_id=uuid4(),
        version=1,
        operation_id=uuid4(),
        owner="ada",
        type=job_type.name,
        event=event,
        from_state="pending",
        to_state=to_state,
        actor="test",
        reason=None,
        attempt=0,
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )


STATES = (
    "pending",
    "queued",
    "opened",
    "submitting",
    "running",
    "deferred",
    "rejected",
    "completed",
    "failed",
    "cancelled",
)


async def in_state(world: World, state: str) -> Job:
    """Return a job as the loops bring it about; four of these are stages of `starting` and `queued`."""
    match state:
        case "pending":
            return await world.pending()
        case "queued":
            return await world.queued()
        case "opened":
            return await world.opened()
        case "submitting":
            world.provider.plan(TimeoutError("the reply is lost"), Unfinished(running=True))
            job = await world.opened()
            await world.work(world.submitter)
        case "running":
            job = await world.running()
        case "deferred":
            world.provider.fail("upload")
            job = await world.opened(image=await world.with_image())
            await world.work(world.submitter)
        case "rejected":
            world.provider.plan(Rejected("421", "queue limit", Retry.LATER, after_seconds=60))
            job = await world.opened()
            await world.work(world.submitter)
        case "completed":
            job = await world.opened()
            await world.work(world.submitter, world.poller, world.collector)
        case "failed":
            job = await world.queued()
            await world.engine.fire(job.id, BaseJob.fail, Failure())
        case _:
            job = await world.queued()
            await world.engine.cancel(job.id)
    return await world.job(job)
