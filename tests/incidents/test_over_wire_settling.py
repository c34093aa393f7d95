"""Over the old wire, how jobs end: whoever says what and in whatever order, one end and one return."""

import asyncio
from pathlib import Path

import pytest

from makegood import JobMoney
from makegood.lifecycle import BaseJob
from makegood.testing.drive import Advance
from makegood_adapters.runninghub.simulator import Faults, Rule
from tests.incidents.old_page import CREDITS, OldService, old_service
from tests.incidents.old_tools import EVERY_TOOL, UPSCALER
from tests.scenarios.stage import POOL

NOTHING = {"success": True, "refundedAmount": 0}
SKIPPED = {"success": True, "skipped": True, "reason": "already_terminal"}
PRICE = 60
NEVER_POLL = 300.0


async def hold_the_queue(service: OldService) -> None:
    await service.stage.engine.pause(pool=POOL, reason="the provider is down", actor="ops")


async def test_m1_d9_reports_at_one_moment_or_a_moment_apart_refund_once(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path) as service:
        page = await service.page()
        await hold_the_queue(service)
        for ways in (2, 10, 50):
            job_id = await service.order(page)
            reports = [page.finish(job_id) if n % 2 == 0 else page.write_failed(job_id) for n in range(ways)]
            replies = await asyncio.gather(*reports, page.mark_pending(job_id), page.leave())
            assert {reply.status for reply in replies[:ways]} <= {200, 204}
            assert await service.money(job_id) == JobMoney(released=PRICE)
        for gap in (0.005, 0.02, 0.04, 0.08):
            job_id = await service.order(page)
            first = asyncio.create_task(page.finish(job_id))
            await asyncio.sleep(gap)  # the gaps at which the old one refunded twice
            told = [(await first).body, (await page.finish(job_id)).body]
            assert told == [{"success": True, "refundedAmount": PRICE}, SKIPPED]
            assert await service.money(job_id) == JobMoney(released=PRICE)
        assert await service.refunds() == 7
        assert await page.credits() == CREDITS


@pytest.mark.parametrize("then", ["success", "failure"])
async def test_m2_d9_a_report_on_a_submitted_job_moves_nothing_and_the_provider_decides(
    database: str, tmp_path: Path, then: str
) -> None:
    """In every way in which a page reports, while the submission is in doubt and while the task runs."""
    fails = {"fail": "it broke"} if then == "failure" else {}
    async with old_service(database, tmp_path, capacity=5) as service:
        ada, bob = await service.page(), await service.page("bob")
        doubted = await service.order(ada, drop_reply=True, hold="running", **fails)
        await service.stage.task_exists()
        running = await service.running(bob, **fails)
        for page, job_id, state in ((ada, doubted, "starting"), (bob, running, "running")):
            before = (await service.job(job_id)).version
            assert (await page.finish(job_id)).body == NOTHING
            assert (
                await page.finish(job_id, status="completed", outputUrl="https://evil.example/1.png")
            ).body == NOTHING
            assert (await page.write_failed(job_id)).status == 204
            assert await page.mark_pending(job_id) is False
            job = await service.job(job_id)
            assert (job.state, job.version, job.output) == (state, before, None)
            assert await service.money(job_id) == JobMoney(held=PRICE)
            await service.release(job_id)
        for page, job_id in ((ada, doubted), (bob, running)):
            ended = await service.settled(job_id)
            assert ended.state == ("completed" if then == "success" else "failed")
            assert (await page.finish(job_id)).body == SKIPPED
            row = await page.read(job_id)
            assert bool(row["output_url"]) == (then == "success")
            assert ended == await service.job(job_id)
        assert service.stage.create_calls() == 2


async def test_d9_a_failure_that_the_page_writes_itself_is_refunded_or_changes_nothing(
    database: str, tmp_path: Path
) -> None:
    """The seed: /finish cannot be reached, and the page writes `failed` with its own hand."""
    async with old_service(database, tmp_path, capacity=5) as service:
        ada, bob, eve = [await service.page(user) for user in ("ada", "bob", "eve")]
        running = await service.running(bob)
        await hold_the_queue(service)
        queued, draft = await service.order(ada), await eve.create()
        for page, job_id in ((ada, queued), (bob, running), (eve, draft)):
            page.direct = "http://127.0.0.1:1"  # where nobody listens
            await page.mark_failed(job_id)
        assert await service.money(queued) == JobMoney(released=PRICE)
        assert await service.money(draft) == JobMoney()
        assert await service.money(running) == JobMoney(held=PRICE)
        assert [(await service.job(each)).state for each in (queued, draft, running)] == [
            "failed", "failed", "running",
        ]  # fmt: skip
        await service.release(running)
        assert (await service.settled(running)).state == "completed"


async def test_d17_m6_m7_m11_after_an_administrators_cancel_nobody_moves_the_job_or_its_credits(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path) as service:
        page = await service.page()
        job_id = await service.running(page)
        await service.stage.engine.administer(
            (await service.job(job_id)).id, BaseJob.cancel, actor="ops", reason="asked on the phone"
        )
        ended, headers = await service.job(job_id), await service.service_headers()
        assert ended.state == "cancelled"
        named = {"table": page.tool.table, "jobId": job_id}
        assert (await page.cancel(page.tool.table, job_id))["success"] is False
        for _ in range(2):
            assert (await page.finish(job_id)).body == SKIPPED
            assert (await page.write_failed(job_id)).status == 204
            assert await page.mark_pending(job_id) is True
            told = (await page.run(job_id)).body
            assert (told["success"], told["refunded"], told["status"]) == (False, True, "cancelled")
            for endpoint in ("retry", "run-or-queue", "enqueue", "finish"):
                body = {**named, "status": "failed", "creditCost": 1}
                reply = await page.call(
                    "POST", f"/functions/v1/runninghub-queue-manager/{endpoint}", json=body, headers=headers
                )
                assert reply.body.get("refunded", True) is True, (endpoint, reply)
                assert reply.body.get("status", "cancelled") == "cancelled"
        await service.release(job_id)
        [task] = await service.stage.tasks_of(ended)
        await service.hook({"event": "TASK_END", "taskId": task.id, "eventData": {"status": "SUCCESS"}})
        await service.stage.slots_free()
        assert await service.job(job_id) == ended
        assert await service.money(job_id) == JobMoney(released=PRICE)
        assert await page.credits() == CREDITS
        assert service.stage.create_calls() == 1


async def test_d40_fifty_who_learn_of_a_failure_at_one_moment_refund_it_once(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path, poll_interval_seconds=NEVER_POLL) as service:
        page = await service.page()
        job_id = await service.running(page, fail="it broke", webhooks=0)
        await service.stage.seen_running(await service.job(job_id))
        [task] = await service.stage.tasks_of(await service.job(job_id))
        await service.release(job_id)
        named = {"table": page.tool.table, "jobId": job_id}

        async def one(n: int) -> None:
            endpoint = ("reconcile", "poll", "queue-status")[n % 3]
            path = f"/functions/v1/{page.tool.function}/{endpoint}"
            await page.call("POST", path, json={"jobId": job_id})
            await page.manager("reconcile", named)
            await page.finish(job_id)
            await page.write_failed(job_id)
            await service.hook({"event": "TASK_END", "taskId": task.id})

        await asyncio.gather(*(one(n) for n in range(50)))
        assert (await service.settled(job_id)).state == "failed"
        assert await service.refunds() == 1
        assert await page.credits() == CREDITS
        row = await page.read(job_id)
        assert row["error_message"].endswith(f"{PRICE} credits were given back.")


async def test_d8_d41_c11_a_failure_of_every_tool_gives_each_bucket_back_what_it_paid(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path) as service:
        page = await service.page()
        before = await service.stage.buckets()
        here = [tool for tool in EVERY_TOOL if not tool.elsewhere]
        service.stage.simulator.add(Rule(faults=Faults(fail="it broke"), times=100))
        for tool in here:
            page.tool = tool
            job = await service.settled(await service.order(page))
            assert (job.type, job.state) == (tool.name, "failed")
            assert job.price > 0
            assert await service.stage.buckets() == before, tool.name
            assert (await page.check_active())["hasActiveJob"] is False
        assert {task.request.app for task in service.stage.simulator.tasks}
        assert len(service.stage.simulator.tasks) >= len(here)


async def test_d22_p32_each_timer_of_the_page_tells_what_the_ledger_shows(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    """The watchdog and both ends of the absolute timer, on a draft, a job that waits and one that runs."""
    async with old_service(database, tmp_path) as service:
        ada, bob, eve = [await service.page(user) for user in ("ada", "bob", "eve")]
        running = await service.running(bob)
        await hold_the_queue(service)
        queued, draft = await service.order(ada), await eve.create()
        assert await eve.watchdog(draft) == "marked: True"
        assert (await eve.read(draft))["error_message"].endswith("No credits were taken.")
        for page, job_id, state in ((ada, queued, "queued"), (bob, running, "running")):
            for last in (False, True):
                assert await page.watchdog(job_id, last=last) == "left alone"
                wanted = "only the page says failed" if last else "five minutes more"
                assert await page.absolute_timer(job_id, last=last) == wanted
            row = await page.read(job_id, "status,error_message,credits_charged,credits_refunded")
            assert row == {
                "status": state, "error_message": None, "credits_charged": True, "credits_refunded": False,
            }  # fmt: skip
            assert await service.money(job_id) == JobMoney(held=PRICE)
        await service.release(running)
        await service.settled(running)
        assert await bob.absolute_timer(running) == "over"
        await advance(3_601)  # as long as a job of this tool may wait
        assert (await service.settled(queued)).state == "failed"
        row = await ada.read(queued, "error_message,credits_charged,credits_refunded")
        assert row["error_message"].endswith(f"{PRICE} credits were given back.")
        assert (row["credits_charged"], row["credits_refunded"]) == (True, True)
        assert ada.tool is UPSCALER


async def test_s1_a_job_that_waits_is_cancelled_by_its_owner_and_the_balance_is_back(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path) as service:
        page, eve = await service.page(), await service.page("eve")
        await hold_the_queue(service)
        for place, back in (("draft", 0), ("queued", PRICE)):
            job_id = await page.create() if place == "draft" else await service.order(page)
            assert (await eve.cancel(page.tool.table, job_id))["success"] is False
            assert (await page.cancel(page.tool.table, job_id)) == {
                "success": True, "refunded_amount": back, "error_message": None,
            }  # fmt: skip
            assert (await page.read(job_id))["status"] == "cancelled"
            assert await page.credits() == CREDITS


async def test_c9_a_cancel_at_the_provider_is_asked_for_and_its_answer_decides(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path) as service:
        page = await service.page()
        job_id = await service.running(page)
        told = await page.cancel(page.tool.table, job_id)
        assert (told["success"], told["refunded_amount"]) == (True, 0)
        ended = await service.stage.ended(await service.job(job_id))
        assert ended.state == "cancelled"
        money = await service.money(job_id)
        assert money.held == 0
        assert money.captured + money.released == PRICE
        assert await page.credits() == CREDITS - money.captured
        await service.stage.slots_free()
        [task] = await service.stage.tasks_of(ended)
        assert task.over
