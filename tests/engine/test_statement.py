"""What a statement says of a job: every way in which one ends, and nothing that the ledger does not show."""

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import makegood
from makegood import BaseJob, Completion, Failure, InsufficientCredits, InvalidRequest, Job
from makegood.errors import ResultTooLarge
from makegood.job import JournalLine
from makegood.outcome import Cancelled, Failed, NotFound, Output, Rejected, Retry, Succeeded, Unfinished
from makegood.statement import ENGINE, FAILURES, Entry, EntryKind
from tests.engine.world import PRICE, QUEUE, RUNNING, Upscale, World, a_world

RUNS, DONE = Unfinished(running=True), Succeeded((Output("https://provider.example/1.png", "png"),))


async def _failed_at_provider(world: World) -> Job:
    job = await world.running(Upscale, Failed("out of memory"))
    await world.ask()
    return job


async def _refused(world: World) -> Job:
    world.provider.plan(Rejected("805", "bad node", Retry.NEVER))
    job = await world.opened()
    await world.work(world.submitter)
    return job


async def _without_result(world: World) -> Job:
    job = await world.running(Upscale, Succeeded(()))
    await world.ask()
    return job


async def _forgotten(world: World) -> Job:
    job = await world.running(Upscale, NotFound())
    await world.clock.advance(world.settings.absent_after_seconds)
    await world.ask()
    return job


async def _unfetched(world: World) -> Job:
    job = await world.running(Upscale, DONE)
    world.provider.fail("fetch", times=1_000)
    await world.ask()
    await world.clock.advance(Upscale.fetch_deadline.total_seconds())
    await world.ask()
    return job


async def _too_large(world: World) -> Job:
    job = await world.running(Upscale, DONE)
    [output] = DONE.outputs
    world.provider.contents[output.url] = (ResultTooLarge(world.settings.output_bytes_max),)
    await world.ask()
    return job


async def _waited_too_long(world: World) -> Job:
    job = await world.queued()
    await world.after(QUEUE)
    return job


async def _ran_too_long(world: World) -> Job:
    job = await world.running(Upscale, RUNS)
    await world.after(RUNNING)
    return job


async def _input_refused(world: World) -> Job:
    job = await world.opened(image=await world.with_image())
    world.blobs._files.clear()
    await world.work(world.submitter)
    return job


async def _reported(world: World) -> Job:
    job = await world.queued()
    await world.engine.report(job.id, "the page gave up")
    return job


async def _cancelled_by_owner(world: World) -> Job:
    job = await world.queued()
    await world.engine.cancel(job.id, actor="ada")
    return job


async def _cancelled_by_administrator(world: World) -> Job:
    job = await world.queued()
    await world.engine.cancel(job.id, actor="admin:eve")
    return job


async def _cancelled_before_it_ran(world: World) -> Job:
    job = await world.running(Upscale, Cancelled(ran=False))
    await world.engine.cancel(job.id, actor="ada")
    await world.ask()
    return job


async def _closed_by_administrator(world: World) -> Job:
    job = await world.queued()
    failure = Failure(category="studio_closed", message="The studio is closed today.")
    await world.engine.fire(job.id, BaseJob.fail, failure, actor="admin:eve", reason="closed today")
    return job


async def _without_a_reason(world: World) -> Job:
    job = await world.queued()
    await world.engine.fire(job.id, BaseJob.fail, Failure())
    return job


RETURNS: dict[str, Callable[[World], Awaitable[Job]]] = {
    "provider failed": _failed_at_provider,
    "provider refused the job": _refused,
    "provider delivered no result": _without_result,
    "result could not be fetched in time": _unfetched,
    "result was too large": _too_large,
    "input could not be used": _input_refused,
    "reported as failed before it began": _reported,
    "cancelled by you": _cancelled_by_owner,
    "cancelled by admin:eve": _cancelled_by_administrator,
    "cancelled on request": _cancelled_before_it_ran,
    "job failed (studio closed)": _closed_by_administrator,
    "job failed": _without_a_reason,
}


async def told_of(world: World, job: Job) -> list[Entry]:
    """Return the entries of the job, oldest first, having seen that they are what the ledger shows."""
    page, money = await world.engine.statement("ada"), await world.money(job)
    told = [each for each in reversed(page.entries) if each.job_id == job.id]

    def total(kind: EntryKind) -> int:
        return sum(each.amount for each in told if each.kind is kind)

    assert total(EntryKind.RETURNED) == money.released
    assert total(EntryKind.PAID) == money.captured
    assert total(EntryKind.HELD) == money.held + money.released + money.captured
    assert ("returned" in " ".join(each.text for each in told)) == (money.released > 0)
    return told


class TestEnds:
    @pytest.mark.parametrize("why", RETURNS)
    async def test_the_reason_of_a_return_is_what_ended_the_job(self, world: World, why: str) -> None:
        job = await RETURNS[why](world)
        await world.ended(job, (await world.job(job)).state)
        held, back = await told_of(world, job)
        assert (held.text, back.text) == (f"{PRICE} held for upscale", f"{PRICE} returned: {why}")

    @pytest.mark.parametrize("way", [_waited_too_long, _ran_too_long])
    async def test_a_deadline_is_told_as_one(
        self, world: World, way: Callable[[World], Awaitable[Job]]
    ) -> None:
        _, back = await told_of(world, await way(world))
        assert back.text == f"{PRICE} returned: not finished in time"

    async def test_a_task_that_the_provider_lost_is_its_failure(self, world: World) -> None:
        _, back = await told_of(world, await _forgotten(world))
        assert back.text == f"{PRICE} returned: provider failed"

    async def test_a_result_is_paid(self, world: World) -> None:
        job = await world.running(Upscale, DONE)
        await world.ask()
        held, paid = await told_of(world, job)
        assert (held.change, paid.change, paid.text) == (-PRICE, 0, f"{PRICE} paid for upscale")

    async def test_part_of_a_result_is_paid_and_the_rest_comes_back(self) -> None:
        class Half(Upscale):
            name, label = "half", "Half picture"

            @classmethod
            def delivered(cls, job: Job, files: Any) -> Any:
                return cls.complete, Completion(output={"files": []}, earned=40)

        async with a_world(Half) as world:
            job = await world.running(Half, DONE)
            await world.ask()
            assert [each.text for each in await told_of(world, job)] == [
                "100 held for Half picture",
                "40 paid for Half picture",
                "60 returned: cost less than was held",
            ]

    async def test_a_cancelled_run_is_paid_by_the_policy_and_says_so(self, world: World) -> None:
        job = await world.running(Upscale, RUNS, Cancelled(ran=True))
        await world.work(world.poller)
        await world.engine.cancel(job.id, actor="ada")
        await world.ask()
        _, paid = await told_of(world, job)
        assert paid.text == f"{PRICE} paid for upscale: cancelled on request"

    async def test_a_job_under_way_is_held_and_nothing_else(self, world: World) -> None:
        job = await world.running(Upscale, RUNS)
        assert [each.text for each in await told_of(world, job)] == [f"{PRICE} held for upscale"]

    def test_every_category_of_the_engine_has_its_words(self) -> None:
        folder = Path(makegood.__file__).parent
        sources = [p for p in folder.rglob("*.py") if "testing" not in p.parts]
        used = {c for p in sources for c in re.findall(r'category="(\w+)"', p.read_text("utf-8"))}
        # whoever lacked the credits never had any of them held
        assert used - {"insufficient_credits"} <= set(FAILURES)

    def test_every_loop_is_known_as_no_person(self) -> None:
        folder = Path(makegood.__file__).parent / "runtime"
        named = re.compile(r'^    name = "(\w+)"', re.MULTILINE)
        names = {name for path in folder.glob("*.py") for name in named.findall(path.read_text("utf-8"))}
        silent = {"courier", "estimator", "heartbeat", "herald", "poller", "relay", "sequencer", "surveyor"}
        assert names <= ENGINE | silent


class TestIncidents:
    """What a person reads about money is computed from the ledger; `StatementsContract` takes every edge."""

    async def test_m12_a_job_that_cannot_be_built_says_returned_only_once_it_is(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = await world.opened(image=await world.with_image())
        assert [each.text for each in await told_of(world, job)] == [f"{PRICE} held for upscale"]

        async def gone(_: str) -> None:
            return None

        monkeypatch.setattr(world.blobs, "get", gone)
        await world.work(world.submitter)
        _, back = await told_of(world, job)
        assert back.text == f"{PRICE} returned: input could not be used"
        assert await world.slots() == (0, 0)

    async def test_d22_a_timer_of_the_page_says_nothing_that_the_ledger_does_not(self, world: World) -> None:
        """The page gives up in every state in which a job may be; the text is that of the ledger then."""
        for state, job in [
            ("running", await world.running(Upscale, RUNS)),
            ("starting", await world.opened()),
            ("queued", await world.queued()),
            ("pending", await world.pending()),
        ]:
            before = await told_of(world, job)
            await world.engine.report(job.id, "ten minutes are over")
            after = await told_of(world, job)
            said = [f"{PRICE} returned: reported as failed before it began"] if state == "queued" else []
            assert [each.text for each in after[len(before) :]] == said

    async def test_p32_who_is_refused_reads_of_no_credits(self, world: World) -> None:
        job = await world.engine.submit(Upscale, "bo", {})
        with pytest.raises(InsufficientCredits):
            await world.engine.accept(job.id)
        assert (await world.engine.statement("bo")).entries == ()

    async def test_p32_who_cancels_before_anything_is_held_reads_of_no_return(self, world: World) -> None:
        job = await world.pending()
        await world.engine.cancel(job.id, actor="ada")
        assert await told_of(world, job) == []


class TestPage:
    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"limit": 0}, "limit 0 must be 1 to 500 entries"),
            ({"limit": 501}, "limit 501"),
            ({"after": 0}, "after 0 is no cursor"),
            ({"since": datetime(2026, 1, 1)}, "must be a time with zone"),  # noqa: DTZ001 - that is the mistake
        ],
    )
    async def test_what_makes_no_page_is_refused(
        self, world: World, wrong: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(InvalidRequest, match=said):
            await world.engine.statement("ada", **wrong)

    async def test_a_page_of_usual_entries_is_one_question(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(4):
            await _cancelled_by_owner(world)
        asked: list[int] = []
        lines = world.store.ledger.lines

        async def counted(owner: str, limit: int, upto: int | None = None) -> list[JournalLine]:
            asked.append(limit)
            return await lines(owner, limit, upto)

        monkeypatch.setattr(world.store.ledger, "lines", counted)
        assert len((await world.engine.statement("ada", limit=5)).entries) == 5
        assert len(asked) == 1
