"""Faults of a task's life, of its webhooks and of its files."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from makegood.outcome import Failed, NotFound, Unfinished
from makegood_adapters.runninghub.simulator import (
    Faults,
    Match,
    Pace,
    Rule,
    Task,
    VirtualClock,
)
from tests.adapters.simulated_site import KEY, UPSCALER, Site, open_site, png

NODES = [{"nodeId": "1", "fieldName": "prompt", "fieldValue": "a red square"}]
SLOW = Pace(queued_seconds=30, running_seconds=600, cancel_seconds=5, webhook_retry_seconds=60)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


@pytest.fixture
async def slow() -> AsyncIterator[Site]:
    """A site at RunningHub's own pace, where time only passes when a test says so."""
    async with open_site(pace=SLOW, clock=VirtualClock()) as opened:
        yield opened


async def begin(site: Site, **faults: Any) -> Task:
    site.sim.add(Rule(faults=Faults(**faults)))
    return site.sim.task((await site.submit(webhook=site.receiver.url)).task_id)


def events(site: Site) -> list[str]:
    return [body["taskId"] for body in site.receiver.bodies]


# The life of a task


async def test_stages_take_their_time(slow: Site) -> None:
    usual = await begin(slow)
    quick = await begin(slow, queued_seconds=1, running_seconds=10)
    await slow.sim.advance(10.9)
    assert (usual.state.value, quick.state.value) == ("QUEUED", "RUNNING")
    await slow.sim.advance(0.2)
    assert (usual.state.value, quick.state.value) == ("QUEUED", "SUCCESS")
    await slow.sim.advance(18.9)
    assert usual.state.value == "RUNNING"
    await slow.sim.advance(600)
    assert usual.state.value == "SUCCESS"
    assert (usual.coins, quick.coins) == (120, 2)  # 0.2 a second
    assert events(slow) == [quick.id, usual.id]
    assert slow.receiver.bodies


@pytest.mark.parametrize("code", ["1000", "1006", "1015", "1504"])
async def test_a_task_fails_with_a_code_of_its_own(site: Site, code: str) -> None:
    task = await begin(site, fail="the model took too long", fail_code=code, exception_type="OSError")
    await site.ended(task)
    told = await site.post("/openapi/v2/query", apiKey=KEY, taskId=task.id)
    assert (told["errorCode"], told["failedReason"]["exception_type"]) == (code, "OSError")
    assert isinstance(await site.provider.query(task.id), Failed)


async def test_a_text_is_inline_on_v2_and_a_file_on_v1(site: Site) -> None:
    task = await site.ended(await begin(site, text="a red square"))
    (item,) = (await site.post("/openapi/v2/query", apiKey=KEY, taskId=task.id))["results"]
    assert (item["url"], item["text"], item["outputType"]) == (None, "a red square", "txt")
    (item,) = (await site.post("/task/openapi/outputs", apiKey=KEY, taskId=task.id))["data"]
    assert item["fileType"] == "txt"
    async with site.session.get(item["fileUrl"]) as reply:
        assert await reply.text() == "a red square"


@pytest.mark.parametrize(("fail", "state"), [(None, "SUCCESS"), ("refused", "FAILED")])
async def test_a_task_is_over_before_its_create_reply(slow: Site, fail: Any, state: str) -> None:
    slow.sim.add(Rule(faults=Faults(at_once=True, fail=fail), times=2))
    run = {"apiKey": KEY, "nodeInfoList": NODES}
    if fail is None:
        name = await slow.provider.upload("a.png", png())
        run["nodeInfoList"] = [{"nodeId": "1", "fieldName": "image", "fieldValue": name}]
    v1 = await slow.post("/task/openapi/ai-app/run", webappId=UPSCALER, **run)
    v2 = await slow.post(f"/openapi/v2/run/ai-app/{UPSCALER}", **run)
    assert (v1["data"]["taskStatus"], v2["status"]) == (state, state)


async def test_one_task_is_unknown_for_a_while(slow: Site) -> None:
    task = await begin(slow, unseen_seconds=5)
    assert isinstance(await slow.provider.query(task.id), NotFound)
    await slow.sim.advance(5)
    assert isinstance(await slow.provider.query(task.id), Unfinished)


async def test_success_wins_over_a_cancel_request(slow: Site) -> None:
    task = await begin(slow, cancel="success_wins")
    told = await slow.post("/task/openapi/cancel", apiKey=KEY, taskId=task.id)
    assert told["code"] == 0
    await slow.ended(task)
    assert (task.state.value, len(task.results)) == ("SUCCESS", 1)


async def test_success_also_wins_for_a_task_that_is_held(slow: Site) -> None:
    task = await begin(slow, cancel="success_wins", hold="running", queued_seconds=0, running_seconds=0)
    await slow.sim.wait_for(lambda: task.state.value == "RUNNING")
    await slow.post("/task/openapi/cancel", apiKey=KEY, taskId=task.id)
    assert (await slow.ended(task)).state.value == "SUCCESS"
    await slow.sim.advance(10_000)  # nobody is awake any more, or this would wait for ever
    assert slow.sim.counters.live_max[KEY] == 1


async def test_a_cancel_request_that_is_ignored(slow: Site) -> None:
    task = await begin(slow, cancel="ignored")
    assert (await slow.post("/task/openapi/cancel", apiKey=KEY, taskId=task.id))["code"] == 0
    await slow.sim.advance(629)
    assert (task.state.value, task.cancel_requested_at is not None) == ("RUNNING", True)
    await slow.sim.advance(1)
    assert task.state.value == "SUCCESS"


async def test_cancelling_takes_its_time(slow: Site) -> None:
    usual, late = await begin(slow), await begin(slow, cancel_seconds=20)
    for task in (usual, late):
        await slow.post("/task/openapi/cancel", apiKey=KEY, taskId=task.id)
    await slow.sim.advance(5)
    assert (usual.state.value, late.state.value) == ("CANCEL", "QUEUED")
    await slow.sim.advance(15)
    assert late.state.value == "CANCEL"


# Webhooks


@pytest.mark.parametrize(("shape", "kind"), [("v1", str), ("v2", dict)])
async def test_the_shape_of_a_webhook_whatever_the_api(site: Site, shape: Any, kind: type) -> None:
    await site.ended(await begin(site, webhook_shape=shape))
    site.sim.add(Rule(faults=Faults(webhook_shape=shape)))
    reply = await site.post(
        f"/openapi/v2/run/ai-app/{UPSCALER}",
        apiKey=KEY,
        nodeInfoList=NODES,
        webhookUrl=site.receiver.url,
    )
    await site.ended(site.sim.task(reply["taskId"]))
    assert [type(body["eventData"]) for body in site.receiver.bodies] == [kind, kind]


async def test_a_webhook_comes_late(slow: Site) -> None:
    task = await begin(slow, queued_seconds=0, running_seconds=1, webhook_delay_seconds=100)
    await slow.sim.advance(100)
    assert (task.state.value, events(slow)) == ("SUCCESS", [])
    await slow.sim.advance(1)
    assert events(slow) == [task.id]


async def test_webhooks_come_out_of_order(site: Site) -> None:
    first = await begin(site, webhook_out_of_order=True)
    await site.sim.wait_for(lambda: first.over)
    second = await site.run(webhook=site.receiver.url)
    await site.ended(first)
    assert events(site) == [second.id, first.id]


async def test_a_webhook_out_of_order_waits_for_no_later_one_for_ever(slow: Site) -> None:
    task = await begin(
        slow, queued_seconds=0, running_seconds=1, webhook_out_of_order=True, webhook_delay_seconds=50
    )
    await slow.sim.advance(50)
    assert events(slow) == []
    await slow.sim.advance(1)
    assert events(slow) == [task.id]


async def test_refused_webhooks_are_repeated_a_minute_apart(slow: Site) -> None:
    slow.receiver.statuses = [503, 503]
    task = await begin(slow, queued_seconds=0, running_seconds=1)
    await slow.sim.advance(3600)
    times = [delivery.at - task.deliveries[0].at for delivery in task.deliveries]
    assert times == [timedelta(seconds=seconds) for seconds in (0, 60, 120)]
    assert slow.sim.counters.webhooks == 3


# Files


async def download(site: Site, task: Task) -> tuple[int, bytes | None, str]:
    """Return status, content, None if it was cut off, and content type of a task's first file."""
    url = f"{site.sim.url}/output/{task.results[0].name}"
    async with site.session.get(url) as reply:
        try:
            return reply.status, await reply.read(), reply.content_type
        except aiohttp.ClientPayloadError:
            return reply.status, None, reply.content_type


@pytest.mark.parametrize(
    ("file", "status", "kind"),
    [
        ("expired", 403, "application/xml"),
        ("unavailable", 503, "application/octet-stream"),
        ("html", 200, "text/html"),
        ("truncated", 200, None),
        (None, 200, "image/png"),
    ],
)
async def test_a_file_of_a_task(site: Site, file: Any, status: int, kind: str | None) -> None:
    task = await site.ended(await begin(site, file=file))
    found = await download(site, task)
    assert found[0] == status
    assert (found[1] is None) == (file == "truncated")
    if kind is not None:
        assert found[2] == kind
    if file is None:
        assert found[1] == task.results[0].data


async def test_a_download_that_is_dropped(site: Site) -> None:
    task = await site.ended(await begin(site, file="dropped"))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await download(site, task)


async def test_only_the_next_download_goes_wrong(site: Site) -> None:
    task = await site.run()
    site.sim.add(Rule(match=Match(call="download", arrival=1), faults=Faults(file="html")))
    assert (await download(site, task))[2] == "text/html"
    assert (await download(site, task))[1] == task.results[0].data
    assert site.sim.counters.calls["download"] == 2


async def test_a_download_is_refused_for_now(site: Site) -> None:
    task = await site.run()
    faults = Faults(reply_status=429, retry_after_seconds=2)
    site.sim.add(Rule(match=Match(call="download"), faults=faults))
    url = f"{site.sim.url}/output/{task.results[0].name}"
    async with site.session.get(url) as reply:
        assert (reply.status, reply.headers["Retry-After"]) == (429, "2")
    assert (await download(site, task))[1] == task.results[0].data


async def test_a_slow_file(slow: Site) -> None:
    task = await begin(slow, queued_seconds=0, running_seconds=1, file_seconds=40)
    await slow.sim.advance(1)
    waiting = asyncio.create_task(download(slow, task))
    await slow.sim.wait_for(lambda: slow.sim.counters.calls["download"] == 1)
    await slow.sim.advance(39)
    assert not waiting.done()
    await slow.sim.advance(1)
    assert (await waiting)[1] == task.results[0].data


async def test_the_next_upload_of_a_file_fails(site: Site) -> None:
    digest = hashlib.sha256(png()).hexdigest()
    site.sim.add(Rule(match=Match(call="upload", input_sha256=digest), faults=Faults(refuse="808")))

    async def upload(data: bytes, path: str) -> Any:
        form = aiohttp.FormData({"apiKey": KEY})
        form.add_field("file", data, filename="a.png")
        async with site.session.post(site.sim.url + path, data=form) as reply:
            return await reply.json()

    assert (await upload(b"another", "/task/openapi/upload"))["code"] == 0
    assert (await upload(png(), "/task/openapi/upload"))["code"] == 808
    assert (await upload(png(), "/task/openapi/upload"))["code"] == 0
    site.sim.add(Rule(match=Match(call="upload"), faults=Faults(refuse="808")))
    assert (await upload(png(), "/openapi/v2/media/upload/binary"))["code"] == 1013


async def test_repetitions_of_a_webhook_are_counted_and_timed() -> None:
    pace = Pace(queued_seconds=0, running_seconds=0, webhook_retries=1, webhook_retry_seconds=0)
    async with open_site(pace=pace) as site:
        site.receiver.statuses = [503] * 9
        task = await site.run(webhook=site.receiver.url)
        assert [delivery.status for delivery in task.deliveries] == [503, 503]


async def test_a_receiver_that_does_not_answer_is_given_up() -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side hangs up
        writer.close()

    pace = Pace(queued_seconds=0, running_seconds=0, webhook_retries=0, webhook_timeout_seconds=0.01)
    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, open_site(pace=pace) as site:
        task = await site.run(webhook=f"http://127.0.0.1:{port}/hooks/secret")
        (delivery,) = task.deliveries
        assert delivery.status is None
        assert delivery.error is not None
        assert "Timeout" in delivery.error
