"""The engine dies at the worst moments; what it had begun comes to its end, once."""

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path

from makegood import Job, JobMoney, Verdict
from makegood.job import Phase
from makegood.outcome import JSON, Submission
from makegood.ports import Provider
from makegood.testing.drive import Advance
from makegood_adapters.cli.stage import API_KEY
from makegood_adapters.runninghub.simulator import Pace, VirtualClock
from tests.scenarios.child import Mortal, child_of
from tests.scenarios.stage import INSTANT, Stage, engine_beside, most_at_once, patience, staged

PRICE = 60
SLOTS = 3  # of the child's account
JOBS, KILLS = 15, 6
#: How many rows a worker has taken and not given back.
LEASED = (
    "select (select count(*) from makegood.attempt where closed_at is null"
    "          and phase in ('opened', 'submitting') and lease_until > makegood.now())"
    "     + (select count(*) from makegood.outbox where done_at is null and leased_until > makegood.now())"
)


async def test_d35_p5_a_kill_between_the_create_call_and_its_record_loses_and_repeats_nothing(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    """The task exists and the reply is not sent; the webhook's token alone leads back to the job."""
    async with staged(database, tmp_path, key=API_KEY, run_loops=False) as stage:
        async with child_of(stage, tmp_path) as process:
            job = await stage.order(reply_seconds=600, hold="running")
            task = await stage.task_exists()
            process.kill()
            assert task.reply == "pending"
            attempt = await stage.store.attempts.get(job.id, 1)
            assert attempt is not None
            assert (attempt.phase, attempt.task_id) == (Phase.SUBMITTING, None)

            await process.start()
            await advance(121)  # the lease of the dead worker has ended
            stage.simulator.release(task.id)
            job = await stage.settled(job)
        assert (job.state, job.attempt) == ("completed", 1)
        assert await stage.tasks_of(job) == list(stage.simulator.tasks) == [task]
        assert stage.create_calls() == 1
        found_by = await stage.value("select source from makegood.evidence where verdict = 'accepted'")
        assert found_by == "webhook"


class Stuck:
    """A provider whose create call is never made, however long one waits."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.upload, self.query, self.cancel = provider.upload, provider.query, provider.cancel
        self.fetch, self.confirm_binding = provider.fetch, provider.confirm_binding
        self.parse_webhook, self.capacity = provider.parse_webhook, provider.capacity
        self.features = provider.features
        self.called = asyncio.Event()

    async def submit(self, request: JSON, files: Mapping[str, str], webhook: str | None) -> Submission:
        """Get stuck on the way."""
        self.called.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets that event")


async def test_p5_c5_a_death_between_the_intent_and_the_create_call_is_refunded_never_sent_again(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    stuck: list[Stuck] = []

    def wrap(provider: Provider) -> Provider:
        stuck.append(Stuck(provider))
        return stuck[0]

    async with staged(
        database,
        tmp_path,
        capacity=1,
        wrap=wrap,
        draining_seconds=100,
        drain_seconds=0,
        drain_submit_seconds=0,
    ) as stage:
        job = await stage.order()
        async with patience():
            await stuck[0].called.wait()
        await stage.stop_engine()
        attempt = await stage.store.attempts.get(job.id, 1)
        assert attempt is not None
        assert attempt.phase is Phase.UNCERTAIN  # it was to be sent, and nobody knows whether it was

        async with engine_beside(stage):
            await advance(601)
            assert (await stage.settled(job)).state == "failed"
            assert await stage.slots() == (1, 1)  # nobody knows yet that there is no task
            await advance(101)
            later = await stage.order()
            assert (await stage.settled(later)).state == "completed"
        attempt = await stage.store.attempts.get(job.id, 1)
        assert attempt is not None
        assert attempt.verdict is Verdict.ABSENT
        assert await stage.tasks_of(job) == []
        assert stage.create_calls() == 1  # that of the later job
        assert await stage.engine.money(job.id) == JobMoney(released=PRICE)


async def test_p13_d12_an_engine_killed_again_and_again_ends_every_job_and_submits_none_twice(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    pace = Pace(queued_seconds=0.02, running_seconds=0.1, spread=0.9, webhook_retry_seconds=0.5)
    async with staged(database, tmp_path, key=API_KEY, run_loops=False, pace=pace) as stage:
        jobs = [await stage.order(("upscaler", "pose_changer")[n % 2]) for n in range(JOBS)]
        async with child_of(stage, tmp_path) as process:
            mortal = Mortal(stage, process, advance)
            for _ in range(KILLS):
                await mortal.dies_after(random.randint(1, 3))
            await mortal.ends_all()
        ended = [await stage.settled(job) for job in jobs]
        await check_nothing_was_submitted_twice(stage, ended)
        assert "completed" in [job.state for job in ended]
        assert most_at_once(stage.simulator.tasks) <= SLOTS
        assert await stage.engine.violations() == []


async def check_nothing_was_submitted_twice(stage: Stage, jobs: list[Job]) -> None:
    tokens = [task.request.webhook_url for task in stage.simulator.tasks]
    assert len(set(tokens)) == len(tokens)
    owned = [task.id for job in jobs for task in await stage.tasks_of(job)]
    assert sorted(owned) == sorted(task.id for task in stage.simulator.tasks)
    for job in jobs:
        tasks = await stage.tasks_of(job)
        assert len(tasks) <= job.attempt
        if job.state == "completed":
            assert "SUCCESS" in [task.state.value for task in tasks]
            await stage.result(job)


async def test_sigterm_lets_the_create_call_under_way_end_and_leaves_nothing_leased(
    database: str, tmp_path: Path
) -> None:
    async with (
        staged(database, tmp_path, key=API_KEY, run_loops=False, clock=VirtualClock(), pace=INSTANT) as stage,
        child_of(stage, tmp_path) as process,
    ):
        job = await stage.order(reply_seconds=1, hold="running")
        task = await stage.task_exists()

        async def knows() -> bool:
            return [row.state.value for row in await stage.store.workers.present()] == ["draining"]

        stopping = asyncio.create_task(asyncio.to_thread(process.stop))
        await stage.until(knows)
        replies = [task.reply]
        await stage.simulator.advance(1)
        assert await stopping == 0
        assert [*replies, task.reply] == ["pending", "sent"]
        attempt = await stage.store.attempts.get(job.id, 1)
        assert attempt is not None
        assert (attempt.phase, attempt.task_id) == (Phase.ACCEPTED, task.id)
        assert (await stage.engine.get(job.id)).state == "running"
        assert await stage.value(LEASED) == 0

        await process.start()
        stage.simulator.release(task.id)
        assert (await stage.settled(job)).state == "completed"
