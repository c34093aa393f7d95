"""What the provider answers decides: results, failures, cancellations, late news."""

import logging
from datetime import timedelta

import pytest

from makegood import BaseJob, Job, JobMoney, ProviderUnavailable, Verdict
from makegood.outcome import (
    Answer,
    Cancelled,
    Failed,
    NotFound,
    Output,
    Succeeded,
    Trouble,
    Unfinished,
)
from makegood.testing.drive import fact
from makegood.testing.provider import PNG, PNG_END
from tests.engine.world import PATIENCE_SECONDS, PRICE, RUNNING, Upscale, World, a_world

RUNS, WAITS = Unfinished(running=True), Unfinished(running=False)
DONE = Succeeded((Output("https://provider.example/1.png", "png", "9"),))
EMPTY, FLAKY, LOST = Succeeded(()), Failed("errno 116", trouble=Trouble.PASSING), Failed("a safety filter")
NO_ANSWER = ProviderUnavailable("502")
FETCH_AGAIN_SECONDS = 200


class TestResult:
    async def test_a_job_is_complete_when_its_files_are_ours(self, world: World) -> None:
        job = await world.running(Upscale, DONE)
        await world.work(world.poller)
        assert ((await world.job(job)).state, await world.slots()) == ("running", (0, 0))
        await world.work(world.collector)
        ended = await world.ended(job, "completed", captured=PRICE)
        assert ended.output is not None
        [file] = ended.output["files"]
        assert (file["kind"], file["node"]) == ("png", "9")
        assert await world.blobs.get(file["key"]) == PNG + b"https://provider.example/1.png" + PNG_END

    async def test_a_result_of_several_files_is_brought_home_whole(self, world: World) -> None:
        outputs = tuple(Output(f"https://provider.example/{n}.png", "png") for n in range(3))
        job = await world.running(Upscale, Succeeded(outputs))
        world.provider.fail("fetch")
        await world.work(world.poller, world.collector)
        assert (await world.job(job)).output is None
        await world.clock.advance(FETCH_AGAIN_SECONDS)
        await world.work(world.collector)
        ended = await world.ended(job, "completed", captured=PRICE)
        assert ended.output is not None
        assert len({file["key"] for file in ended.output["files"]}) == 3

    async def test_d24_success_without_a_result_is_asked_again_and_then_is_a_failure(
        self, world: World
    ) -> None:
        job = await world.running(Upscale, EMPTY)
        await world.work(world.poller)
        assert world.provider.count("query") == 2
        ended = await world.ended(job, "failed")
        assert ended.error is not None
        assert ended.error["category"] == "no_output"

    async def test_d24_a_result_that_is_listed_a_moment_late_counts(self, world: World) -> None:
        job = await world.running(Upscale, EMPTY, DONE)
        await world.work(world.poller, world.collector)
        await world.ended(job, "completed", captured=PRICE)

    async def test_a_fetch_that_fails_is_tried_again_without_a_slot(self, world: World) -> None:
        job = await world.running(Upscale, DONE)
        world.provider.fail("fetch", times=3)
        await world.work(world.poller)
        for _ in range(3):
            await world.work(world.collector)
            assert ((await world.job(job)).state, await world.slots()) == ("running", (0, 0))
            await world.clock.advance(FETCH_AGAIN_SECONDS)
        await world.work(world.collector)
        await world.ended(job, "completed", captured=PRICE)
        assert world.provider.count("fetch") == 4

    async def test_d48_no_deadline_ends_a_job_whose_result_is_known(self, world: World) -> None:
        job = await world.running(Upscale, DONE)
        world.provider.fail("fetch", times=1)
        await world.work(world.poller, world.collector)
        await world.after(RUNNING)
        assert (await world.job(job)).state == "running"
        await world.work(world.collector)
        await world.ended(job, "completed", captured=PRICE)

    async def test_d48_a_result_that_becomes_known_while_the_deadline_acts_is_kept(
        self, world: World
    ) -> None:
        """Another process learns of it when this one has found the job overdue and has not asked yet."""
        job = await world.running(Upscale, DONE)
        await world.clock.advance(RUNNING.total_seconds())
        await world.watchdog.turn()
        outputs = ({"url": "https://provider.example/1.png", "kind": "png"},)
        await world.store.attempts.record(fact(job, Verdict.SUCCEEDED, task_id="task-1", outputs=outputs))
        await world.watchdog.crew.drain(PATIENCE_SECONDS)
        assert (await world.job(job)).state == "running"
        await world.work(world.collector)
        await world.ended(job, "completed", captured=PRICE)

    @pytest.mark.parametrize("adapter_fault", [False, True])
    async def test_a_result_that_cannot_be_had_ends_the_job_with_its_refund(
        self, world: World, adapter_fault: bool
    ) -> None:
        """Also where what fails is none of the failures that a provider is allowed."""
        job = await world.running(Upscale, DONE)
        world.provider.fail("fetch", times=100)
        await world.work(world.poller)
        if adapter_fault:
            world.provider.fetch = None  # type: ignore[method-assign, assignment]  # any fault will do
        await world.work(world.collector)
        await world.clock.advance(FETCH_AGAIN_SECONDS)
        await world.work(world.collector)
        assert (await world.job(job)).state == "running"
        await world.clock.advance(Upscale.fetch_deadline.total_seconds())
        await world.work(world.collector)
        ended = await world.ended(job, "failed")
        assert ended.error is not None
        assert ended.error["category"] == "result"

    async def test_the_fetch_deadline_is_the_types(self) -> None:
        class Hasty(BaseJob):
            pool, price = "gpu", PRICE
            fetch_deadline = timedelta(seconds=FETCH_AGAIN_SECONDS)

        async with a_world(Hasty) as world:
            job = await world.running(Hasty, DONE)
            world.provider.fail("fetch", times=100)
            await world.work(world.poller, world.collector)
            await world.clock.advance(FETCH_AGAIN_SECONDS)
            await world.work(world.collector)
            await world.ended(job, "failed")


class TestQuestions:
    async def test_d13_twenty_errors_of_the_question_change_nothing(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        job = await world.running(Upscale, *[NO_ANSWER] * 10, DONE)
        world.provider.fail("query", times=10)
        for _ in range(20):
            await world.ask()
            assert (await world.job(job)) == job
        await world.ask()
        await world.ended(job, "completed", captured=PRICE)
        assert world.provider.count("query") == 21
        assert not [record for record in caplog.records if record.levelno > logging.INFO]

    async def test_a_task_is_asked_about_once_an_interval(self, world: World) -> None:
        await world.running()
        for _ in range(3):
            await world.work(world.poller)
        assert world.provider.count("query") == 1
        await world.clock.advance(world.settings.poll_interval_seconds)
        await world.work(world.poller)
        assert world.provider.count("query") == 2

    async def test_whether_the_task_ever_ran_is_remembered(self, world: World) -> None:
        job = await world.running(Upscale, WAITS, RUNS, WAITS)
        told = []
        for _ in range(3):
            await world.ask()
            told.append((await world.attempt(job)).ran)
        assert told == [False, True, True]

    async def test_p10_a_task_that_the_provider_has_lost_ends_with_its_refund(self, world: World) -> None:
        job = await world.running(Upscale, NotFound())
        await world.work(world.poller)
        assert (await world.job(job)).state == "running"
        await world.clock.advance(world.settings.absent_after_seconds)
        await world.work(world.poller)
        await world.ended(job, "failed")
        assert await world.slots() == (0, 0)

    async def test_a_task_that_is_not_listed_yet_is_no_lost_task(self, world: World) -> None:
        job = await world.running(Upscale, NotFound(), DONE)
        await world.work(world.poller)
        await world.ask()
        await world.ended(job, "completed", captured=PRICE)


class TestFailure:
    async def test_d8_a_failure_gives_everything_back(self, world: World) -> None:
        job = await world.running(Upscale, LOST)
        await world.work(world.poller)
        ended = await world.ended(job, "failed")
        assert ended.error == {"category": "provider", "message": "a safety filter", "detail": {}}
        assert await world.slots() == (0, 0)

    async def test_m11_p28_a_passing_failure_runs_again_under_the_same_hold_within_the_bound(
        self, world: World
    ) -> None:
        for _ in range(5):
            world.provider.plan(None, FLAKY)
        job = await world.queued()
        for number in range(1, Upscale.attempts_max + 1):
            assert await world.money(job) == JobMoney(held=PRICE)
            await world.start()
            assert (await world.job(job)).attempt == number
            await world.work(world.poller)
        await world.ended(job, "failed")
        await world.start()
        assert world.provider.count("submit") == Upscale.attempts_max
        assert await world.way(job) == [
            *("submit", "accept", "dispatch", "begin", "rerun"),
            *("dispatch", "begin", "rerun", "dispatch", "begin", "fail"),
        ]

    async def test_the_second_run_may_succeed(self, world: World) -> None:
        job = await world.running(Upscale, FLAKY)
        await world.work(world.poller)
        await world.start()
        await world.work(world.poller, world.collector)
        await world.ended(job, "completed", captured=PRICE)

    async def test_a_lasting_failure_is_not_run_again(self, world: World) -> None:
        await world.running(Upscale, LOST)
        await world.work(world.poller)
        await world.start()
        assert world.provider.count("submit") == 1

    async def test_a_type_that_never_runs_again_fails_at_once(self) -> None:
        class Once(BaseJob, drop=[(BaseJob.rerun, BaseJob.running)]):
            pool, price = "gpu", PRICE

        async with a_world(Once) as world:
            job = await world.running(Once, FLAKY)
            await world.work(world.poller)
            await world.ended(job, "failed")

    async def test_a_cancel_that_nobody_asked_for_is_a_failure_with_all_credits_back(
        self, world: World
    ) -> None:
        job = await world.running(Upscale, RUNS, Cancelled(ran=True))
        await world.ask()
        await world.ask()
        await world.ended(job, "failed")


class TestCancel:
    """The wish is passed on; what the provider answers then decides, by the type's policy."""

    @pytest.mark.parametrize(
        ("before", "answer", "captured"),
        [
            (WAITS, Cancelled(ran=True), PRICE),
            (RUNS, Cancelled(ran=None), PRICE),
            (RUNS, Cancelled(ran=False), 0),
            (WAITS, Cancelled(ran=None), 0),
        ],
    )
    async def test_a_run_that_began_costs_what_the_type_says(
        self, world: World, before: Answer, answer: Answer, captured: int
    ) -> None:
        job = await world.running(Upscale, before, answer)
        await world.ask()
        await world.engine.cancel(job.id)
        await world.ask()
        await world.ended(job, "cancelled", captured=captured)
        assert await world.slots() == (0, 0)

    @pytest.mark.parametrize(
        ("answer", "state", "captured"),
        [(DONE, "completed", PRICE), (LOST, "failed", 0), (FLAKY, "failed", 0), (EMPTY, "failed", 0)],
    )
    async def test_whoever_ends_first_wins(
        self, world: World, answer: Answer, state: str, captured: int
    ) -> None:
        job = await world.running(Upscale, RUNS, answer)
        await world.ask()
        await world.engine.cancel(job.id)
        await world.ask()
        await world.ended(job, state, captured=captured)
        assert world.provider.count("submit") == 1

    async def test_the_wish_is_passed_on_at_once_and_once(self, world: World) -> None:
        job = await world.running(Upscale, RUNS, NO_ANSWER, NO_ANSWER, Cancelled(ran=True))
        await world.work(world.poller)
        await world.engine.cancel(job.id)
        await world.work(world.poller)
        assert world.provider.calls[-2:] == [("cancel", "task-1"), ("query", "task-1")]
        for _ in range(3):
            await world.ask()
        assert world.provider.count("cancel") == 1
        await world.ended(job, "cancelled", captured=PRICE)

    async def test_a_wish_that_did_not_reach_the_provider_is_passed_on_again(self, world: World) -> None:
        job = await world.running()
        await world.work(world.poller)
        world.provider.fail("cancel")
        await world.engine.cancel(job.id)
        await world.ask()
        attempt = await world.attempt(job)
        assert (attempt.cancel_sent_at is not None, attempt.cancel_answered) == (True, False)
        await world.ask()
        await world.ended(job, "cancelled", captured=PRICE)
        assert world.provider.count("cancel") == 2


class TestLate:
    """What comes after the end is kept as evidence and changes nothing."""

    @pytest.mark.parametrize("answer", [DONE, LOST, FLAKY, Cancelled(ran=True), EMPTY, NotFound()])
    async def test_no_late_answer_changes_an_end(self, world: World, answer: Answer) -> None:
        job = await world.running(Upscale, RUNS, answer)
        await world.after(RUNNING)
        ended = await world.ended(job, "failed")
        assert await world.slots() == (1, 1)
        await world.ask()
        assert await world.job(job) == ended
        await world.ended(job, "failed")
        assert await world.slots() == (0, 0)
        assert (await world.attempt(job)).verdict is not None
        assert world.provider.count("fetch") == 0

    async def test_evidence_of_the_first_run_does_not_end_the_second(self, world: World) -> None:
        job = await world.running(Upscale, FLAKY)
        await world.work(world.poller)
        await world.start()
        first = await world.attempt(job, 1)
        late = first.evidence(Verdict.FAILED, "a late reply")
        before: Job = await world.job(job)
        assert await world.mover.follow(job.id, "fail", actor="test", evidence=late) is None
        assert await world.job(job) == before
        assert await world.money(job) == JobMoney(held=PRICE)
