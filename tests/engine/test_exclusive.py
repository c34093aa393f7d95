"""One job at a time, and not before its time: what `submit` agrees to, and how it says no."""

from datetime import UTC, datetime, timedelta

import pytest

from makegood import ActiveJob, BaseJob, DeclarationError, InvalidRequest
from tests.engine.world import PRICE, WALLET, Upscale, World, a_world


class Portrait(Upscale):
    exclusive_by = "images"


class Poster(Upscale):
    exclusive_by = "images"


class TestExclusive:
    async def test_the_types_of_a_scope_share_one_place(self) -> None:
        async with a_world(Portrait, Poster, Upscale) as world:
            job = await world.queued(Portrait)
            with pytest.raises(ActiveJob) as told:
                await world.engine.submit(Poster, "ada", {})
            assert str(told.value) == (
                f"ada has the job {job.id} under way (it is 'queued'), and of 'images' one at a time is "
                "taken: wait until it is over, or cancel it, and submit again. Nothing was charged."
            )
            assert (await world.engine.wallet("ada")).held == PRICE
            assert await world.engine.active_job("ada", "images") == job
            await world.engine.submit(Upscale, "ada", {})
            await world.engine.submit(Poster, "bo", {})

    async def test_whoever_cancels_may_submit_at_once(self) -> None:
        async with a_world(Portrait, Poster) as world:
            job = await world.queued(Portrait)
            await world.engine.cancel(job.id)
            assert await world.engine.active_job("ada", "images") is None
            assert (await world.engine.submit(Poster, "ada", {}, retry_of=job.id)).retry_of == job.id

    async def test_a_pending_job_counts_until_its_deadline(self) -> None:
        async with a_world(Portrait) as world:
            job = await world.pending(Portrait)
            with pytest.raises(ActiveJob):
                await world.engine.submit(Portrait, "ada", {})
            await world.after(timedelta(minutes=3))
            await world.watchdog.turn()
            assert (await world.job(job)).state == "failed"
            await world.engine.submit(Portrait, "ada", {})

    @pytest.mark.parametrize("scope", ["", "Images", "my images", 7, True])
    def test_a_scope_has_the_form_of_a_name(self, scope: object) -> None:
        with pytest.raises(DeclarationError, match=r"MG116 exclusive_by: .* names no scope"):
            type("Wrong", (BaseJob,), {"exclusive_by": scope})


class TestNotBefore:
    async def test_it_is_paid_at_once_and_starts_when_it_is_time(self, world: World) -> None:
        start = world.clock() + timedelta(hours=1)
        job = await world.engine.submit(Upscale, "ada", {}, not_before=start)
        queued = await world.engine.accept(job.id)
        assert (queued.state, queued.not_before) == ("queued", start)
        assert (await world.engine.wallet("ada")).held == PRICE
        await world.dispatcher.turn()
        assert (await world.job(job)).state == "queued"
        await world.after(timedelta(hours=1))
        await world.dispatcher.turn()
        assert (await world.job(job)).state == "starting"

    @pytest.mark.parametrize("start", [datetime(2026, 1, 1), "2026-01-01T00:00:00Z", 7])  # noqa: DTZ001 - what is refused
    async def test_it_is_a_moment_with_a_zone(self, world: World, start: datetime) -> None:
        with pytest.raises(InvalidRequest, match="must be a datetime with a time zone"):
            await world.engine.submit(Upscale, "ada", {}, not_before=start)

    async def test_the_queues_deadline_bounds_it(self, world: World) -> None:
        last = world.clock() + timedelta(hours=6)
        with pytest.raises(
            InvalidRequest, match="waits at most 21,600 seconds in the queue: give an earlier"
        ):
            await world.engine.submit(Upscale, "ada", {}, not_before=last)
        assert (await world.engine.wallet("ada")).available == WALLET
        await world.engine.submit(Upscale, "ada", {}, not_before=last - timedelta(seconds=1))

    async def test_what_has_passed_is_at_once(self, world: World) -> None:
        job = await world.engine.submit(Upscale, "ada", {}, not_before=datetime(2020, 1, 1, tzinfo=UTC))
        await world.engine.accept(job.id)
        await world.dispatcher.turn()
        assert (await world.job(job)).state == "starting"
