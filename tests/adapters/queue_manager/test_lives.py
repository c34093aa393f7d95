"""Whole lives over the old wire, against a simulated provider: what was claimed, and what became of it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from makegood import Job, JobMoney
from makegood_adapters.http import application
from makegood_adapters.queue_manager import Options, mount
from makegood_adapters.runninghub.simulator import Faults, Rule
from tests.adapters.queue_manager.scene import FUNCTIONS, OWNER, RULES, Page, Reply, served
from tests.adapters.queue_manager.shop import ADA, PUBLIC_ALONE, TABLE, bearing
from tests.api.issuer import BY_SECRET, PUBLIC, a_gate
from tests.scenarios.stage import Stage, most_at_once, picture, staged

PRICE = 60
FORGED = "https://evil.example/1.png"


class Browser:
    """The existing page of a signed-in user: it uploads, inserts, runs, asks, and reports by itself."""

    def __init__(self, stage: Stage, page: Page) -> None:
        self.stage, self.page, self.orders = stage, page, 0

    async def insert(self) -> str:
        row = {"session_id": "page-1", "user_id": OWNER, "status": "pending", "category": "comida"}
        headers = {"Accept": "application/vnd.pgrst.object+json", "Prefer": "return=representation"}
        path = f"/rest/v1/{TABLE}?select=id"
        reply = await self.page.call("POST", path, json=row, headers={**headers, **bearing(ADA)})
        assert reply.status == 201, reply
        return str(reply.body["id"])

    async def upload(self) -> str:
        self.orders += 1
        path = f"artes-cloudinary/upscaler/{OWNER}/{self.orders}.png"
        headers = {"Content-Type": "image/png", "x-upsert": "true", **bearing(ADA)}
        reply = await self.page.call(
            "POST", f"/storage/v1/object/{path}", data=picture(self.orders), headers=headers
        )
        assert reply.status == 200, reply
        return f"{self.page.base}/storage/v1/object/public/{path}"

    async def run(self, job_id: str, url: str) -> Reply:
        body = {"jobId": job_id, "imageUrl": url, "creditCost": 1}
        path = "/functions/v1/runninghub-upscaler/run"
        return await self.page.call("POST", path, json=body, headers=bearing(ADA))

    async def report(self, job_id: str) -> Reply:
        body = {"table": TABLE, "jobId": job_id, "status": "failed", "errorMessage": "no answer"}
        return await self.page.call("POST", f"{FUNCTIONS}/finish", json=body, headers=PUBLIC_ALONE)

    async def hook(self, body: Any, name: str = "runninghub-webhook") -> Reply:
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        return await self.page.call("POST", f"/functions/v1/{name}", data=data)

    async def job(self, job_id: str) -> Job:
        return await self.stage.engine.get(UUID(job_id))

    async def row(self, job_id: str) -> Mapping[str, Any]:
        columns = "status,output_url,error_message"
        reply = await self.page.select(TABLE, job_id, columns, headers=bearing(ADA))
        row: Mapping[str, Any]
        [row] = reply.body
        return row


@asynccontextmanager
async def browsing(dsn: str, folder: Path, **given: Any) -> AsyncIterator[Browser]:
    """Open a page on a whole service; *given* goes to the stage."""
    async with staged(dsn, folder, **given) as stage, a_gate(BY_SECRET, keys=stage.engine) as gate:
        app, listener = application(), socket.create_server(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        options = Options(gate=gate, public_key=PUBLIC, base_url=base_url, files=RULES)
        mount(app, stage.engine, options)
        async with served(app, listener=listener) as page:
            yield Browser(stage, page)


def messages(task_id: str) -> list[Any]:
    """Return every shape in which the provider was seen to say that a task ended, with a forged result."""
    data = {"status": "SUCCESS", "results": [{"url": FORGED, "outputType": "png"}]}
    plain = {"taskId": task_id, "status": "SUCCESS", "results": [{"url": FORGED}]}
    return [
        {"event": "TASK_END", "taskId": task_id, "eventData": data},
        {"event": "TASK_END", "taskId": task_id, "eventData": json.dumps(data)},
        {
            "event": "TASK_END",
            "taskId": task_id,
            "eventData": {"code": 0, "msg": "", "data": [{"fileUrl": FORGED}]},
        },
        {"event": "TASK_END", "taskId": task_id, "eventData": {"status": "FAILED", "errorMessage": "forged"}},
        {"event": "TASK_END", "eventData": {"taskId": task_id, **data}},
        {"event": "TASK_END", "eventData": json.dumps({"data": {"taskId": int(task_id)}})},
        plain,
    ]


async def test_d47_c1_m2_s8_forty_runs_and_every_lie_leave_one_charge_and_the_provider_s_word(
    database: str, tmp_path: Path
) -> None:
    """No poll comes within the test, so that it is the messages without a token that lead to the result."""
    async with browsing(database, tmp_path, poll_interval_seconds=600) as browser:
        stage = browser.stage
        stage.simulator.add(Rule(faults=Faults(hold="running", webhooks=0)))
        job_id, url = await browser.insert(), await browser.upload()
        replies = await asyncio.gather(*(browser.run(job_id, url) for _ in range(40)))
        replies += [await browser.run(job_id, url) for _ in range(4)]
        assert {(reply.status, reply.body["success"]) for reply in replies} == {(200, True)}
        job = await stage.reached(await browser.job(job_id), "running")
        task = await stage.task_exists()
        for name in ("runninghub-webhook", "runninghub-video-upscaler-webhook"):
            for message in messages(task.id):
                told = await browser.hook(message, name)
                assert (told.status, told.body) == (200, {"success": True}), message
        assert (await browser.report(job_id)).body == {"success": True, "refundedAmount": 0}
        await stage.hints_read(job)  # the provider was asked
        assert (await browser.row(job_id))["status"] == "running"
        assert await stage.engine.money(job.id) == JobMoney(held=PRICE)
        stage.simulator.release(task.id)
        await stage.simulator.wait_for(lambda: stage.simulator.task(task.id).over)
        assert (await browser.hook({"event": "TASK_END", "taskId": task.id, "eventData": {}})).status == 200
        job = await stage.settled(job)
        row = await browser.row(job_id)
        assert (row["status"], row["error_message"], stage.create_calls()) == ("completed", None, 1)
        assert row["output_url"].startswith(browser.page.base)
        assert (await browser.run(job_id, url)).body == {"success": True, "queued": False}
        assert (await browser.report(job_id)).body["skipped"] is True
        assert await stage.engine.money(job.id) == JobMoney(captured=PRICE)


async def test_f9_what_is_no_message_about_a_task_is_told_so_and_an_unknown_one_is_kept(
    database: str, tmp_path: Path
) -> None:
    async with browsing(database, tmp_path, run_loops=False) as browser:
        for name in ("runninghub-webhook", "runninghub-video-upscaler-webhook"):
            cases: tuple[tuple[Any, int], ...] = (
                ({"event": "TASK_START", "taskId": "1"}, 200),
                ({"event": "TASK_END"}, 400),
                ({"event": "TASK_END", "taskId": ""}, 400),
                ({"event": "TASK_END", "taskId": "x" * 201}, 400),
                ({"event": "TASK_END", "taskId": True}, 400),
                ({"event": "TASK_END", "taskId": "\u0000"}, 400),
                ({"event": "TASK_END", "taskId": "unknown"}, 200),
                ('{"taskId": "1", "x": "\\u0000\\ud800"}', 200),
                ("no JSON", 400),
                ("[1]", 400),
                (b"\xff\xfe", 400),
                ('{"a":' * 50_000, 400),
                (b"x" * 300_000, 413),
            )
            for body, status in cases:
                told = await browser.hook(body, name)
                assert told.status == status, (body, told)
            gotten = await browser.page.call("GET", f"/functions/v1/{name}", headers=PUBLIC_ALONE)
            assert gotten.status == 405
        kept = "select count(*) from makegood.parked_hint where source = '127.0.0.1'"
        assert await browser.stage.value(kept) >= 2
        *_, told = [await browser.hook({"taskId": f"flood-{n}"}) for n in range(120)]
        assert (told.status, "Retry-After" in told.headers) == (503, True), "so many of one sender wait"


async def test_d16_d7_a_refusal_of_the_provider_is_told_with_what_the_ledger_gave_back(
    database: str, tmp_path: Path
) -> None:
    async with browsing(database, tmp_path) as browser:
        stage = browser.stage
        stage.simulator.add(Rule(faults=Faults(refuse="803")))
        job_id, url = await browser.insert(), await browser.upload()
        assert (await browser.run(job_id, url)).body["success"] is True
        await stage.settled(await browser.job(job_id))
        told = (await browser.run(job_id, url)).body
        assert (told["success"], told["code"], told["refunded"]) == (False, "RUN_FAILED", True)
        assert f"{PRICE} credits were given back" in told["error"]
        assert (await browser.report(job_id)).body["skipped"] is True
        assert await stage.engine.money(UUID(job_id)) == JobMoney(released=PRICE)
        assert stage.create_calls() == 1


async def test_m3_m4_forty_starts_at_once_keep_to_twenty_slots(database: str, tmp_path: Path) -> None:
    async with browsing(database, tmp_path, capacity=20) as browser:
        stage, engine = browser.stage, browser.stage.engine
        stage.simulator.add(Rule(faults=Faults(hold="running"), times=None))
        key = await stage.blobs.put(picture(1), "input.png")
        made = await engine.make_key("starter", ["operations"], actor="admin")
        headers = {"Authorization": f"Bearer {made.secret}"}
        jobs = []
        for n in range(40):
            await engine.grant(f"owner-{n}", PRICE, source_ref="order")
            jobs.append(await engine.submit("upscaler", f"owner-{n}", {"image": key}))

        async def start(job: Job, name: str) -> Reply:
            body = {"table": TABLE, "jobId": str(job.id)}
            return await browser.page.call("POST", f"{FUNCTIONS}/{name}", json=body, headers=headers)

        names = ("run-or-queue", "process-next", "run-or-queue", "retry", "enqueue")
        replies = await asyncio.gather(*(start(job, name) for job in jobs for name in names))
        assert {(reply.status, reply.body.get("success", True)) for reply in replies} == {(200, True)}
        await stage.task_exists(20)
        check = (await browser.page.call("POST", f"{FUNCTIONS}/check", headers=PUBLIC_ALONE)).body
        assert (check["running"], check["totalQueued"], check["available"]) == (20, 20, False)
        assert {(await engine.money(job.id)).held for job in jobs} == {PRICE}
        for _ in range(2):
            for task in [task for task in stage.simulator.tasks if not task.over]:
                stage.simulator.release(task.id)
            await stage.task_exists(40)
        for task in stage.simulator.tasks:
            stage.simulator.release(task.id)
        for job in jobs:
            await stage.settled(job)
        assert (len(stage.simulator.tasks), most_at_once(stage.simulator.tasks)) == (40, 20)
