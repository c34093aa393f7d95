"""The variants of the simulated site as a whole, one by one, as they look on the wire."""

import asyncio
import json
from typing import Any

import pytest

from makegood.outcome import CancelReply, Succeeded, Unfinished
from makegood_adapters.runninghub.simulator import Account, Faults, Habits, Rule, Task, VirtualClock
from tests.adapters.simulated_site import KEY, UPSCALER, Site, open_site, png

NODES = [{"nodeId": "1", "fieldName": "prompt", "fieldValue": "a red square"}]


async def held(site: Site, stage: Any) -> Task:
    site.sim.add(Rule(faults=Faults(hold=stage)))
    task = site.sim.task((await site.submit()).task_id)
    await site.sim.wait_for(lambda: task.state.value == stage.upper())
    return task


async def outputs(site: Site, task: Task) -> Any:
    return await site.post("/task/openapi/outputs", apiKey=KEY, taskId=task.id)


async def query(site: Site, task_id: str) -> Any:
    return await site.post("/openapi/v2/query", apiKey=KEY, taskId=task_id)


@pytest.mark.parametrize(
    ("pending", "queued", "running"),
    [
        ("codes", (813, "APIKEY_TASK_IS_QUEUED"), (804, "APIKEY_TASK_IS_RUNNING")),
        ("msg_only", (0, "APIKEY_TASK_IS_QUEUED"), (0, "APIKEY_TASK_IS_RUNNING")),
        ("null_data", (813, "APIKEY_TASK_IS_QUEUED"), (0, "success")),
    ],
)
async def test_pending(pending: Any, queued: Any, running: Any) -> None:
    async with open_site(habits=Habits(pending=pending)) as site:
        told = await outputs(site, await held(site, "queued"))
        assert (told["code"], told["msg"], told["data"]) == (*queued, None)
        told = await outputs(site, await held(site, "running"))
        assert (told["code"], told["msg"]) == running
        if pending == "null_data":
            assert told["data"] is None
        else:
            assert told["data"]["netWssUrl"].startswith("wss://")


@pytest.mark.parametrize("ids", ["text", "number"])
async def test_task_ids(ids: Any) -> None:
    async with open_site(habits=Habits(ids=ids)) as site:
        created = await site.post(
            "/task/openapi/ai-app/run", apiKey=KEY, webappId=UPSCALER, nodeInfoList=NODES
        )
        v2 = await site.post(f"/openapi/v2/run/ai-app/{UPSCALER}", apiKey=KEY, nodeInfoList=NODES)
        told = (await query(site, v2["taskId"]))["taskId"]
        kind = str if ids == "text" else int
        assert [type(found) for found in (created["data"]["taskId"], v2["taskId"], told)] == [kind] * 3
        await site.run(webhook=site.receiver.url)  # the adapter copes with either
        assert type(site.receiver.bodies[0]["taskId"]) is kind


@pytest.mark.parametrize(("codes", "v1", "v2"), [("usual", 807, "1004"), ("text", "807", "1004")])
async def test_code_types(codes: Any, v1: Any, v2: Any) -> None:
    async with open_site(habits=Habits(codes=codes)) as site:
        assert (await site.post("/task/openapi/status", apiKey=KEY, taskId="12"))["code"] == v1
        assert (await query(site, "12"))["errorCode"] == v2


async def test_codes_as_numbers_everywhere() -> None:
    async with open_site(habits=Habits(codes="number")) as site:
        assert (await query(site, "12"))["errorCode"] == 1004
        assert (await query(site, (await site.run()).id))["errorCode"] == ""


@pytest.mark.parametrize(
    ("msg", "run", "status", "graph"),
    [
        ("as_shown", "success", "", "SUCCESS"),
        ("lower", "success", "success", "success"),
        ("upper", "SUCCESS", "SUCCESS", "SUCCESS"),
        ("empty", "", "", ""),
    ],
)
async def test_the_text_of_a_success(msg: Any, run: str, status: str, graph: str) -> None:
    async with open_site(habits=Habits(msg=msg)) as site:
        task = await site.run()
        assert (await outputs(site, task))["msg"] == run
        told = await site.post("/task/openapi/status", apiKey=KEY, taskId=task.id)
        assert (told["msg"], told["data"]) == (status, "SUCCESS")
        workflow = await site.post(
            "/api/openapi/getJsonApiFormat", apiKey=KEY, workflowId="1904136902449209346"
        )
        assert workflow["msg"] == graph
        unknown = await site.post("/task/openapi/status", apiKey=KEY, taskId="12")
        assert unknown["msg"] == "APIKEY_TASK_NOT_FOUND"  # only successes


async def test_status_as_resellers_tell_it() -> None:
    async with open_site(habits=Habits(status_object=True)) as site:
        told = await site.post("/task/openapi/status", apiKey=KEY, taskId=(await site.run()).id)
        assert told["data"] == {"taskStatus": "SUCCESS"}


REASONS = [("given", "the sampler gave up"), ("empty", {}), ("null", None), ("absent", "absent")]


@pytest.mark.parametrize("by_fault", [True, False])
@pytest.mark.parametrize(("how", "told"), REASONS)
async def test_the_reason_of_a_failure(how: Any, told: Any, by_fault: bool) -> None:
    async with open_site(habits=Habits() if by_fault else Habits(failed_reason=how)) as site:
        faults = Faults(fail="the sampler gave up", exception_type="TypeError")
        if by_fault:
            faults = faults.with_faults(Faults(failed_reason=how))
        site.sim.add(Rule(faults=faults))
        task = await site.run()
        v1, v2 = await outputs(site, task), await query(site, task.id)
        assert (v1["code"], v2["status"], v2["errorCode"]) == (805, "FAILED", "805")
        for found in (v1["data"].get("failedReason", "absent"), v2.get("failedReason", "absent")):
            if how == "given":
                assert (found["exception_message"], found["exception_type"]) == (told, "TypeError")
            else:
                assert found == told


@pytest.mark.parametrize(("how", "told"), REASONS[1:])
async def test_the_reason_of_a_cancelled_task(how: Any, told: Any) -> None:
    async with open_site(habits=Habits(cancelled_reason=how, cancel_word="CANCELED")) as site:
        task = await held(site, "running")
        await site.provider.cancel(task.id)
        await site.ended(task)
        reply = await outputs(site, task)
        assert (reply["code"], reply["data"].get("failedReason", "absent")) == (805, told)
        assert (await query(site, task.id))["status"] == "CANCELED"
        told = await site.post("/task/openapi/status", apiKey=KEY, taskId=task.id)
        assert told["data"] == "CANCELED"


@pytest.mark.parametrize(("how", "kind"), [("list", list), ("text", str)])
async def test_tracebacks(how: Any, kind: type) -> None:
    async with open_site(habits=Habits(traceback=how)) as site:
        site.sim.add(Rule(faults=Faults(fail="no")))
        task = await site.run()
        assert type((await query(site, task.id))["failedReason"]["traceback"]) is kind
        assert type((await outputs(site, task))["data"]["failedReason"]["traceback"]) is str


@pytest.mark.parametrize(("numbers", "kind"), [("text", str), ("number", int)])
async def test_bills(numbers: Any, kind: type) -> None:
    async with open_site(habits=Habits(numbers=numbers)) as site:
        task = await site.run()
        (item,) = (await outputs(site, task))["data"]
        usage = (await query(site, task.id))["usage"]
        for bill in (item, usage):
            assert (type(bill["taskCostTime"]), type(bill["consumeCoins"])) == (kind, kind)


@pytest.mark.parametrize("code", ["1004", "1007"])
async def test_the_code_of_an_unknown_task(code: Any) -> None:
    async with open_site(habits=Habits(unknown_code=code)) as site:
        assert (await query(site, "12"))["errorCode"] == code


@pytest.mark.parametrize(("code", "name"), [(0, "filename"), (200, "fileName"), (200, "filename")])
async def test_uploads(code: Any, name: Any) -> None:
    async with open_site(habits=Habits(upload_code=code, upload_name=name)) as site:
        stored = await site.provider.upload("a.png", png())  # the adapter copes with all of them
        assert stored.startswith("openapi/")


@pytest.mark.parametrize("code", ["807", "423"])
async def test_the_code_of_cancelling_an_unknown_task(code: Any) -> None:
    async with open_site(habits=Habits(cancel_unknown_code=code)) as site:
        assert (await site.post("/task/openapi/cancel", apiKey=KEY, taskId="12"))["code"] == int(code)
        assert await site.provider.cancel("12") is CancelReply.NOT_FOUND


async def test_files_of_others_cannot_be_used_where_uploads_are_private() -> None:
    body = {"webappId": UPSCALER}
    async with open_site(habits=Habits(private_uploads=True)) as site:
        name = await site.provider.upload("a.png", png())
        body["nodeInfoList"] = [{"nodeId": "1", "fieldName": "image", "fieldValue": name}]  # type: ignore[assignment]  # JSON
        assert (await site.post("/task/openapi/ai-app/run", apiKey="other", **body))["code"] == 433
        assert (await site.post("/task/openapi/ai-app/run", apiKey=KEY, **body))["code"] == 0


@pytest.mark.parametrize("first", ["CREATE", "QUEUED", "RUNNING"])
async def test_the_first_state(first: Any) -> None:
    async with open_site(habits=Habits(first_state=first)) as site:
        site.sim.add(Rule(faults=Faults(hold="running" if first == "RUNNING" else "queued")))
        told = await site.post("/task/openapi/ai-app/run", apiKey=KEY, webappId=UPSCALER, nodeInfoList=NODES)
        assert told["data"]["taskStatus"] == first
        assert "netWssUrl" in told["data"]
        assert (told["data"]["netWssUrl"] is not None) == (first == "RUNNING")
        task_id = told["data"]["taskId"]
        assert (await query(site, task_id))["status"] == first
        assert await site.provider.query(task_id) == Unfinished(running=first == "RUNNING")


async def test_a_new_task_is_unknown_for_a_while() -> None:
    clock = VirtualClock()
    async with open_site(habits=Habits(unseen_seconds=3), clock=clock) as site:
        task = site.sim.task((await site.submit()).task_id)

        async def seen() -> tuple[Any, ...]:
            status = await site.post("/task/openapi/status", apiKey=KEY, taskId=task.id)
            return (await query(site, task.id))["errorCode"], status["code"]

        assert await seen() == ("1004", 807)
        await site.sim.advance(3)
        assert await seen() == ("", 0)


async def test_tasks_may_wait_beyond_the_limit() -> None:
    async with open_site(limit=1, habits=Habits(queue_places=1)) as site:
        first = await held(site, "running")
        second = site.sim.task((await site.submit()).task_id)
        assert (await site.submit()).code == "421"
        status = await site.post("/uc/openapi/accountStatus", apiKey=KEY)
        assert (status["data"]["currentTaskCounts"], second.state.value) == ("2", "QUEUED")
        assert site.sim.counters.live_max[KEY] == 2
        site.sim.release(first.id)
        await site.ended(first)
        assert (await site.ended(second)).state == "SUCCESS"
        assert second.started_at is not None
        assert first.finished_at is not None
        assert second.started_at >= first.finished_at


async def test_an_exclusive_key_has_a_personal_queue() -> None:
    keys = {KEY: Account(limit=1, type="EXCLUSIVE"), "other": 1}
    async with open_site(keys=keys, habits=Habits(personal_queue_places=1)) as site:
        site.sim.add(Rule(faults=Faults(hold="running")))

        async def run(key: str, personal: Any) -> Any:
            body = {"webappId": UPSCALER, "nodeInfoList": NODES, "usePersonalQueue": personal}
            return (await site.post("/task/openapi/ai-app/run", apiKey=key, **body))["code"]

        assert [await run(KEY, "true"), await run(KEY, "false"), await run(KEY, True)] == [0, 421, 0]
        assert await run(KEY, "true") == 814


async def test_the_site_has_a_limit_of_its_own() -> None:
    async with open_site(habits=Habits(site_tasks_max=1)) as site:
        await held(site, "running")
        told = await site.post(
            "/task/openapi/ai-app/run", apiKey="other", webappId=UPSCALER, nodeInfoList=NODES
        )
        assert told["code"] == 421


async def test_the_limit_that_is_told_need_not_be_the_one_that_counts() -> None:
    async with open_site(limit=1, habits=Habits(reported_limit=5)) as site:
        headers = {"Authorization": KEY}
        async with site.session.get(site.sim.url + "/openapi/v2/queue/status", headers=headers) as reply:
            assert (await reply.json())["data"]["concurrentLimit"] == 5
        await held(site, "running")
        assert (await site.submit()).code == "421"


async def test_a_cancelled_task_sends_a_webhook_where_that_is_the_habit() -> None:
    async with open_site(habits=Habits(webhook_on_cancel=True)) as site:
        site.sim.add(Rule(faults=Faults(hold="running")))
        task = site.sim.task((await site.submit(webhook=site.receiver.url)).task_id)
        await site.provider.cancel(task.id)
        await site.ended(task)
        assert [json.loads(body["eventData"])["code"] for body in site.receiver.bodies] == [805]


async def test_the_address_of_a_file_ends() -> None:
    clock = VirtualClock()
    async with open_site(habits=Habits(url_seconds=3600), clock=clock) as site:
        task = site.sim.task((await site.submit()).task_id)
        await site.ended(task)
        answer = await site.provider.query(task.id)
        assert isinstance(answer, Succeeded)
        statuses = []
        for seconds in (3599, 1):
            await site.sim.advance(seconds)
            async with site.session.get(answer.outputs[0].url) as reply:
                statuses.append(reply.status)
        assert statuses == [200, 403]


@pytest.mark.parametrize("code", ["401", "802", "806", "1002"])
async def test_a_key_of_the_other_site(code: Any) -> None:
    keys = {KEY: Account(site="cn", limit=3), "theirs": Account(site="ai")}
    async with (
        open_site(keys=keys, habits=Habits(foreign_key_code=code)) as cn,
        open_site(keys=keys, habits=Habits(foreign_key_code=code), site="ai") as ai,
    ):
        status = "/uc/openapi/accountStatus"
        assert [(await site.post(status, apiKey=KEY))["code"] for site in (cn, ai)] == [0, int(code)]
        assert [(await site.post(status, apiKey="theirs"))["code"] for site in (cn, ai)] == [int(code), 0]


async def test_upload_speed() -> None:
    clock, seconds = VirtualClock(), 0
    async with open_site(habits=Habits(upload_bytes_per_second=1_000), clock=clock) as site:
        sending = asyncio.create_task(site.provider.upload("a.png", bytes(100_000)))
        while not sending.done():
            await clock.advance(1)
            seconds += 1
    assert (await sending).endswith(".png")
    assert seconds >= 100
