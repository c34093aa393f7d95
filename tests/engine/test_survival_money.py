"""What an order, an end by somebody else or a stranger's process may cost: nothing that nobody agreed to."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, NoReturn

import pytest

from makegood import BaseJob, Catalog, Engine, InsufficientCredits, InvalidRequest, Job, JobMoney, Transition
from makegood.errors import ProviderRefused
from makegood.mover import Mover
from makegood.outcome import Answer, Cancelled, CancelReply, Output, Succeeded, Unfinished
from makegood.runtime import Context, Poller, Relay, Watchdog
from makegood.settings import Settings
from tests.engine.world import PATIENCE_SECONDS, PRICE, RUNNING, WALLET, Upscale, World, a_world

RUNS, GONE = Unfinished(running=True), Cancelled(ran=True)
DONE = Succeeded((Output("https://provider.example/1.png", "png"),))

BOUNDS = [name for name in Settings.__dataclass_fields__ if name != "webhook_base_url"]
# Who wants to end at once, or to try again at once, may say so.
MAY_BE_NOTHING = {"drain_seconds", "drain_submit_seconds", "defer_seconds"}


class TestCancel:
    @pytest.mark.parametrize(("answer", "state"), [(DONE, "completed"), (RUNS, "running")])
    async def test_a_cancel_without_a_usable_answer_does_not_replace_the_question(
        self, world: World, answer: Answer, state: str
    ) -> None:
        job = await world.running(Upscale, RUNS, answer)
        await world.work(world.poller)
        world.provider.fail("cancel")
        await world.engine.cancel(job.id)
        await world.ask()
        assert ("query", "task-1") in world.provider.calls[world.provider.calls.index(("cancel", "task-1")) :]
        assert (await world.job(job)).state == state

    async def test_it_is_sent_again_until_it_is_answered(self, world: World) -> None:
        job = await world.running()
        await world.work(world.poller)
        await world.engine.cancel(job.id)
        world.provider.fail("cancel", times=3)
        for number in range(1, 4):
            await world.ask()
            assert (world.provider.count("cancel"), world.provider.count("query")) == (number, 1 + number)
        await world.ask()
        await world.ended(job, "cancelled", captured=PRICE)
        await world.ask()
        assert world.provider.count("cancel") == 4

    async def test_it_is_sent_again_where_the_task_was_not_found_and_runs(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cancel, asked = world.provider.cancel, list[str]()

        async def hesitant(task_id: str) -> CancelReply:
            asked.append(task_id)
            return CancelReply.NOT_FOUND if len(asked) == 1 else await cancel(task_id)

        monkeypatch.setattr(world.provider, "cancel", hesitant)
        job = await world.running(Upscale, RUNS)
        await world.work(world.poller)
        await world.engine.cancel(job.id)
        await world.ask()
        assert ((await world.job(job)).state, world.provider.tasks["task-1"].cancelled) == ("running", False)
        await world.ask()
        await world.ended(job, "cancelled", captured=PRICE)
        assert asked == ["task-1"] * 2

    @pytest.mark.parametrize("reply", [CancelReply.ALREADY_OVER, CancelReply.NOT_FOUND])
    async def test_what_the_provider_cancelled_before_us_costs_nothing(
        self, world: World, monkeypatch: pytest.MonkeyPatch, reply: CancelReply
    ) -> None:
        async def too_late(_: str) -> CancelReply:
            return reply

        monkeypatch.setattr(world.provider, "cancel", too_late)
        job = await world.running(Upscale, RUNS, GONE)
        await world.work(world.poller)
        await world.engine.cancel(job.id)
        await world.ask()
        await world.ended(job, "failed")

    async def test_that_we_came_too_late_is_not_forgotten_when_the_query_fails(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def too_late(_: str) -> CancelReply:
            return CancelReply.ALREADY_OVER

        monkeypatch.setattr(world.provider, "cancel", too_late)
        job = await world.running(Upscale, RUNS, GONE)
        await world.work(world.poller)
        await world.engine.cancel(job.id)
        world.provider.fail("query")
        await world.ask()
        assert (await world.attempt(job)).cancel_late
        await world.ask()
        await world.ended(job, "failed")

    async def test_what_we_cancelled_costs_what_the_type_says(self, world: World) -> None:
        job = await world.running(Upscale, RUNS)
        await world.work(world.poller)
        await world.engine.cancel(job.id)
        await world.ask()
        await world.ended(job, "cancelled", captured=PRICE)

    async def test_what_an_unanswered_cancel_of_ours_may_have_ended_costs_what_the_type_says(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = await world.running(Upscale, RUNS, RUNS, GONE)
        await world.work(world.poller)
        await world.engine.cancel(job.id)
        world.provider.fail("cancel")
        await world.ask()

        async def over(_: str) -> CancelReply:
            return CancelReply.ALREADY_OVER

        monkeypatch.setattr(world.provider, "cancel", over)
        await world.clock.advance(world.settings.poll_interval_seconds)
        await world.ask()
        await world.ended(job, "cancelled", captured=PRICE)


class TestOrder:
    @pytest.mark.parametrize("price", [0.5, -1, 2**63, True, 10**12 + 1, "100", None, float("nan")])
    async def test_a_price_that_is_no_number_of_credits_is_refused(self, price: Any) -> None:
        class Odd(Upscale):
            name = "odd"

            @classmethod
            def price_of(cls, value: object) -> int:
                odd: int = price
                return odd

        async with a_world(Odd) as world:
            with pytest.raises(InvalidRequest, match="whole number of credits"):
                await world.pending(Odd)
            assert world.store.tables.jobs == {}

    @pytest.mark.parametrize("text", ["", "a\x00b", "a\ud800b", "a\nb", "x" * 501])
    @pytest.mark.parametrize("which", ["owner", "key"])
    async def test_a_name_that_cannot_be_kept_is_refused(self, world: World, which: str, text: str) -> None:
        given = {"owner": "ada", "key": "k", which: text}
        with pytest.raises(InvalidRequest, match=f"^{which} "):
            await world.engine.submit(Upscale, given["owner"], {}, key=given["key"])
        assert world.store.tables.jobs == {}

    async def test_names_of_any_language_are_taken(self, world: World) -> None:
        job = await world.engine.submit(Upscale, "Ада Лавлейс 愛達", {}, key="🔑")
        assert (job.owner, job.key) == ("Ада Лавлейс 愛達", "🔑")

    async def test_who_was_topped_up_and_accepted_meanwhile_is_not_told_of_a_refusal(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the two statements of the first click come the credits and the second click."""
        job = await world.engine.submit(Upscale, "bo", {})
        follow = world.engine._mover.follow

        async def meanwhile(*given: Any, **more: Any) -> Job | None:
            await world.engine.grant("bo", PRICE, source_ref="order-2")
            await world.engine._mover.fire(job.id, BaseJob.accept.name, actor="the second click")
            return await follow(*given, **more)

        monkeypatch.setattr(world.engine._mover, "follow", meanwhile)
        assert (await world.engine.accept(job.id)).state == "queued"
        assert await world.money(job) == JobMoney(held=PRICE)

    async def test_who_lacks_credits_is_told_and_charged_nothing(self, world: World) -> None:
        job = await world.engine.submit(Upscale, "bo", {})
        with pytest.raises(InsufficientCredits):
            await world.engine.accept(job.id)
        assert ((await world.job(job)).state, await world.money(job)) == ("failed", JobMoney())


class TestUpload:
    async def test_a_file_that_cannot_be_read_defers_its_job_longer_each_time(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = await world.queued(image=await world.with_image())
        readable = world.blobs.get

        async def denied(_: str) -> NoReturn:
            raise PermissionError(13, "denied")

        monkeypatch.setattr(world.blobs, "get", denied)
        for number in range(4):
            await world.start()
            longest = world.settings.defer_seconds * 2**number
            assert 0.75 * longest <= await world.pause(job) <= longest
            assert (await world.slots(), (await world.job(job)).reruns) == ((0, 0), 0)
            other = await world.opened()  # the account itself does not rest
            await world.engine.cancel(other.id)
            await world.clock.advance(longest)
        monkeypatch.setattr(world.blobs, "get", readable)
        await world.start()
        assert (await world.job(job)).state == "running"

    async def test_a_file_that_the_provider_refuses_for_good_ends_the_job_with_its_refund(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def refused(*_: object) -> NoReturn:
            raise ProviderRefused("The file is too large.")

        monkeypatch.setattr(world.provider, "upload", refused)
        job = await world.opened(image=await world.with_image())
        await world.work(world.submitter)
        ended = await world.ended(job, "failed")
        assert ended.error == {"category": "input", "message": "The file is too large.", "detail": {}}
        assert (await world.slots(), world.provider.count("submit")) == ((0, 0), 0)

    async def test_an_outage_lets_the_account_rest_and_keeps_the_order(self) -> None:
        async with a_world(capacity=1) as world:
            world.provider.fail("upload")
            first = await world.opened(image=await world.with_image())
            second = await world.queued()
            await world.work(world.submitter)
            await world.start()  # the account rests: nobody passes
            assert [(await world.job(job)).state for job in (first, second)] == ["queued", "queued"]
            assert [await world.engine.position(job.id) for job in (first, second)] == [1, 2]
            assert (await world.job(first)).not_before is None
            await world.clock.advance(world.settings.defer_seconds)
            await world.start()
            assert [(await world.job(job)).state for job in (first, second)] == ["running", "queued"]


class TestSettings:
    @pytest.mark.parametrize("name", BOUNDS)
    def test_every_bound_is_a_number_more_than_nothing(self, name: str) -> None:
        for value in (-1, float("nan"), *([] if name in MAY_BE_NOTHING else [0])):
            with pytest.raises(ValueError, match=f"^{name} must be"):
                Settings(**{name: value})  # type: ignore[arg-type]  # one number for any of them

    @pytest.mark.parametrize("lease", [179.0, 180.0])
    def test_a_lease_outlasts_what_is_done_under_it(self, lease: float) -> None:
        with pytest.raises(ValueError, match="lease_seconds"):
            Settings(lease_seconds=lease)
        assert Settings(lease_seconds=180.1).lease_seconds == 180.1

    @pytest.mark.parametrize("url", ["", "makegood.example", "ftp://x", "https://x/", "//x"])
    def test_an_address_that_no_provider_can_call_is_refused(self, url: str) -> None:
        with pytest.raises(ValueError, match="webhook_base_url"):
            Settings(webhook_base_url=url)


async def test_many_files_are_delivered_although_all_together_take_longer_than_one_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop's own clock moves on by six seconds with each file, else not at all; one may take ten."""
    outputs = tuple(Output(f"https://provider.example/{n}.png", "png") for n in range(4))
    loop, ahead = asyncio.get_running_loop(), 0.0
    began = loop.time()
    monkeypatch.setattr(loop, "time", lambda: began + ahead)
    async with a_world(settings=Settings(fetch_timeout_seconds=10)) as world:
        job = await world.running(Upscale, Succeeded(outputs))
        fetch = world.provider.fetch

        async def slow(output: Output, size_max: int) -> AsyncGenerator[bytes, None]:
            nonlocal ahead
            ahead += 6
            for _ in range(3):  # an alarm that is due now has its chance
                await asyncio.sleep(0)
            async for piece in fetch(output, size_max):
                yield piece

        monkeypatch.setattr(world.provider, "fetch", slow)
        await world.work(world.poller, world.collector)
        ended = await world.ended(job, "completed", captured=PRICE)
        assert ended.output is not None
        assert len(ended.output["files"]) == len(outputs)
        assert world.settings.fetch_timeout_seconds < ahead < PATIENCE_SECONDS


class Stranger:
    """A process over the same store and provider account that lacks the world's job types."""

    def __init__(self, world: World) -> None:
        class Other(BaseJob):
            name = "other"
            pool, price = Upscale.pool, PRICE

        parts = (world.store, Catalog([Other]), world.wakeups, world.settings)
        context = Context(
            parts[0],
            parts[1],
            Mover(*parts, new_id=world.engine._new_id),
            {world.account: world.provider},
            world.blobs,
            *parts[2:],
        )
        self.poller, self.relay, self.watchdog = Poller(context), Relay(context), Watchdog(context)
        self.engine = Engine(
            *parts[:2], blobs=world.blobs, settings=world.settings, wakeups=world.wakeups, run_loops=False
        )


class TestStranger:
    async def test_it_prices_no_cancellation(self, world: World) -> None:
        stranger = Stranger(world)
        job = await world.running()
        await world.work(world.poller)
        assert (await world.attempt(job)).ran
        await stranger.engine.cancel(job.id)
        await world.work(stranger.poller)
        await world.ended(job, "cancelled")

    async def test_who_knows_the_type_prices_it(self, world: World) -> None:
        """The same way, so that the stranger's price is seen to be its own."""
        job = await world.running()
        await world.work(world.poller)
        await Stranger(world).engine.cancel(job.id)
        await world.work(world.poller)
        await world.ended(job, "cancelled", captured=PRICE)

    async def test_it_leaves_the_hooks_to_those_who_know_them(self) -> None:
        class Hooked(Upscale):
            name = "hooked"

        told: list[str] = []

        @Hooked.failed.on_enter
        async def hear(transition: Transition) -> None:
            told.append(transition.event)

        async with a_world(Hooked) as world:
            stranger = Stranger(world)
            job = await world.running(Hooked)
            await world.clock.advance(RUNNING.total_seconds())
            await world.work(stranger.watchdog)
            await world.ended(job, "failed")
            for _ in range(10):
                await world.work(stranger.relay)
                await world.clock.advance(3_600)
            assert [row.tries for row in world.store.tables.outbox] == [0] * 5
            await world.tell()
            assert told == ["fail"]
            assert (await world.engine.wallet("ada")).available == WALLET
