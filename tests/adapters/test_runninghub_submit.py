"""RunningHub's create call against scripted bytes: three outcomes, and never a second request."""

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from makegood.errors import ProviderUnavailable
from makegood.outcome import (
    Accepted,
    Rejected,
    Retry,
    Submission,
    Uncertain,
)
from makegood.ports import Provider
from makegood_adapters.runninghub import RunningHub, RunningHubClient
from makegood_adapters.runninghub.client import AuthMode
from makegood_adapters.runninghub.codes import CODES, Meaning
from makegood_adapters.runninghub.patience import Patience
from tests.adapters.scripted_runninghub import HOSTILE, KEY, PAGE, TASK, Script, given_up
from tests.adapters.test_runninghub_codes import ROWS
from tests.scenarios.line import client_to, line_to, patient

REQUEST = {
    "app": "2037188547966406658",
    "nodes": [
        {"node": "1", "field": "image", "value": {"file": "image"}},
        {"node": "548", "field": "value", "value": 2048},
    ],
}
FILES = {"image": "openapi/abc.png"}


async def submit(provider: RunningHub) -> Submission:
    return await provider.submit(REQUEST, FILES, "https://us.example/hooks/secret")


def test_it_is_a_provider(provider: RunningHub) -> None:
    typed: Provider = provider
    assert typed is provider


async def test_a_submission_says_what_runninghub_expects(script: Script, provider: RunningHub) -> None:
    script.reply({"code": 0, "msg": "success", "data": {"taskId": TASK, "taskStatus": "QUEUED"}})
    assert await submit(provider) == Accepted(TASK)
    first, headers, _ = script.requests[0]
    assert first == "POST /task/openapi/ai-app/run HTTP/1.1"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert script.sent == {
        "apiKey": KEY,
        "webappId": "2037188547966406658",
        "nodeInfoList": [
            {"nodeId": "1", "fieldName": "image", "fieldValue": "openapi/abc.png"},
            {"nodeId": "548", "fieldName": "value", "fieldValue": "2048"},
        ],
        "webhookUrl": "https://us.example/hooks/secret",
    }


@pytest.mark.parametrize(("mode", "bearer", "body"), [("both", 1, 1), ("bearer", 1, 0), ("body", 0, 1)])
async def test_the_key_travels_as_configured(
    script: Script, session: aiohttp.ClientSession, mode: AuthMode, bearer: bool, body: bool
) -> None:
    provider = RunningHub(client_to(session, script.url, KEY, mode), patience=patient())
    script.reply({"code": 0, "data": {"taskId": TASK}})
    await provider.submit(REQUEST, FILES, None)
    assert ("authorization" in script.requests[0][1]) == bearer
    assert ("apiKey" in script.sent) == body
    assert "webhookUrl" not in script.sent
    script.reply({"taskId": TASK, "status": "QUEUED"})
    await provider.query(TASK)
    assert script.requests[1][1]["authorization"] == f"Bearer {KEY}"  # v2 knows nothing else


@pytest.mark.parametrize("code", [code for code in ROWS if code != "0"])
async def test_each_row_of_the_error_table(script: Script, provider: RunningHub, code: str) -> None:
    script.reply({"code": int(code), "msg": CODES[code].name, "errorMessages": None, "data": None})
    outcome, row = await submit(provider), ROWS[code]
    if row.submit is Meaning.UNCERTAIN:
        assert isinstance(outcome, Uncertain)
    else:
        assert isinstance(outcome, Rejected)
        assert (outcome.code, outcome.retry.value, outcome.cause) == (code, row.submit.value, row.cause)
        assert outcome.after_seconds == {"415": 30, "814": 300}.get(code)
    assert len(script.requests) == 1


async def test_a_refusal_in_v2_shape_and_with_text_codes(script: Script, provider: RunningHub) -> None:
    script.reply({"taskId": "", "status": "", "errorCode": "1520", "errorMessage": "LIMIT"})
    outcome = await submit(provider)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry) == ("1520", Retry.LATER)


@pytest.mark.parametrize("name", HOSTILE)
async def test_any_bytes_are_classified_after_one_request(
    script: Script, provider: RunningHub, name: str
) -> None:
    prepare, kind, retry = HOSTILE[name]
    prepare(script)
    outcome = await submit(provider)
    assert type(outcome) is kind
    if isinstance(outcome, Rejected):
        assert outcome.retry.value == retry
    assert len(script.requests) == 1
    assert KEY not in repr(outcome)


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        *(("9999999999", 3600), ("1" * 4_000, 3600), ("7\r\nRetry-After: 9", 7), ("", None)),
        *((odd, None) for odd in ("-5", "1e9", "nan", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT")),
    ],
)
async def test_a_strange_wish_for_patience_is_bounded(
    script: Script, provider: RunningHub, wish: str, seconds: float | None
) -> None:
    script.reply(PAGE, 429, extra=f"Retry-After: {wish}\r\n")
    outcome = await submit(provider)
    assert isinstance(outcome, Rejected)
    assert outcome.after_seconds == seconds


async def test_a_wish_for_patience_is_passed_on(script: Script, provider: RunningHub) -> None:
    script.reply(PAGE, 429, extra="Retry-After: 7\r\n")
    outcome = await submit(provider)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.after_seconds) == ("http 429", 7)
    script.reply({"code": 1003, "msg": "slow"}, extra="Retry-After: 9\r\n")
    outcome = await submit(provider)
    assert isinstance(outcome, Rejected)
    assert outcome.after_seconds == 9


async def test_no_connection_is_a_rejection(session: aiohttp.ClientSession) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        outcome = await submit(line_to(session, url, KEY))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry) == ("connection", Retry.LATER)


async def test_a_timeout_after_sending_is_uncertain(script: Script, session: aiohttp.ClientSession) -> None:
    script.answer = None
    provider = RunningHub(client_to(session, script.url, KEY), patience=Patience(tries=1))
    assert isinstance(await given_up(submit(provider), script), Uncertain)
    assert len(script.requests) == 1
    with pytest.raises(ProviderUnavailable):
        await given_up(provider.query(TASK), script)


async def test_a_cancelled_submission_stays_cancelled(script: Script, provider: RunningHub) -> None:
    script.answer = None
    running = asyncio.create_task(submit(provider))
    await script.received.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_closed_session_of_ours_sends_nothing(script: Script) -> None:
    session = aiohttp.ClientSession()
    provider = line_to(session, script.url, KEY)
    await session.close()
    outcome = await submit(provider)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "connection"


async def test_a_connection_that_the_site_dropped_breaks_nothing(
    script: Script, provider: RunningHub
) -> None:
    script.reply({"code": 421, "msg": "TASK_QUEUE_MAXED"})  # kept open by its headers, then closed
    for _ in range(3):
        assert isinstance(await submit(provider), Rejected)


async def test_a_retrying_middleware_of_the_session_takes_no_part(script: Script) -> None:
    async def twice(
        request: aiohttp.ClientRequest, handler: Callable[..., Awaitable[aiohttp.ClientResponse]]
    ) -> aiohttp.ClientResponse:
        (await handler(request)).close()
        return await handler(request)

    fresh = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=fresh, middlewares=(twice,)) as session:
        script.reply({"code": 500, "msg": "UNKNOWN_ERROR"})
        outcome = await submit(line_to(session, script.url, KEY))
    assert isinstance(outcome, Uncertain)
    assert len(script.requests) == 1


@pytest.mark.parametrize("code", [0, 433])
async def test_a_task_id_counts_more_than_complaints(
    script: Script, provider: RunningHub, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    tips = json.dumps({"result": True, "node_errors": {"9": {"errors": ["bad"]}}})
    script.reply({"code": code, "msg": "x", "data": {"taskId": int(TASK), "promptTips": tips}})
    with caplog.at_level(logging.WARNING):
        assert await submit(provider) == Accepted(TASK)
    assert "node errors" in caplog.text
    assert (f"code {code}" in caplog.text) == (code != 0)


async def test_the_key_is_in_no_text(
    script: Script, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = client_to(session, script.url, KEY)
    provider = RunningHub(client, patience=patient())
    echo = f"key {KEY} is bad\x00\ud800"
    script.reply({"code": 802, "msg": echo, "errorMessage": echo})
    outcome = await submit(provider)
    assert isinstance(outcome, Rejected)
    assert "key [key] is bad" in outcome.message
    assert "\x00" not in outcome.message
    assert outcome.message.encode()
    with pytest.raises(ProviderUnavailable) as caught:
        await provider.cancel(TASK)
    script.reply({"taskId": TASK, "status": "FAILED", "failedReason": {"exception_message": echo}})
    failed = await provider.query(TASK)
    script.reply({"taskId": TASK, "status": f"ODD {KEY}"})
    with pytest.raises(ProviderUnavailable) as odd:
        await provider.query(TASK)
    told = f"{outcome}{caught.value!r}{failed}{odd.value!r}{client!r}{provider!r}{caplog.text}"
    assert KEY not in told


@pytest.mark.parametrize("key", ["", "with space", "line\nbreak", "ключ"])
async def test_an_impossible_key_is_refused_without_being_shown(
    session: aiohttp.ClientSession, key: str
) -> None:
    with pytest.raises(ValueError, match="API key") as caught:
        RunningHubClient(session, "https://www.runninghub.cn", key)
    assert key == "" or key not in str(caught.value)


@pytest.mark.parametrize("url", ["", "www.runninghub.cn", "ftp://x", "https://user:pw@host"])
async def test_an_impossible_address_is_refused(session: aiohttp.ClientSession, url: str) -> None:
    with pytest.raises(ValueError, match="no address like"):
        client_to(session, url, KEY)
