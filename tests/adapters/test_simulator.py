"""The RunningHub simulator, used through the provider: real work, states, limits and keys."""

import hashlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from PIL import Image

from makegood.outcome import (
    Accepted,
    Cancelled,
    CancelReply,
    Cause,
    Failed,
    NotFound,
    Rejected,
    Retry,
    Succeeded,
    Trouble,
    Unfinished,
)
from makegood_adapters.runninghub import open_session
from makegood_adapters.runninghub.simulator import Faults, Pace, Rule, Simulator, SimulatorError
from makegood_adapters.runninghub.simulator import server as simulator_server
from tests.adapters.simulated_site import KEY, POSE, UPSCALER, Receiver, Site, open_site, png
from tests.scenarios.line import line_to


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


async def test_an_upscaled_image_is_twice_as_large(site: Site) -> None:
    task = await site.run(png(6, 4, "red"))
    answer = await site.provider.query(task.id)
    assert isinstance(answer, Succeeded)
    assert answer.usage["consumeCoins"] == "1"
    content = [piece async for piece in site.provider.fetch(answer.outputs[0], 1_000_000)]
    image = Image.open(io.BytesIO(b"".join(content)))
    assert (image.format, image.size, image.getpixel((11, 7))) == ("PNG", (12, 8), (255, 0, 0))


async def test_the_pose_changer_mirrors_and_insets(site: Site) -> None:
    person = Image.new("RGB", (90, 60), "white")
    person.paste((0, 0, 255), (0, 0, 10, 60))  # blue at the left edge
    file = io.BytesIO()
    person.save(file, "PNG")
    files = {
        "person": await site.provider.upload("p.png", file.getvalue()),
        "reference": await site.provider.upload("r.png", png(60, 60, "green")),
    }
    nodes = [
        {"node": "27", "field": "image", "value": {"file": "person"}},
        {"node": "60", "field": "image", "value": {"file": "reference"}},
    ]
    outcome = await site.provider.submit({"app": POSE, "nodes": nodes}, files, None)
    assert isinstance(outcome, Accepted)
    task = await site.ended(site.sim.task(outcome.task_id))
    image = Image.open(io.BytesIO(task.results[0].data))
    assert image.size == (90, 60)
    assert image.getpixel((85, 5)) == (0, 0, 255)  # now at the right edge
    assert image.getpixel((5, 5)) == (255, 255, 255)
    assert image.getpixel((88, 58)) == (0, 128, 0)


async def test_what_is_no_image_fails_the_task(site: Site) -> None:
    task = await site.run(b"no image at all")
    answer = await site.provider.query(task.id)
    assert isinstance(answer, Failed)
    assert "cannot identify image file" in answer.reason
    assert answer.trouble is Trouble.REQUEST


async def test_an_image_that_unfolds_too_far_fails_the_task(site: Site) -> None:
    file = io.BytesIO()
    Image.new("1", (8_000, 8_000)).save(file, "PNG")
    answer = await site.provider.query((await site.run(file.getvalue())).id)
    assert isinstance(answer, Failed)
    assert "pixels" in answer.reason


async def test_uploads_are_named_by_their_content(site: Site) -> None:
    first = await site.provider.upload("a.png", b"same")
    again = await site.provider.upload("b.png", b"same")
    other = await site.provider.upload("a.png", b"different")
    assert first == again == f"openapi/{hashlib.sha256(b'same').hexdigest()}.png"
    assert other != first


async def test_the_first_upload_route_stops_at_30_megabytes(site: Site) -> None:
    async def upload(size: int, key: str) -> Any:
        form = aiohttp.FormData({"apiKey": key})
        form.add_field("file", io.BytesIO(b"\0" * size), filename="a.png")
        async with site.session.post(site.sim.url + "/task/openapi/upload", data=form) as response:
            return await response.json()

    assert (await upload(4, KEY))["data"]["fileName"].startswith("api/")
    assert (await upload(30 * 1024 * 1024 + 1, KEY))["code"] == 809
    assert (await upload(4, "wrong"))["code"] == 401


# States, limits, keys


async def test_a_task_looks_alike_on_every_endpoint(site: Site) -> None:
    site.sim.add(Rule(faults=Faults(hold="queued")))
    accepted = await site.submit()
    task = site.sim.task(accepted.task_id)

    async def seen() -> tuple[Any, ...]:
        status = await site.post("/task/openapi/status", apiKey=KEY, taskId=task.id)
        outputs = await site.post("/task/openapi/outputs", apikey=KEY, taskId=int(task.id))
        return status["data"], outputs["code"], await site.provider.query(task.id)

    await site.sim.wait_for(lambda: task.state == "QUEUED")
    assert await seen() == ("QUEUED", 813, Unfinished(running=False))
    site.sim.release(task.id)
    await site.ended(task)
    status, code, answer = await seen()
    assert (status, code) == ("SUCCESS", 0)
    assert isinstance(answer, Succeeded)


async def test_a_full_account_refuses_and_creates_nothing() -> None:
    async with open_site(limit=2) as site:
        site.sim.add(Rule(faults=Faults(hold="running"), times=2))
        held = [site.sim.task((await site.submit()).task_id) for _ in range(2)]
        outcome = await site.submit()
        assert outcome == Rejected("421", "421 TASK_QUEUE_MAXED", Retry.LATER, cause=Cause.ROOM)
        node = {"nodeId": "1", "fieldName": "value", "fieldValue": 1}
        reply = await site.post(f"/openapi/v2/run/ai-app/{UPSCALER}", apiKey=KEY, nodeInfoList=[node])
        assert (reply["errorCode"], reply["taskId"]) == ("1520", "")
        assert len(site.sim.tasks) == 2
        assert site.sim.refusals == {"421": 2}
        # The limit is per key, and a finished task makes room.
        other = await site.post(
            "/task/openapi/ai-app/run", apiKey="other", webappId=int(UPSCALER), nodeInfoList=[node]
        )
        assert other["data"]["taskId"]
        status = await site.post("/uc/openapi/accountStatus", apikey=KEY)
        assert status["data"]["currentTaskCounts"] == "2"
        site.sim.release(held[0].id)
        await site.ended(held[0])
        assert isinstance(await site.submit(), Accepted)


async def test_keys_are_checked_and_tasks_private(site: Site) -> None:
    task = await site.run()
    stranger = line_to(site.session, site.sim.url, "other")
    assert await stranger.query(task.id) == NotFound()
    wrong = Site(site.sim, site.session, site.receiver, "wrong")
    outcome = await wrong.provider.submit({"app": UPSCALER, "nodes": []}, {}, None)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry) == ("401", Retry.LATER)
    assert (await site.post("/uc/openapi/accountStatus"))["code"] == 1601
    headers = {"Authorization": f"Bearer {KEY}", "Host": "www.runninghub.cn"}
    async with site.session.get(site.sim.url + "/openapi/v2/queue/status", headers=headers) as response:
        assert (await response.json())["data"]["concurrentLimit"] == 3


@pytest.mark.parametrize(
    ("app", "node", "code"),
    [
        ("404", {"node": "1", "field": "value", "value": "1"}, "901"),
        (UPSCALER, {"node": "1", "field": "image", "value": "openapi/absent.png"}, "433"),
        (UPSCALER, None, "301"),
    ],
)
async def test_a_wrong_request_is_refused(site: Site, app: str, node: Any, code: str) -> None:
    nodes = [node] if node else []
    outcome = await site.provider.submit({"app": app, "nodes": nodes}, {}, None)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry) == (code, Retry.NEVER)
    assert site.sim.tasks == ()


@pytest.mark.parametrize("word", ["CANCEL", "CANCELED", "CANCELLED"])
@pytest.mark.parametrize("stage", ["queued", "running"])
async def test_cancelling(word: str, stage: Any) -> None:
    async with open_site(cancel_word=word) as site:
        site.sim.add(Rule(faults=Faults(hold=stage)))
        task = site.sim.task((await site.submit(webhook=site.receiver.url)).task_id)
        await site.sim.wait_for(lambda: task.state.value == stage.upper())
        assert await site.provider.cancel(task.id) is CancelReply.REQUESTED
        await site.ended(task)
        answer = await site.provider.query(task.id)
        assert answer == Cancelled(ran=True if stage == "running" else None)
        assert await site.provider.cancel(task.id) is CancelReply.ALREADY_OVER
        assert await site.provider.cancel("1234") is CancelReply.NOT_FOUND
        assert (await site.post("/task/openapi/cancel", apiKey=KEY, taskId="0"))["code"] == 301
        assert site.receiver.bodies == []


async def test_cancelling_may_send_a_webhook() -> None:
    async with open_site(webhook_on_cancel=True) as site:
        site.sim.add(Rule(faults=Faults(hold="running")))
        task = site.sim.task((await site.submit(webhook=site.receiver.url)).task_id)
        await site.provider.cancel(task.id)
        await site.ended(task)
        assert json.loads(site.receiver.bodies[0]["eventData"])["code"] == 805


async def test_success_may_come_before_a_slow_cancel() -> None:
    async with open_site(pace=Pace(queued_seconds=0, running_seconds=0, cancel_seconds=3600)) as site:
        site.sim.add(Rule(faults=Faults(hold="running")))
        task = site.sim.task((await site.submit()).task_id)
        assert await site.provider.cancel(task.id) is CancelReply.REQUESTED
        site.sim.release(task.id)
        assert (await site.ended(task)).state == "SUCCESS"


# Starting


async def test_a_port_in_use_is_told_in_one_sentence(site: Site) -> None:
    port = int(site.sim.url.rsplit(":", 1)[1])
    with pytest.raises(SimulatorError, match=rf"cannot listen on 127\.0\.0\.1:{port}: the port is in use\."):
        async with Simulator(port=port):
            pass


async def test_missing_pillow_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator_server, "pillow_is_missing", lambda: True)
    with pytest.raises(SimulatorError, match=r"pip install 'makegood\[demo\]'"):
        async with Simulator():
            pass
    async with Simulator(apps={}) as sim:  # apps of one's own do not need it
        assert sim.url.startswith("http://127.0.0.1:")


async def test_leaving_stops_tasks_at_once() -> None:
    async with Simulator(keys={KEY: 1}) as sim, open_session() as session:
        sim.add(Rule(faults=Faults(hold="running")))
        await Site(sim, session, Receiver()).submit()
        (task,) = sim.tasks
    assert task.life is not None
    assert task.life.cancelled()
    assert not task.over
