"""Watching an owner, or all, through the engine: woken, resumed, left, and refused what cannot be."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from makegood import InvalidRequest, Transition
from makegood.watching import STEPS_MAX
from tests.engine.test_watch import LIFE, through
from tests.engine.world import PATIENCE_SECONDS, Upscale, World


async def listened(watch: AsyncGenerator[Transition, None], number: int) -> list[Transition]:
    """Return the next so many steps, and leave the watch."""
    async with asyncio.timeout(PATIENCE_SECONDS), aclosing(watch):
        return [await anext(watch) for _ in range(number)]


class TestStream:
    """Watching an owner, or all: the sequencer gives places, and one reads on after any of them."""

    async def test_an_owner_hears_of_its_own_jobs_and_the_service_of_all(self, world: World) -> None:
        job = await through(world)
        other = await world.engine.submit(Upscale, "bob", {})
        await world.sequencer.turn()
        whole = await listened(world.engine.watch(), 6)
        assert [(step.seq, step.job_id) for step in whole] == [
            *((seq, job.id) for seq in range(1, 6)),
            (6, other.id),
        ]
        assert await listened(world.engine.watch(owner="ada"), 5) == whole[:5]
        assert await listened(world.engine.watch(owner="bob"), 1) == whole[5:]
        assert [step.event for step in whole[:5]] == LIFE

    async def test_it_goes_on_after_every_place_as_if_it_had_never_been_left(self, world: World) -> None:
        await through(world)
        await world.sequencer.turn()
        whole = await listened(world.engine.watch(), 5)
        for step in whole[:-1]:
            assert step.seq is not None
            later = await listened(world.engine.watch(after=step.seq, owner="ada"), 5 - step.seq)
            assert later == whole[step.seq :]

    async def test_one_may_begin_with_what_is_new(self, world: World) -> None:
        await through(world)
        await world.sequencer.turn()
        watch = world.engine.watch(after=await world.engine.last_seq())
        job = await world.pending()
        await world.sequencer.turn()
        [step] = await listened(watch, 1)
        assert (step.seq, step.job_id) == (6, job.id)

    @pytest.mark.parametrize("owner", [None, "ada"])
    async def test_a_watcher_that_waits_is_woken_when_places_are_given(
        self, world: World, owner: str | None
    ) -> None:
        """The interval of the fixtures is an hour, so nothing but a wake-up can end the wait."""
        watchers = [asyncio.create_task(listened(world.engine.watch(owner=owner), 3)) for _ in range(5)]
        job = await world.pending()
        await world.sequencer.turn()
        await world.engine.accept(job.id)
        await world.dispatcher.turn()
        await world.sequencer.turn()
        heard = await asyncio.gather(*watchers)
        assert [[step.event for step in steps] for steps in heard] == [LIFE[:3]] * 5

    async def test_the_sequencer_is_woken_by_each_kind_of_step(self, world: World) -> None:
        with world.wakeups.listen(world.sequencer.topic) as bell:
            job = await world.pending()
            assert await bell.wait(0)
            await world.engine.accept(job.id)
            assert await bell.wait(0)
            await world.dispatcher.turn()
            assert await bell.wait(0)
            await world.work(world.submitter)
            assert await bell.wait(0)

    async def test_more_than_one_reading_holds_comes_without_a_wait(self, world: World) -> None:
        for _ in range(STEPS_MAX + 1):
            await world.pending()
        await world.sequencer.turn()
        steps = await listened(world.engine.watch(), STEPS_MAX + 1)
        assert [step.seq for step in steps] == list(range(1, STEPS_MAX + 2))

    @pytest.mark.parametrize("owner", [None, "ada"])
    async def test_a_watch_that_is_left_or_cancelled_rings_no_more(
        self, world: World, owner: str | None
    ) -> None:
        await world.pending()
        await world.sequencer.turn()
        await listened(world.engine.watch(owner=owner), 1)
        assert world.wakeups._bells == {}
        waiting = asyncio.create_task(listened(world.engine.watch(owner=owner), 2))
        while not world.wakeups._bells:  # noqa: ASYNC110  # to listen tells nobody
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert world.wakeups._bells == {}

    async def test_a_place_to_which_the_stream_has_not_come_is_refused(self, world: World) -> None:
        await world.pending()
        await world.sequencer.turn()
        with pytest.raises(InvalidRequest, match="has come to 1, so nobody can have seen 2"):
            await anext(world.engine.watch(after=2))

    async def test_a_job_or_an_owner_but_not_both(self, world: World) -> None:
        job = await world.pending()
        with pytest.raises(InvalidRequest, match="not both"):
            world.engine.watch(job.id, owner="ada")  # type: ignore[call-overload]  # that is the mistake

    async def test_an_owner_of_any_name_is_told(self, world: World) -> None:
        name = "Zoë ☃" * 90
        watching = asyncio.create_task(listened(world.engine.watch(owner=name), 1))
        await world.engine.submit(Upscale, name, {})
        await world.sequencer.turn()
        assert [step.owner for step in await watching] == [name]
