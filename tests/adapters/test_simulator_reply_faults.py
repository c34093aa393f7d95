"""Broken create replies and broken reads of the simulator, as they look on the wire."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from makegood_adapters.runninghub.codes import CODES
from makegood_adapters.runninghub.simulator import Faults, Match, Rule, VirtualClock
from makegood_adapters.runninghub.simulator.codes import TEXTS, V2_CODES
from tests.adapters.simulated_site import KEY, UPSCALER, Site, open_site

V1 = "/task/openapi/ai-app/run"
V2 = f"/openapi/v2/run/ai-app/{UPSCALER}"
NODES = [{"nodeId": "1", "fieldName": "prompt", "fieldValue": "a red square"}]
UNCERTAIN = ["500", "1000", "1005", "1010", "1012"]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


class Raw:
    """A reply as it came: its status, headers and bytes, and whether it was complete."""

    def __init__(self, status: int, headers: Any, body: bytes, complete: bool) -> None:
        self.status, self.headers, self.body, self.complete = status, headers, body, complete

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_json(self) -> bool:
        try:
            json.loads(self.body)
        except ValueError:
            return False
        return True


async def call(site: Site, path: str, method: str = "POST", **body: Any) -> Raw | None:
    """Make a call; None when the connection was closed without a reply."""
    headers = {"Authorization": f"Bearer {KEY}"}
    sent: Any = {"json": body} if method == "POST" else {}
    try:
        async with site.session.request(
            method, site.sim.url + path, headers=headers, allow_redirects=False, **sent
        ) as reply:
            received = bytearray()
            try:
                async for piece in reply.content.iter_any():
                    received += piece
            except aiohttp.ClientPayloadError:
                return Raw(reply.status, reply.headers, bytes(received), complete=False)
            return Raw(reply.status, reply.headers, bytes(received), complete=True)
    except aiohttp.ServerDisconnectedError:
        return None


async def create(site: Site, api: str) -> Raw | None:
    if api == "v1":
        return await call(site, V1, webappId=UPSCALER, nodeInfoList=NODES)
    return await call(site, V2, nodeInfoList=NODES)


def is_page(raw: Raw) -> bool:
    return raw.body.startswith(b"<html") and raw.headers["Content-Type"].startswith("text/html")


def test_the_site_has_a_text_for_every_code_of_the_table() -> None:
    assert set(TEXTS) == set(CODES)
    assert set(V2_CODES) | set(V2_CODES.values()) <= set(TEXTS)


@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize("code", [code for code in TEXTS if code != "0"])
async def test_a_create_call_can_be_refused_with_every_code(site: Site, code: str, api: str) -> None:
    site.sim.add(Rule(faults=Faults(refuse=code)))
    raw = await create(site, api)
    assert raw is not None
    told = raw.json()
    if api == "v1" or code in ("-1", "401"):
        assert told["code"] == int(code)
        assert told.get("msg") or told["message"]
        assert told.get("data") is None
    else:
        assert (told["errorCode"], told["taskId"]) == (V2_CODES.get(code, code), "")
        assert told["errorMessage"]
    assert (raw.status, site.sim.tasks, site.sim.refusals) == (200, (), {code: 1})


@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize("no_task", [False, True])
@pytest.mark.parametrize(
    ("faults", "looks"),
    [
        ({"drop_reply": True}, lambda raw: raw is None),
        ({"reply_status": 502}, lambda raw: raw.status == 502 and is_page(raw)),
        ({"reply": "html"}, lambda raw: raw.status == 200 and is_page(raw)),
        ({"reply": "empty"}, lambda raw: (raw.status, raw.body) == (200, b"")),
        ({"reply": "truncated"}, lambda raw: raw.complete and raw.body[:1] == b"{" and not raw.is_json),
        ({"reply": "cut"}, lambda raw: not raw.complete and raw.body[:1] == b"{"),
        ({"reply": "not_json"}, lambda raw: raw.body == b"upstream request timeout"),
        ({"reply": "redirect"}, lambda raw: raw.status == 301 and is_page(raw) and raw.headers["Location"]),
    ],
)
async def test_a_broken_create_reply_with_and_without_a_task_behind_it(
    site: Site, faults: dict[str, Any], looks: Any, no_task: bool, api: str
) -> None:
    site.sim.add(Rule(faults=Faults(**faults, no_task=no_task)))
    assert looks(await create(site, api))
    assert len(site.sim.tasks) == site.sim.counters.tasks == (0 if no_task else 1)
    assert (site.sim.counters.creates, site.sim.refusals) == (1, {})
    if not no_task:
        (task,) = site.sim.tasks
        assert task.reply == ("dropped" if "drop_reply" in faults else "broken")
        assert (await site.ended(task)).state == "SUCCESS" or task.error


@pytest.mark.parametrize("no_task", [False, True])
async def test_a_success_that_names_no_task(site: Site, no_task: bool) -> None:
    site.sim.add(Rule(faults=Faults(reply="no_task_id", no_task=no_task), times=2))
    v1, v2 = await create(site, "v1"), await create(site, "v2")
    assert v1 is not None
    assert (v1.json()["code"], v1.json()["data"]) == (0, None)
    assert v2 is not None
    assert (v2.json()["errorCode"], v2.json()["taskId"]) == ("", "")
    assert len(site.sim.tasks) == (0 if no_task else 2)


@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize("code", UNCERTAIN)
async def test_an_error_code_with_a_task_behind_it(site: Site, code: str, api: str) -> None:
    site.sim.add(Rule(faults=Faults(reply_code=code)))
    raw = await create(site, api)
    assert raw is not None
    assert raw.json()["code" if api == "v1" else "errorCode"] == (int(code) if api == "v1" else code)
    assert (len(site.sim.tasks), site.sim.refusals) == (1, {})


async def test_a_refusal_may_come_with_a_status_and_a_pause(site: Site) -> None:
    site.sim.add(Rule(faults=Faults(refuse="-1", reply_status=401)))
    site.sim.add(Rule(faults=Faults(reply_status=429, retry_after_seconds=7, no_task=True)))
    refused, busy = await create(site, "v1"), await create(site, "v1")
    assert refused is not None
    assert (refused.status, refused.json()) == (401, {"code": -1, "msg": "ApiKey verification failed"})
    assert busy is not None
    assert (busy.status, busy.headers["Retry-After"], is_page(busy)) == (429, "7", True)
    assert site.sim.tasks == ()


async def test_a_create_reply_comes_late() -> None:
    clock = VirtualClock()
    async with open_site(clock=clock) as site:
        site.sim.add(Rule(faults=Faults(reply_seconds=90)))
        waiting = asyncio.create_task(create(site, "v1"))
        await site.sim.wait_for(lambda: bool(site.sim.tasks))
        await site.sim.advance(89)
        assert (waiting.done(), site.sim.tasks[0].reply) == (False, "pending")
        await site.sim.advance(1)
        raw = await waiting
        assert raw is not None
        assert raw.json()["data"]["taskId"] == site.sim.tasks[0].id


# Reads

READS: dict[Any, tuple[str, str]] = {
    "query": ("POST", "/openapi/v2/query"),
    "outputs": ("POST", "/task/openapi/outputs"),
    "status": ("POST", "/task/openapi/status"),
    "cancel": ("POST", "/task/openapi/cancel"),
    "account": ("POST", "/uc/openapi/accountStatus"),
    "queue": ("GET", "/openapi/v2/queue/status"),
    "webhook_detail": ("POST", "/task/openapi/getWebhookDetail"),
    "webhook_retry": ("POST", "/task/openapi/retryWebhook"),
    "metadata": ("GET", f"/api/webapp/apiCallDemo?webappId={UPSCALER}"),
}


@pytest.mark.parametrize("name", list(READS))
async def test_the_next_read_answers_as_told(site: Site, name: Any) -> None:
    method, path = READS[name]
    task = await site.run(webhook=site.receiver.url)
    whole = {"taskId": task.id, "webhookId": task.webhook_id}
    drops = 2 if method == "GET" else 1  # the client repeats a GET by itself
    for faults, times in (
        (Faults(reply_status=429, retry_after_seconds=3), 1),
        (Faults(refuse="1003"), 1),
        (Faults(reply_status=502), 1),
        (Faults(refuse="-1", reply_status=401), 1),
        (Faults(drop_reply=True), drops),
        (Faults(reply="truncated"), 1),
    ):
        site.sim.add(Rule(match=Match(call=name), faults=faults, times=times))
    many = await call(site, path, method, **whole)
    assert many is not None
    assert (many.status, many.headers["Retry-After"]) == (429, "3")
    slow = await call(site, path, method, **whole)
    assert slow is not None
    told = slow.json()
    assert str(told.get("errorCode") or told.get("code")) == "1003"
    page = await call(site, path, method, **whole)
    assert page is not None
    assert (page.status, is_page(page)) == (502, True)
    unauthorised = await call(site, path, method, **whole)
    assert unauthorised is not None
    assert (unauthorised.status, unauthorised.json()["code"]) == (401, -1)
    assert await call(site, path, method, **whole) is None
    truncated = await call(site, path, method, **whole)
    assert truncated is not None
    assert not truncated.is_json
    after = await call(site, path, method, **whole)  # the rules were for one call each
    assert after is not None
    assert after.is_json
    assert site.sim.counters.calls[name] == 6 + drops


async def test_a_rule_for_a_read_finds_its_task_and_its_key(site: Site) -> None:
    first, second = await site.run(), await site.run()
    site.sim.add(Rule(match=Match(call="query", arrival=2), faults=Faults(refuse="1011")))
    site.sim.add(Rule(match=Match(call="account", key="other"), faults=Faults(refuse="811")))

    async def code(task_id: str) -> Any:
        raw = await call(site, "/openapi/v2/query", taskId=task_id)
        assert raw is not None
        return raw.json()["errorCode"]

    assert [await code(first.id), await code(second.id), await code(second.id)] == ["", "1011", ""]
    mine = await site.post("/uc/openapi/accountStatus", apiKey=KEY)
    theirs = await site.post("/uc/openapi/accountStatus", apiKey="other")
    assert (mine["code"], theirs["code"]) == (0, 811)


async def test_a_cancel_call_that_is_carried_out_without_a_reply(site: Site) -> None:
    site.sim.add(Rule(faults=Faults(hold="running")))
    site.sim.add(Rule(match=Match(call="cancel"), faults=Faults(drop_reply=True)))
    task = site.sim.task((await site.submit()).task_id)
    assert await call(site, "/task/openapi/cancel", taskId=task.id) is None
    assert (await site.ended(task)).state == "CANCEL"
