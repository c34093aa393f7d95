"""Over the old wire, how jobs begin: one row, one charge, one task, whatever the page sends and repeats."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from makegood import JobMoney
from makegood.testing.drive import Advance
from tests.adapters.queue_manager.scene import served
from tests.incidents.old_page import CREDITS, OldPage, OldService, old_service
from tests.incidents.old_tools import CLONER, DRESS, EVERY_TOOL, INSERTING, POSE, UPSCALER, PageTool
from tests.scenarios.stage import KEY, picture

PRICE = 60
PENDING_SECONDS = 180
STATUSES = ("pending", "queued", "starting", "running", "completed", "failed", "cancelled", "x", "", None, 7)
#: Columns and fields that the server decides, with what a page would like to have there.
PROTECTED: dict[str, Any] = {
    "id": "00000000-0000-4000-8000-0000000000aa", "status": "completed", "task_id": "1", "position": 0,
    "output_url": "https://evil.example/1.png", "thumbnail_url": "https://evil.example/1.png",
    "error_message": "none", "user_credit_cost": 1, "credits_charged": True, "credits_refunded": False,
    "api_account": "evolink", "started_at": "2020-01-01T00:00:00Z", "completed_at": "2020-01-01T00:00:00Z",
    "created_at": "2020-01-01T00:00:00Z", "rh_cost": 0, "waited_in_queue": False, "queue_wait_seconds": 0,
    "job_payload": {}, "current_step": "completed", "step_history": [], "failed_at_step": None,
    "raw_api_response": {}, "raw_webhook_payload": {},
}  # fmt: skip
#: Fields of bodies that name a price, an amount or somebody.
AMOUNTS: dict[str, Any] = {
    "creditCost": 1, "price": 1, "amount": 99_999, "credits": 99_999, "refundedAmount": 99_999,
    "refunded": True, "trial_mode": True, "userId": "eve", "user_id": "eve", "owner": "eve", "apiKey": "x",
}  # fmt: skip


async def rows(service: OldService) -> int:
    return int(await service.stage.value("select count(*) from makegood.job"))


async def test_d30_d47_s8_however_often_a_job_is_run_it_is_charged_and_sent_once(
    database: str, tmp_path: Path
) -> None:
    """A double click, four calls in a row, fifty at one moment, and another input after the first."""
    async with old_service(database, tmp_path, capacity=9) as service:
        for user, calls in (("ada", 1), ("bob", 4), ("cid", 50), ("dan", 2)):
            page = await service.page(user)
            job_id, files = await page.create(), await service.files(page, hold="running")
            if calls == 4:
                replies = [await page.run(job_id, **files) for _ in range(calls)]
            else:
                replies = await asyncio.gather(*(page.run(job_id, **files) for _ in range(calls)))
            assert [r.body["success"] for r in replies] == [True] * calls
            assert (await page.run(job_id, imageUrl="https://evil.example/1.png", category="x")).body[
                "success"
            ]
            await service.stage.reached(await service.job(job_id), "running")
            assert len(await service.stage.tasks_of(await service.job(job_id))) == 1
            assert await service.money(job_id) == JobMoney(held=PRICE)
            await service.release(job_id)
            assert (await service.settled(job_id)).state == "completed"
            assert (await page.run(job_id, **files)).body == {"success": True, "queued": False}
            assert await page.credits() == CREDITS - PRICE
        assert service.stage.create_calls() == 4


class Deaf(OldPage):
    """A page to which no answer of /run comes: each connection is cut when the request has been sent."""

    async def run(self, job_id: str, **payload: Any) -> Any:
        reply = asyncio.create_task(super().run(job_id, **payload))
        await self.reached(job_id)
        reply.cancel()
        raise aiohttp.ServerDisconnectedError

    async def reached(self, job_id: str) -> None:
        """Wait until the row has left `pending`: the server has done its part."""
        while not (await self.read(job_id, "task_id"))["task_id"]:  # noqa: ASYNC110  # another process's state
            await asyncio.sleep(0.01)


async def test_m2_d9_d47_a_page_that_heard_no_answer_of_run_and_reports_a_failure_gets_its_result(
    database: str, tmp_path: Path
) -> None:
    """Four calls whose answers are lost, then /finish: by then the provider has the task, and it decides."""
    async with old_service(database, tmp_path) as service:
        page = await service.page()
        deaf = Deaf(service.http, service.stage.url, service.heard, page.user, page.tool, page.session)
        job_id, files = await page.create(), await service.files(page, hold="running")
        first = asyncio.create_task(deaf.run(job_id, **files))
        await service.stage.reached(await service.job(job_id), "running")
        assert isinstance((await asyncio.gather(first, return_exceptions=True))[0], aiohttp.ClientError)
        assert await deaf.start(job_id, **files) == {}
        assert (await service.job(job_id)).state == "running"
        assert await service.money(job_id) == JobMoney(held=PRICE)
        await service.release(job_id)
        assert (await service.settled(job_id)).state == "completed"
        assert (await page.read(job_id))["output_url"]
        assert service.stage.create_calls() == 1


async def test_d9_a_tool_function_that_cannot_be_reached_ends_in_a_report_and_the_credits_stay(
    database: str, tmp_path: Path
) -> None:
    """What the seed asks for: `pending` first, and a failure to reach the function costs nothing."""
    async with old_service(database, tmp_path) as service:
        page = await service.page()
        job_id = await page.create()
        page.tool = PageTool("upscaler", own_function="runninghub-nobody")
        assert await page.start(job_id) == {}
        assert (await page.read(job_id))["status"] == "failed"
        assert await page.credits() == CREDITS
        assert (await page.check_active())["hasActiveJob"] is False
        page.tool = UPSCALER
        assert (await service.settled(await service.order(page))).state == "completed"


async def test_d10_a_row_is_pending_and_uncharged_whatever_the_page_writes(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path, crowded=True) as service:
        page = await service.page()
        for written in STATUSES:
            job_id = await page.create(status=written)
            assert (await page.read(job_id, "status,task_id"))["status"] == "pending"
            assert (await service.job(job_id)).state == "pending"
        assert await page.credits() == CREDITS
        assert service.stage.create_calls() == 0


async def test_d20_m10_fifty_inserts_over_all_tables_and_tools_that_make_rows_are_one_row(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path) as service:
        tools = list(INSERTING.values())
        assert len(tools) == 10
        pages = [await service.page("ada", tools[n % len(tools)]) for n in range(50)]
        replies = await asyncio.gather(*(page.insert() for page in pages))
        assert sorted(reply.status for reply in replies) == [201, *[409] * 49]
        refused = [reply.body for reply in replies if reply.status == 409]
        assert {each["code"] for each in refused} == {"23505"}
        assert await rows(service) == 1
        cloner = await service.page("ada", CLONER)
        assert "ux_arcano_cloner_one_active_job_per_user" in (await cloner.insert()).body["message"]
        video = await service.page("ada", next(tool for tool in EVERY_TOOL if tool.name == "video_generator"))
        assert (await video.run("")).body["code"] == "USER_HAS_ACTIVE_JOB"
        assert await rows(service) == 1
        assert await pages[0].credits() == CREDITS


async def test_m9_two_tabs_at_once_are_one_job_and_one_charge(database: str, tmp_path: Path) -> None:
    async with old_service(database, tmp_path) as service:
        tabs = [await service.page("ada", tool) for tool in (UPSCALER, POSE)]
        tabs[1].session = "another-page-of-ada"
        files = [await service.files(tab) for tab in tabs]

        async def lives(n: int) -> str | None:
            reply = await tabs[n].insert()
            if reply.status == 409:
                return None
            await tabs[n].start(str(reply.body["id"]), **files[n])
            return str(reply.body["id"])

        [job_id] = [each for each in await asyncio.gather(lives(0), lives(1)) if each]
        job = await service.settled(job_id)
        assert job.state == "completed"
        assert await tabs[0].credits() == CREDITS - job.price
        assert await rows(service) == 1


async def test_d44_c2_d43_no_field_of_insert_run_patch_or_report_decides_price_state_result_or_owner(
    database: str, tmp_path: Path
) -> None:
    async with old_service(database, tmp_path) as service:
        page = await service.page()
        wanted = {name: value for name, value in PROTECTED.items() if name != "status"}
        job_id = await page.create(**wanted)
        assert job_id != PROTECTED["id"]
        assert (await page.insert(creditCost=1)).body["code"] == "PGRST204"
        assert (await page.insert(user_id="eve")).status == 403
        assert (await page.patch(job_id, **wanted)).status == 204
        assert (await service.job(job_id)).state == "pending", "it claims no failure"
        files = await service.files(page, hold="running")
        told = await page.run(job_id, **{**PROTECTED, **AMOUNTS, **files})
        assert told.body["success"] is True
        job = await service.stage.reached(await service.job(job_id), "running")
        assert (job.owner, job.price, job.output) == ("ada", PRICE, None)
        for columns in (wanted, AMOUNTS, {"status": "completed", **wanted}, {"status": "cancelled"}):
            assert (await page.patch(job_id, **columns)).status == 204
            assert (await page.finish(job_id, **{**columns, **AMOUNTS, "status": "completed"})).ok
        for name in ("refund_upscaler_credits", "add_upscaler_credits", "consume_upscaler_credits", "refund"):
            reply = await page.call("POST", f"/rest/v1/rpc/{name}", json={"_user_id": "ada", **AMOUNTS})
            assert (reply.status, reply.body["code"]) == (404, "PGRST202")
        assert await service.job(job_id) == job
        assert await service.money(job_id) == JobMoney(held=PRICE)
        row = await page.read(job_id, ",".join(PROTECTED))
        assert not [name for name, value in row.items() if "evil" in str(value) or value == "evolink"]
        await service.release(job_id)
        await service.settled(job_id)
        assert await page.credits() == CREDITS - PRICE
        assert (await service.stage.engine.wallet("eve")).buckets == ()


async def test_d7_m12_f3_each_refusal_of_each_tool_ends_the_job_and_costs_nothing(
    database: str, tmp_path: Path
) -> None:
    """Nothing of what the tool needs, and too few credits, which is told with the true balance."""
    async with old_service(database, tmp_path) as service:
        rich, poor = await service.page(), await service.page("poor", credits=False)
        await service.stage.engine.grant("poor", 4, source_ref="order")
        for tool in EVERY_TOOL:
            rich.tool = poor.tool = tool
            needed = [*tool.files, *tool.lists, *tool.body]
            body = dict.fromkeys(needed, "")
            job_id = "" if tool.makes_row else await rich.create()
            told = (await rich.run(job_id, **body)).body
            assert (told["success"], told["refunded"]) == (False, False), (tool.name, told)
            if job_id:
                assert (await rich.read(job_id))["status"] == "failed", tool.name
                assert await service.money(job_id) == JobMoney()
            assert (await rich.check_active())["hasActiveJob"] is False, tool.name
            job_id = "" if tool.makes_row else await poor.create()
            told = (await poor.run(job_id, **await service.files(poor))).body
            assert (told["code"], told["currentBalance"]) == ("INSUFFICIENT_CREDITS", 4), (tool.name, told)
            assert "given back" not in told["error"]
            assert (await poor.check_active())["hasActiveJob"] is False, tool.name
        assert await rich.credits() == CREDITS
        assert await poor.credits() == 4
        assert service.stage.create_calls() == 0


@pytest.mark.parametrize("left_after", ["insert", "upload", "run"])
async def test_d5_d6_c4_a_page_that_dies_after_a_step_blocks_its_user_no_longer_than_the_deadline(
    database: str, tmp_path: Path, advance: Advance, left_after: str
) -> None:
    async with old_service(database, tmp_path) as service:
        page = await service.page()
        job_id = await page.create()
        files = {} if left_after == "insert" else await service.files(page)
        if left_after == "run":
            await page.run(job_id, **files)
            assert (await service.settled(job_id)).state == "completed"
        else:
            assert (await page.insert()).status == 409
            assert (await page.check_active())["activeStatus"] == "pending (initializing)"
            await advance(PENDING_SECONDS + 1)
            assert (await service.stage.ended(await service.job(job_id))).state == "failed"
            assert await service.money(job_id) == JobMoney()
            assert await page.credits() == CREDITS
            told = (await page.run(job_id, **await service.files(page))).body
            assert (told["success"], told["refunded"]) == (False, False), "what is over is not begun again"
        assert await page.check_active() == {"hasActiveJob": False, "activeTool": None}
        assert (await service.settled(await service.order(page))).state == "completed"
        assert service.stage.create_calls() == 1 + (left_after == "run")


async def test_d29_a_row_lives_as_long_as_its_upload_moves(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    """The page has inserted it before; both pauses together are longer than a row may stand still."""
    data, further = picture(77) + bytes(400), [asyncio.Event(), asyncio.Event()]

    async def slowly() -> AsyncIterator[bytes]:
        yield data[:120]
        await further[0].wait()
        yield data[120:240]
        await further[1].wait()
        yield data[240:]

    async with old_service(database, tmp_path, heartbeat_seconds=0.001) as service:
        page = await service.page()
        job_id = await page.create()
        seen = (await service.job(job_id)).deadline_at
        uploading = asyncio.create_task(page.upload(slowly(), "slow.png"))
        for goes_on in further:
            while (put_off := (await service.job(job_id)).deadline_at) == seen:
                assert not uploading.done()
            seen = put_off
            await advance(PENDING_SECONDS - 80)
            goes_on.set()
        address = await uploading
        assert (await service.job(job_id)).state == "pending"
        assert (await page.read(job_id, "current_step"))["current_step"] == "uploading"
        assert (await page.start(job_id, imageUrl=address))["success"] is True
        assert (await service.settled(job_id)).state == "completed"
        assert await page.credits() == CREDITS - PRICE


async def test_d29_an_upload_that_stands_still_is_let_go_and_its_row_with_it(
    database: str, tmp_path: Path, advance: Advance
) -> None:
    data, never = picture(77) + bytes(400), asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield data[:120]
        await never.wait()

    async with old_service(database, tmp_path, stall_seconds=0.5) as service:
        page = await service.page()
        job_id = await page.create()
        path = f"/storage/v1/object/artes-cloudinary/upscaler/{page.user}/stuck.png"
        reply = await page.call("POST", path, data=stuck(), headers={"Content-Type": "image/png"})
        assert reply.status == 408
        await advance(PENDING_SECONDS + 1)
        assert (await service.stage.ended(await service.job(job_id))).state == "failed"
        again = await page.create()
        told = (await page.run(again, imageUrl=f"{page.base}{path}")).body
        assert told["code"] in ("INVALID_IMAGE_SOURCE", "INVALID_IMAGE_URL")
        assert await page.credits() == CREDITS


async def test_d1_m4_of_twenty_runs_at_one_moment_as_many_begin_as_there_are_slots(
    database: str, tmp_path: Path
) -> None:
    """Over four tools, a user each; the others wait, and none of them is forgotten."""
    async with old_service(database, tmp_path, capacity=5) as service:
        tools = (UPSCALER, POSE, DRESS, CLONER)
        pages = [await service.page(f"user-{n}", tools[n % 4]) for n in range(20)]
        ids = [await page.create() for page in pages]
        files = [await service.files(page, hold="running") for page in pages]
        replies = await asyncio.gather(*(p.run(i, **f) for p, i, f in zip(pages, ids, files, strict=True)))
        assert [reply.body["success"] for reply in replies] == [True] * 20
        await service.stage.task_exists(5)
        assert await service.stage.slots() == (5, 0)
        room = (await pages[0].manager("check", {})).body
        assert (room["running"], room["totalQueued"], room["available"]) == (5, 15, False)
        for number in range(20):
            task = await service.stage.task_exists(number + 1)
            service.stage.simulator.release(task.id)
        for job_id in ids:
            assert (await service.settled(job_id)).state == "completed"
        assert service.stage.simulator.counters.live_max[KEY] == 5
        assert service.stage.create_calls() == 20


async def test_f6_no_address_but_one_of_our_own_files_is_taken_and_none_is_fetched(
    database: str, tmp_path: Path
) -> None:
    """Look-alikes of our host, a file of another user, and a server that would answer if it were asked."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=picture(1), content_type="image/png")

    elsewhere = web.Application()
    elsewhere.router.add_get("/{path:.*}", answer)
    async with served(elsewhere) as site, old_service(database, tmp_path) as service:
        page, bob = await service.page(), await service.page("bob")
        own, theirs = await service.picture(page), await service.picture(bob)
        below = own.removeprefix(page.base)
        addresses = [
            theirs,
            f"{site.base}{below}",
            f"{page.base}.evil.example{below}",
            f"{page.base}@{site.base[7:]}{below}",
            f"{page.base}:80{below}",
            own.replace("/ada/", "/ada/../bob/"),
            own.replace("/ada/", "/ada%2f..%2fbob/"),
            own.replace("artes-cloudinary", "other"),
            "http://169.254.169.254/",
            "file:///etc/passwd",
            f" {own}",
        ]
        for address in addresses:
            job_id = await page.create(input_url=own)
            reply = await page.run(job_id, imageUrl=address)
            assert reply.body["code"] in ("INVALID_IMAGE_SOURCE", "INVALID_IMAGE_URL"), address
            assert (await page.read(job_id))["status"] == "failed"
        assert asked == []
