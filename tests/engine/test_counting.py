"""The count proof: an exclusive account whose known tasks are all that live has not made the lost one."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from makegood import Job, JobMoney, Verdict
from makegood.job import Phase
from makegood.outcome import (
    Answer,
    CancelReply,
    Capacity,
    Failed,
    Features,
    NotFound,
    Output,
    Succeeded,
    Uncertain,
    Unfinished,
)
from makegood.runtime import Submitter
from makegood.runtime.counting import Counting
from makegood.testing.provider import ScriptedProvider
from tests.engine.world import PRICE, STARTING, Upscale, World

COUNTS = Features(tells_webhook=True, counts_tasks=True)
RUNS, FAILS = Unfinished(running=True), Failed("out of memory")
DONE = Succeeded((Output("https://provider.example/1.png", "png"),))
#: As many polls as it takes: past the slowest accept, and two more.
ENOUGH = 26


@pytest_asyncio.fixture
async def alone(world: World) -> AsyncIterator[World]:
    """Yield a world whose account nobody else uses."""
    await world.instead(COUNTS, capacity=3, exclusive=True)
    yield world


async def lost(world: World) -> Job:
    """Return a job whose create call has made no task, which nobody was told."""
    job = await world.uncertain()
    world.provider.tasks.popitem()
    world.provider.room = Capacity(in_use=len(world.provider.tasks))
    return job


async def asks(world: World, n: int = ENOUGH) -> None:
    """Let *n* polls come."""
    for _ in range(n):
        await world.ask()


async def test_c5_a_submission_that_made_no_task_is_proved_lost_and_made_again(alone: World) -> None:
    other = await alone.running()
    job = await lost(alone)
    await asks(alone, ENOUGH - 2)
    assert (await alone.job(job)).state == "starting"
    await asks(alone, 2)
    back = await alone.job(job)
    assert (back.state, back.reruns, back.not_before) == ("queued", 0, None)
    assert await alone.money(job) == JobMoney(held=PRICE)
    first = await alone.attempt(job)
    assert (first.phase, first.verdict) == (Phase.CLOSED, Verdict.REJECTED)
    [fact] = await alone.store.attempts.evidence(job.id)
    assert (fact.verdict, fact.source) == (Verdict.REJECTED, "count")
    alone.provider.plan(None, DONE)
    await alone.start()
    await alone.ask()
    assert (await alone.job(job)).state == "completed"
    assert await alone.money(job) == JobMoney(captured=PRICE)
    assert alone.provider.count("submit") == 3
    assert (await alone.job(other)).state == "running"


async def test_a_task_that_nobody_knows_is_never_made_again(alone: World) -> None:
    job = await alone.uncertain()
    alone.provider.room = Capacity(in_use=1)
    await asks(alone, 2 * ENOUGH)
    assert (await alone.job(job)).state == "starting"
    alone.provider.room = Capacity(in_use=0)  # it was there once, that is enough
    await asks(alone, ENOUGH)
    await alone.after(STARTING)
    await alone.ended(job, "failed")
    assert await alone.slots() == (1, 1)
    assert alone.provider.count("submit") == 1


async def test_a_slow_accept_is_waited_for(alone: World) -> None:
    """The provider makes the task only as late as it may."""
    job = await lost(alone)
    await asks(alone, 23)
    alone.provider.room = Capacity(in_use=1)
    await asks(alone, ENOUGH)
    assert (await alone.job(job)).state == "starting"


@pytest.mark.parametrize("what", ["silent", "unknown", "uncounted"])
async def test_a_count_that_cannot_be_taken_proves_nothing(alone: World, what: str) -> None:
    await alone.running(Upscale, NotFound() if what == "unknown" else RUNS)
    job = await lost(alone)
    alone.provider.room = Capacity(in_use=None if what == "uncounted" else 1)
    if what == "silent":
        alone.provider.fail("capacity", times=1_000)
    await asks(alone, 2 * ENOUGH)
    assert (await alone.job(job)).state == "starting"
    assert alone.provider.count("submit") == 2


@pytest.mark.parametrize("answers", [[RUNS, FAILS], [NotFound(), RUNS]])
async def test_a_known_task_that_begins_or_ends_during_a_count_voids_nothing(
    alone: World, answers: list[Answer]
) -> None:
    """The provider's number may be with it or without it."""
    await alone.running()
    job = await lost(alone)
    alone.provider.tasks["task-1"].answers = deque(answers)
    alone.provider.room = Capacity(in_use=0)
    await Counting(alone.context).look(await alone.attempt(job))
    assert await alone.store.attempts.begin_reading("gpu-1") is not None


@pytest.mark.parametrize("features", [COUNTS, Features(tells_webhook=True)])
async def test_an_account_that_others_may_use_is_not_counted(world: World, features: Features) -> None:
    exclusive = not features.counts_tasks
    await world.instead(features, capacity=3, exclusive=exclusive)
    job = await lost(world)
    await asks(world, ENOUGH)
    assert (await world.job(job)).state == "starting"
    assert world.provider.count("capacity") == 0


async def test_a_job_that_was_to_be_cancelled_is_cancelled_by_the_proof(alone: World) -> None:
    job = await lost(alone)
    await alone.engine.cancel(job.id)
    await asks(alone, ENOUGH)
    await alone.ended(job, "cancelled")


async def test_a_job_that_is_over_gets_its_slot_back_by_the_proof(alone: World) -> None:
    job = await lost(alone)
    await alone.store.jobs.end(
        await alone.job(job),
        operation_id=job.id,
        actor="test",
        reason="deadline",
        error={"category": "timeout"},
        evidence=(await alone.attempt(job)).evidence(Verdict.DEADLINE, "test"),
    )
    assert await alone.slots() == (1, 1)
    await asks(alone, ENOUGH)
    assert await alone.slots() == (0, 0)
    await alone.ended(job, "failed")


async def test_of_two_workers_one_at_a_time_submits(alone: World) -> None:
    other = Submitter(alone.context)
    for _ in range(2):
        await alone.queued()
    await alone.dispatcher.turn()
    gate = alone.provider.gate("submit")
    await asyncio.gather(alone.submitter.turn(), other.turn())
    await gate.reached.wait()
    await alone.work(other)
    assert alone.provider.count("submit") == 1
    gate.opened.set()
    await alone.submitter.crew.drain(30)
    await alone.work(other)
    assert alone.provider.count("submit") == 2


async def test_a_job_waits_in_the_queue_and_not_in_a_slot_for_its_turn_to_be_submitted(world: World) -> None:
    """Else slow create calls before its own would use up the time that it has to be submitted."""
    await world.instead(COUNTS, capacity=6, exclusive=True)
    jobs = [await world.queued() for _ in range(6)]
    for sent in range(1, 7):
        world.provider.plan(None, RUNS)
        gate = world.provider.gate("submit")
        await world.dispatcher.turn()
        await world.submitter.turn()
        await gate.reached.wait()
        await world.after(STARTING / 4)
        gate.opened.set()
        await world.submitter.crew.drain(30)
        states = [(await world.job(job)).state for job in jobs]
        assert states[:sent] == ["running"] * sent
        assert "failed" not in states


async def test_one_count_is_for_all_submissions_whose_reply_was_lost(alone: World) -> None:
    await alone.running()
    for _ in range(2):
        await lost(alone)
    await alone.clock.advance(alone.settings.poll_interval_seconds)
    alone.provider.calls.clear()
    await alone.work(alone.poller)
    assert alone.provider.count("capacity") == 1
    assert alone.provider.count("query") == 3  # before, after, and what becomes of the known one
    await asks(alone)
    assert (await alone.use()).open == 1


class TestLate:
    """P7: a task that turns up when its attempt is closed is recorded, told, and cancelled."""

    async def test_c5_a_task_that_turns_up_after_the_proof_is_cancelled(
        self, alone: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        job = await lost(alone)
        lost_task = alone.provider.tasks
        await asks(alone, ENOUGH)
        alone.provider.plan(None, RUNS)
        await alone.start()
        [second] = lost_task.values()
        # the provider had made it after all
        first = await alone.attempt(job)
        assert first.token_hash is not None
        alone.provider.plan(None, RUNS)
        stray = await a_stray(alone, first.token_hash)
        assert await alone.webhook(job, stray)
        await alone.after(1)
        assert ("cancel", stray) in alone.provider.calls
        assert ("cancel", second.task_id) not in alone.provider.calls
        [alarm] = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
        assert alarm.startswith(f"late result: attempt 1 of job {job.id} at gpu-1 was closed (rejected)")
        assert (await alone.attempt(job)).task_id == stray
        use = await alone.use()
        assert (use.open, use.late) == (1, 1)
        assert ((await alone.job(job)).state, (await alone.job(job)).attempt) == ("running", 2)
        calls = len(alone.provider.calls)
        await alone.after(3_600 / 6)
        assert ("cancel", stray) not in alone.provider.calls[calls:]

    async def test_where_the_provider_does_not_answer_it_is_asked_again(self, world: World) -> None:
        job = await given_up(world)
        assert await world.webhook(job, "task-1")
        world.provider.fail("confirm_binding")
        await world.after(60)
        assert world.provider.count("cancel") == 0
        await world.after(60)
        assert world.provider.count("cancel") == 1
        assert (await world.use()).abandoned == 1

    async def test_what_the_provider_does_not_confirm_is_nothing(self, world: World) -> None:
        job = await given_up(world)
        foreign = await world.running()
        task_id = (await world.attempt(foreign)).task_id
        assert task_id is not None
        assert await world.webhook(job, task_id)
        await world.after(60)
        assert world.provider.count("cancel") == 0
        assert (await world.use()).late == 0

    async def test_a_task_that_is_over_is_told_and_not_cancelled(self, world: World) -> None:
        job = await given_up(world, DONE)
        assert await world.webhook(job, "task-1")
        await world.after(60)
        assert world.provider.count("cancel") == 0
        assert (await world.use()).late == 1
        await world.ended(job, "failed")

    async def test_a_cancel_that_does_not_find_the_task_yet_is_asked_again(self, world: World) -> None:
        world.providers[world.account] = world.provider = Hesitant()
        job = await given_up(world)
        assert await world.webhook(job, "task-1")
        for asked in (1, 2, 2):
            await world.after(60)
            assert world.provider.count("cancel") == asked
        assert world.provider.tasks["task-1"].cancelled
        assert (await world.use()).late == 1

    async def test_a_provider_that_cannot_cancel_is_not_asked_to(self, world: World) -> None:
        await world.instead(Features(tells_webhook=True, cancels=False), capacity=2)
        job = await given_up(world)
        assert await world.webhook(job, "task-1")
        await world.after(60)
        assert world.provider.count("cancel") == 0
        assert (await world.use()).late == 1


class Hesitant(ScriptedProvider):
    """Does not find a task to cancel when it is asked for the first time."""

    async def cancel(self, task_id: str) -> CancelReply:
        if self.count("cancel") == 0:
            self.calls.append(("cancel", task_id))
            return CancelReply.NOT_FOUND
        return await super().cancel(task_id)


async def a_stray(world: World, token_hash: bytes) -> str:
    """Let the provider have a task that was created with the token of this hash, and return its id."""

    class Stray:
        """A task of which only the hash of the token is known."""

        def __init__(self) -> None:
            self.token_hash, self.answers, self.cancelled, self.ran = token_hash, [RUNS], False, False

    world.provider.tasks["task-stray"] = Stray()  # type: ignore[assignment]  # as much of a task as is asked for
    return "task-stray"


async def given_up(world: World, *answers: Succeeded) -> Job:
    """Return a failed job whose uncertain attempt held its slot until the last moment."""
    world.provider.plan(Uncertain("the connection broke"), *(answers or (RUNS,)))
    job = await world.opened()
    await world.work(world.submitter)
    await world.after(STARTING)
    await world.after(world.account.draining_seconds)
    assert (await world.attempt(job)).verdict is Verdict.ABSENT
    return job
