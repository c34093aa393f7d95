"""Webhooks: hints that may come early, late, twice, forged or never, and that find a lost task again."""

import pytest

from makegood.job import Phase
from makegood.outcome import Failed, Features, NotFound, Output, Signature, Succeeded, Trouble, Unfinished
from tests.engine.world import PRICE, Upscale, World

RUNS, FLAKY = Unfinished(running=True), Failed("errno 116", trouble=Trouble.PASSING)
DONE = Succeeded((Output("https://provider.example/1.png", "png"),))


class TestUncertain:
    """P7, C5: what became of a lost create reply is found out, and nothing is sent meanwhile."""

    async def test_a_webhook_names_the_task_and_the_provider_confirms_it(self, world: World) -> None:
        job = await world.uncertain(RUNS, DONE)
        assert (job.state, (await world.attempt(job)).phase) == ("starting", Phase.UNCERTAIN)
        await world.ask()
        assert world.provider.count("query") == 0
        assert await world.webhook(job, "task-1")
        await world.work(world.poller)
        assert ((await world.job(job)).state, (await world.attempt(job)).task_id) == ("running", "task-1")
        await world.ask()
        await world.ended(job, "completed", captured=PRICE)
        assert world.provider.count("submit") == 1

    async def test_c1_a_webhook_that_names_a_foreign_task_moves_nothing(self, world: World) -> None:
        other = await world.running(Upscale, DONE)
        job = await world.uncertain(RUNS)
        assert await world.webhook(job, "task-1")
        assert await world.webhook(job, "no-such-task")
        await world.ask()
        assert (await world.job(job)).state == "starting"
        assert (await world.attempt(job)).task_id is None
        assert await world.webhook(job, "task-2")
        await world.ask()
        assert (await world.job(job)).state == "running"
        assert (await world.attempt(other)).task_id == "task-1"

    async def test_a_passing_failure_that_is_heard_with_the_task_runs_again(self, world: World) -> None:
        job = await world.uncertain(FLAKY)
        await world.webhook(job, "task-1")
        await world.work(world.poller)
        assert (await world.job(job)).state == "queued"
        assert await world.way(job) == ["submit", "accept", "dispatch", "begin", "rerun"]

    async def test_a_binding_that_cannot_be_confirmed_now_is_asked_for_again(self, world: World) -> None:
        job = await world.uncertain(DONE)
        world.provider.fail("confirm_binding")
        await world.webhook(job, "task-1")
        await world.ask()
        assert (await world.job(job)).state == "starting"
        await world.ask()
        await world.ended(job, "completed", captured=PRICE)

    async def test_a_task_that_the_provider_does_not_know_yet_is_not_adopted(self, world: World) -> None:
        job = await world.uncertain(NotFound(), NotFound(), DONE)
        await world.webhook(job, "task-1")
        for _ in range(2):
            await world.ask()
            assert ((await world.job(job)).state, (await world.attempt(job)).task_id) == ("starting", None)
        await world.ask()
        await world.ended(job, "completed", captured=PRICE)

    async def test_a_task_about_which_there_is_no_answer_is_not_adopted(self, world: World) -> None:
        job = await world.uncertain(DONE)
        await world.webhook(job, "task-1")
        world.provider.fail("query")
        await world.ask()
        assert (await world.attempt(job)).task_id is None
        await world.ask()
        await world.ended(job, "completed", captured=PRICE)

    @pytest.mark.parametrize("signature", [Signature.STANDARD, Signature.ED25519])
    async def test_a_signed_webhook_needs_no_confirmation_but_an_answer(
        self, world: World, signature: Signature
    ) -> None:
        await world.instead(Features(signature=signature), capacity=2)
        job = await world.uncertain(NotFound(), DONE)
        await world.webhook(job, "task-1")
        await world.ask()
        assert (await world.attempt(job)).task_id is None
        await world.ask()
        await world.ended(job, "completed", captured=PRICE)
        assert world.provider.count("confirm_binding") == 0

    async def test_who_neither_signs_nor_tells_the_webhook_is_not_believed(self, world: World) -> None:
        await world.instead(Features(), capacity=2)
        job = await world.uncertain(DONE)
        await world.webhook(job, "task-1")
        await world.ask()
        assert (await world.job(job)).state == "starting"
        assert world.provider.count("confirm_binding") == world.provider.count("query") == 0


class TestWebhook:
    async def test_d15_one_that_comes_before_the_create_reply_is_kept(self, world: World) -> None:
        gate = world.provider.gate("submit")
        job = await world.opened()
        await world.submitter.turn()
        await gate.reached.wait()
        assert await world.webhook(job, "task-1")
        await world.work(world.poller)
        assert (await world.job(job)).state == "starting"
        gate.opened.set()
        await world.submitter.crew.drain(30)
        await world.work(world.poller, world.collector)
        await world.ended(job, "completed", captured=PRICE)

    async def test_d32_ten_times_the_same_one_is_one_result(self, world: World) -> None:
        job = await world.running(Upscale, RUNS, DONE)
        await world.work(world.poller)
        for _ in range(10):
            assert await world.webhook(job, "task-1")
            await world.work(world.poller, world.collector)
        await world.ended(job, "completed", captured=PRICE)
        assert (await world.way(job)).count("complete") == 1
        assert world.provider.count("fetch") == 1

    async def test_one_with_a_token_of_nobody_is_refused(self, world: World) -> None:
        await world.running()
        assert not await world.engine.receive_webhook(b"nobody", {}, b"task-1")

    async def test_its_body_decides_nothing(self, world: World) -> None:
        job = await world.running(Upscale, RUNS)
        token_hash = (await world.attempt(job)).token_hash
        assert token_hash is not None
        body = b'{"event": "TASK_END", "status": "SUCCESS", "results": ["https://evil.example/x.png"]}'
        assert await world.engine.receive_webhook(token_hash, {}, body)
        await world.work(world.poller, world.collector)
        assert await world.job(job) == job
        assert world.provider.calls[-1] == ("query", "task-1")

    async def test_d3_without_any_the_poll_finds_the_result(self, world: World) -> None:
        job = await world.running(Upscale, RUNS, DONE)
        await world.ask()
        await world.ask()
        await world.ended(job, "completed", captured=PRICE)
