"""Loops outlive what they call: foreign cancellations, endless calls, code of a type that raises."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import Any, NoReturn
from uuid import uuid4

import pytest
from pydantic import BaseModel

from makegood import BaseJob, Catalog, Engine, Failure, Job, JobMoney, Settings, Transition
from makegood.job import Phase, Verdict
from makegood.mover import POLL, RELAY, Mover
from makegood.outcome import Accepted, Answer, Failed, Output, Succeeded, Trouble, Unfinished
from makegood.runtime import Health, LocalWakeups, Submitter, run_all
from tests.engine.world import PATIENCE_SECONDS, PRICE, QUEUE, RUNNING, Upscale, World, a_world

RUNS, LOST = Unfinished(running=True), Failed("a safety filter")
PASSING = Failed("errno 116", trouble=Trouble.PASSING)
DONE = Succeeded((Output("https://provider.example/1.png", "png"),))
# The lease is shorter than the first pause, so that what cannot be recorded is not tried a second time.
IMPATIENT = Settings(
    upload_timeout_seconds=0.2, submit_timeout_seconds=0.2, lease_seconds=0.45, loop_interval_seconds=3_600
)
LOOPS = {"dispatcher", "submitter", "poller", "collector", "watchdog", "relay"}


async def somebody_elses_end(*_: object) -> NoReturn:
    """Await something that was cancelled: the CancelledError is not meant for who awaits."""
    gone = asyncio.get_running_loop().create_future()
    gone.cancel()
    await gone
    raise AssertionError("it was cancelled")


async def somebody_elses_end_in_pieces(*_: object) -> AsyncGenerator[bytes, None]:
    yield b""
    await somebody_elses_end()


async def a_mistake(*_: object) -> NoReturn:
    raise RuntimeError("a mistake of the type")


def alive() -> set[str]:
    names = {task.get_name().removeprefix("makegood ") for task in asyncio.all_tasks()}
    return names & LOOPS


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110  # every part of the world is in this loop
            await asyncio.sleep(0)


class TestForeignCancellation:
    """A CancelledError of something else is an error like others; one of our own ends a loop."""

    async def test_a_turn_that_raises_it_is_a_failure_and_the_loop_goes_on(self) -> None:
        taken, third = itertools.count(1), asyncio.Event()

        class Shaken:
            name = topic = "shaken"

            async def turn(self) -> bool:
                if (number := next(taken)) < 3:
                    assert health.failures == number - 1
                    await somebody_elses_end()
                third.set()
                return False

        health, stopping, wakeups = Health("shaken"), asyncio.Event(), LocalWakeups()
        settings = Settings(loop_interval_seconds=0.001)
        work = asyncio.create_task(run_all([Shaken()], wakeups, settings, stopping, {"shaken": health}))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await third.wait()
            stopping.set()
            await work
        assert (health.failures, health.turns) == (0, next(taken) - 3)
        assert health.last_error is not None
        assert health.last_error.startswith("CancelledError")

    async def test_a_loop_that_is_cancelled_itself_ends(self) -> None:
        begun, stopping = asyncio.Event(), asyncio.Event()

        class Long:
            name = topic = "long"

            async def turn(self) -> bool:
                if begun.is_set():  # a second turn: the end was not let through
                    stopping.set()
                    return False
                begun.set()
                await asyncio.Event().wait()
                return False

        health, settings = Health("long"), Settings(loop_interval_seconds=0.001)
        work = asyncio.create_task(run_all([Long()], LocalWakeups(), settings, stopping, {"long": health}))
        await begun.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await work
        assert (stopping.is_set(), health.last_error) == (False, None)

    async def test_a_hook_that_raises_it_is_told_again_and_then_given_up(self) -> None:
        class Hooked(Upscale):
            name = "hooked"

        told: list[str] = []
        Hooked.queued.on_enter(somebody_elses_end)

        @Hooked.failed.on_enter
        async def hear(transition: Transition) -> None:
            told.append(transition.to_state)

        async with a_world(Hooked, settings=Settings(hook_tries_max=2)) as world:
            job = await world.queued(Hooked)
            await world.engine.fire(job.id, Hooked.fail, Failure())
            for _ in range(2):
                await world.tell()
                await world.clock.advance(3_600)
            await world.tell()
            assert told == ["failed"]

    async def test_a_question_that_raises_it_keeps_no_deadline_from_ending_the_job(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(world.provider, "query", somebody_elses_end)
        job, waiting = await world.running(), await world.pending()
        await world.ask()
        assert await world.job(job) == job
        await world.after(RUNNING)
        await world.ended(job, "failed")
        assert (await world.job(waiting)).state == "failed"

    @pytest.mark.parametrize("error", [somebody_elses_end, a_mistake])
    async def test_an_effect_that_raises_holds_its_job_no_longer_than_its_deadline_and_no_other(
        self, error: Callable[..., Awaitable[None]]
    ) -> None:
        class Affected(Upscale):
            name = "affected"

        Affected.cancel.effect(error)
        async with a_world(Affected) as world:
            job = await world.queued(Affected)
            await world.store.jobs.request_cancel(job.id)
            waiting = await world.pending(Affected)
            await world.after(3_600)
            assert ((await world.job(job)).state, (await world.job(waiting)).state) == ("queued", "failed")
            assert await world.money(job) == JobMoney(held=PRICE)
            await world.after(QUEUE)
            await world.ended(job, "failed")

    @pytest.mark.parametrize("call", ["upload", "fetch"])
    async def test_a_transfer_that_raises_it_is_a_transfer_that_failed(
        self, world: World, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        end = somebody_elses_end if call == "upload" else somebody_elses_end_in_pieces
        monkeypatch.setattr(world.provider, call, end)
        job = await world.opened(image=await world.with_image())
        await world.work(world.submitter, world.poller, world.collector)
        if call == "upload":
            assert ((await world.job(job)).state, await world.slots()) == ("queued", (0, 0))
            assert await world.pause(job) > 0
        await world.clock.advance(Upscale.fetch_deadline.total_seconds())
        await world.work(world.collector, world.watchdog)
        if call == "fetch":
            await world.ended(job, "failed")

    async def test_an_engine_whose_every_callee_raises_it_once_lives_on(self) -> None:
        class Hooked(Upscale):
            name = "hooked"

        once, heard = iter([somebody_elses_end]), asyncio.Event()

        @Hooked.completed.on_enter
        async def hear(_: Transition) -> None:
            for end in once:
                await end()
            heard.set()

        async with a_world(Hooked) as world:
            query, failing = world.provider.query, iter([somebody_elses_end])

            async def ask(task_id: str) -> Answer:
                for end in failing:
                    await end()
                return await query(task_id)

            world.provider.query = ask  # type: ignore[method-assign]  # the script has no such answer
            engine = engine_of(world)
            async with engine:
                job = await engine.accept((await engine.submit(Hooked, "ada", {})).id)

                async def is_over() -> bool:
                    await world.clock.advance(60)
                    for topic in (POLL, RELAY):
                        world.wakeups.wake(topic)
                    return heard.is_set()

                await until(is_over)
                assert alive() == LOOPS
                assert {health.failures for health in engine.health.values()} == {0}
            assert alive() == set()
            await world.ended(job, "completed", captured=PRICE)


def engine_of(world: World, *types: type[BaseJob], **given: Any) -> Engine:
    """Return an engine with loops over the world's store; without *types* it knows the world's."""
    return Engine(
        world.store,
        Catalog(types) if types else world.catalog,
        blobs=world.blobs,
        providers={world.account: world.provider},
        settings=world.settings,
        wakeups=world.wakeups,
        **given,
    )


class TestEndlessQuestion:
    async def test_a_poll_ends_when_its_time_is_over(self) -> None:
        async with a_world(settings=Settings(ask_timeout_seconds=0.01)) as world:
            job = await world.running(Upscale, RUNS, DONE)
            gate = world.provider.gate("query")
            await world.ask()
            assert (gate.reached.is_set(), world.poller.crew.room) == (True, world.settings.batch_max)
            assert await world.job(job) == job
            for _ in range(2):
                await world.ask()
            await world.ended(job, "completed", captured=PRICE)

    async def test_a_deadline_ends_the_job_when_the_time_of_its_question_is_over(self) -> None:
        async with a_world(settings=Settings(ask_timeout_seconds=0.01)) as world:
            job = await world.running()
            gate = world.provider.gate("query")
            await world.after(RUNNING)
            assert gate.reached.is_set()
            await world.ended(job, "failed")

    async def test_other_overdue_jobs_end_in_the_same_turn(self, world: World) -> None:
        stuck, asked = await world.running(), await world.running()
        queued, pending = await world.queued(), await world.pending()
        gate = world.provider.gate("query")
        await world.clock.advance(7 * 3_600)
        await world.watchdog.turn()
        assert [(await world.job(job)).state for job in (queued, pending)] == ["failed", "failed"]
        await gate.reached.wait()

        async def one_has_ended() -> bool:
            states = {(await world.job(job)).state for job in (stuck, asked)}
            return states == {"running", "failed"}

        await until(one_has_ended)
        gate.opened.set()
        await world.watchdog.crew.drain(PATIENCE_SECONDS)
        assert {(await world.job(job)).state for job in (stuck, asked)} == {"failed"}


def broken(kind: str) -> type[BaseJob]:
    """Return a job type with a guard or an effect on `begin` that raises."""

    class Broken(Upscale):
        name = f"broken_{kind.partition(' ')[0]}"

    def refuse(_: Job, __: BaseModel) -> bool:
        raise RuntimeError("a mistake of the type")

    if kind == "guard":
        Broken.begin.guard(refuse)
    else:
        Broken.begin.effect(a_mistake if kind == "effect" else somebody_elses_end)
    return Broken


@pytest.mark.parametrize("kind", ["guard", "effect", "end of another's"])
class TestBrokenBegin:
    async def test_the_task_is_known_all_the_same(self, kind: str, caplog: pytest.LogCaptureFixture) -> None:
        job_type = broken(kind)
        async with a_world(job_type, settings=IMPATIENT) as world:
            job = await world.running(job_type, RUNS)
            attempt = await world.attempt(job)
            assert (attempt.task_id, attempt.phase) == ("task-1", Phase.ACCEPTED)
            assert job.state == "starting"
            assert f"submit {job.id}/1 ended" in caplog.text
            await world.ask()
            assert (await world.job(job)).state == "starting"

    @pytest.mark.parametrize(
        ("answer", "state", "captured"), [(DONE, "completed", PRICE), (LOST, "failed", 0)]
    )
    async def test_the_job_ends_as_the_provider_says(
        self, kind: str, answer: Answer, state: str, captured: int
    ) -> None:
        job_type = broken(kind)
        async with a_world(job_type, settings=IMPATIENT) as world:
            job = await world.running(job_type, answer)
            await world.ask()
            await world.ended(job, state, captured=captured)
            assert world.provider.count("submit") == 1

    async def test_its_deadline_gives_the_credits_back(self, kind: str) -> None:
        job_type = broken(kind)
        async with a_world(job_type, settings=IMPATIENT) as world:
            job = await world.running(job_type, RUNS)
            await world.after(RUNNING)
            await world.ended(job, "failed")
            assert (await world.attempt(job)).verdict is None
            await world.ask()
            assert (await world.attempt(job)).verdict is Verdict.CANCELLED


@pytest.mark.parametrize(("answer", "state"), [(RUNS, "running"), (PASSING, "queued")])
async def test_a_job_whose_submitter_kept_the_task_id_and_died_goes_on(
    world: World, answer: Answer, state: str
) -> None:
    """Or has not come to say so yet: a poll in between must not take a passing failure for the end."""
    job = await world.opened()
    store, provider = world.store, world.provider
    [attempt] = await store.attempts.claim([world.account.name], 1, 600)
    assert await store.attempts.intend(attempt, b"h" * 32, 600)
    provider.plan(None, answer)
    accepted = await provider.submit({}, {}, None)
    assert isinstance(accepted, Accepted)
    await store.attempts.record(attempt.evidence(Verdict.ACCEPTED, "submission", task_id=accepted.task_id))
    assert (await world.job(job)).state == "starting"
    await world.work(world.poller)
    assert (await world.job(job)).state == state
    assert (await world.way(job))[3] == "begin"
    assert await world.money(job) == JobMoney(held=PRICE)


async def test_a_task_whose_job_cannot_begin_at_once_is_kept_by_itself_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await world.opened()
    follow, known = world.mover.follow, list[str | None]()

    async def away_once(*given: Any, **more: Any) -> Job | None:
        known.append((await world.attempt(job)).task_id)
        if len(known) == 1:
            raise OSError("away")
        return await follow(*given, **more)

    monkeypatch.setattr(world.mover, "follow", away_once)
    await world.work(world.submitter)
    assert (known, (await world.job(job)).state) == ([None, "task-1"], "running")


async def test_d33_a_job_whose_type_is_gone_is_sent_and_its_task_is_known() -> None:
    async with a_world(Upscale) as world:
        job = await world.opened()
        empty = Catalog([])
        mover = Mover(world.store, empty, world.wakeups, world.settings, uuid4)
        submitter = Submitter(replace(world.context, catalog=empty, mover=mover))
        await world.work(submitter)
        sent = await world.job(job)
        assert (sent.state, (await world.attempt(sent)).task_id) == ("running", "task-1")
        await world.ask()
        await world.ended(sent, "completed", captured=PRICE)
