"""Moving a job: compare and set, decide again after a lost race, and say so when it is hopeless."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from makegood import (
    BaseJob,
    Conflict,
    Evidence,
    Failure,
    GuardFailed,
    IllegalTransition,
    InsufficientCredits,
    Job,
    JobMoney,
    Settings,
    UnknownJob,
    Verdict,
)
from makegood.mover import DISPATCH, FETCH, POLL, RELAY, job_topic
from makegood.ports import Change, Effect
from makegood_adapters.memory.jobs import MemoryJobs
from makegood_adapters.memory.tables import Tables
from tests.engine.world import PRICE, WALLET, Upscale, World, a_job, a_world


class Rivals(MemoryJobs):
    """Another writer comes first, as often as there are rivals, and whoever was late finds the job moved."""

    def __init__(self, tables: Tables, *rivals: Callable[[], Awaitable[object]]) -> None:
        super().__init__(tables)
        self._rivals, self.tries = list(rivals), list[Change]()

    async def apply(self, change: Change, effects: Sequence[Effect] = (), *, conn: Any = None) -> Job | None:
        self.tries.append(change)
        if self._rivals:
            await self._rivals.pop(0)()
        return await super().apply(change, effects)


class Losing(Rivals):
    """The first *times* writes lose their race, although the job looks the same afterwards."""

    def __init__(self, tables: Tables, times: int) -> None:
        super().__init__(tables)
        self._times = times

    async def apply(self, change: Change, effects: Sequence[Effect] = (), *, conn: Any = None) -> Job | None:
        if len(self.tries) < self._times:
            self.tries.append(change)
            return None
        return await super().apply(change, effects)


def racing(world: World, jobs: Rivals) -> Rivals:
    world.store.jobs = jobs
    return jobs


async def listened(world: World, topics: list[str], act: Awaitable[Any]) -> list[str]:
    """Return those of *topics* that *act* has woken."""
    with ExitStack() as stack:
        bells = {topic: stack.enter_context(world.wakeups.listen(topic)) for topic in topics}
        await act
        return [topic for topic, bell in bells.items() if await bell.wait(0)]


async def test_a_move_is_carried_out_with_its_history(world: World) -> None:
    job = await world.pending()
    moved = await world.mover.fire(job.id, "accept", actor="ada", reason="paid")
    assert (moved.state, moved.version) == ("queued", 1)
    assert await world.job(job) == moved
    [_, step] = await world.engine.history(job.id)
    assert (step.event, step.from_state, step.to_state, step.actor, step.reason) == (
        ("accept", "pending", "queued", "ada", "paid")
    )


async def test_an_unknown_job_is_said_to_be_unknown(world: World) -> None:
    with pytest.raises(UnknownJob):
        await world.mover.fire(a_job().id, "accept", actor="test")


async def test_a_refusal_changes_nothing(world: World) -> None:
    job = await world.queued()
    for event, error in [
        ("complete", IllegalTransition),
        ("accept", IllegalTransition),
        ("dispatch", GuardFailed),
    ]:
        with pytest.raises(error):
            await world.mover.fire(job.id, event, actor="test")
    assert await world.job(job) == job
    assert await world.way(job) == ["submit", "accept"]


async def test_an_event_without_the_credits_for_it_changes_nothing(world: World) -> None:
    job = await world.pending()
    poor = await world.engine.submit(Upscale, "bo", {})
    with pytest.raises(InsufficientCredits):
        await world.mover.fire(poor.id, "accept", actor="test")
    assert await world.job(poor) == poor
    assert (await world.job(job)).state == "pending"


@pytest.mark.parametrize("lost", [1, 2, 4])
async def test_a_lost_race_is_decided_again(world: World, lost: int) -> None:
    job = await world.pending()
    jobs = racing(world, Losing(world.store.tables, lost))
    moved = await world.mover.fire(job.id, "accept", actor="test")
    assert (moved.state, len(jobs.tries)) == ("queued", lost + 1)
    assert await world.money(job) == JobMoney(held=PRICE)


async def test_all_tries_of_one_event_are_one_operation(world: World) -> None:
    job = await world.pending()
    jobs = racing(world, Losing(world.store.tables, 3))
    await world.mover.fire(job.id, "accept", actor="test")
    await world.mover.fire(job.id, "cancel", actor="test")
    operations = [change.operation_id for change in jobs.tries]
    assert len(operations) == 5
    assert (len(set(operations[:4])), len(set(operations))) == (1, 2)


@pytest.mark.parametrize("tries", [1, 3, 5])
async def test_who_loses_every_race_is_told_after_the_bound(tries: int) -> None:
    async with a_world(settings=Settings(decide_tries_max=tries)) as world:
        job = await world.pending()
        jobs = racing(world, Losing(world.store.tables, 100))
        with pytest.raises(Conflict) as refused:
            await world.mover.fire(job.id, "accept", actor="test")
        assert (refused.value.tries, refused.value.event, len(jobs.tries)) == (tries, "accept", tries)
        assert await world.job(job) == job


async def test_after_a_lost_race_the_event_means_what_the_job_now_is(world: World) -> None:
    """A cancel that began while nothing was held must give the credits back that a rival has held."""
    job = await world.pending()
    jobs = racing(world, Rivals(world.store.tables, lambda: world.engine.accept(job.id)))
    moved = await world.mover.fire(job.id, "cancel", actor="test")
    assert moved.state == "cancelled"
    assert await world.money(job) == JobMoney(released=PRICE)
    assert [change.job.state for change in jobs.tries if change.event == "cancel"] == ["pending", "queued"]


async def test_an_event_that_a_rival_made_pointless_is_illegal(world: World) -> None:
    job = await world.queued()
    racing(world, Rivals(world.store.tables, lambda: world.engine.cancel(job.id)))
    with pytest.raises(IllegalTransition) as refused:
        await world.mover.fire(job.id, "fail", Failure(), actor="test")
    assert refused.value.state == "cancelled"
    assert await world.money(job) == JobMoney(released=PRICE)
    assert await world.way(job) == ["submit", "accept", "cancel"]


async def test_m1_d40_p9_fifty_failures_at_the_same_time_refund_once(world: World) -> None:
    job = await world.queued()
    told = await asyncio.gather(
        *(world.mover.fire(job.id, "fail", Failure(), actor=f"worker {n}") for n in range(50)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Job) for answer in told) == 1
    assert sum(isinstance(answer, IllegalTransition) for answer in told) == 49
    await world.ended(job, "failed")


async def test_a_move_wakes_whoever_has_to_do_with_it(world: World) -> None:
    job, other = await world.pending(), await world.pending()
    topics = [DISPATCH, POLL, FETCH, RELAY, job_topic(job.id), job_topic(other.id)]
    woken = await listened(world, topics, world.mover.fire(job.id, "accept", actor="test"))
    assert woken == topics[:-1]


async def test_a_refusal_wakes_nobody(world: World) -> None:
    job = await world.pending()

    async def refused() -> None:
        with pytest.raises(IllegalTransition):
            await world.mover.fire(job.id, "begin", actor="test")

    assert await listened(world, [DISPATCH, RELAY, job_topic(job.id)], refused()) == []


class TestFollow:
    """`follow` is for facts: they are kept even where the job has gone another way."""

    @pytest.fixture
    async def over(self) -> AsyncIterator[tuple[World, Job, Evidence]]:
        """Yield a job that ended while its task still runs, and the news that the task succeeded."""
        async with a_world() as world:
            job = await world.running()
            attempt = await world.attempt(job)
            deadline = attempt.evidence(Verdict.DEADLINE, "test")
            await world.mover.fire(job.id, "fail", Failure(), actor="test", evidence=deadline)
            yield world, job, attempt.evidence(Verdict.SUCCEEDED, "test")

    async def test_it_fires(self, world: World) -> None:
        job = await world.pending()
        moved = await world.mover.follow(job.id, "accept", actor="test")
        assert moved is not None
        assert moved.state == "queued"

    async def test_a_late_fact_is_kept_and_the_job_stays_as_it_is(
        self, over: tuple[World, Job, Evidence]
    ) -> None:
        world, job, news = over
        assert await world.slots() == (1, 1)
        assert await world.mover.follow(job.id, "complete", actor="test", evidence=news) is None
        await world.ended(job, "failed")
        assert (await world.attempt(job)).verdict is Verdict.SUCCEEDED
        assert await world.slots() == (0, 0)

    async def test_a_late_fact_wakes_the_dispatcher_for_the_slot_it_frees(
        self, over: tuple[World, Job, Evidence]
    ) -> None:
        world, job, news = over
        act = world.mover.follow(job.id, "complete", actor="test", evidence=news)
        assert DISPATCH in await listened(world, [DISPATCH], act)

    async def test_without_a_fact_nothing_happens(self, over: tuple[World, Job, Evidence]) -> None:
        world, job, _ = over
        before = await world.attempt(job)
        assert await world.mover.follow(job.id, "rerun", Failure(), actor="test") is None
        assert await world.attempt(job) == before

    async def test_lost_races_are_not_hidden(self) -> None:
        async with a_world() as world:
            job = await world.pending()
            racing(world, Losing(world.store.tables, 100))
            with pytest.raises(Conflict):
                await world.mover.follow(job.id, "accept", actor="test")


async def test_a_crash_before_the_write_leaves_neither_charge_nor_step(world: World) -> None:
    class Crash(Exception):
        pass

    async def crash() -> None:
        raise Crash

    job = await world.pending()
    racing(world, Rivals(world.store.tables, crash))
    with pytest.raises(Crash):
        await world.mover.fire(job.id, "accept", actor="test")
    assert await world.job(job) == job
    assert (await world.engine.wallet("ada")).available == WALLET
    assert (await world.engine.accept(job.id)).state == "queued"


async def test_a_job_waits_as_long_as_the_event_says(world: World) -> None:
    job = await world.opened()
    moved = await world.mover.fire(job.id, BaseJob.defer.name, actor="test", defer_seconds=30)
    assert moved.not_before is not None
    assert (moved.not_before - world.clock()).total_seconds() == 30
