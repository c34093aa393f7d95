"""What others hear of a job: its place, its history, watching it live, hooks after the commit."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from makegood import BaseJob, InvalidRequest, Job, Transition, UnknownJob
from makegood.outcome import Unfinished
from tests.engine.world import PATIENCE_SECONDS, PRICE, Upscale, World, a_job, a_world

LEASE_SECONDS = 60
LIFE = ["submit", "accept", "dispatch", "begin", "complete"]


class TestPosition:
    async def test_places_are_counted_from_one_and_move_up(self, world: World) -> None:
        jobs = [await world.queued() for _ in range(4)]
        assert [await world.engine.position(job.id) for job in jobs] == [1, 2, 3, 4]
        await world.dispatcher.turn()
        assert [await world.engine.position(job.id) for job in jobs] == [0, 0, 1, 2]
        await world.engine.cancel(jobs[2].id)
        assert [await world.engine.position(job.id) for job in jobs] == [0, 0, 0, 1]

    async def test_a_job_that_waits_for_nothing_has_no_place(self, world: World) -> None:
        assert await world.engine.position((await world.pending()).id) == 0

    async def test_a_higher_priority_comes_first(self, world: World) -> None:
        late = await world.queued()
        early = await world.engine.submit(Upscale, "ada", {}, priority=1)
        await world.engine.accept(early.id)
        assert [await world.engine.position(job.id) for job in (early, late)] == [1, 2]


class TestHistory:
    async def test_it_is_the_whole_life_in_order(self, world: World) -> None:
        job = await through(world)
        steps = await world.engine.history(job.id)
        assert [step.event for step in steps] == LIFE
        assert [step.version for step in steps] == [0, 1, 2, 3, 4]
        assert [step.to_state for step in steps] == ["pending", "queued", "starting", "running", "completed"]
        assert [step.from_state for step in steps[1:]] == [step.to_state for step in steps[:-1]]
        assert [step.actor for step in steps] == ["ada", "engine", "dispatcher", "submitter", "collector"]

    async def test_it_can_be_read_on_from_a_version(self, world: World) -> None:
        job = await through(world)
        assert [step.version for step in await world.engine.history(job.id, 2)] == [3, 4]
        assert await world.engine.history(job.id, 4) == []


async def through(world: World) -> Job:
    """Return a job that has gone the whole way."""
    job = await world.queued()
    await world.start()
    await world.work(world.poller, world.collector)
    return job


async def seen(world: World, job: Job, after: int = -1) -> list[int]:
    """Watch the job to its end and return the versions that came."""
    return [step.version async for step in world.engine.watch(job.id, after)]


class TestWatch:
    async def test_a_job_that_is_over_is_told_whole_and_the_watch_ends(self, world: World) -> None:
        job = await through(world)
        assert await seen(world, job) == [0, 1, 2, 3, 4]

    async def test_it_goes_on_after_the_version_that_is_known(self, world: World) -> None:
        job = await through(world)
        assert await seen(world, job, 2) == [3, 4]
        assert await seen(world, job, 4) == []

    @pytest.mark.parametrize("begun", range(1, 5))
    async def test_every_transition_comes_once_wherever_the_watch_begins(
        self, world: World, begun: int
    ) -> None:
        """Those before it began, those while it waits, and the last one, after which it ends."""
        job = await world.pending()
        steps = (
            lambda: world.engine.accept(job.id),
            world.dispatcher.turn,
            lambda: world.work(world.submitter),
            lambda: world.work(world.poller, world.collector),
        )
        for step in steps[: begun - 1]:
            await step()
        watch = world.engine.watch(job.id)
        told = [(await anext(watch)).version for _ in range(begun)]
        for step in steps[begun - 1 :]:
            await step()
            told.append((await anext(watch)).version)
        assert told == [0, 1, 2, 3, 4]
        with pytest.raises(StopAsyncIteration):
            await anext(watch)

    async def test_a_watcher_that_waits_is_woken_by_each_step(self, world: World) -> None:
        """Many watch at the same time, and steps may come faster than they read."""
        job = await world.queued()
        watchers = [asyncio.create_task(seen(world, job)) for _ in range(5)]
        await asyncio.sleep(0)
        await world.start()
        await world.work(world.poller, world.collector)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await asyncio.gather(*watchers) == [[0, 1, 2, 3, 4]] * 5

    async def test_a_watch_that_is_left_rings_no_more(self, world: World) -> None:
        job = await world.queued()
        watch = world.engine.watch(job.id)
        assert (await anext(watch)).version == 0
        await watch.aclose()
        assert world.wakeups._bells == {}

    @pytest.mark.parametrize("after", [99, 2**31, 2**70])
    async def test_a_version_to_which_the_job_has_not_come_is_refused(self, world: World, after: int) -> None:
        job = await world.queued()
        with pytest.raises(InvalidRequest, match=f"has come to version {job.version}"):
            await anext(world.engine.watch(job.id, after))
        assert await world.engine.history(job.id, after) == []

    async def test_from_before_the_beginning_it_is_the_whole_life(self, world: World) -> None:
        job = await world.running()
        await world.engine.administer(job.id, BaseJob.fail, actor="bo", reason="test")
        told = [step async for step in world.engine.watch(job.id, -(2**70))]
        assert told == await world.engine.history(job.id, -(2**70)) == await world.engine.history(job.id)

    async def test_an_unknown_job_is_said_to_be_unknown(self, world: World) -> None:
        with pytest.raises(UnknownJob):
            await anext(world.engine.watch(a_job().id))


class Told(BaseJob):
    """Tells a diary what happens to it; each entry in it may be made to fail."""

    pool, price = "gpu", PRICE


class Diary:
    def __init__(self) -> None:
        self.entries: list[str] = []
        self.failing: dict[str, int] = {}

    def write(self, hook: str, transition: Transition) -> None:
        entry = f"{hook} {transition.event}"
        self.entries.append(entry)
        if self.failing.get(entry, 0):
            self.failing[entry] -= 1
            raise RuntimeError(f"{entry} was told to fail")


@pytest.fixture
async def told() -> AsyncIterator[tuple[World, type[BaseJob], Diary]]:
    """Yield a world with a type of its own whose every step three hooks hear of."""

    class Mine(Told):
        pass

    diary = Diary()

    async def first(transition: Transition) -> None:
        diary.write("first", transition)

    async def second(transition: Transition) -> None:
        diary.write("second", transition)

    async def entered(transition: Transition) -> None:
        diary.write("entered", transition)

    for event in Mine.events().values():
        event.after_commit(first)
        event.after_commit(second)
    for state in Mine.states().values():
        state.on_enter(entered)
    async with a_world(Mine) as world:
        yield world, Mine, diary


async def relayed(world: World) -> None:
    """Let the relay tell all that it may tell now."""
    await world.tell()


class TestHooks:
    """The fixtures' three hooks are called in this order for each step: first, second, entered."""

    async def test_every_hook_hears_of_every_step_in_the_order_of_the_job(
        self, told: tuple[World, type[BaseJob], Diary]
    ) -> None:
        world, job_type, diary = told
        await world.queued(job_type)
        await world.start()
        await world.work(world.poller, world.collector)
        await relayed(world)
        expected = [f"{hook} {event}" for event in LIFE[1:] for hook in ("first", "second", "entered")]
        assert diary.entries == ["entered submit", *expected]

    async def test_d32_nothing_is_told_twice(self, told: tuple[World, type[BaseJob], Diary]) -> None:
        world, job_type, diary = told
        await world.queued(job_type)
        await relayed(world)
        before = list(diary.entries)
        await world.clock.advance(LEASE_SECONDS)
        await relayed(world)
        assert diary.entries == before

    async def test_a_hook_that_fails_is_called_again_and_those_that_heard_are_not(
        self, told: tuple[World, type[BaseJob], Diary]
    ) -> None:
        world, job_type, diary = told
        diary.failing = {"second accept": 2}
        await world.queued(job_type)
        await relayed(world)
        assert diary.entries == ["entered submit", "first accept", "second accept"]
        for times in (1, 2):  # each time it is left alone for longer
            diary.entries.clear()
            await world.clock.advance(LEASE_SECONDS * times)
            await relayed(world)
            assert diary.entries[0] == "second accept"
        assert diary.entries == ["second accept", "entered accept"]

    async def test_no_later_step_of_a_job_overtakes_one_that_was_not_heard(
        self, told: tuple[World, type[BaseJob], Diary]
    ) -> None:
        world, job_type, diary = told
        diary.failing = {"first accept": 1}
        await world.queued(job_type)
        await relayed(world)
        await world.start()
        await relayed(world)
        assert diary.entries == ["entered submit", "first accept"]
        await world.clock.advance(LEASE_SECONDS)
        await relayed(world)
        heard = [entry for entry in diary.entries if entry.startswith("first ")]
        assert heard == ["first accept", "first accept", "first dispatch", "first begin"]

    async def test_a_hook_that_fails_for_one_job_delays_no_other(
        self, told: tuple[World, type[BaseJob], Diary]
    ) -> None:
        world, job_type, diary = told
        diary.failing = {"entered submit": 1}
        await world.queued(job_type)
        await world.queued(job_type)
        await relayed(world)
        assert diary.entries.count("entered submit") == 2
        assert diary.entries.count("entered accept") == 1

    async def test_a_slow_hook_delays_no_other_job(self) -> None:
        class Slow(Told):
            pass

        entered, go = asyncio.Event(), asyncio.Event()
        heard: list[Transition] = []

        @Slow.pending.on_enter
        async def slowly(transition: Transition) -> None:
            if not heard:
                heard.append(transition)
                await go.wait()
            else:
                heard.append(transition)
                entered.set()

        async with a_world(Slow) as world:
            slow, quick = await world.pending(Slow), await world.pending(Slow)
            await world.relay.turn()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await entered.wait()
                go.set()
                await world.relay.crew.drain(PATIENCE_SECONDS)
            assert [step.job_id for step in heard] == [slow.id, quick.id]

    async def test_news_of_a_type_that_this_process_lacks_is_left_to_those_who_know_it(self) -> None:
        async with a_world(Told, Upscale) as world:
            job, other = await world.pending(Told), await world.pending()
            world.catalog._newest.pop(Told.name)
            await relayed(world)
            assert await world.store.outbox.take([other.type], 10, LEASE_SECONDS) == []
            [left] = await world.store.outbox.take([Told.name], 10, LEASE_SECONDS)
            assert left.transition.job_id == job.id

    async def test_d49_a_hook_on_a_state_hears_of_every_way_into_it(
        self, told: tuple[World, type[BaseJob], Diary]
    ) -> None:
        world, job_type, diary = told
        await world.engine.report((await world.pending(job_type)).id, "No.")
        await world.engine.report((await world.queued(job_type)).id, "No.")
        world.provider.plan(None, Unfinished(running=True))
        await world.queued(job_type)
        await world.start()
        await world.after(BaseJob.running.deadline or 0)
        await relayed(world)
        assert [e for e in diary.entries if e in ("entered refuse", "entered fail")] == [
            "entered refuse",
            "entered fail",
            "entered fail",
        ]
