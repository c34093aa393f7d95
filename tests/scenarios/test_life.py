"""The life of a job against a provider that is really served: it is delivered, or the credits are back."""

from functools import partial
from pathlib import Path

from makegood import JobMoney, Verdict
from makegood.job import Phase
from makegood.testing.drive import Advance
from makegood_adapters.runninghub.simulator import Faults, Match, Pace, Rule
from tests.scenarios.stage import (
    HEIGHT,
    MONTHLY,
    PATIENCE_SECONDS,
    PURCHASED,
    WIDTH,
    Stage,
    size_of,
    staged,
)

UNTOUCHED = {"monthly": (MONTHLY, 0, 0), "purchased": (PURCHASED, 0, 0)}
PRICE = 60
HOLDS = "select count(*) from makegood.journal where kind = 'hold'"
DEADLINE = 600  # of `starting` and `running`, as the upscaler's file says
PAUSE = 300  # ten of them are within the time that a job may wait


async def test_a_job_delivers_its_picture_at_twice_the_size_and_is_paid(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path) as stage:
        job = await stage.settled(await stage.order())
        assert job.state == "completed"
        assert size_of(await stage.result(job)) == (2 * WIDTH, 2 * HEIGHT)
        assert await stage.buckets() == {
            "monthly": (0, 0, MONTHLY),
            "purchased": (PURCHASED - (PRICE - MONTHLY), 0, PRICE - MONTHLY),
        }
        assert await stage.events(job) == ["submit", "accept", "dispatch", "begin", "complete"]
        assert stage.create_calls() == 1


async def test_d8_d41_a_failure_at_the_provider_gives_both_buckets_back(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path) as stage:
        job = await stage.settled(await stage.order(fail="CUDA error: an illegal memory access"))
        assert job.state == "failed"
        assert job.error is not None
        assert "CUDA error" in job.error["message"]
        assert await stage.buckets() == UNTOUCHED
        await stage.slots_free()


async def test_m11_a_transient_failure_runs_again_under_the_same_hold(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    async with staged(database, tmp_path) as stage:
        job = await stage.order(fail="generation failed", transient=True, times=1)
        await stage.sent_back(job)
        await advance(5)
        job = await stage.settled(job)
        assert job.state == "completed"
        assert "rerun" in await stage.events(job)
        assert await stage.value(HOLDS) == 2  # one a bucket
        tasks = await stage.tasks_of(job)
        assert [t.state.value for t in tasks] == ["FAILED", "SUCCESS"]


async def test_m11_a_run_without_enough_memory_is_made_again_on_a_larger_machine(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    async with staged(database, tmp_path) as stage:
        full = Faults(
            fail="CUDA out of memory. Tried to allocate 2.00 GiB", exception_type="OutOfMemoryError"
        )
        stage.simulator.add(Rule(faults=full, match=Match(instance="default"), times=None))
        job = await stage.order()
        await stage.sent_back(job)
        await advance(5)
        job = await stage.settled(job)
        assert job.state == "completed"
        assert await stage.value(HOLDS) == 2  # one a bucket
        tasks = await stage.tasks_of(job)
        assert [(t.request.instance, t.state.value) for t in tasks] == [
            ("default", "FAILED"),
            ("plus", "SUCCESS"),
        ]


async def test_d24_a_success_without_a_result_is_a_failure_with_refund(database: str, tmp_path: Path) -> None:
    async with staged(database, tmp_path) as stage:
        job = await stage.settled(await stage.order(no_outputs=True))
        assert job.state == "failed"
        assert await stage.buckets() == UNTOUCHED


async def test_d3_the_poll_saves_a_job_whose_webhook_never_comes(database: str, tmp_path: Path) -> None:
    async with staged(database, tmp_path) as stage:
        job = await stage.settled(await stage.order(webhooks=0))
        assert job.state == "completed"
        assert await stage.value("select count(*) from makegood.inbox") == 0


async def test_d16_a_job_refused_for_good_is_refunded_in_the_same_commit(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path) as stage:
        job = await stage.settled(await stage.order(refuse="803"))
        assert (job.state, job.attempt) == ("failed", 1)
        assert await stage.buckets() == UNTOUCHED
        # Rows of these two tables are never updated, so that xmin is the transaction that wrote them.
        moved = await stage.value(
            "select xmin::text from makegood.history where job_id = $1 and to_state = 'failed'", job.id
        )
        given_back = await stage.sql.fetch(
            "select xmin::text as xmin from makegood.journal where job_id = $1 and kind = 'release'", job.id
        )
        assert [row["xmin"] for row in given_back] == [moved, moved]
        assert await stage.slots() == (0, 0)
        assert stage.create_calls() == 1


async def test_d26_p4_waiting_for_a_busy_provider_is_not_a_failed_try(database: str, tmp_path: Path) -> None:
    async with staged(database, tmp_path, capacity=1, defer_seconds=0) as stage:
        job = await stage.settled(await stage.order(refuse="421", times=10))
        assert job.state == "completed"
        assert (job.attempt, job.attempts_max, job.reruns) == (11, 3, 0)
        assert (await stage.events(job)).count("defer") == stage.simulator.refusals["421"] == 10
        assert await stage.value(HOLDS) == 2  # one a bucket
        assert len(stage.simulator.tasks) == 1


async def sent_back(stage: Stage, times: int) -> bool:
    """Whether the provider has refused so often, and nobody is on the way to it."""
    if stage.simulator.refusals["421"] != times:  # asked first: a job that waits may be on its way by then
        return False
    waiting = await stage.value("select bool_and(state in ('queued', 'completed')) from makegood.job")
    return waiting is True


async def test_d26_jobs_that_a_busy_provider_sent_back_keep_their_order(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    """The provider's own limit is used up by somebody else for ten create calls."""
    async with staged(database, tmp_path, capacity=1, defer_seconds=PAUSE, defer_max_seconds=PAUSE) as stage:
        first, second = [await stage.order(refuse="421", times=5) for _ in range(2)]
        for refusals in range(1, 6):
            await stage.until(partial(sent_back, stage, refusals))
            assert [await stage.engine.position(job.id) for job in (first, second)] == [1, 2]
            await advance(PAUSE + 1)
        for refusals in range(6, 11):
            await stage.until(partial(sent_back, stage, refusals))
            await advance(PAUSE + 1)
        await stage.all_ended([first, second])
        [early], [late] = await stage.tasks_of(first), await stage.tasks_of(second)
        assert early.request.arrival < late.request.arrival


async def test_c5_p7_a_lost_create_reply_is_found_by_its_webhook_and_never_sent_again(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path) as stage:
        job = await stage.settled(await stage.order(drop_reply=True))
        assert (job.state, job.attempt) == ("completed", 1)
        assert stage.create_calls() == 1
        assert stage.simulator.tasks[0].reply == "dropped"
        found_by = await stage.value("select source from makegood.evidence where verdict = 'accepted'")
        assert found_by == "webhook"


async def test_c5_c9_m5_a_submission_that_leaves_no_trace_ends_by_its_deadline_and_drains(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    """Create reply and webhook are both lost: credits back, no second call, the slot held to the end."""
    async with staged(database, tmp_path, capacity=1, draining_seconds=1000) as stage:
        job = await stage.order(drop_reply=True, webhooks=0)

        async def uncertain() -> bool:
            attempt = await stage.store.attempts.get(job.id, 1)
            return attempt is not None and attempt.phase is Phase.UNCERTAIN

        await stage.until(uncertain)
        await stage.simulator.wait_for(lambda: stage.simulator.tasks[0].over, PATIENCE_SECONDS)
        waiting = await stage.order()
        await advance(DEADLINE + 1)
        failed = await stage.settled(job)
        assert failed.state == "failed"
        assert (await stage.last(failed)).actor == "watchdog"
        assert await stage.slots() == (1, 1)
        assert (await stage.engine.get(waiting.id)).state == "queued"

        await advance(1001)
        assert (await stage.settled(waiting)).state == "completed"
        assert await stage.engine.money(job.id) == JobMoney(released=PRICE)
        assert len(await stage.tasks_of(job)) == 1
        attempt = await stage.store.attempts.get(job.id, 1)
        assert attempt is not None
        assert attempt.verdict is Verdict.ABSENT


async def test_m5_c9_a_result_after_the_deadline_neither_charges_nor_moves_the_job(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    async with staged(
        database, tmp_path, capacity=1, pace=Pace(queued_seconds=0, cancel_seconds=60)
    ) as stage:
        job = await stage.reached(await stage.order(hold="running"), "running")
        await advance(DEADLINE + 1)
        failed = await stage.settled(job)
        assert failed.state == "failed"
        assert await stage.slots() == (1, 1)  # the provider still works on it
        task = stage.simulator.tasks[0]
        await stage.simulator.wait_for(lambda: task.cancel_requested_at is not None, PATIENCE_SECONDS)
        stage.simulator.release(task.id)
        await stage.slots_free()
        assert task.state.value == "SUCCESS"
        assert await stage.engine.get(job.id) == failed
        assert await stage.buckets() == UNTOUCHED


async def test_a_running_job_that_the_provider_cancels_costs_what_its_type_says(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path) as stage:
        job = await stage.reached(await stage.order(hold="running"), "running")
        task = stage.simulator.tasks[0]
        await stage.simulator.wait_for(lambda: task.started_at is not None, PATIENCE_SECONDS)
        asked = await stage.engine.cancel(job.id, actor="ada", reason="changed my mind")
        assert asked.state == "running"  # only the provider can end it
        job = await stage.ended(job)
        assert (job.state, task.state.value) == ("cancelled", "CANCEL")
        assert await stage.engine.money(job.id) == JobMoney(captured=PRICE)
        await stage.slots_free()


async def test_a_job_cancelled_before_the_provider_began_costs_nothing(database: str, tmp_path: Path) -> None:
    async with staged(database, tmp_path) as stage:
        job = await stage.reached(await stage.order(hold="queued"), "running")
        await stage.engine.cancel(job.id, actor="ada")
        job = await stage.ended(job)
        assert job.state == "cancelled"
        assert await stage.engine.money(job.id) == JobMoney(released=PRICE)
        assert await stage.buckets() == UNTOUCHED


async def test_c10_a_success_that_comes_before_the_cancellation_is_delivered_and_paid(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path, pace=Pace(queued_seconds=0, cancel_seconds=60)) as stage:
        job = await stage.reached(await stage.order(hold="running"), "running")
        task = stage.simulator.tasks[0]
        await stage.engine.cancel(job.id, actor="ada")
        await stage.simulator.wait_for(lambda: task.cancel_requested_at is not None, PATIENCE_SECONDS)
        stage.simulator.release(task.id)
        job = await stage.settled(job)
        assert job.state == "completed"
        assert size_of(await stage.result(job)) == (2 * WIDTH, 2 * HEIGHT)


async def test_s1_a_job_cancelled_in_the_queue_is_never_sent_and_costs_nothing(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path, capacity=1) as stage:
        running = await stage.reached(await stage.order(hold="running"), "running")
        waiting = await stage.order()
        assert await stage.engine.position(waiting.id) == 1
        cancelled = await stage.engine.cancel(waiting.id, actor="ada")
        assert cancelled.state == "cancelled"
        assert await stage.engine.money(waiting.id) == JobMoney(released=PRICE)
        stage.simulator.release(stage.simulator.tasks[0].id)
        await stage.settled(running)
        assert stage.create_calls() == 1


async def test_m2_d9_a_client_that_reports_the_failure_of_a_running_job_changes_nothing(
    database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path) as stage:
        job = await stage.reached(await stage.order(hold="running"), "running")
        told = await stage.engine.report(job.id, "the page lost its connection")
        await stage.hints_read(job)  # the provider was asked
        assert told == await stage.engine.get(job.id)
        assert await stage.engine.money(job.id) == JobMoney(held=PRICE)
        stage.simulator.release(stage.simulator.tasks[0].id)
        job = await stage.settled(job)
        assert job.state == "completed"
        assert "fail" not in await stage.events(job)
