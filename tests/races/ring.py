"""Where the sources of a job's end meet: one database, one simulated provider, processes driven by hand."""

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import asyncpg
from pydantic import BaseModel

from makegood import BaseJob, Catalog, Engine, Job, JobInput, JobMoney, ProviderAccount, Settings
from makegood.errors import IllegalTransition, ProviderUnavailable
from makegood.mover import Mover
from makegood.outcome import JSON, Answer, CancelReply
from makegood.runtime import Collector, Context, Dispatcher, LocalWakeups, Poller, Submitter, Watchdog
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.runninghub import RunningHub, open_session
from makegood_adapters.runninghub.simulator import Faults, Match, Pace, Rule, Simulator, Task
from tests.engine.world import PATIENCE_SECONDS, DatabaseClock, Loop
from tests.races.truth import Ending, Source, Truth
from tests.scenarios.line import client_to, patient
from tests.scenarios.stage import picture, token_of

KEY, APP, POOL = "a-key-of-the-simulator", "2018000000000000000", "posters"
PRICE = 60
SETTINGS = Settings(webhook_base_url="http://127.0.0.1:9", poll_interval_seconds=60)
DEADLINE_SECONDS = 901.0
ROUNDS_MAX = 10


class Poster(BaseJob):
    """A job without a file: its first call to the provider is the create call."""

    name, pool, price = "poster", POOL, PRICE

    class Input(JobInput):
        """What stands on it."""

        words: str

    @classmethod
    def request(cls, value: BaseModel) -> JSON:
        """Ask for the words, by which the simulator tells one job from another."""
        return {"app": APP, "nodes": [{"node": "1", "field": "text", "value": value.model_dump()["words"]}]}


class Line(RunningHub):
    """The real adapter; while `mute` nothing that it asks about tasks is answered."""

    mute = False

    async def query(self, task_id: str) -> Answer:
        """See `RunningHub.query`."""
        if self.mute:
            raise ProviderUnavailable("the provider does not answer")
        return await super().query(task_id)

    async def cancel(self, task_id: str) -> CancelReply:
        """See `RunningHub.cancel`."""
        if self.mute:
            raise ProviderUnavailable("the provider does not answer")
        return await super().cancel(task_id)


class Process:
    """One engine and its loops over a store of their own."""

    def __init__(self, store: PostgresStore, line: Line, blobs: FolderBlobs) -> None:
        account = ProviderAccount(name="main", pool=POOL, capacity=100, draining_seconds=300)
        catalog, wakeups, providers = Catalog([Poster]), LocalWakeups(), {account: line}
        self.engine = Engine(
            store,
            catalog,
            blobs=blobs,
            providers=providers,
            settings=SETTINGS,
            wakeups=wakeups,
            run_loops=False,
        )
        mover = Mover(store, catalog, wakeups, SETTINGS, uuid4)
        context = Context(store, catalog, mover, providers, blobs, wakeups, SETTINGS)
        self.account, self.store = account, store
        self.dispatcher, self.submitter = Dispatcher(context), Submitter(context)
        self.poller, self.collector, self.watchdog = Poller(context), Collector(context), Watchdog(context)

    async def work(self, *loops: Loop) -> None:
        """Let each loop take a turn and end what the turn began."""
        for loop in loops:
            await loop.turn()
            await loop.crew.drain(PATIENCE_SECONDS)

    async def ask(self) -> None:
        """Ask about what is due, and bring home what was found."""
        await self.work(self.poller, self.collector)

    async def speak(self, source: Source, job: Job, task: Task) -> None:
        """Let *source* say what it has to say about the job; of all only the watchdog asks the provider."""
        match source:
            case Source.WEBHOOK_OK | Source.WEBHOOK_FAIL:
                told = "SUCCESS" if source is Source.WEBHOOK_OK else "FAILED"
                body = {"event": "TASK_END", "taskId": task.id, "eventData": json.dumps({"status": told})}
                token_hash = hashlib.sha256(token_of(task).encode()).digest()
                assert await self.engine.receive_webhook(token_hash, {}, json.dumps(body).encode())
            case Source.DEADLINE:
                await self.work(self.watchdog)
            case Source.REPORT:
                await self.engine.report(job.id, "the page lost its patience")
            case Source.CANCEL:
                with contextlib.suppress(IllegalTransition):  # it is over
                    await self.engine.cancel(job.id, actor=job.owner)
            case Source.POLL:
                pass  # what all others but the watchdog lead to

    async def act(self, source: Source, job: Job, task: Task) -> None:
        """Let *source* speak and what follows from it happen."""
        await self.speak(source, job, task)
        await self.ask()


@dataclass
class Ring:
    """Everything that a race touches; `process` is the one that submits and clears up."""

    simulator: Simulator
    line: Line
    blobs: FolderBlobs
    process: Process
    clock: DatabaseClock
    sql: asyncpg.Connection
    created: int = 0
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def process_at(self, dsn: str) -> Process:
        """Start another process that reaches the database at *dsn*."""
        store = await self._stack.enter_async_context(PostgresStore.open(dsn, connections_max=4))
        return Process(store, self.line, self.blobs)

    async def job(self, truth: Truth, *, reply_lost: bool = False) -> tuple[Job, Task]:
        """Bring a job of somebody new to the provider, and let its task be what *truth* says."""
        self.created += 1
        owner, engine = f"owner-{self.created}", self.process.engine
        hold: Literal["queued", "running"] = "queued" if truth is Truth.WAITING else "running"
        fail = "CUDA error: an illegal memory access" if truth is Truth.FAILED else None
        faults = Faults(hold=hold, fail=fail, webhooks=0, drop_reply=reply_lost)
        self.simulator.add(Rule(faults=faults, match=Match(value=owner)))
        await engine.grant(owner, PRICE, source_ref=owner)
        job = await engine.accept((await engine.submit(Poster, owner, {"words": owner})).id)
        await self.process.dispatcher.turn()
        await self.process.work(self.process.submitter)
        assert len(self.simulator.tasks) == self.created
        task = self.simulator.tasks[-1]
        if truth is not Truth.WAITING:
            await self.simulator.wait_for(lambda: task.started_at is not None)
        if truth in (Truth.SUCCEEDED, Truth.FAILED):
            self.simulator.release(task.id)
            await self.simulator.wait_for(lambda: task.over)
        self.line.mute = truth is Truth.MUTE
        job = await engine.get(job.id)
        assert job.state == ("starting" if reply_lost else "running")
        return job, task

    async def slots_taken(self) -> int:
        """Return how many slots are held."""
        [use] = await self.process.engine.occupancy()
        return use.open

    async def clear_up(self, job: Job) -> Job:
        """Ask until the job is over and its slot is free; of deadlines only that of the slot helps."""
        self.line.mute = False
        for _ in range(ROUNDS_MAX):
            job = await self.process.engine.get(job.id)
            if job.finished_at is not None and not await self.slots_taken():
                return job
            await self.clock.advance(SETTINGS.poll_interval_seconds)
            await self.process.ask()
            if job.finished_at is not None:
                await self.process.work(self.process.watchdog)
        raise AssertionError(f"job {job.id} is {job.state}, {await self.slots_taken()} slots are taken")

    async def check(self, job: Job, right: Ending) -> None:
        """Assert that the job ended as is right, once, its slot is free and its credits where they belong."""
        job = await self.clear_up(job)
        paid = PRICE if right.captured else 0
        money = JobMoney(captured=paid, released=PRICE - paid)
        wallet = await self.process.engine.wallet(job.owner)
        steps = [t for t in await self.process.engine.history(job.id) if t.to_state == job.state]
        lines = await self.sql.fetch("select kind from makegood.journal where job_id = $1", job.id)
        settled = sorted(line["kind"] for line in lines)
        found = (job.state, await self.process.engine.money(job.id), wallet.available, wallet.held)
        assert found == (right.state, money, PRICE - paid, 0)
        assert len(steps) == 1
        assert settled == sorted(["hold", "capture" if right.captured else "release"])
        assert (job.output is not None) == (right.state == "completed")
        assert len(self.simulator.tasks) == self.created  # nobody made a second task


@asynccontextmanager
async def a_ring(dsn: str, folder: Path, **options: Any) -> AsyncIterator[Ring]:
    """Yield a ring over a fresh database, whose time stands still; *options* are the simulator's."""
    pace = Pace(queued_seconds=0, running_seconds=0, cancel_seconds=0)
    async with AsyncExitStack() as stack:
        apps = {APP: lambda _: picture(1)}
        simulator = await stack.enter_async_context(
            Simulator(keys={KEY: 1_000}, pace=pace, apps=apps, **options)
        )
        session = await stack.enter_async_context(open_session())
        sql = await asyncpg.connect(dsn)
        stack.callback(sql.terminate)
        clock = DatabaseClock(sql)
        await clock.advance(0)
        store = await stack.enter_async_context(PostgresStore.open(dsn))
        line, blobs = Line(client_to(session, simulator.url, KEY), patience=patient()), FolderBlobs(folder)
        process = Process(store, line, blobs)
        await stack.enter_async_context(process.engine)
        await store.attempts.register(process.account)
        yield Ring(simulator, line, blobs, process, clock, sql, _stack=stack)
