"""Many starts, many refusals, many questions without an answer: one charge, one task, no more than fit."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from makegood import JobMoney
from makegood.observing import NOBODY, ObservedProvider
from makegood.outcome import JSON, Cause, Submission
from makegood.ports import Provider
from makegood.testing.drive import Advance
from makegood_adapters.runninghub.codes import CODES, CodeClass
from makegood_adapters.runninghub.patience import Patience
from makegood_adapters.runninghub.simulator import Call, Faults, Match, Rule, VirtualClock
from tests.scenarios.stage import INSTANT, KEY, engine_beside, staged

QUEUE_SECONDS = 3_600  # of the upscaler
#: What the provider refuses for good because of the job, not because of the account.
FOR_GOOD = [
    code for code, known in CODES.items() if known.kind is CodeClass.TERMINAL and known.cause is Cause.REQUEST
]


async def test_d7_d16_every_code_that_refuses_for_good_is_refunded_with_the_refusal(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path) as stage:
        before = await stage.buckets()
        assert len(FOR_GOOD) > 10
        for code in FOR_GOOD:
            job = await stage.settled(await stage.order(refuse=code))
            assert (job.state, job.attempt) == ("failed", 1), code
            assert await stage.slots() == (0, 0), code
        assert await stage.buckets() == before
        assert stage.create_calls() == len(FOR_GOOD)
        assert stage.simulator.tasks == ()


async def test_d13_twenty_questions_without_an_answer_are_not_a_failure(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path, patience=Patience(tries=1), poll_interval_seconds=0.01) as stage:
        calls: tuple[Call, ...] = ("query", "outputs", "status")
        for call in calls:
            stage.simulator.add(Rule(faults=Faults(reply_status=502), match=Match(call=call), times=20))
        job = await stage.settled(await stage.order(webhooks=0))
        assert job.state == "completed"
        assert stage.simulator.counters.calls["query"] > 20
        assert await stage.events(job) == ["submit", "accept", "dispatch", "begin", "complete"]


async def test_d28_no_later_job_starts_before_an_earlier_one(database: str, tmp_path: Path) -> None:
    async with staged(database, tmp_path, capacity=1) as stage:
        jobs = [await stage.order(("upscaler", "pose_changer")[n % 2]) for n in range(6)]
        await stage.all_ended(jobs)
        arrivals = [task.request.arrival for job in jobs for task in await stage.tasks_of(job)]
        assert arrivals == sorted(arrivals)
        assert len(arrivals) == 6


async def test_d46_a_provider_that_says_later_for_ever_ends_in_a_refund(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    async with staged(database, tmp_path) as stage:
        before = await stage.buckets()
        job = await stage.order(refuse="421")
        await stage.sent_back(job, 3)
        await advance(QUEUE_SECONDS + 1)
        assert (await stage.settled(job)).state == "failed"
        assert await stage.buckets() == before
        assert stage.simulator.tasks == ()


async def test_d47_forty_starts_at_one_moment_and_four_after_them_are_one_charge_and_one_task(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path) as stage, engine_beside(stage) as other:
        job = await stage.draft(hold="running")
        await asyncio.gather(*((stage.engine, other)[n % 2].accept(job.id) for n in range(40)))
        task = await stage.task_exists()
        for _ in range(4):
            await stage.engine.accept(job.id)
        assert await stage.engine.money(job.id) == JobMoney(held=job.price)
        stage.simulator.release(task.id)
        assert (await stage.settled(job)).state == "completed"
        assert await stage.tasks_of(job) == [task]
        assert stage.create_calls() == 1


async def test_m4_forty_starts_at_one_moment_fill_twenty_slots_and_no_more(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path, capacity=20) as stage, engine_beside(stage) as other:
        drafts = [await stage.draft(hold="running") for _ in range(40)]
        await asyncio.gather(*((stage.engine, other)[n % 2].accept(d.id) for n, d in enumerate(drafts)))
        await stage.task_exists(20)
        assert await stage.slots() == (20, 0)
        assert await stage.value("select count(*) from makegood.job where state = 'queued'") == 20
        for number in range(40):
            stage.simulator.release((await stage.task_exists(number + 1)).id)
        assert {job.state for job in await stage.all_ended(drafts)} == {"completed"}
        assert stage.simulator.counters.live_max[KEY] == 20
        assert stage.create_calls() == 40


class Unheard(ObservedProvider):
    """What the create call sends arrives, whenever its caller's patience ends."""

    async def submit(self, request: JSON, files: Mapping[str, str], webhook: str | None) -> Submission:
        """Send, and wait no longer than the caller does."""
        self.sent = asyncio.create_task(super().submit(request, files, webhook))
        return await asyncio.shield(self.sent)


@pytest.mark.parametrize("then", ["found", "never found"])
async def test_c5_a_create_call_that_takes_too_long_is_not_made_again(
    then: str, database: str, tmp_path: Path, advance: Advance
) -> None:
    """The task is there; only its webhook, or the deadline, tells what became of it."""
    calls: list[Unheard] = []

    def wrap(provider: Provider) -> Provider:
        calls.append(Unheard("main", provider, NOBODY))
        return calls[0]

    given: dict[str, Any] = {"submit_timeout_seconds": 0.3, "draining_seconds": 100}
    async with staged(database, tmp_path, wrap=wrap, clock=VirtualClock(), pace=INSTANT, **given) as stage:
        found = then == "found"
        job = await stage.order(reply_seconds=2.0, webhooks=int(found))
        if not found:
            doubted = "select count(*) from makegood.attempt where phase = 'uncertain'"

            async def uncertain() -> bool:
                return bool(await stage.value(doubted))

            await stage.until(uncertain)
            await advance(601)
        assert (await stage.settled(job)).state == ("completed" if found else "failed")
        await advance(101 + 601 * (not found))
        await stage.slots_free()
        assert len(stage.simulator.tasks) == 1
        assert stage.create_calls() == 1
        sources = "select source from makegood.evidence where verdict = 'accepted'"
        assert await stage.value(sources) == ("webhook" if found else None)
        assert stage.simulator.tasks[0].reply == "pending"
        await stage.simulator.advance(2.0)
        await calls[0].sent
