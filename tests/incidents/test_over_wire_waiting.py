"""Over the old wire, jobs that wait: the page's timers, its leaving, its dialogs, and who starts next."""

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

from makegood import JobMoney
from makegood.testing.drive import Advance
from makegood_adapters.runninghub.simulator import Task
from tests.adapters.queue_manager.sockets import listening
from tests.api.issuer import by_secret
from tests.incidents.old_page import CREDITS, NOBODY, OldService, old_service
from tests.incidents.old_tools import CLONER, DRESS, EVERY_TOOL, POSE, UPSCALER, VIDEO_UPSCALER
from tests.scenarios.stage import POOL

PRICE = 60


async def hold_the_queue(service: OldService) -> None:
    await service.stage.engine.pause(pool=POOL, reason="the provider is down", actor="ops")


async def let_it_go(service: OldService) -> None:
    await service.stage.engine.resume(pool=POOL, actor="ops")


async def test_f1_s10_fifteen_minutes_in_the_queue_with_all_timers_of_the_page_and_the_job_completes(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    """The watchdog at 240 and 360 s, the absolute timer at 10 and at 15 minutes."""
    async with old_service(database, tmp_path, capacity=1) as service:
        first, second, page = [await service.page(user) for user in ("bob", "cid", "ada")]
        ahead = [await service.running(first), await service.order(second, hold="running")]
        job_id = await service.order(page)
        assert (await page.read(job_id))["position"] == 2
        await advance(240)
        assert await page.watchdog(job_id) == "left alone"
        assert await page.mark_pending(job_id) is False, "not even by the call itself"
        await advance(120)
        assert await page.watchdog(job_id, last=True) == "left alone"
        await advance(140)
        await service.release(ahead[0])
        await service.stage.reached(await service.job(ahead[1]), "running")
        assert (await page.read(job_id))["position"] == 1
        await advance(100)
        assert await page.absolute_timer(job_id) == "five minutes more"
        await advance(300)
        assert await page.absolute_timer(job_id, last=True) == "only the page says failed"
        row = await page.read(job_id)
        assert (row["status"], row["position"], row["error_message"]) == ("queued", 1, None)
        assert await service.money(job_id) == JobMoney(held=PRICE)
        await service.release(ahead[1])
        assert (await service.settled(job_id)).state == "completed"
        assert (await page.read(job_id))["output_url"]
        events = await service.stage.events(await service.job(job_id))
        assert events == ["submit", "accept", "dispatch", "begin", "complete"]


async def test_f2_the_dialog_of_a_busy_user_cancels_the_job_of_every_tool(
    database: str, tmp_path: Path
) -> None:
    """By the name and the id that the check has told, which are good for nothing else and nobody else."""
    async with old_service(database, tmp_path) as service:
        page, eve = await service.page(), await service.page("eve")
        await hold_the_queue(service)
        for tool in EVERY_TOOL:
            page.tool = tool
            job_id = await service.order(page)
            price = (await service.job(job_id)).price
            told = await page.check_active()
            assert (told["hasActiveJob"], told["activeStatus"]) == (True, "queued")
            assert job_id not in str(told)
            other = told["activeJobId"]
            named = {"table": tool.table, "jobId": other, "status": "failed"}
            assert (await page.manager("finish", named)).status == 404
            assert (await eve.cancel(told["activeTool"], other))["success"] is False
            assert (await eve.cancel(told["activeTool"], job_id))["success"] is False
            cancelled = await page.cancel(told["activeTool"], other)
            assert (cancelled["success"], cancelled["refunded_amount"]) == (True, price), tool.name
            assert (await page.check_active())["hasActiveJob"] is False
            assert await page.credits() == CREDITS
        assert (await page.manager("check-user-active", {"userId": NOBODY})).body == {
            "hasActiveJob": False, "activeTool": None,
        }  # fmt: skip


async def test_f12_d1_d28_the_place_that_is_read_is_the_place_in_the_queue(
    database: str, tmp_path: Path
) -> None:
    """Three begin at once, the fourth and fifth wait, and move up when one ends, by success or by failure."""
    async with old_service(database, tmp_path, capacity=3) as service:
        pages = [await service.page(f"user-{n}") for n in range(6)]
        ids = [await service.running(page) for page in pages[:3]]
        ids += [await service.order(page, hold="running") for page in pages[3:]]

        async def places() -> list[int]:
            return [(await page.read(job))["position"] for page, job in zip(pages, ids, strict=True)]

        assert await places() == [0, 0, 0, 1, 2, 3]
        told = (await pages[4].run(ids[4], imageUrl="")).body
        assert told == {"success": True, "queued": True, "position": 2}
        await service.release(ids[0])
        await service.stage.reached(await service.job(ids[3]), "running")
        assert await places() == [0, 0, 0, 0, 1, 2]
        assert (await pages[4].cancel("upscaler_jobs", ids[4]))["success"] is True
        assert await places() == [0, 0, 0, 0, 0, 1]
        await service.release(ids[1])
        await service.stage.reached(await service.job(ids[5]), "running")
        assert await places() == [0] * 6
        for job_id in ids:
            await service.release(job_id)
        assert [(await service.settled(job_id)).state for job_id in ids] == [
            "completed", "completed", "completed", "completed", "cancelled", "completed",
        ]  # fmt: skip


async def test_m8_jobs_behind_refused_ones_start_although_nobody_calls(database: str, tmp_path: Path) -> None:
    async with old_service(database, tmp_path, capacity=1) as service:
        pages = [await service.page(f"user-{n}") for n in range(5)]
        await hold_the_queue(service)
        refused = [await service.order(page, refuse="301") for page in pages[:2]]
        others = [await service.order(page, webhooks=0) for page in pages[2:]]
        await let_it_go(service)
        for page, job_id in zip(pages, refused, strict=False):
            assert (await service.settled(job_id)).state == "failed"
            assert await page.credits() == CREDITS
        for job_id in others:
            assert (await service.settled(job_id)).state == "completed"


async def test_m3_thirty_two_calls_of_process_next_at_one_moment_submit_a_job_once(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path, capacity=2) as service:
        pages = [await service.page(f"user-{n}") for n in range(4)]
        headers = await service.service_headers()
        await hold_the_queue(service)
        ids = [await service.order(page) for page in pages]
        await let_it_go(service)
        path = "/functions/v1/runninghub-queue-manager/process-next"
        calls = [pages[0].call("POST", path, json={}, headers=headers) for _ in range(32)]
        replies = await asyncio.gather(*calls)
        assert {reply.status for reply in replies} == {200}
        for job_id in ids:
            assert (await service.settled(job_id)).state == "completed"
            assert len(await service.stage.tasks_of(await service.job(job_id))) == 1
        assert service.stage.create_calls() == 4


async def test_c13_leaving_gives_back_what_waits_and_touches_nothing_that_runs(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path, capacity=1) as service:
        ada, bob, cid = [await service.page(user) for user in ("ada", "bob", "cid")]
        running = await service.running(ada)
        queued, draft = await service.order(bob), await cid.create()
        for page, job_id in ((ada, None), (bob, queued), (cid, draft)):
            reply = await page.leave()
            jobs = [{"table": "upscaler_jobs", "id": job_id}] if job_id else []
            assert reply.body == {"success": True, "cancelledCount": len(jobs), "cancelledJobs": jobs}
            assert (await page.leave()).body["cancelledCount"] == 0
        by_name = await bob.manager("cancel-session", {"userId": "ada"})
        assert by_name.body["cancelledCount"] == 0
        assert await service.money(queued) == JobMoney(released=PRICE)
        assert [(await service.job(each)).state for each in (running, queued, draft)] == [
            "running", "cancelled", "cancelled",
        ]  # fmt: skip
        await service.release(running)
        assert (await service.settled(running)).state == "completed"


async def test_c10_leaving_and_submitting_at_one_moment_are_one_or_the_other(
    database: str, tmp_path: Path
) -> None:
    """Twelve times: the job is cancelled and was never sent, or it was sent and runs to its end."""
    ends: list[str] = []
    async with old_service(database, tmp_path, capacity=2) as service:
        page = await service.page()
        for turn in range(12):
            await hold_the_queue(service)
            job_id = await service.order(page)
            await let_it_go(service)
            for _ in range(turn % 6):
                await page.credits()  # so that it leaves a little later each time
            await page.leave()
            job = await service.settled(job_id)
            tasks = await service.stage.tasks_of(job)
            assert (job.state, len(tasks)) in (("cancelled", 0), ("completed", 1))
            ends.append(job.state)
        assert service.stage.create_calls() == ends.count("completed")
        assert await page.credits() == CREDITS - PRICE * ends.count("completed")


async def test_d26_a_busy_provider_delays_a_job_of_a_page_that_looks_on(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path) as service:
        page = await service.page()
        job_id = await service.order(page, refuse="421", times=4)
        await service.stage.sent_back(await service.job(job_id), 3)
        assert await page.absolute_timer(job_id) in ("five minutes more", "over")
        assert await page.watchdog(job_id) == "left alone"
        job = await service.settled(job_id)
        assert (job.state, job.reruns) == ("completed", 0)
        assert await page.credits() == CREDITS - PRICE
        assert len(service.stage.simulator.tasks) == 1


async def test_d18_p17_a_page_whose_socket_died_without_a_word_reads_the_end(
    database: str, tmp_path: Path
) -> None:
    """What a read tells, the file at its address, and what a new socket hears are the same."""
    async with old_service(database, tmp_path) as service:
        page = await service.page()
        token = by_secret(sub=page.user)
        for tool in (UPSCALER, POSE, DRESS):
            page.tool = tool
            job_id = await service.running(page)
            given = {"table": tool.table, "topic": f"realtime:job-sync-{tool.name}-{job_id}"}
            async with listening(page.base) as ear:
                await ear.join(token, f"id=eq.{job_id}", **given)
                assert (await ear.change())["status"] == "running"
                ear.wire.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
                await service.release(job_id)
                job = await service.settled(job_id)
            row = await page.read(job_id)
            assert (row["status"], row["error_message"]) == ("completed", None)
            async with service.http.get(row["output_url"]) as reply:
                assert (reply.status, await reply.read()) == (200, await service.stage.result(job))
            async with listening(page.base) as ear:
                await ear.join(token, f"id=eq.{job_id}", **given)
                assert (await ear.change()).items() >= row.items()


async def test_d34_every_tool_lives_its_whole_life_over_its_table_and_function(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path) as service:
        page, spent = await service.page(), 0
        for tool in EVERY_TOOL:
            if tool.elsewhere or tool.video or tool is VIDEO_UPSCALER:
                continue
            page.tool = tool
            job_id = await service.order(page)
            job = await service.settled(job_id)
            assert (job.type, job.state) == (tool.name, "completed")
            assert (await page.read(job_id))["output_url"]
            spent += job.price
            assert await page.credits() == CREDITS - spent


def sent(task: Task) -> object:
    """Return what the create call asked for, but for its number, its webhook and its files."""
    nodes = tuple(n if n.field != "image" else replace(n, value="a file") for n in task.request.nodes)
    return replace(task.request, arrival=0, webhook_url=None, nodes=nodes, inputs=())


async def test_d4_a_job_that_waited_sends_what_one_that_began_at_once_sends(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path, capacity=1) as service:
        for tool in (UPSCALER, POSE, DRESS, CLONER):
            pages = [await service.page(user, tool) for user in ("ada", "bob")]
            files = await service.files(pages[0], hold="running")
            waits = await service.files(pages[1], hold="running")
            ids = [await page.create() for page in pages]
            assert (await pages[0].run(ids[0], **files)).body["queued"] in (True, False)
            await service.stage.reached(await service.job(ids[0]), "running")
            assert (await pages[1].run(ids[1], **waits)).body["position"] == 1
            tasks = []
            for job_id in ids:
                await service.stage.reached(await service.job(job_id), "running")
                tasks += await service.stage.tasks_of(await service.job(job_id))
                await service.release(job_id)
                assert (await service.settled(job_id)).state == "completed"
            assert sent(tasks[0]) == sent(tasks[1])
