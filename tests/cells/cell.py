"""One cell: what the provider does to one job, and what then is true of job, slot, credits and tasks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from makegood import Job, JobMoney
from makegood.job import Phase
from makegood.testing.drive import Advance
from makegood_adapters.runninghub.simulator import Habits, Pace, Rule
from tests.scenarios.stage import FAST, HEIGHT, PATIENCE_SECONDS, ROOMY, WIDTH, Stage, size_of, staged

PRICE = 60
STARTING = RUNNING = 600  # seconds; the upscaler's file says so
FETCH = 7_200  # of every type that says nothing; well before the watchdog gives results up, after a day
DRAINING = 1_000

#: Who was sent back waits for the test to let time pass, and is not on the way again by then.
RESTING = {"defer_seconds": 60}

Deadline = Literal["starting", "running", "fetch"]
Act = Callable[[Stage, Job], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is done, and what must be true then.

    *rules* meet the calls about the job, *habits* are those of the whole site. *act* is done once the job
    has been ordered. *deadline* is the one that has to pass before the job can end, and *draining* tells
    that its slot stays taken until the draining deadline. With *rest_seconds* the job is sent back *rests*
    times, and so much time passes after each. `creates` counts create calls, `tasks` what they made;
    `accepted_by` is how the last attempt's task became known. `text` is the result if it is no picture.
    The site takes *limit* tasks and we have *capacity* slots; *before* jobs are ordered before this one.
    A *foreign_key* belongs to the other site.
    """

    what: str
    rules: tuple[Rule, ...] = ()
    habits: Habits = field(default_factory=Habits)
    pace: Pace = FAST
    act: Act | None = None
    rest_seconds: float = 0
    rests: int = 1
    deadline: Deadline | None = None
    state: Literal["completed", "failed", "cancelled"] = "completed"
    category: str | None = None
    paid: bool | None = None
    draining: bool = False
    attempts: int = 1
    creates: int = 1
    tasks: int = 1
    text: str | None = None
    limit: int = ROOMY
    capacity: int = 1
    before: int = 0
    foreign_key: bool = False
    accepted_by: Literal["submission", "webhook", "query"] | None = "submission"
    settings: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.what

    @property
    def is_paid(self) -> bool:
        """Whether the price is captured; a job that is not delivered costs nothing."""
        return self.state == "completed" if self.paid is None else self.paid


async def play(cell: Cell, dsn: str, folder: Path, advance: Advance) -> None:
    """Let the provider do what the cell says to a job, and check all that must be true afterwards."""
    async with staged(
        dsn,
        folder,
        capacity=cell.capacity,
        limit=cell.limit,
        foreign_key=cell.foreign_key,
        pace=cell.pace,
        habits=cell.habits,
        draining_seconds=DRAINING,
        **{"poll_interval_seconds": 0.1, **(RESTING if cell.rest_seconds else {}), **cell.settings},
    ) as stage:
        for rule in cell.rules:
            stage.simulator.add(rule)
        for number in range(cell.before):
            await stage.order()
            await stage.task_exists(number + 1)
        job = await stage.order()
        if cell.act is not None:
            await cell.act(stage, job)
        for times in range(1, cell.rests + 1 if cell.rest_seconds else 1):
            await stage.sent_back(job, times)
            await advance(cell.rest_seconds)
        if cell.deadline is not None:
            await _let_pass(cell.deadline, stage, job, advance)
        job = await stage.ended(job)
        await _check(cell, stage, job)
        if cell.draining:
            assert await stage.slots() == (1, 1)
            await advance(DRAINING + 1)
        await stage.slots_free()
        await _check(cell, stage, await stage.engine.get(job.id))  # and nothing has moved since


async def _let_pass(deadline: Deadline, stage: Stage, job: Job, advance: Advance) -> None:
    """Wait until only the deadline can end the job, then let it pass."""

    async def is_stuck() -> bool:
        number = (await stage.engine.get(job.id)).attempt
        attempt = await stage.store.attempts.get(job.id, number)
        if attempt is None:
            return False
        match deadline:
            case "starting":
                return attempt.phase is Phase.UNCERTAIN and attempt.asked > 1
            case "running":
                return attempt.phase is Phase.ACCEPTED and attempt.asked > 1
            case "fetch":
                return attempt.closed_at is not None

    await stage.until(is_stuck)
    await stage.simulator.wait_for(
        lambda: all(task.over or task.faults.hold for task in stage.simulator.tasks), PATIENCE_SECONDS
    )
    await advance({"starting": STARTING, "running": RUNNING, "fetch": FETCH}[deadline] + 1)


async def _check(cell: Cell, stage: Stage, job: Job) -> None:
    seen = (job.state, (job.error or {}).get("category"))
    assert seen == (cell.state, cell.category), job.error
    paid = JobMoney(captured=PRICE) if cell.is_paid else JobMoney(released=PRICE)
    assert await stage.engine.money(job.id) == paid
    wallet = await stage.engine.wallet(job.owner)
    if stage.orders == 1:
        assert (wallet.held, wallet.available) == (0, sum(b.issued for b in wallet.buckets) - paid.captured)
    assert job.attempt == cell.attempts
    assert (stage.simulator.counters.creates, len(stage.simulator.tasks)) == (cell.creates, cell.tasks)
    assert await stage.value(
        "select source from makegood.evidence where job_id = $1 and verdict = 'accepted' "
        "order by attempt desc limit 1",
        job.id,
    ) == (cell.accepted_by if cell.tasks else None)
    if job.state == "completed" and cell.text is not None:
        assert await stage.result(job) == cell.text.encode()
    elif job.state == "completed":
        assert size_of(await stage.result(job)) == (2 * WIDTH, 2 * HEIGHT)
    else:
        assert job.output is None
