"""What RunningHub says of the account: key, site, limit, load, and files that were uploaded to it."""

import re
from typing import Any

import aiohttp
import pytest

from makegood.errors import AccountRefused, ProviderRefused, ProviderUnavailable
from makegood.outcome import Capacity, Rejected
from makegood_adapters.runninghub import RunningHub, RunningHubClient
from makegood_adapters.runninghub.account import Balance
from makegood_adapters.runninghub.client import AuthMode
from tests.adapters.scripted_runninghub import KEY, PAGE, TASK, Script, reply
from tests.adapters.test_runninghub_submit import submit
from tests.scenarios.line import client_to, patient

QUEUE, ACCOUNT = "/openapi/v2/queue/status", "/uc/openapi/accountStatus"
V1_UPLOAD, V2_UPLOAD = "/task/openapi/upload", "/openapi/v2/media/upload/binary"
LOAD = {"apiKeyType": "NORMAL", "concurrentLimit": 2, "runningCount": "1", "queuedCount": "0"}
BALANCE = {
    "remainCoins": "99999",
    "currentTaskCounts": "3",
    "remainMoney": None,
    "currency": None,
    "apiType": "NORMAL",
}


def told(data: Any, code: int = 0) -> bytes:
    return reply({"code": code, "msg": "success", "data": data})


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        (told({**LOAD, "totalCurrentTasks": "1"}), Capacity(2, 1)),
        (told({**LOAD, "concurrentLimit": "50", "totalCurrentTasks": 7}), Capacity(50, 7)),
        (reply({**LOAD, "totalCurrentTasks": "1"}), Capacity(2, 1)),  # without an envelope
        (told(LOAD), Capacity(2, 1)),  # the sum
        (told({"concurrentLimit": 2}), Capacity(2, 3)),  # the account's own count
        (told({**LOAD, "concurrentLimit": None, "totalCurrentTasks": "1"}), Capacity(None, 1)),
        (told({**LOAD, "concurrentLimit": 0, "totalCurrentTasks": "0"}), Capacity(None, 0)),
        (told({**LOAD, "concurrentLimit": 10**25, "totalCurrentTasks": "1"}), Capacity(None, 1)),
        (told({**LOAD, "concurrentLimit": "9" * 18, "totalCurrentTasks": 1}), Capacity(None, 1)),
        (told(None, 1001), Capacity(None, 3)),
        (reply(PAGE, 404), Capacity(None, 3)),
        (reply(PAGE, 200), Capacity(None, 3)),
    ],
)
async def test_limit_and_load_of_the_account(
    script: Script, provider: RunningHub, queue: bytes, expected: Capacity
) -> None:
    script.routes = {QUEUE: queue, ACCOUNT: told(BALANCE)}
    assert await provider.capacity() == expected


async def test_the_load_is_unknown_where_nothing_tells_it(script: Script, provider: RunningHub) -> None:
    script.reply({"code": 802, "msg": "APIKEY_UNAUTHORIZED"})
    with pytest.raises(ProviderUnavailable, match="802"):
        await provider.capacity()


@pytest.mark.parametrize(("mode", "body"), [("both", {"apikey": KEY}), ("bearer", {})])
async def test_the_balance(
    script: Script, session: aiohttp.ClientSession, mode: AuthMode, body: dict[str, str]
) -> None:
    script.answer = told({**BALANCE, "remainMoney": 12.5, "currency": "CNY"})
    provider = RunningHub(client_to(session, script.url, KEY, mode), patience=patient())
    assert await provider.balance() == Balance("NORMAL", "99999", "12.5", "CNY", 3)
    assert script.sent == body


REFUSED = {
    "-1": reply({"code": -1, "msg": "ApiKey verification failed"}, 401),
    "401": reply({"code": 401, "message": "ApiKey verification failed: API Key不存在", "data": None}),
    "802": reply({"code": 802, "msg": "APIKEY_UNAUTHORIZED"}),
    "806": reply({"code": 806, "msg": "user not exist"}),
    "1002": reply({"errorCode": "1002", "errorMessage": "Invalid API key", "taskId": ""}),
    "page 401": reply(PAGE, 401),
}
ADVICE = (
    "127.0.0.1 was asked: keys of runninghub.cn and runninghub.ai are not shared, so that base_url of the "
    "account must name the site that gave out its api_key"
)


@pytest.mark.parametrize("name", REFUSED)
async def test_a_key_of_the_other_site_is_told_in_words(
    script: Script, provider: RunningHub, name: str
) -> None:
    script.answer = REFUSED[name]
    outcome = await submit(provider)
    assert isinstance(outcome, Rejected)
    assert ADVICE in outcome.message
    for question in (provider.query(TASK), provider.balance()):
        with pytest.raises(ProviderUnavailable, match=re.escape(ADVICE)):
            await question


@pytest.mark.parametrize("url", ["http://www.runninghub.cn", "http://10.0.0.1:80/", "http://[::2]"])
def test_a_key_does_not_travel_in_clear(url: str) -> None:
    with pytest.raises(ValueError, match=r"begins with http://.* Write https://"):
        RunningHubClient(None, url, KEY)  # type: ignore[arg-type]  # it is refused before it is used


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.9", "http://[::1]:80", "https://a.cn"])
def test_this_machine_may_be_asked_in_clear(url: str) -> None:
    RunningHubClient(None, url, KEY)  # type: ignore[arg-type]  # nothing is sent


async def test_a_file_too_large_is_refused_before_it_is_sent(script: Script, provider: RunningHub) -> None:
    with pytest.raises(ProviderRefused, match="has 30,000,001 bytes; RunningHub takes at most 30,000,000"):
        await provider.upload("a.png", bytes(30_000_001))
    assert script.requests == []


@pytest.mark.parametrize("code", [301, 809, 1007, 1008, 1501, 1505])
async def test_a_file_that_is_refused_is_not_brought_again(
    script: Script, provider: RunningHub, code: int
) -> None:
    script.reply({"code": code, "message": "no"})
    with pytest.raises(ProviderRefused, match=f"does not take the input file of 1 bytes: {code} .*no"):
        await provider.upload("a.png", b"x")
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("code", "lasting"), [(-1, False), (401, False), (811, False), (802, True), (1002, True), (812, True)]
)
async def test_an_upload_tells_that_the_account_is_refused(
    script: Script, provider: RunningHub, code: int, lasting: bool
) -> None:
    script.reply({"code": code, "message": f"no {KEY}"})
    with pytest.raises(AccountRefused, match=f"took no upload: {code} ") as refused:
        await provider.upload("a.png", b"x")
    assert (refused.value.code, refused.value.lasting) == (str(code), lasting)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("mode", ["both", "body", "bearer"])
async def test_v1_takes_uploads_where_it_is_told_so(
    script: Script, session: aiohttp.ClientSession, mode: AuthMode
) -> None:
    script.reply({"code": 0, "msg": "success", "data": {"fileName": "api/1.png", "fileType": "input"}})
    provider = RunningHub(client_to(session, script.url, KEY, mode), upload_api="v1", patience=patient())
    assert await provider.upload("a.png", b"content") == "api/1.png"
    assert script.paths == [V1_UPLOAD]
    _, headers, body = script.requests[0]
    assert ("authorization" in headers) == (mode != "body")
    assert (KEY.encode() in body) == (mode != "bearer")
    assert b'name="fileType"' in body


@pytest.mark.parametrize("gone", [reply(PAGE, 404), reply({"code": 412}), reply({"code": 1001})])
async def test_v1_takes_uploads_where_v2_is_not_there(
    script: Script, provider: RunningHub, gone: bytes
) -> None:
    script.routes = {V2_UPLOAD: gone, V1_UPLOAD: told({"fileName": "api/1.png"})}
    assert await provider.upload("a.png", b"x") == "api/1.png"
    assert script.paths == [V2_UPLOAD, V1_UPLOAD]


async def test_the_same_file_is_sent_once_for_a_while(script: Script, session: aiohttp.ClientSession) -> None:
    now = 0.0
    client = client_to(session, script.url, KEY)
    provider = RunningHub(client, patience=patient(0.001), clock=lambda: now)
    script.reply({"code": 0, "data": {"fileName": "openapi/1.png"}})
    for name, data, uploads in (
        ("a.png", b"x", 1),
        ("b.PNG", b"x", 1),  # the same content and kind
        ("a.jpg", b"x", 2),  # RunningHub's name has the extension
        ("a.png", b"y", 3),
    ):
        assert await provider.upload(name, data) == "openapi/1.png"
        assert len(script.requests) == uploads
    now = 3600.0
    await provider.upload("a.png", b"x")
    assert len(script.requests) == 4


async def test_a_task_that_misses_its_file_makes_all_files_travel_again(
    script: Script, provider: RunningHub
) -> None:
    script.reply({"code": 0, "data": {"fileName": "openapi/1.png"}})
    await provider.upload("a.png", b"x")
    reason = {
        "exception_message": "[Errno 2] No such file or directory: 'x.png'",
        "exception_type": "FileNotFoundError",
        "node_name": "LoadImage",
    }
    script.before = [reply({"taskId": TASK, "status": "FAILED", "failedReason": reason})]
    await provider.query(TASK)
    await provider.upload("a.png", b"x")
    assert script.paths == [V2_UPLOAD, "/openapi/v2/query", V2_UPLOAD]


@pytest.mark.parametrize(
    ("call", "line", "body"),
    [
        (lambda c: c.retry_webhook("77"), "POST /task/openapi/retryWebhook", {"webhookId": "77"}),
        (
            lambda c: c.retry_webhook("77", "https://us.example/h"),
            "POST /task/openapi/retryWebhook",
            {"webhookId": "77", "webhookUrl": "https://us.example/h"},
        ),
        (lambda c: c.workflow_graph("5"), "POST /api/openapi/getJsonApiFormat", {"workflowId": "5"}),
        (lambda c: c.app_inputs("5"), f"GET /api/webapp/apiCallDemo?webappId=5&apiKey={KEY}", None),
    ],
)
async def test_calls_that_only_people_make(
    script: Script, session: aiohttp.ClientSession, call: Any, line: str, body: dict[str, str] | None
) -> None:
    script.reply({"code": 0})
    await call(client_to(session, script.url, KEY))
    assert script.requests[0][0] == f"{line} HTTP/1.1"
    if body is not None:
        assert script.sent == {"apiKey": KEY, **body}


def test_what_runninghub_can_do(provider: RunningHub) -> None:
    can = provider.features
    assert (can.cancels, can.tells_webhook, can.tells_limit, can.counts_tasks) == (True, True, True, True)
    assert (can.signature.value, can.results_seconds, can.upload_bytes_max) == ("none", 86_400, 30_000_000)
