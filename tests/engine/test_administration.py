"""Named people end jobs and look into attempts: with a reason, once, and never past the ledger."""

from typing import Any

import pytest

from makegood import (
    Attempt,
    BaseJob,
    Event,
    Failure,
    GuardFailed,
    IllegalTransition,
    InvalidRequest,
    Job,
    JobMoney,
    Money,
    State,
    UnknownJob,
    Verdict,
)
from makegood.job import Phase
from makegood.outcome import Failed, Trouble, Unfinished
from makegood.ports import StoredHint
from makegood.testing.provider import PNG
from tests.engine.world import PRICE, RUNNING, Upscale, World, a_job, a_world, in_state

WHO: dict[str, Any] = {"actor": "bo", "reason": "the customer was promised it"}
OVER = ("completed", "failed", "cancelled")


async def test_d17_an_administrator_then_everybody_else_give_back_once(world: World) -> None:
    job = await world.running(Upscale, Unfinished(running=True), Failed("too late"))
    await world.work(world.poller)
    assert (await world.engine.administer(job.id, BaseJob.cancel, **WHO)).state == "cancelled"
    with pytest.raises(IllegalTransition):
        await world.engine.cancel(job.id, actor="ada")
    await world.engine.report(job.id, "It failed!")
    await world.ask()
    await world.after(RUNNING)
    await world.ended(job, "cancelled")
    kinds = [line.kind for line in await world.store.ledger.lines_of(job.id)]
    assert kinds.count("release") == 1
    assert (await world.attempt(job)).verdict is Verdict.FAILED  # what the provider said is kept all the same


@pytest.mark.parametrize("state", ["pending", "queued", "starting", "running"])
@pytest.mark.parametrize("event", [BaseJob.fail, BaseJob.cancel])
async def test_a_person_ends_a_job_in_every_state_and_all_comes_back(
    world: World, state: str, event: Event[Any]
) -> None:
    job = await world.opened() if state == "starting" else await in_state(world, state)
    assert job.state == state
    held = (await world.money(job)).held
    ended = await world.engine.administer(job.id, event, **WHO)
    assert ended.state == ("failed" if event is BaseJob.fail else "cancelled")
    assert await world.money(job) == JobMoney(released=held)
    *_, last = await world.engine.history(job.id)
    assert (last.actor, last.reason) == (WHO["actor"], WHO["reason"])
    for attempt in await world.engine.attempts(job.id):
        told = [e for e in attempt.known if e.verdict is Verdict.ADMINISTRATOR]
        assert [(e.source, e.detail) for e in told] == [("administrator", WHO)]


async def test_what_was_submitted_keeps_its_slot_and_is_asked_to_stop(world: World) -> None:
    job = await world.running()
    await world.engine.administer(job.id, BaseJob.fail, **WHO)
    assert await world.slots() == (1, 1)
    await world.work(world.poller)  # at once: nobody waits for an interval
    assert (world.provider.count("cancel"), await world.slots()) == (1, (0, 0))
    await world.ended(job, "failed")


async def test_a_person_delivers_a_file_of_ours_and_the_price_is_paid(world: World) -> None:
    job = await world.running()
    key = await world.blobs.put(PNG, "repaired.png")
    await world.engine.administer(job.id, BaseJob.complete, files=[key], **WHO)
    ended = await world.ended(job, "completed", captured=PRICE)
    assert ended.output is not None
    [file] = ended.output["files"]
    assert (file["key"], file["kind"], file["size"]) == (key, "png", len(PNG))


async def test_a_person_may_ask_less_than_the_price(world: World) -> None:
    job = await world.running()
    key = await world.blobs.put(PNG, "half.png")
    await world.engine.administer(job.id, BaseJob.complete, files=[key], earned=30, **WHO)
    await world.ended(job, "completed", captured=30)


@pytest.mark.parametrize("state", OVER)
@pytest.mark.parametrize("event", [BaseJob.fail, BaseJob.cancel, BaseJob.complete])
async def test_what_is_over_is_over_for_people_too(world: World, state: str, event: Event[Any]) -> None:
    job = await in_state(world, state)
    before, money = await world.job(job), await world.money(job)
    files = [await world.blobs.put(PNG, "x.png")] if event is BaseJob.complete else []
    with pytest.raises(IllegalTransition, match=f"in state '{state}'"):
        await world.engine.administer(job.id, event, files=files, **WHO)
    assert (await world.job(job), await world.money(job)) == (before, money)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"actor": " "}, "name of a person"),
        ({"actor": "watchdog"}, "name of a person"),
        ({"actor": "bo\x00"}, "printable"),
        ({"actor": "b" * 501}, "printable"),
        ({"reason": ""}, "needs a reason"),
        ({"reason": "r" * 10_001}, "say it shorter"),
        ({"event": BaseJob.complete, "files": ["x.png"], "earned": -1}, "0 to 100"),
        ({"event": BaseJob.complete, "files": ["x.png"], "earned": PRICE + 1}, "0 to 100"),
        ({"event": BaseJob.begin}, "not by 'begin'"),
        ({"event": BaseJob.complete}, "name its files"),
        ({"event": BaseJob.complete, "files": ["gone.png"]}, "no file 'gone.png'"),
        ({"files": ["x.png"]}, "delivers nothing"),
    ],
)
async def test_an_act_that_cannot_be_done_changes_nothing(
    world: World, given: dict[str, Any], told: str
) -> None:
    job = await world.running()
    asked = {"event": BaseJob.fail, **WHO, **given}
    with pytest.raises(InvalidRequest, match=told):
        await world.engine.administer(job.id, asked.pop("event"), **asked)
    assert await world.job(job) == job
    with pytest.raises(UnknownJob):
        await world.engine.administer(a_job().id, BaseJob.fail, **WHO)


async def test_a_state_of_ones_own_ends_as_its_deadline_would() -> None:
    class Proofed(Upscale):
        proofing = State(deadline=RUNNING)
        deliver = Event(BaseJob.running >> proofing)
        approve = Event(proofing >> BaseJob.completed, money=Money.CAPTURE)
        decline = Event(proofing >> BaseJob.failed, Failure, money=Money.RELEASE)

    async with a_world(Proofed) as world:
        job = await world.running(Proofed)
        said = (await world.attempt(job)).evidence(Verdict.SUCCEEDED, "query")
        await world.mover.fire(job.id, "deliver", actor="test", evidence=said)
        await world.engine.administer(job.id, BaseJob.fail, **WHO)
        assert "decline" in await world.way(job)
        await world.ended(job, "failed")


async def test_a_job_that_is_paid_already_is_not_failed_and_not_completed_in_its_place() -> None:
    class Handed(Upscale):
        handed_over = State(deadline=RUNNING)
        hand_over = Event(BaseJob.running >> handed_over, money=Money.CAPTURE)
        archive = Event(handed_over >> BaseJob.completed)

    async with a_world(Handed) as world:
        job = await world.running(Handed)
        said = (await world.attempt(job)).evidence(Verdict.SUCCEEDED, "query")
        paid = await world.mover.fire(job.id, "hand_over", actor="test", evidence=said)
        with pytest.raises(IllegalTransition, match="Allowed: archive"):
            await world.engine.administer(job.id, BaseJob.fail, **WHO)
        assert await world.job(job) == paid
        assert await world.money(job) == JobMoney(captured=PRICE)


async def test_a_cancellation_by_a_person_costs_nothing_whatever_the_policy_says() -> None:
    class Dear(Upscale):
        @classmethod
        def cancellation_price(cls, job: Job, ran: bool) -> int:
            return job.price

    async with a_world(Dear) as world:
        job = await world.running(Dear)
        await world.engine.administer(job.id, BaseJob.cancel, **WHO)
        await world.ended(job, "cancelled")


async def test_a_guard_of_the_type_holds_a_person_back_too() -> None:
    class Locked(Upscale):
        fail = Event(
            (BaseJob.queued | BaseJob.starting | BaseJob.running) >> BaseJob.failed,
            Failure,
            money=Money.RELEASE,
        )

    @Locked.fail.guard
    def unlocked(job: Job, _: Failure) -> bool:
        return False

    async with a_world(Locked) as world:
        job = await world.running(Locked)
        with pytest.raises(GuardFailed, match="unlocked"):
            await world.engine.administer(job.id, BaseJob.fail, **WHO)


async def test_attempts_are_told_with_what_is_known_of_each(world: World) -> None:
    job = await world.running(Upscale, Failed("Broken pipe", Trouble.PASSING))
    await world.work(world.poller)
    await world.start()
    first, second = await world.engine.attempts(job.id)
    assert [e.verdict for e in first.known] == [Verdict.ACCEPTED, Verdict.FAILED]
    assert first.known[-1].detail["trouble"] == "passing"
    assert [(second.number, e.verdict) for e in second.known] == [(2, Verdict.ACCEPTED)]
    assert await world.engine.attempts((await world.pending()).id) == []
    with pytest.raises(UnknownJob):
        await world.engine.attempts(a_job().id)


async def test_c5_a_person_says_that_an_uncertain_submission_made_no_task(world: World) -> None:
    job = await world.uncertain()
    attempt = await world.engine.resolve(job.id, 1, **WHO)
    assert (attempt.phase, attempt.verdict) == (Phase.CLOSED, Verdict.REJECTED)
    back = await world.job(job)
    assert (back.state, back.reruns, await world.money(job)) == ("queued", 0, JobMoney(held=PRICE))
    *_, last = await world.engine.history(job.id)
    assert (last.actor, last.reason) == (WHO["actor"], WHO["reason"])
    with pytest.raises(InvalidRequest, match=r"over \(rejected\)"):
        await world.engine.resolve(job.id, 1, **WHO)


async def test_an_uncertain_submission_of_a_job_that_is_over_only_frees_its_slot(world: World) -> None:
    job = await world.uncertain()
    await world.engine.administer(job.id, BaseJob.fail, **WHO)
    assert await world.slots() == (1, 1)
    await world.engine.resolve(job.id, 1, **WHO)
    assert await world.slots() == (0, 0)
    await world.ended(job, "failed")


async def test_a_webhook_that_names_a_task_knows_better_than_a_person(world: World) -> None:
    job = await world.uncertain()
    await world.webhook(job, "task-1")
    with pytest.raises(InvalidRequest, match="task-1"):
        await world.engine.resolve(job.id, 1, **WHO)
    await world.work(world.poller)
    assert (await world.job(job)).state == "running"


async def test_what_was_given_up_is_counted_until_a_person_has_looked(world: World) -> None:
    job = await world.running()
    await world.engine.administer(job.id, BaseJob.fail, **WHO)
    await world.after(world.account.draining_seconds)
    assert (await world.use()).abandoned == 1
    await world.engine.resolve(job.id, 1, **WHO)
    assert (await world.use()).abandoned == 0
    with pytest.raises(InvalidRequest, match="needs nobody"):
        await world.engine.resolve(job.id, 1, **WHO)


async def test_nobody_is_needed_where_the_provider_answers(world: World) -> None:
    job = await world.running()
    with pytest.raises(InvalidRequest, match="provider's answer decides"):
        await world.engine.resolve(job.id, 1, **WHO)
    for number in (-1, 0, 2, 2**70):
        with pytest.raises(InvalidRequest, match=f"no attempt {number}"):
            await world.engine.resolve(job.id, number, **WHO)


async def test_a_task_that_is_found_while_a_person_decides_is_not_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await world.uncertain()
    attempt, unread = await world.attempt(job), world.store.hints.unread

    async def and_then_found(of: Attempt) -> list[StoredHint]:
        hints = await unread(of)
        await world.store.attempts.record(attempt.evidence(Verdict.ACCEPTED, "webhook", task_id="task-1"))
        return hints

    monkeypatch.setattr(world.store.hints, "unread", and_then_found)
    with pytest.raises(InvalidRequest, match="provider's answer decides"):
        await world.engine.resolve(job.id, 1, **WHO)
    monkeypatch.undo()
    assert (await world.job(job)).state == "starting"
    await world.ask()
    assert ((await world.job(job)).state, world.provider.count("submit")) == ("running", 1)
