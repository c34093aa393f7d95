"""Over the old wire, what the provider sends and answers: old webhooks, gateways, late and lost words."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from makegood import JobMoney
from makegood.lifecycle import BaseJob
from makegood_adapters.runninghub.patience import Patience
from makegood_adapters.runninghub.simulator import Call, Faults, Match, Rule, Task, VirtualClock
from tests.incidents.old_page import CREDITS, OldService, old_service
from tests.incidents.old_tools import POSE
from tests.scenarios.stage import INSTANT, POOL

PRICE = 60
NEVER_POLL = 300.0
FORGED = [{"url": "https://evil.example/1.png", "outputType": "png"}]


def shapes(task_id: str, status: str = "SUCCESS", results: Any = ()) -> list[dict[str, Any]]:
    """Return the bodies in which the old addresses were told that a task ended."""
    data = {"taskId": task_id, "status": status, "results": list(results)}
    inner = {"code": 0, "msg": "success", "data": list(results)}
    return [
        {"event": "TASK_END", "taskId": task_id, "eventData": data},
        {"event": "TASK_END", "taskId": task_id, "eventData": json.dumps(inner)},
        {"event": "TASK_END", "taskId": task_id, "eventData": inner},
        {"event": "TASK_END", "eventData": data},
        data,
        {"task_id": task_id, "status": status},
    ]


async def the_task(service: OldService, job_id: str) -> Task:
    [task] = await service.stage.tasks_of(await service.job(job_id))
    return task


async def test_d3_d32_every_shape_of_an_old_webhook_ends_the_wait_once_however_often_it_comes(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path, poll_interval_seconds=NEVER_POLL, capacity=9) as service:
        for number in range(len(shapes(""))):
            page = await service.page(f"user-{number}")
            job_id = await service.running(page, webhooks=0)
            await service.stage.seen_running(await service.job(job_id))
            task = await the_task(service, job_id)
            await service.release(job_id)
            body = shapes(task.id)[number]
            replies = await asyncio.gather(*(service.hook(body) for _ in range(10)))
            assert [reply.status for reply in replies] == [200] * 10
            assert (await service.settled(job_id)).state == "completed", body
            assert (await service.stage.events(await service.job(job_id))).count("complete") == 1
            assert await page.credits() == CREDITS - PRICE


@pytest.mark.parametrize("ends", ["completed", "failed"])
async def test_d15_p33_m1_old_webhooks_that_come_twice_before_the_create_reply_lose_and_repeat_nothing(
    database: str, tmp_path: Path, ends: str
) -> None:
    """They name a task whose id nobody has told us; and the page reports a failure at the same moment."""
    fails = {"fail": "it broke"} if ends == "failed" else {}
    still: dict[str, Any] = {"clock": VirtualClock(), "pace": INSTANT, "poll_interval_seconds": NEVER_POLL}
    async with old_service(database, tmp_path, **still) as service:
        page = await service.page()
        job_id = await service.order(page, reply_seconds=1, webhooks=0, **fails)
        task = await service.stage.task_exists()
        await service.stage.simulator.wait_for(lambda: task.over)
        assert (await service.job(job_id)).state == "starting"
        body = shapes(task.id)[0]
        hooked = await asyncio.gather(*(service.hook(body) for _ in range(5)), page.finish(job_id))
        assert [reply.status for reply in hooked] == [200] * 6
        assert hooked[-1].body == {"success": True, "refundedAmount": 0}
        assert task.reply == "pending"
        await service.stage.simulator.advance(1)
        assert (await service.settled(job_id)).state == ends
        early = "select sum(copies) from makegood.inbox where job_id = $1 and source <> 'client'"
        assert await service.stage.value(early, (await service.job(job_id)).id) == 5, "none is lost"
        assert await service.refunds() == (ends == "failed")
        assert await page.credits() == CREDITS - PRICE * (ends == "completed")
        assert service.stage.create_calls() == 1


async def test_m2_c1_a_webhook_after_finish_is_believed_no_more_than_finish(
    database: str, tmp_path: Path
) -> None:
    """A page says failed, a stranger says success with a result of its own: the provider is asked, twice."""
    async with old_service(database, tmp_path, poll_interval_seconds=NEVER_POLL) as service:
        page = await service.page()
        job_id = await service.running(page)
        task = await the_task(service, job_id)
        assert (await page.finish(job_id)).ok
        for body in (*shapes(task.id, results=FORGED), *shapes(task.id, "FAILED")):
            assert (await service.hook(body)).status == 200
        await service.stage.hints_read(await service.job(job_id))
        assert (await service.job(job_id)).state == "running"
        assert await service.money(job_id) == JobMoney(held=PRICE)
        await service.release(job_id)
        job = await service.settled(job_id)
        assert job.state == "completed"
        assert "evil" not in str(job.output)
        assert "evil" not in (await page.read(job_id))["output_url"]


async def test_f9_m6_no_old_webhook_moves_a_job_that_is_over_and_each_gets_its_answer(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path) as service:
        page, other = await service.page(), await service.page("bob", POSE)
        done = await service.settled(await service.order(page))
        lost = await service.settled(await service.order(other, fail="it broke"))
        tasks = [(await service.stage.tasks_of(job))[0] for job in (done, lost)]
        for task in tasks:
            for status in ("SUCCESS", "FAILED", "RUNNING", "QUEUED", "CANCELLED"):
                for body in shapes(task.id, status, FORGED):
                    assert (await service.hook(body)).body == {"success": True}
        assert (await service.hook(shapes("1999999999999999999")[0])).body == {"success": True}
        assert (await service.hook({"event": "TASK_START", "taskId": "1"})).body == {
            "success": True, "ignored": True,
        }  # fmt: skip
        for malformed in ({"event": "TASK_END"}, {"event": "TASK_END", "taskId": None}, {"taskId": [1]}, {}):
            assert (await service.hook(malformed)).status == 400, malformed
        for job in (done, lost):
            assert await service.job(str(job.id)) == job
        assert await page.credits() == CREDITS - done.price
        assert await other.credits() == CREDITS


async def test_d13_a_page_that_asks_while_no_question_is_answered_fails_nothing(
    database: str, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"patience": Patience(tries=1), "poll_interval_seconds": 0.01}
    async with old_service(database, tmp_path, **given) as service:
        page = await service.page()
        calls: tuple[Call, ...] = ("query", "outputs", "status")
        for call in calls:
            service.stage.simulator.add(
                Rule(faults=Faults(reply_status=502), match=Match(call=call), times=20)
            )
        job_id = await service.order(page, webhooks=0)
        ended = asyncio.create_task(service.settled(job_id))
        while not ended.done():
            assert await page.absolute_timer(job_id) in ("five minutes more", "over")
            await page.call("POST", f"/functions/v1/{page.tool.function}/reconcile", json={"jobId": job_id})
        assert ended.result().state == "completed"
        assert service.stage.simulator.counters.calls["query"] > 20


@pytest.mark.parametrize("call", ["create", "upload", "query"])
async def test_d2_a_page_of_a_gateway_in_place_of_an_answer_is_told_to_no_page(
    database: str, tmp_path: Path, call: Call
) -> None:
    """HTML with a 200, a 502, nothing at all: the job goes on, and no page reads what the gateway wrote."""
    async with old_service(database, tmp_path, capacity=5) as service:
        for number, faults in enumerate(
            (Faults(reply="html"), Faults(reply_status=502), Faults(reply="empty"))
        ):
            page = await service.page(f"user-{number}")
            service.stage.simulator.add(Rule(faults=faults, match=Match(call=call)))
            job_id = await service.order(page)
            assert (await service.settled(job_id)).state == "completed"
            assert await page.credits() == CREDITS - PRICE
        assert not [text for text in service.heard if "<html" in text.lower() or "Unexpected token" in text]


async def test_d24_d16_f8_a_failure_of_every_kind_is_told_in_our_words_with_its_refund(
    database: str, tmp_path: Path
) -> None:
    """No result, a refusal, a failure that names the provider's machine, and a format that is not taken."""
    secret = "Traceback: node 12 of ComfyUI, line 7"
    async with old_service(database, tmp_path) as service:
        page = await service.page()
        for faults in ({"no_outputs": True}, {"refuse": "301"}, {"fail": secret}, {"fail": "nsfw content"}):
            job_id = await service.order(page, **faults)
            assert (await service.settled(job_id)).state == "failed"
            told = (await page.read(job_id))["error_message"]
            assert told.endswith(f"{PRICE} credits were given back.")
            assert (await page.run(job_id)).body["refunded"] is True
        assert not [text for text in service.heard if "ComfyUI" in text]
        path = f"/storage/v1/object/artes-cloudinary/upscaler/{page.user}/a.png"
        gif = await page.call("POST", path, data=b"GIF89a" + bytes(64), headers={"Content-Type": "image/png"})
        assert gif.status in (400, 415)
        assert await page.credits() == CREDITS


#: Nothing can be written to that table until it is dropped.
BROKEN = """
create function public.broken() returns trigger language plpgsql as $$ begin raise 'disk full'; end $$;
create trigger broken before insert on makegood.{table} for each row execute function public.broken()
"""


async def test_s2_d47_c4_p26_a_ledger_that_cannot_be_written_is_an_error_and_the_same_call_works_later(
    database: str, tmp_path: Path
) -> None:
    """For the charge, so that /run is called four times and reported, and for the refund of a cancel."""
    async with old_service(database, tmp_path) as service:
        page, bob = await service.page(), await service.page("bob")
        await service.stage.engine.pause(pool=POOL, reason="so that it waits", actor="ops")
        queued, draft = await service.order(bob), await page.create()
        files = await service.files(page)
        await service.stage.sql.execute(BROKEN.format(table="journal"))
        for _ in range(4):
            reply = await page.run(draft, **files)
            assert (reply.status, "disk" in str(reply.body)) == (503, False)
        body = {"p_table_name": bob.tool.table, "p_job_id": queued}
        assert (await bob.call("POST", "/rest/v1/rpc/user_cancel_ai_job", json=body)).status == 503
        assert (await bob.finish(queued)).status == 503
        assert [(await service.job(each)).state for each in (draft, queued)] == ["pending", "queued"]
        assert await service.money(draft) == JobMoney()
        assert await service.money(queued) == JobMoney(held=PRICE)
        await service.stage.sql.execute("drop trigger broken on makegood.journal")
        assert (await page.run(draft, **files)).body["success"] is True
        assert await service.money(draft) == JobMoney(held=PRICE)
        assert (await bob.cancel(bob.tool.table, queued))["refunded_amount"] == PRICE
        await service.stage.engine.resume(pool=POOL, actor="ops")
        assert (await service.settled(draft)).state == "completed"
        assert await bob.credits() == CREDITS


async def test_c5_a_submission_in_doubt_is_neither_repeated_nor_ended_by_what_a_page_does(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path) as service:
        page = await service.page()
        job_id = await service.order(page, drop_reply=True, hold="running")
        task = await service.stage.task_exists()
        await service.stage.simulator.wait_for(lambda: task.reply == "dropped")
        for _ in range(4):
            assert (await page.run(job_id)).body["success"] is True
        await page.mark_failed(job_id)
        assert await page.watchdog(job_id) == "left alone"
        assert await page.absolute_timer(job_id) == "five minutes more"
        assert (await page.leave()).body["cancelledCount"] == 0
        assert (await service.job(job_id)).state == "starting"
        await service.release(job_id)
        assert (await service.settled(job_id)).state == "completed"
        assert service.stage.create_calls() == 1


async def test_m13_no_reply_of_any_endpoint_has_a_key_an_account_or_a_task_in_it(
    database: str, tmp_path: Path
) -> None:
    """`accountApiKey` above all; that no reply of these tests has one is looked at after each of them."""
    async with old_service(database, tmp_path) as service:
        page, eve = await service.page(), await service.page("eve")
        job_id = await service.running(page)
        named = {"table": page.tool.table, "jobId": job_id}
        told = (await page.manager("check", {})).body
        assert (told["accountName"], told["accountApiKey"]) == (None, None)
        for endpoint in ("status", "retry", "run-or-queue", "enqueue", "process-next"):
            assert (await page.manager(endpoint, named)).status == 401
        row = await page.read(job_id, "api_account,task_id,raw_api_response,raw_webhook_payload,rh_cost")
        assert row == {
            "api_account": None, "task_id": job_id, "raw_api_response": None, "raw_webhook_payload": None,
            "rh_cost": None,
        }  # fmt: skip
        assert await eve.read(job_id, "*") == {}
        await service.release(job_id)
        await service.settled(job_id)
        await page.read(job_id, "*")


async def test_d21_an_old_webhook_that_cannot_be_kept_is_an_error_and_the_next_one_ends_the_job(
    database: str, tmp_path: Path
) -> None:
    """A database error is never "not found": the provider is told to come again, and the job waits for it."""
    async with old_service(database, tmp_path, poll_interval_seconds=NEVER_POLL) as service:
        page = await service.page()
        job_id = await service.running(page, webhooks=0)
        await service.stage.seen_running(await service.job(job_id))
        task = await the_task(service, job_id)
        await service.release(job_id)
        await service.stage.sql.execute(BROKEN.format(table="inbox"))
        for body in shapes(task.id):
            reply = await service.hook(body)
            assert (reply.status, "disk" in str(reply.body)) == (503, False)
        assert (await page.finish(job_id)).status == 503
        assert (await service.job(job_id)).state == "running"
        await service.stage.sql.execute("drop trigger broken on makegood.inbox")
        assert (await service.hook(shapes(task.id)[0])).status == 200
        assert (await service.settled(job_id)).state == "completed"


async def test_m5_d17_a_job_that_ends_during_its_create_call_stays_ended_and_its_task_is_stopped(
    database: str, tmp_path: Path
) -> None:
    """An administrator cancels it; then the reply comes, and the page and its webhook say what they like."""
    async with old_service(database, tmp_path, clock=VirtualClock(), pace=INSTANT) as service:
        page = await service.page()
        job_id = await service.order(page, reply_seconds=1, hold="running")
        task = await service.stage.task_exists()
        await service.stage.engine.administer(
            (await service.job(job_id)).id, BaseJob.cancel, actor="ops", reason="asked on the phone"
        )
        ended = await service.job(job_id)
        assert (ended.state, task.reply) == ("cancelled", "pending")
        assert await page.credits() == CREDITS
        assert (await page.check_active())["hasActiveJob"] is False
        for body in shapes(task.id):
            assert (await service.hook(body)).status == 200
        await page.mark_failed(job_id)
        assert task.reply == "pending"
        await service.stage.simulator.advance(1)
        await service.stage.slots_free()
        assert task.state == "CANCEL"
        assert await service.job(job_id) == ended
        assert await service.money(job_id) == JobMoney(released=PRICE)
