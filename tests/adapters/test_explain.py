"""One job's money explained: the text as people read it, what comes next, and books that do not balance."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

from makegood import BaseJob, Failure, InvalidRequest, Job, UnknownJob
from makegood.job import Verdict
from makegood.outcome import Failed, Output, Rejected, Retry, Succeeded, Trouble, Uncertain, Unfinished
from makegood_adapters.cli.acting import already_over, outlook
from makegood_adapters.cli.audit.dossier import collect
from makegood_adapters.cli.audit.explain import Explanation, explain, job_id_of
from makegood_adapters.memory.tables import Hold, Tables
from tests.engine.world import PRICE, RUNNING, SETTINGS, STATES, Upscale, World, a_world, in_state

RUNS, DONE = Unfinished(running=True), Succeeded((Output("https://provider.example/1.png", "png"),))


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as opened:
        yield opened


async def told(world: World, job: Job) -> Explanation:
    return await explain(world.store, job.id)


def text(explained: Explanation) -> str:
    """Return the explanation without the first line, which has the id."""
    return "\n".join(explained.lines[1:])


async def test_a_delivered_job_is_told_line_by_line(world: World) -> None:
    await world.engine.start_cycle("ada", 20, plan="basic", cycle="january")
    job = await world.running(Upscale, Failed("out of memory", trouble=Trouble.PASSING))
    await world.ask()
    world.provider.plan(None, DONE)
    await world.start()
    await world.ask()
    assert (
        text(await told(world, job))
        == """\
upscale, version 1, for ada: completed
It costs 100 credits: 0 held, 100 paid, 0 returned.

2026-01-01 00:00:00  ordered by its owner ada, for 100 credits
2026-01-01 00:00:00  pending to queued: accept, by the engine
                     > 100 held: 20 monthly + 80 purchased
2026-01-01 00:00:00  queued to starting: attempt 1 takes a slot of gpu-1
2026-01-01 00:00:00  attempt 1: is sent to the provider
2026-01-01 00:00:00  attempt 1: the provider took it as task task-1, known from the reply to the create call
2026-01-01 00:00:00  starting to running: begin, by the submitter
2026-01-01 00:00:05  attempt 1: the provider failed (out of memory), known from the provider's answer to us
2026-01-01 00:00:05  running to queued: rerun, after the provider's answer (out of memory)
2026-01-01 00:00:05  attempt 1: its slot of gpu-1 is free again
2026-01-01 00:00:05  queued to starting: attempt 2 takes a slot of gpu-1
2026-01-01 00:00:05  attempt 2: is sent to the provider
2026-01-01 00:00:05  attempt 2: the provider took it as task task-2, known from the reply to the create call
2026-01-01 00:00:05  starting to running: begin, by the submitter
2026-01-01 00:00:10  attempt 2: the provider finished it, known from the provider's answer to us
2026-01-01 00:00:10  running to completed: complete, by the collector
                     > 100 paid: 20 monthly + 80 purchased
2026-01-01 00:00:10  attempt 2: its slot of gpu-1 is free again

The job is over: its credits never move again.

The books of this job balance."""
    )


async def test_credits_that_come_back_say_to_which_buckets_and_why(world: World) -> None:
    end = world.clock() + timedelta(minutes=1)
    await world.engine.start_cycle("ada", 20, plan="basic", cycle="january", ends_at=end)
    await world.engine.grant("ada", 30, kind="promo", source_ref="spring")
    job = await world.queued()
    await world.clock.advance(120)
    await world.engine.charge_back("ada", "spring")
    failure = Failure(category="closed", message="The studio is closed today.")
    await world.engine.fire(job.id, Upscale.fail, failure, actor="admin:eve")
    explained = await told(world, job)
    assert explained.facts[-1].text == "queued to failed: fail, by admin:eve (The studio is closed today)"
    [back] = explained.facts[-1].money
    assert back == (
        "100 returned: 30 promo + 20 grace until 2026-01-31 + 50 purchased; 30 of them pay the owner's debt"
    )
    assert explained.summary == "It costs 100 credits: 0 held, 0 paid, 100 returned."


async def test_a_refusal_of_the_provider_is_told_with_its_code(world: World) -> None:
    world.provider.plan(Rejected("805", "bad node.", Retry.NEVER))
    job = await world.opened()
    await world.work(world.submitter)
    texts = [fact.text for fact in (await told(world, job)).facts]
    assert (
        "attempt 1: the provider refused it (805: bad node), known from the reply to the create call" in texts
    )


async def test_a_plan_without_limit_returns_nothing(world: World) -> None:
    """S6: what was never charged is not told as returned."""
    await world.engine.grant_unlimited("ada", source_ref="gold")
    job = await world.queued()
    assert "it becomes failed and costs nothing." in text(await told(world, job))
    waiting = await collect(world.store, job.id)
    assert list(outlook(waiting, BaseJob.fail)) == ["It becomes failed: nothing is taken of its plan."]
    await world.engine.cancel(job.id, actor="ada")
    over = await collect(world.store, job.id)
    assert already_over(over).endswith("Of its 100 credits 0 were paid and 0 came back.")
    explained = await told(world, job)
    assert explained.summary == (
        "It costs 100 credits: 0 held, 0 paid, 0 returned. An unlimited plan covered 100 of it."
    )
    assert explained.facts[-1].money == ("100 given back to the unlimited plan: 100 unlimited",)
    assert "100 returned" not in text(explained)


async def test_another_program_is_named_by_its_database_user(world: World) -> None:
    job = await world.queued()
    await world.engine.fire(job.id, Upscale.fail, Failure(message=""), actor="database:reporting")
    last = (await told(world, job)).facts[-1].text
    assert last == "queued to failed: fail, by another program, as the database user reporting"


COMES = {
    "pending": [
        "It waits for one of: accept, refuse, cancel.",
        "If nothing happens until 2026-01-01 00:03:00, it becomes failed and costs nothing.",
    ],
    "queued": [
        "It waits for a slot of the pool gpu: place 1 in the queue.",
        "If nothing happens until 2026-01-01 06:00:00, it becomes failed and its 100 credits come back.",
    ],
    "opened": ["It is about to be sent to the provider."],
    "submitting": ["Nobody knows whether the provider has it: no second call is made, evidence decides."],
    "running": ["The provider has it; it is asked again and again, 0 times so far."],
    "deferred": ["It waits for a slot of the pool gpu: place 1 in the queue."],
    "rejected": [
        "It waits for a slot of the pool gpu: place 1 in the queue, not before 2026-01-01 00:01:00."
    ],
    "completed": ["The job is over: its credits never move again."],
    "failed": ["The job is over: its credits never move again."],
    "cancelled": ["The job is over: its credits never move again."],
}


@pytest.mark.parametrize("state", STATES)
async def test_what_comes_next_is_told_in_every_state(world: World, state: str) -> None:
    explained = await told(world, await in_state(world, state))
    assert explained.faults == ()
    assert list(explained.next[: len(COMES[state])]) == COMES[state]
    assert len(explained.next) == 1 + (state not in ("completed", "failed", "cancelled"))


async def test_a_wish_to_cancel_and_a_draining_slot_are_told(world: World) -> None:
    job = await world.running(Upscale, RUNS)
    await world.engine.cancel(job.id, actor="ada", reason="ordered twice")
    explained = await told(world, job)
    assert "It is to be cancelled: the provider's answer decides what that costs." in explained.next
    assert "ada asks to cancel it: ordered twice" in [fact.text for fact in explained.facts]
    for question in ("cancel", "query"):
        world.provider.fail(question, times=100)
    await world.after(RUNNING)
    explained = await told(world, job)
    assert explained.next[0] == "The job is over: its credits never move again."
    assert explained.next[1].startswith(
        "Attempt 1 keeps its slot of gpu-1 until the provider is done, or 2026-"
    )


async def test_a_result_that_is_not_ours_yet_is_not_paid(world: World) -> None:
    job = await world.running(Upscale, DONE)
    await world.clock.advance(world.settings.poll_interval_seconds)
    await world.work(world.poller)
    assert (await told(world, job)).next[0] == (
        "The provider has finished it: the result is being fetched, and is paid once it is ours."
    )


async def test_who_lacked_the_credits_reads_that_nothing_was_held(world: World) -> None:
    job = await world.engine.submit(Upscale, "bo", {})
    assert (await told(world, job)).summary == "It costs 100 credits; none are held so far."
    with pytest.raises(Exception, match="costs 100 credits"):
        await world.engine.accept(job.id)
    explained = await told(world, job)
    assert explained.summary == "It costs 100 credits; none were held."
    assert explained.next == ("The job is over: it cost nothing.",)


def _hold(tables: Tables, job: Job) -> None:
    tables.holds[job.id] = [Hold(1, PRICE, PRICE)]


def _state(tables: Tables, job: Job) -> None:
    tables.jobs[job.id].job = replace(job, state="completed")


def _settled(tables: Tables, job: Job) -> None:
    tables.jobs[job.id].job = replace(job, settled=40)


def _price(tables: Tables, job: Job) -> None:
    tables.jobs[job.id].job = replace(job, price=70)


def _version(tables: Tables, job: Job) -> None:
    tables.history[job.id].pop(2)


def _event(tables: Tables, job: Job) -> None:
    steps = tables.history[job.id]
    steps[-1] = replace(steps[-1], event="vanish")


def _evidence(tables: Tables, job: Job) -> None:
    tables.attempts[job.id, 1].evidence.pop(Verdict.FAILED)


def _minted(tables: Tables, job: Job) -> None:
    journal = tables.wallets["ada"].journal
    journal.append(replace(journal[-1], seq=journal[-1].seq + 1, kind="issue"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_hold, "The holds show 0 held, 100 paid and 0 returned; the journal has 100 drawn, 0 paid and 100"),
        (_state, "The history ends in failed, the job is completed."),
        (_settled, "The job says that 40 were paid, the ledger 0."),
        (_price, "The job is failed and costs 70; 0 held, 0 paid and 100 returned do not fit that."),
        (_version, "The history has 4 steps, the job counts 5."),
        (_event, "Step 4, vanish, is no edge of upscale@1."),
        (_evidence, "Step 4, fail: its credits moved without evidence about attempt 1 that it is one of:"),
        (_minted, "What came back to expired buckets is not what was issued as grace credits."),
    ],
)
async def test_books_that_do_not_balance_are_told_as_broken(
    spoil: Callable[[Tables, Job], None], said: str
) -> None:
    world = World([Upscale], 2, SETTINGS, None)
    async with world.engine:
        await world.store.attempts.register(world.account)
        await world.engine.grant("ada", 1_000, source_ref="order-1")
        job = await world.running(Upscale, Failed("out of memory"))
        await world.ask()
        job = await world.job(job)
        assert (await told(world, job)).faults == ()
        spoil(world.store.tables, job)
        explained = await told(world, job)
        assert [fault for fault in explained.faults if fault.startswith(said)]
        assert "The books of this job are broken:" in explained.lines


async def test_an_unknown_job_is_one_sentence(world: World) -> None:
    with pytest.raises(UnknownJob, match=r"^There is no job [0-9a-f-]{36}\.$"):
        await explain(world.store, uuid4())


@pytest.mark.parametrize("wrong", ["", "abc", "12", "01a213bf-9421-7538-90e1"])
def test_what_is_no_id_is_one_sentence(wrong: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{re.escape(repr(wrong))} is no job id: "):
        job_id_of(wrong)


async def test_an_uncertain_job_names_no_task(world: World) -> None:
    world.provider.plan(Uncertain("the connection broke"), RUNS)
    job = await world.opened()
    await world.work(world.submitter)
    assert "task" not in text(await told(world, job))
