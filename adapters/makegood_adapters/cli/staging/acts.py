"""What the buttons do: each orders a job, lets something happen to it for real, and follows it to its end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import asyncpg

from makegood import Engine, Job, Transition
from makegood_adapters.cli.stage import SETTINGS, Child, StageError, forget_killed
from makegood_adapters.cli.staging.board import PRESS_SECONDS, Board, Button, Tone
from makegood_adapters.cli.staging.telling import tasks_of, tell_end
from makegood_adapters.runninghub.simulator import Faults, Simulator, Task

_CRASH = "CUDA error: an illegal memory access was encountered"
_DOWN_SECONDS = 1.0
_TIMEOUT = float(SETTINGS["submit_timeout_seconds"])


@dataclass(frozen=True, slots=True)
class Ordered:
    """A job that was ordered for a button, and how the story calls it."""

    name: str
    job: Job


class House(Protocol):
    """What the buttons act on."""

    @property
    def engine(self) -> Engine:
        """The engine that submits and reads; it has no loops."""

    @property
    def simulator(self) -> Simulator:
        """The provider."""

    @property
    def process(self) -> Child:
        """The engine that works."""

    @property
    def dsn(self) -> str:
        """The database."""

    @property
    def restarts(self) -> asyncio.Lock:
        """Held while the engine is killed and started again."""

    async def order(self, faults: Faults | None = None, not_before: datetime | None = None) -> Ordered:
        """Order a job and accept it; *faults* meet its task at the provider and no other."""


def _nobody(ordered: Ordered, job: Job) -> None:
    """Nobody decides."""


class Acts:
    """The seven things that one can let happen; *ask* hears of a job that waits for somebody to decide."""

    def __init__(self, house: House, board: Board, ask: Callable[[Ordered, Job], None] = _nobody) -> None:
        self._house, self._board, self._ask = house, board, ask

    def mishaps(self) -> Sequence[Button]:
        """Return the buttons by which something goes wrong."""
        return (
            Button("fail", "fail the next job", "The provider takes the task and fails it.", self.fail),
            Button(
                "lose-webhook",
                "lose the webhook",
                "The provider finishes and tells nobody: only asking finds it.",
                self.lose_webhook,
            ),
            Button("twice", "send it twice", "The provider tells of the end twice.", self.send_twice),
            Button(
                "time-out",
                "time out a submit",
                f"No answer to the create call within {_TIMEOUT:g} s, and the provider works all the same.",
                self.time_out,
            ),
            Button("kill", "kill the engine", "SIGKILL while a job is at the provider.", self.kill),
            Button(
                "other-program",
                "another program writes failed",
                "A script with no idea of makegood updates two rows: one job waits, one is at the provider.",
                self.other_program,
            ),
        )

    async def run(self) -> str:
        """Order a job to which nothing happens."""
        return await self.follow(await self._house.order(), webhooks=1)

    async def fail(self) -> str:
        """Let the provider fail the task."""
        return await self._with(Faults(fail=_CRASH), "the provider will fail its task")

    async def lose_webhook(self) -> str:
        """Let the provider finish and send no webhook."""
        return await self._with(Faults(webhooks=0), "the provider will send no webhook")

    async def send_twice(self) -> str:
        """Let the provider send the webhook twice."""
        return await self._with(Faults(webhooks=2), "the provider will send its webhook twice")

    async def time_out(self) -> str:
        """Let the reply to the create call come too late, while the task exists."""
        late = Faults(reply_seconds=_TIMEOUT + 2, running_seconds=_TIMEOUT + 1)
        return await self._with(late, "the provider will take its create call and not answer in time")

    async def kill(self) -> str:
        """Kill the engine while the job is at the provider, and start it again."""
        house = self._house
        ordered = await house.order(Faults(running_seconds=1.0))
        self._say(ordered, "the engine will be killed while the provider works on it")
        await self._reached(ordered, "running")
        async with house.restarts:
            pid = house.process.kill()
            self._board.say(f"kill -9: the engine, process {pid}, is gone; the provider goes on", Tone.BAD)
            await asyncio.sleep(_DOWN_SECONDS)  # nobody listens meanwhile, which is what is shown
            await house.process.start()
            await forget_killed(house.dsn, pid)
        self._board.say("start: the engine is back and picks up what it finds in the database", Tone.GOOD)
        return await self.follow(ordered)

    async def other_program(self) -> str:
        """Write `failed` into the row of a job that waits, and of one that is at the provider."""
        engine = self._house.engine
        waiting = await self._house.order(not_before=await engine.now() + timedelta(minutes=10))
        said = await self._write(waiting)
        told = f"psql: state = 'failed' for {waiting.name}, which waits: {said}"
        self._board.say(told, job=waiting.job.id)
        first = await self.follow(waiting)
        running = await self._house.order(Faults(hold="running"))
        try:
            await self._reached(running, "running")
            said = await self._write(running)
        finally:
            for task in await self.tasks(running):
                self._house.simulator.release(task.id)
        told = f"psql: state = 'failed' for {running.name}, which is at the provider: {said}"
        self._board.say(told, job=running.job.id)
        return f"{first} {await self.follow(running)}"

    async def _with(self, faults: Faults, what: str) -> str:
        ordered = await self._house.order(faults)
        self._say(ordered, what, Tone.WARN)
        return await self.follow(ordered, webhooks=faults.webhooks)

    async def follow(self, ordered: Ordered, after: int | None = None, webhooks: int = 0) -> str:
        """Follow the job, from behind its version *after*, until it is over or somebody has to decide, and so
        many *webhooks* have come; tell what became of it."""
        engine = self._house.engine
        async for _ in self.steps(ordered, after):
            pass
        tasks = await self.told_tasks(ordered, webhooks)
        job = await engine.get(ordered.job.id)
        told = await tell_end(engine, ordered.name, job, tasks)
        self._board.say(told, Tone.GOOD if job.state == "completed" else Tone.WARN, job.id)
        if job.finished_at is None:
            self._ask(ordered, job)
        return told

    async def steps(self, ordered: Ordered, after: int | None = None) -> AsyncIterator[Transition]:
        """Yield the steps of the job until it is over, or waits for somebody to decide."""
        engine = self._house.engine
        async with aclosing(engine.watch(ordered.job.id, after)) as steps:
            async for step in steps:
                yield step
                if _waits_for_somebody(engine, ordered.job, step.to_state):
                    return

    def _say(self, ordered: Ordered, what: str, tone: Tone = Tone.PLAIN) -> None:
        self._board.say(f"{ordered.name}: {what}", tone, ordered.job.id)

    async def _reached(self, ordered: Ordered, state: str) -> None:
        async with aclosing(self._house.engine.watch(ordered.job.id)) as steps:
            async for step in steps:
                if step.to_state == state:
                    return
        raise StageError(f"{ordered.name} was over before it was {state}.")

    async def _write(self, ordered: Ordered) -> str:
        """Do what a nightly script of somebody else's would, and return what the database said."""
        connection = await asyncpg.connect(
            self._house.dsn, server_settings={"application_name": "nightly cleanup"}
        )
        try:
            return await connection.execute(
                "update makegood.job set state = 'failed' where job_id = $1", ordered.job.id
            )
        except asyncpg.PostgresError as error:
            return f"refused, {error.sqlstate}: {error.args[0]}"
        finally:
            await connection.close()

    async def told_tasks(self, ordered: Ordered, webhooks: int = 1) -> list[Task]:
        """Return what the provider has of the job once so many *webhooks* of each task have come: a poll may
        have found its end before. If they do not come, after a while all the same."""
        tasks = await self.tasks(ordered)
        with suppress(TimeoutError):  # how many have come is told
            await self._house.simulator.wait_for(
                lambda: all(sum(sent.ok for sent in task.deliveries) >= webhooks for task in tasks),
                PRESS_SECONDS,
            )
        return tasks

    async def tasks(self, ordered: Ordered) -> list[Task]:
        """Return what the provider has of the job."""
        return await tasks_of(self._house.dsn, ordered.job.id, self._house.simulator.tasks)


def _waits_for_somebody(engine: Engine, job: Job, state: str) -> bool:
    """Whether no loop of the engine moves a job on from *state*."""
    job_type = engine.catalog.of(job)
    if job_type is None:
        return False
    known = job_type.spec.state[state]
    return not (
        known.slot or state == job_type.spec.initial or state in job_type.spec.waiting or known.terminal
    )
