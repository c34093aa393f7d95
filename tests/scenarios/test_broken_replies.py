"""Gateways answer with pages, databases with errors, users not at all: each job ends, paid or given back."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from makegood import Engine, JobMoney, JobTypeClosed
from makegood.testing.drive import Advance
from makegood_adapters.runninghub.patience import Patience
from makegood_adapters.runninghub.simulator import Call, Faults, Match, Rule
from tests.scenarios.stage import (
    FAST,
    OWNER,
    PATIENCE_SECONDS,
    Stage,
    engine_beside,
    picture,
    staged,
    token_of,
)

NEVER_POLL = 300.0
DEADLINE = 600  # of `starting` and `running`, as the upscaler's file says
PENDING = 180
#: What a gateway may answer in place of the provider.
PAGES: Mapping[str, dict[str, Any]] = {
    "200": {"reply": "html", "reply_status": 200},
    "403": {"reply": "html", "reply_status": 403},
    "429": {"reply": "html", "reply_status": 429},
    "502": {"reply": "html", "reply_status": 502},
    "nothing": {"reply": "empty", "reply_status": 200},
}
PAGES_IN_A_ROW = 3
#: Where the first of them gets a page, the others are asked.
QUESTIONS: tuple[Call, ...] = ("query", "outputs", "status")
#: Before this one nothing is done behind the gateway: it is decided on the head of the request.
REFUSED_AT_THE_DOOR = "429"


async def met(stage: Stage, call: Call, page: str, times: int, **given: Any) -> Any:
    """Order a job about which so many calls of one kind meet the page; a question has three ways."""
    data = picture(100 + list(PAGES).index(page))
    digest = hashlib.sha256(data).hexdigest()
    for each in QUESTIONS if call == "query" else (call,):
        match = Match(call=each, input_sha256=digest)
        stage.simulator.add(Rule(faults=Faults(**PAGES[page], **given), match=match, times=times))
    return await stage.order(data=data)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("call", ["upload", "query"])
async def test_d2_a_page_in_place_of_an_answer_delays_a_job_and_loses_nothing(
    call: Call, page: str, database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path, poll_interval_seconds=0.05, patience=Patience(tries=1)) as stage:
        job = await stage.settled(await met(stage, call, page, PAGES_IN_A_ROW))
        assert job.state == "completed"
        assert stage.simulator.counters.calls[call] > PAGES_IN_A_ROW
        assert (await stage.events(job)).count("defer") == (PAGES_IN_A_ROW if call == "upload" else 0)
        assert len(stage.simulator.tasks) == 1
        await stage.slots_free()


@pytest.mark.parametrize("page", PAGES)
async def test_d2_a_page_in_place_of_the_create_reply_never_leads_to_a_second_task(
    page: str, database: str, tmp_path: Path
) -> None:
    async with staged(database, tmp_path) as stage:
        behind = {"no_task": True} if page == REFUSED_AT_THE_DOOR else {}
        job = await stage.settled(await met(stage, "create", page, 1, **behind))
        assert job.state == "completed"
        assert len(stage.simulator.tasks) == 1
        assert job.attempt == (2 if page == REFUSED_AT_THE_DOOR else 1)
        await stage.slots_free()


@pytest.mark.parametrize("page", [page for page in PAGES if page != REFUSED_AT_THE_DOOR])
async def test_d2_where_a_page_hides_that_there_is_no_task_the_job_is_given_back(
    page: str, database: str, tmp_path: Path, advance: Advance
) -> None:
    async with staged(database, tmp_path, draining_seconds=100) as stage:
        job = await met(stage, "create", page, 1, no_task=True)
        doubted = "select count(*) from makegood.attempt where phase = 'uncertain'"

        async def uncertain() -> bool:
            return bool(await stage.value(doubted))

        await stage.until(uncertain)
        await advance(DEADLINE + 1)
        assert (await stage.settled(job)).state == "failed"
        await advance(101)
        await stage.slots_free()
        assert stage.simulator.tasks == ()


@pytest.mark.parametrize("left_after", ["the upload", "the order", "the charge"])
async def test_d5_d6_a_user_who_leaves_after_any_step_may_order_again_within_the_bound(
    left_after: str, database: str, tmp_path: Path, advance: Advance
) -> None:
    """Nobody comes back: what was not charged ends by itself, what was charged goes on without its page."""
    async with staged(database, tmp_path) as stage:
        before = (await stage.engine.wallet("ada")).available
        left = None
        match left_after:
            case "the upload":
                await stage.blobs.put(picture(1), "input.png")
            case "the order":
                left = await stage.draft()
            case _:
                left = await stage.order()
        await advance(PENDING + 1)
        if left is not None:
            left = await stage.ended(left)
            assert left.state == ("completed" if left_after == "the charge" else "failed")
        live = "select count(*) from makegood.job where owner_id = 'ada' and finished_at is null"
        assert await stage.value(live) == 0
        again = await stage.settled(await stage.order())
        assert again.state == "completed"
        paid = again.price * (2 if left_after == "the charge" else 1)
        assert (await stage.engine.wallet("ada")).available == before - paid
        if left_after == "the order" and left is not None:
            assert await stage.engine.money(left.id) == JobMoney()
            assert await stage.tasks_of(left) == []


async def test_d21_a_database_error_is_told_to_the_webhooks_sender_who_comes_again(
    database: str, tmp_path: Path
) -> None:
    """The next poll is far away: only the webhook that is sent again can end the job in time."""
    stubborn = replace(FAST, webhook_retries=1_000_000)
    async with staged(database, tmp_path, poll_interval_seconds=NEVER_POLL, pace=stubborn) as stage:
        job = await stage.order(hold="running")
        task = await stage.task_exists()
        await stage.seen_running(job)
        await stage.sql.execute(
            "create function public.broken() returns trigger language plpgsql as"
            " $$ begin raise exception 'a column that is not there'; end $$;"
            "create trigger broken before insert on makegood.inbox"
            " for each row execute function public.broken()"
        )
        stage.simulator.release(task.id)
        await stage.simulator.wait_for(lambda: len(task.deliveries) > 0, PATIENCE_SECONDS)
        assert task.deliveries[0].status == 503
        await stage.sql.execute("drop trigger broken on makegood.inbox")
        assert (await stage.settled(job)).state == "completed"
        await stage.simulator.wait_for(lambda: task.deliveries[-1].ok, PATIENCE_SECONDS)


async def test_d36_a_node_that_the_app_does_not_have_closes_the_type_and_every_job_is_refunded(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, advance: Advance
) -> None:
    async with staged(database, tmp_path, capacity=1, survey_interval_seconds=0.2) as stage:
        before = await stage.buckets()
        stage.simulator.add(Rule(faults=Faults(refuse="803"), times=3))
        draft = (
            await stage.draft()
        )  # accepted only then, so that no slot is free for it before the type is closed
        with caplog.at_level(logging.ERROR, "makegood"):
            jobs = [await stage.order() for _ in range(3)]
            for job in await stage.all_ended(jobs):
                assert job.state == "failed"
                assert job.error is not None
                assert job.error["detail"]["code"] == "803"
            await stage.until(lambda: is_closed(stage.engine))
        errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert [text.split(":")[0] for text in errors] == ["job type upscaler is closed"]
        with pytest.raises(JobTypeClosed):
            await stage.draft()
        async with engine_beside(stage) as other:
            with pytest.raises(JobTypeClosed):
                await other.submit("upscaler", OWNER, {"image": jobs[0].input["image"]})
            waits = await stage.engine.accept(draft.id)
            assert waits.state == "queued"
            assert waits.deadline_at is not None
            await advance((waits.deadline_at - await stage.store.now()).total_seconds() + 1)
            assert (await stage.settled(waits)).state == "failed"
            assert await stage.buckets() == before
            assert stage.create_calls() == 3
            assert await stage.engine.resume(type="upscaler", actor="olga")
            assert (await stage.settled(await stage.order())).state == "completed"
            await stage.until(lambda: is_open(other))
            again = await other.submit("upscaler", OWNER, {"image": jobs[0].input["image"]})
            assert again.state == "pending"


async def is_closed(engine: Engine) -> bool:
    """Return whether this process knows of a type that is closed."""
    return bool(engine.catalog.closed)


async def is_open(engine: Engine) -> bool:
    """Return whether this process takes jobs of all types."""
    return not engine.catalog.closed


async def test_f9_no_webhook_moves_a_job_that_is_over_and_each_gets_the_answer_that_is_written(
    database: str, tmp_path: Path
) -> None:
    """Twice, out of order, of nobody, of no form: kept or refused, and the state stays."""
    async with staged(database, tmp_path) as stage:
        job = await stage.settled(await stage.order())
        [task] = await stage.tasks_of(job)
        history = await stage.events(job)
        ended = {"event": "TASK_END", "taskId": task.id}
        late = {"event": "TASK_START", "taskId": task.id, "eventData": '{"status": "RUNNING"}'}
        answers = [await stage.hook(token_of(task), body) for body in (ended, ended, late, {}, {"taskId": 5})]
        assert answers == [200] * 5
        assert await stage.hook("A" * 43, ended) == 404
        assert await stage.hook("short", ended) == 404
        async with stage.session.post(f"{stage.url}/hooks/{token_of(task)}", data=b"\xff{") as reply:
            assert reply.status == 200  # kept, though it says nothing
        await stage.hints_read(job)
        assert await stage.engine.get(job.id) == job
        assert await stage.events(job) == history
