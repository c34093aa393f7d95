"""Every endpoint of the simulator, as its page shows it."""

import hashlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from PIL import Image

from makegood_adapters.runninghub.simulator import Account, Faults, Rule, Workflow, WorkOrder
from tests.adapters.simulated_site import KEY, POSE, UPSCALER, Site, open_site, png

WORKFLOW, EMPTY, UNSAVED = "1904136902449209346", "1904136902449209347", "1904136902449209348"
KEYS = {KEY: 3, "enterprise": Account(limit=3, type="SHARED", money=10)}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site(keys=KEYS) as opened:
        yield opened


async def get(site: Site, path: str, key: str | None = KEY) -> Any:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with site.session.get(site.sim.url + path, headers=headers) as reply:
        return await reply.json()


async def upload(site: Site, path: str, name: str, data: bytes) -> Any:
    form = aiohttp.FormData({"apiKey": KEY})
    form.add_field("file", io.BytesIO(data), filename=name)
    async with site.session.post(site.sim.url + path, data=form) as reply:
        return await reply.json()


async def size_of(site: Site, url: str) -> tuple[int, int]:
    async with site.session.get(url) as reply:
        return Image.open(io.BytesIO(await reply.read())).size


# Workflows


async def test_a_workflow_runs_with_the_values_of_the_request(site: Site) -> None:
    name = (await upload(site, "/task/openapi/upload", "a.png", png(8, 5)))["data"]["fileName"]
    nodes = [{"nodeId": "1", "fieldName": "image", "fieldValue": name, "nodeName": "ignored"}]
    created = await site.post(
        "/task/openapi/create", apiKey=KEY, workflowId=WORKFLOW, nodeInfoList=nodes, addMetadata=True
    )
    assert json.loads(created["data"]["promptTips"])["node_errors"] == {}
    task = await site.ended(site.sim.task(created["data"]["taskId"]))
    (item,) = (await site.post("/task/openapi/outputs", apiKey=KEY, taskId=task.id))["data"]
    assert (item["fileType"], item["nodeId"]) == ("png", "9")
    assert await size_of(site, item["fileUrl"]) == (16, 10)


async def test_a_workflow_runs_on_v2_and_with_a_graph_of_the_request() -> None:
    seen: list[WorkOrder] = []

    def work(order: WorkOrder) -> bytes:
        seen.append(order)
        return png()

    graph = {"3": {"class_type": "KSampler", "inputs": {"seed": 7, "model": ["4", 0]}}}
    workflows = {WORKFLOW: Workflow(work, graph), EMPTY: Workflow(work)}
    async with open_site(workflows=workflows) as site:
        v2 = await site.post(f"/openapi/v2/run/workflow/{WORKFLOW}", apiKey=KEY)
        mine = json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 8}}})
        v1 = await site.post("/task/openapi/create", apiKey=KEY, workflowId=WORKFLOW, workflow=mine)
        for task_id in (v2["taskId"], v1["data"]["taskId"]):
            await site.ended(site.sim.task(task_id))
        assert [order.values for order in seen] == [{"3": "7"}, {"3": "8"}]
        broken = await site.post("/task/openapi/create", apiKey=KEY, workflowId=WORKFLOW, workflow="{")
        assert broken["code"] == 433
        # Without a graph nothing is known about its nodes.
        nodes = [{"nodeId": "77", "fieldName": "any", "fieldValue": 1}]
        run = await site.post("/task/openapi/create", apiKey=KEY, workflowId=EMPTY, nodeInfoList=nodes)
        assert run["code"] == 0


async def test_a_workflow_that_cannot_run() -> None:
    graph = {"3": {"class_type": "KSampler", "inputs": {"seed": 7}}}
    workflows = {
        WORKFLOW: Workflow(lambda _: png(), graph),
        UNSAVED: Workflow(lambda _: png(), graph, saved=False),
    }
    async with open_site(workflows=workflows) as site:

        async def run(workflow: str, *nodes: tuple[str, str]) -> Any:
            told = [{"nodeId": node, "fieldName": name, "fieldValue": 1} for node, name in nodes]
            body = {"apiKey": KEY, "workflowId": workflow, "nodeInfoList": told}
            return await site.post("/task/openapi/create", **body)

        assert (await run("12"))["code"] == 380
        assert (await run(UNSAVED))["code"] == 810
        told = await run(WORKFLOW, ("4", "seed"))
        assert told["code"] == 803
        assert told["msg"] == (
            "NODE_INFO_MISMATCH(nodeId=4, fieldName=seed, reason=node_not_found_in_workflow)"
        )
        told = await run(WORKFLOW, ("3", "steps"))
        assert told["msg"].endswith("fieldName=steps, reason=field_not_found_in_node)")
        for workflow, code in ((WORKFLOW, 0), (UNSAVED, 810), ("12", 380)):
            told = await site.post("/api/openapi/getJsonApiFormat", apiKey=KEY, workflowId=workflow)
            assert told["code"] == code
        assert site.sim.tasks == ()


async def test_the_graph_of_a_workflow_has_titles(site: Site) -> None:
    told = await site.post("/api/openapi/getJsonApiFormat", apiKey=KEY, workflowId=int(WORKFLOW))
    graph = json.loads(told["data"]["prompt"])
    assert all(node["_meta"]["title"] and node["class_type"] for node in graph.values())


async def test_a_quick_app_runs_like_an_app(site: Site) -> None:
    name = await site.provider.upload("a.png", png())
    told = await site.post(
        "/task/openapi/quick-ai-app/run",
        apiKey=KEY,
        webappId=UPSCALER,
        quickCreateCode="003",
        nodeInfoList=[{"nodeId": "1", "fieldName": "image", "fieldValue": name}],
    )
    assert (await site.ended(site.sim.task(told["data"]["taskId"]))).state.value == "SUCCESS"


# Files


async def test_both_uploads_name_files_by_content(site: Site) -> None:
    digest = hashlib.sha256(b"same").hexdigest()
    v1 = await upload(site, "/task/openapi/upload", "a.PNG", b"same")
    assert v1["data"] == {"fileName": f"api/{digest}.png", "fileType": "input"}
    archive = await upload(site, "/task/openapi/upload", "a.zip", b"same")
    assert archive["data"]["fileName"] == f"api/{digest}"
    v2 = await upload(site, "/openapi/v2/media/upload/binary", "a.png", b"same")
    assert (v2["data"]["fileName"], v2["data"]["size"]) == (f"openapi/{digest}.png", "4")
    async with site.session.get(v2["data"]["download_url"]) as reply:
        assert await reply.read() == b"same"
    assert site.sim.counters.calls["upload"] == 3


async def test_a_lora_goes_through_a_presigned_address(site: Site) -> None:
    digest = hashlib.md5(b"weights", usedforsecurity=False).hexdigest()
    path = "/api/openapi/getLoraUploadUrl"
    told = await site.post(path, apiKey=KEY, loraName="mine", md5Hex=digest)
    assert told["data"]["fileName"] == f"api-lora-cn/{digest}.safetensors"
    statuses = []
    for data in (b"others", b"weights"):
        async with site.session.put(told["data"]["url"], data=data) as reply:
            statuses.append(reply.status)
    assert statuses == [403, 200]
    assert (await site.post(path, apiKey=KEY, loraName="mine", md5Hex="short"))["code"] == 301
    async with site.session.get(site.sim.url + "/admin/tasks") as reply:
        assert told["data"]["fileName"] in (await reply.json())["uploads"]


# Accounts and listings


async def test_queue_status(site: Site) -> None:
    site.sim.add(Rule(faults=Faults(hold="running")))
    task = site.sim.task((await site.submit()).task_id)
    await site.sim.wait_for(lambda: task.state.value == "RUNNING")
    told = await get(site, "/openapi/v2/queue/status")
    assert told["data"] == {
        "apiKeyType": "NORMAL",
        "concurrentLimit": 3,
        "runningCount": "1",
        "queuedCount": "0",
        "totalCurrentTasks": "1",
        "instanceCount": 0,
    }
    assert (await get(site, "/openapi/v2/queue/status", key=None))["code"] == 401


async def test_the_inputs_of_an_app(site: Site) -> None:
    told = await get(site, f"/api/webapp/apiCallDemo?apiKey={KEY}&webappId={POSE}", key=None)
    nodes = told["data"]["nodeInfoList"]
    assert [(node["nodeId"], node["fieldName"], node["fieldType"]) for node in nodes] == [
        ("27", "image", "IMAGE"),
        ("60", "image", "IMAGE"),
    ]
    json.loads(nodes[0]["fieldData"])
    assert f"{site.sim.url}/task/openapi/ai-app/run" in told["data"]["curl"]
    assert told["data"]["statisticsInfo"]["useCount"] == "0"
    unknown = await get(site, f"/api/webapp/apiCallDemo?apiKey={KEY}&webappId=12", key=None)
    assert unknown["code"] == 901


async def test_listings(site: Site) -> None:
    keys = (await get(site, "/openapi/v2/api-key/list"))["data"]
    assert [key["key"] for key in keys] == [f"***{KEY[-4:]}"]
    assert (await site.post("/openapi/v2/resource/list", apiKey=KEY))["data"]["total"] == 0
    bare = {"Authorization": KEY}
    url = site.sim.url + "/openapi/v2/aiapp/list"

    async def page(current: int, size: int) -> Any:
        async with site.session.post(url, json={"current": current, "size": size}, headers=bare) as reply:
            return (await reply.json())["data"]

    def ids(told: Any) -> list[str]:
        return [record["id"] for record in told["records"]]

    whole = await page(1, 50)
    assert (whole["total"], whole["pages"], whole["hasNext"]) == (len(ids(whole)), 1, False)
    assert {UPSCALER, POSE} <= {*ids(whole)}
    pages = [await page(number, 5) for number in range(1, -(-whole["total"] // 5) + 1)]
    assert [app for told in pages for app in ids(told)] == ids(whole)
    assert [told["hasNext"] for told in pages] == [True] * (len(pages) - 1) + [False]
    assert {(told["total"], told["pages"]) for told in pages} == {(whole["total"], len(pages))}
    records = (await site.post("/api/webapp/list", current=1, size=50))["data"]["records"]
    assert [record["id"] for record in records] == ids(whole)


async def test_a_bearer_a_bare_header_and_both_spellings_are_accepted(site: Site) -> None:
    url = site.sim.url + "/uc/openapi/accountStatus"
    found = []
    for headers, body in (
        ({"Authorization": f"Bearer {KEY}"}, {}),
        ({"Authorization": KEY}, {}),
        ({"Host": "www.runninghub.cn"}, {"apiKey": KEY, "extra": [1]}),
        ({}, {"apikey": KEY}),
    ):
        async with site.session.post(url, json=body, headers=headers) as reply:
            found.append((await reply.json())["code"])
    assert found == [0, 0, 0, 0]
    assert (await site.post("/uc/openapi/accountStatus"))["code"] == 1601


# Standard models


async def test_standard_models_are_for_enterprises(site: Site) -> None:
    link = (await upload(site, "/openapi/v2/media/upload/binary", "a.png", png(4, 3)))["data"]
    model = "/openapi/v2/simulated-image/upscale"
    price = "/openapi/v2/price-preview/simulated-image/upscale"
    body = {"imageUrl": link["download_url"], "webhookUrl": site.receiver.url}
    assert (await site.post(model, apiKey=KEY, **body))["errorCode"] == "1014"
    assert (await site.post(price, apiKey=KEY, **body))["errorCode"] == "1014"
    assert (await site.post(price, apiKey="enterprise", **body))["currency"] == "CNY"
    created = await site.post(model, apiKey="enterprise", **body)
    task = await site.ended(site.sim.task(created["taskId"]))
    assert Image.open(io.BytesIO(task.results[0].data)).size == (8, 6)
    assert [event["taskId"] for event in site.receiver.bodies] == [task.id]
    assert (await site.post("/openapi/v2/no/such/model", apiKey="enterprise"))["errorCode"] == "1001"
    wrong = await site.post(model, apiKey="enterprise", webhookUrl=5)
    assert wrong["errorCode"] == "1007"


# What leads nowhere


async def test_wrong_paths_and_methods(site: Site) -> None:
    assert (await site.post("/task/openapi/creat", apiKey=KEY))["code"] == 412
    assert (await site.post("/openapi/v2/task/cancel", apiKey=KEY))["errorCode"] == "1001"
    assert (await get(site, "/task/openapi/outputs"))["code"] == 1009
    assert (await get(site, "/openapi/v2/query"))["errorCode"] == "1009"
    async with site.session.get(site.sim.url + "/favicon.ico") as reply:
        assert reply.status == 404


async def test_a_task_without_a_webhook_has_no_event(site: Site) -> None:
    task = await site.run()
    told = await site.post("/task/openapi/getWebhookDetail", apiKey=KEY, taskId=task.id)
    assert (told["code"], told["msg"]) == (1, "webhook event not exists")
    told = await site.post("/task/openapi/retryWebhook", apiKey=KEY, webhookId="12")
    assert told["code"] == 1
    wrong = await site.post("/task/openapi/ai-app/run", apiKey=KEY, webappId=UPSCALER, webhookUrl=[])
    assert wrong["code"] == 301
