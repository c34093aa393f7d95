"""A whole makegood on loopback: provider and webhooks over HTTP, a real database, engines that really run."""

import asyncio
import hashlib
import io
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
from aiohttp import web
from PIL import Image

from makegood import BaseJob, Bucket, Catalog, Engine, Job, JobMoney, ProviderAccount, Settings, Transition
from makegood.mover import POLL
from makegood.ports import Observer, Provider, Wakeups
from makegood.runtime import LocalWakeups
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.http import application, hook_routes, runner
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.runninghub import open_session
from makegood_adapters.runninghub.patience import Patience
from makegood_adapters.runninghub.simulator import (
    Account,
    Clock,
    Faults,
    Habits,
    Match,
    Pace,
    Rule,
    Simulator,
    Task,
)
from tests.scenarios.line import line_to
from tests.shipped import shipped

KEY = "a-key-of-the-simulator"
ACCOUNT, POOL = "main", "runninghub"
OWNER = "ada"
#: The monthly bucket is less than any price, so that the first hold takes from both.
MONTHLY, PURCHASED = 40, 5_000
WIDTH, HEIGHT = 6, 4
FAST = Pace(
    queued_seconds=0,
    running_seconds=0.02,
    cancel_seconds=0,
    webhook_retry_seconds=0.1,
    webhook_timeout_seconds=60,  # a receiver that is slow has still heard it, and once
)
#: Of a site with a VirtualClock: nothing there takes time but what the faults of a task say.
INSTANT = replace(FAST, running_seconds=0)
#: The provider may hold as many tasks as it likes, so that only the engine keeps to the slots.
ROOMY = 50
#: A wait that takes this long has failed; nothing waits so long on purpose, and no limit of a call does.
PATIENCE_SECONDS = 240.0
_ENDS = ("completed", "failed", "cancelled")

Holds = Callable[[], Awaitable[bool]]


def quick(**given: Any) -> Settings:
    """Return settings whose pauses are short; *given* replaces some.

    No time limit of a call is, for on a slow machine it would decide: what takes so long has failed.
    """
    usual = {
        "loop_interval_seconds": 0.1,
        "loop_backoff_max_seconds": 0.5,
        "poll_interval_seconds": 0.2,
        "defer_seconds": 0.02,
        "submit_timeout_seconds": 60,
        "upload_timeout_seconds": 60,
        "ask_timeout_seconds": 60,
        "lease_seconds": 200,
        "drain_seconds": 5,
    }
    return Settings(**{**usual, **given})


def picture(number: int) -> bytes:
    """Return a small PNG that differs for every *number*."""
    file = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), (number % 256, number // 256, 7)).save(file, "PNG")
    return file.getvalue()


def size_of(data: bytes) -> tuple[int, int]:
    """Return width and height of a whole PNG."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.format == "PNG"
        return image.size


def patience() -> asyncio.Timeout:
    """Bound a wait, so that what never comes fails one test and hangs none."""
    return asyncio.timeout(PATIENCE_SECONDS)


def most_at_once(tasks: Iterable[Task]) -> int:
    """Return how many of these tasks were alive at one time, at most; one that has not ended still is."""
    ends = datetime.max.replace(tzinfo=UTC)
    moments = [moment for t in tasks for moment in ((t.created_at, 1), (t.finished_at or ends, -1))]
    alive = peak = 0
    for _, step in sorted(moments):  # who ends at a moment goes before who comes at it
        alive += step
        peak = max(peak, alive)
    return peak


def token_of(task: Task) -> str:
    """Return the webhook token with which the task was created."""
    return (task.request.webhook_url or "").rsplit("/", 1)[-1]


@dataclass
class Stage:
    """What a scenario touches; `sql` is the connection of another program.

    After `stop_engine` the engine's loops are over, and it still submits, reads and asks.
    """

    dsn: str
    simulator: Simulator
    store: PostgresStore
    blobs: FolderBlobs
    engine: Engine
    sql: asyncpg.Connection
    session: aiohttp.ClientSession
    url: str
    wakeups: Wakeups
    account: ProviderAccount
    stop_engine: Callable[[], Awaitable[None]]
    orders: int = 0

    async def draft(
        self,
        job_type: str = "upscaler",
        *,
        owner: str = OWNER,
        data: bytes | None = None,
        more: Mapping[str, Any] | None = None,
        **faults: Any,
    ) -> Job:
        """Submit a job whose picture nobody else has, or is *data*, with *more* inputs; *faults* meet its
        tasks, all of them."""
        self.orders += 1
        data = data or picture(self.orders)
        key = await self.blobs.put(data, "input.png")
        wanted = {"image": key} if job_type == "upscaler" else {"person": key, "reference": key}
        if faults:
            times = faults.pop("times", None)
            match = Match(input_sha256=hashlib.sha256(data).hexdigest())
            self.simulator.add(Rule(faults=Faults(**faults), match=match, times=times))
        return await self.engine.submit(job_type, owner, {**wanted, **(more or {})})

    async def order(self, job_type: str = "upscaler", **given: Any) -> Job:
        """Submit a job and accept it; *given* as for `draft`."""
        job = await self.draft(job_type, **given)
        return await self.engine.accept(job.id)

    async def reached(self, job: Job, state: str) -> Job:
        """Wait until the job has entered *state*, which it must."""
        async with patience():
            async for transition in self.engine.watch(job.id):
                if transition.to_state == state:
                    return await self.engine.get(job.id)
        raise AssertionError(f"job {job.id} is over and was never {state}")

    async def sent_back(self, job: Job, times: int = 1) -> None:
        """Wait until the job has come back to the queue so often, which it must."""
        async with patience():
            async for transition in self.engine.watch(job.id):
                times -= transition.event in ("defer", "rerun")
                if not times:
                    return
        raise AssertionError(f"job {job.id} is over and was not sent back so often")

    async def ended(self, job: Job) -> Job:
        """Wait until the job is over."""
        async with patience():
            async for _ in self.engine.watch(job.id):
                pass
        return await self.engine.get(job.id)

    async def all_ended(self, jobs: Iterable[Job]) -> list[Job]:
        """Wait until all of them are over."""
        return [await self.ended(job) for job in jobs]

    async def until(self, holds: Holds) -> None:
        """Wait until *holds*, looking again when the engine may have learned something, or soon."""
        with self.wakeups.listen(POLL) as bell:
            async with patience():
                while not await holds():
                    await bell.wait(0.05)

    async def slots_free(self) -> None:
        """Wait until no attempt holds a slot."""

        async def free() -> bool:
            return not any(use.open for use in await self.engine.occupancy())

        await self.until(free)

    async def slots(self) -> tuple[int, int]:
        """Return how many slots are taken, and how many of those by jobs that are over."""
        [use] = await self.engine.occupancy()
        return use.open, use.draining

    async def value(self, query: str, *arguments: Any) -> Any:
        """Return the first column of the first row."""
        return await self.sql.fetchval(query, *arguments)

    async def task_exists(self, count: int = 1) -> Task:
        """Wait until the provider has *count* tasks and return the last of them."""
        await self.simulator.wait_for(lambda: len(self.simulator.tasks) >= count, PATIENCE_SECONDS)
        return self.simulator.tasks[count - 1]

    async def tasks_of(self, job: Job) -> list[Task]:
        """Return the provider's tasks of the job, matched by the hash of the webhook token."""
        rows = await self.sql.fetch("select token_hash from makegood.attempt where job_id = $1", job.id)
        hashes = {row["token_hash"] for row in rows}
        return [t for t in self.simulator.tasks if hashlib.sha256(token_of(t).encode()).digest() in hashes]

    def create_calls(self) -> int:
        """Return how many create calls the provider has seen, refused ones included."""
        return len(self.simulator.tasks) + sum(self.simulator.refusals.values())

    async def hook(self, token: str, body: dict[str, Any]) -> int:
        """Post a webhook as anybody could, and return the status of the reply."""
        async with self.session.post(f"{self.url}/hooks/{token}", json=body) as reply:
            return reply.status

    async def seen_running(self, job: Job) -> None:
        """Wait until the engine has asked about the job and heard that the provider works on it."""
        query = "select ran from makegood.attempt where job_id = $1 order by number desc limit 1"

        async def seen() -> bool:
            return await self.value(query, job.id) is True

        await self.until(seen)

    async def hints_read(self, job: Job) -> None:
        """Wait until nobody has a hint about the job left to look into."""
        query = "select count(*) from makegood.inbox where job_id = $1 and read_at is null"

        async def read() -> bool:
            return not await self.value(query, job.id)

        await self.until(read)

    async def events(self, job: Job) -> list[str]:
        """Return the events of the job's history, in order."""
        return [transition.event for transition in await self.engine.history(job.id)]

    async def last(self, job: Job) -> Transition:
        """Return the job's last transition."""
        return (await self.engine.history(job.id))[-1]

    async def buckets(self, owner: str = OWNER) -> dict[str, tuple[int, int, int]]:
        """Return (remaining, held, captured) of each bucket, by kind."""
        found: Sequence[Bucket] = (await self.engine.wallet(owner)).buckets
        return {b.kind: (b.remaining, b.held, b.captured) for b in found}

    async def settled(self, job: Job) -> Job:
        """Wait for the job's end and check that it was paid or given back, wholly and once."""
        job = await self.ended(job)
        assert job.state in _ENDS
        paid = JobMoney(captured=job.price) if job.state == "completed" else JobMoney(released=job.price)
        assert await self.engine.money(job.id) == paid
        return job

    async def result(self, job: Job) -> bytes:
        """Return the delivered file."""
        assert job.output is not None
        data = await self.blobs.get(job.output["files"][0]["key"])
        assert data is not None
        return data


@asynccontextmanager
async def staged(
    dsn: str,
    folder: Path,
    *,
    capacity: int = 3,
    limit: int = ROOMY,
    pace: Pace = FAST,
    habits: Habits | None = None,
    clock: Clock | None = None,
    provider_url: str | None = None,
    foreign_key: bool = False,
    draining_seconds: float = 600,
    wrap: Callable[[Provider], Provider] = lambda provider: provider,
    types: Sequence[type[BaseJob]] = (),
    offered: Sequence[type[BaseJob]] | None = None,
    beside: Callable[[web.Application, Engine, str], None] = lambda *_: None,
    key: str = KEY,
    patience: Patience | None = None,
    run_loops: bool = True,
    wakeups: Wakeups | None = None,
    observe: Callable[[PostgresStore], Sequence[Observer]] = lambda _: (),
    **settings: Any,
) -> AsyncIterator[Stage]:
    """Raise the curtain: *capacity* slots of ours, a provider that takes *limit* tasks, Ada with credits.

    *habits* are those of the simulated site, and *clock* is its time; *provider_url* is another site than
    that, and a *foreign_key* is not valid there; *patience* is how often one question is repeated. *wrap*
    puts something between engine and provider, *types* are offered beside the shipped tools, *offered* in
    their place; *beside* serves more at the address of the webhooks. Without *run_loops* others do the work,
    woken by *wakeups* if these reach them. *observe* says who looks on. *settings* replace those of `quick`.
    """
    async with AsyncExitStack() as stack:
        at_site = Account(limit=limit, site="ai" if foreign_key else "cn")
        simulator = Simulator(keys={key: at_site}, pace=pace, habits=habits, clock=clock)
        await stack.enter_async_context(simulator)
        listener = socket.create_server(("127.0.0.1", 0))
        stack.callback(listener.close)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        store = await stack.enter_async_context(PostgresStore.open(dsn))
        session = await stack.enter_async_context(open_session())
        blobs, wakeups = FolderBlobs(folder / "files"), wakeups or LocalWakeups()
        account = ProviderAccount(
            name=ACCOUNT, pool=POOL, capacity=capacity, draining_seconds=draining_seconds
        )
        provider = line_to(session, provider_url or simulator.url, key, patience)
        engine = Engine(
            store,
            Catalog([*(shipped() if offered is None else offered), *types]),
            blobs=blobs,
            providers={account: wrap(provider)},
            settings=quick(**{"webhook_base_url": url, **settings}),
            wakeups=wakeups,
            run_loops=run_loops,
            observers=observe(store),
        )
        app = application()
        app.add_routes(hook_routes(engine))
        beside(app, engine, url)
        serving = runner(app)
        await serving.setup()
        stack.push_async_callback(serving.cleanup)
        await web.SockSite(serving, listener).start()
        sql = await asyncpg.connect(dsn)
        stack.callback(sql.terminate)
        working = await stack.enter_async_context(AsyncExitStack())
        await working.enter_async_context(engine)
        await fill_wallet(engine)
        yield Stage(dsn, simulator, store, blobs, engine, sql, session, url, wakeups, account, working.aclose)


@asynccontextmanager
async def engine_beside(
    stage: Stage, catalog: Catalog | None = None, observers: Sequence[Observer] = ()
) -> AsyncIterator[Engine]:
    """Run the engine of another process: the same database, files and provider, nothing else in common but
    the job types, unless it has a *catalog* of its own. *observers* look at it."""
    async with PostgresStore.open(stage.dsn) as store, open_session() as session:
        provider = line_to(session, stage.simulator.url, KEY)
        async with Engine(
            store,
            stage.engine.catalog if catalog is None else catalog,
            blobs=stage.blobs,
            providers={stage.account: provider},
            settings=stage.engine.settings,
            observers=observers,
        ) as engine:
            yield engine


async def fill_wallet(engine: Engine, owner: str = OWNER) -> None:
    """Give *owner* a monthly bucket, which is spent first, and a purchased one."""
    soon = datetime.now(UTC) + timedelta(days=30)
    await engine.grant(owner, MONTHLY, kind="monthly", source_ref=f"{uuid4()}", priority=10, expires_at=soon)
    await engine.grant(owner, PURCHASED, kind="purchased", source_ref=f"{uuid4()}", priority=50)
