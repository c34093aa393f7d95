"""Replicate's answers, one by one: what each makes of a create call, a question, an upload, a download."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from makegood import ProviderRefused, ProviderUnavailable
from makegood.outcome import (
    Accepted,
    Answer,
    Cancelled,
    CancelReply,
    Cause,
    Failed,
    NotFound,
    Output,
    Rejected,
    Retry,
    Succeeded,
    Trouble,
    Uncertain,
    Unfinished,
)
from makegood_adapters.accounts import open_accounts
from makegood_adapters.config import AccountConfig
from makegood_adapters.plugins import Plugins
from makegood_adapters.replicate import Replicate, ReplicateClient, open_account, open_session
from tests.adapters.scripted_replicate import KEY, PNG, ScriptedReplicate
from tests.adapters.scripted_runninghub import HOSTILE, PAGE, Bytes, Script

REQUEST: dict[str, Any] = {"version": "5c7d", "input": {"prompt": "x"}}
ID = "ufawqhfynnddngldkgtslldrkq"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


@pytest.fixture
def provider(script: Script, session: aiohttp.ClientSession) -> Replicate:
    return Replicate(ReplicateClient(session, KEY, script.url, timeout_seconds=60, connect_seconds=60))


@pytest.fixture
async def replicate() -> AsyncIterator[ScriptedReplicate]:
    async with ScriptedReplicate().serve() as served:
        yield served


class TestSubmit:
    @pytest.mark.parametrize("status", [200, 201, 202])
    async def test_a_prediction_with_an_id_is_accepted(
        self, status: int, script: Script, provider: Replicate
    ) -> None:
        script.reply({"id": ID, "status": "failed"}, status)
        assert await provider.submit(REQUEST, {}, "https://makegood.example/hooks/t") == Accepted(ID)
        [(first, headers, _)] = script.requests
        assert first == "POST /v1/predictions HTTP/1.1"
        assert headers["authorization"] == f"Bearer {KEY}"
        assert script.sent == {
            **REQUEST,
            "webhook": "https://makegood.example/hooks/t",
            "webhook_events_filter": ["completed"],
        }

    @pytest.mark.parametrize(
        ("status", "retry", "cause"),
        [
            (400, Retry.NEVER, Cause.REQUEST),
            (404, Retry.NEVER, Cause.REQUEST),
            (422, Retry.NEVER, Cause.REQUEST),
            (401, Retry.LATER, Cause.ACCOUNT),
            (402, Retry.LATER, Cause.ACCOUNT),
            (403, Retry.LATER, Cause.ACCOUNT),
            (429, Retry.LATER, Cause.PACE),
        ],
    )
    async def test_a_refusal_in_its_own_words_is_about_somebody(
        self, status: int, retry: Retry, cause: Cause, script: Script, provider: Replicate
    ) -> None:
        script.reply({"title": "No", "detail": f"not with {KEY}", "status": status}, status)
        told = await provider.submit(REQUEST, {}, None)
        assert told == Rejected(f"http {status}", "not with [key]", retry, None, cause)
        assert len(script.requests) == 1

    async def test_it_may_say_when(self, script: Script, provider: Replicate) -> None:
        script.reply({"detail": "Request was throttled."}, 429, extra="Retry-After: 30\r\n")
        told = await provider.submit(REQUEST, {}, None)
        assert isinstance(told, Rejected)
        assert told.after_seconds == 30

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"id": 7}, 201),
            ({"id": ""}, 201),
            ({"id": "a b"}, 201),
            ({}, 201),
            (PAGE, 201),
            ({"detail": "oh"}, 500),
            ({"detail": "oh"}, 503),
            (PAGE, 502),
            (PAGE, 403),
            (PAGE, 404),
            ({"error": "?"}, 400),
            ({"detail": None}, 422),
            ({"detail": "gave up"}, 408),
        ],
    )
    async def test_what_proves_nothing_is_uncertain(
        self, body: Any, status: int, script: Script, provider: Replicate
    ) -> None:
        script.reply(body, status)
        assert isinstance(await provider.submit(REQUEST, {}, None), Uncertain)
        assert len(script.requests) == 1

    async def test_a_redirect_is_not_followed(self, script: Script, provider: Replicate) -> None:
        script.reply(PAGE, 301, "text/html", f"Location: {script.url}/moved\r\n")
        told = await provider.submit(REQUEST, {}, None)
        assert isinstance(told, Rejected)
        assert (told.cause, len(script.requests)) == (Cause.ACCOUNT, 1)
        assert "https://api.replicate.com" in told.message

    @pytest.mark.parametrize("answer", [how for how, *_ in HOSTILE.values()], ids=[*HOSTILE])
    async def test_hostile_bytes_are_a_value_after_one_request(
        self, answer: Bytes, script: Script, provider: Replicate
    ) -> None:
        answer(script)
        told = await provider.submit(REQUEST, {}, None)
        assert isinstance(told, Uncertain) or (isinstance(told, Rejected) and told.retry is Retry.LATER)
        assert len(script.requests) == 1
        with pytest.raises(ProviderUnavailable):
            await provider.query(ID)

    async def test_nobody_there_is_a_rejection(self, session: aiohttp.ClientSession) -> None:
        provider = Replicate(ReplicateClient(session, KEY, "http://127.0.0.1:1"))
        told = await provider.submit(REQUEST, {}, None)
        assert isinstance(told, Rejected)
        assert (told.code, told.retry, told.cause) == ("connection", Retry.LATER, Cause.PACE)

    async def test_files_are_named_at_any_depth(self, script: Script, provider: Replicate) -> None:
        script.reply({"id": ID}, 201)
        given = {
            "a": {"file": "one"},
            "many": [{"file": "two"}, {"file": 3, "x": 1}],
            "deep": {"er": {"file": "one"}},
        }
        files = {"one": "https://1", "two": "https://2"}
        await provider.submit({"model": "o/m", "input": given}, files, None)
        filled = {
            "a": "https://1",
            "many": ["https://2", {"file": 3, "x": 1}],
            "deep": {"er": "https://1"},
        }
        assert script.sent == {"model": "o/m", "input": filled}

    @pytest.mark.parametrize(
        "request_",
        [
            {},
            {"input": {}},
            {"version": "v"},
            {"version": "", "input": {}},
            {"version": 7, "input": {}},
            {"version": "v", "model": "m", "input": {}},
            {"version": "v", "input": []},
            {"version": "v", "input": {"a": {"file": "missing"}}},
            {"version": "v", "input": {"a": float("nan")}},
            {"version": "v", "input": {"a": object()}},
            {"version": "v", "input": {"a": {"file": []}}},
        ],
    )
    async def test_a_malformed_request_is_not_sent(
        self, request_: Any, script: Script, provider: Replicate
    ) -> None:
        told = await provider.submit(request_, {}, None)
        assert isinstance(told, Rejected)
        assert (told.code, told.retry, told.cause) == ("request", Retry.NEVER, Cause.REQUEST)
        assert script.requests == []

    async def test_a_request_that_is_nested_without_end_is_not_sent(
        self, script: Script, provider: Replicate
    ) -> None:
        deep: dict[str, Any] = {}
        for _ in range(5_000):
            deep = {"a": deep}
        told = await provider.submit({"version": "v", "input": deep}, {}, None)
        assert isinstance(told, Rejected)
        assert script.requests == []

    async def test_a_file_that_the_job_lacks_is_named(self, provider: Replicate) -> None:
        told = await provider.submit({"version": "v", "input": {"a": {"file": "image"}}}, {}, None)
        assert isinstance(told, Rejected)
        assert "the job has no file 'image'" in told.message


URL = "https://replicate.delivery/x/out.PNG"
ANSWERS: list[tuple[dict[str, Any], Answer]] = [
    ({"status": "starting"}, Unfinished(running=False)),
    ({"status": "processing"}, Unfinished(running=True)),
    ({"status": "aborted"}, Cancelled(ran=False)),
    ({"status": "canceled"}, Cancelled(ran=None)),
    ({"status": "canceled", "started_at": None}, Cancelled(ran=False)),
    ({"status": "canceled", "started_at": "2026-01-01T00:00:00Z"}, Cancelled(ran=True)),
    ({"status": "failed", "error": "no"}, Failed("no")),
    ({"status": "failed", "error": None}, Failed("The prediction failed.")),
    ({"status": "failed", "error": f"{KEY}\x00"}, Failed("[key]")),
    ({"status": "failed", "error": "start (E6716)"}, Failed("start (E6716)", trouble=Trouble.PASSING)),
    ({"status": "failed", "error": "E1001"}, Failed("E1001")),
    (
        {"status": "failed", "error": "x", "metrics": {"predict_time": 2}},
        Failed("x", usage={"predict_time": 2}),
    ),
    ({"status": "succeeded"}, Succeeded(())),
    ({"status": "succeeded", "output": ""}, Succeeded(())),
    ({"status": "succeeded", "output": []}, Succeeded(())),
    ({"status": "succeeded", "output": URL}, Succeeded((Output(URL, "png"),))),
    ({"status": "succeeded", "output": [URL, URL]}, Succeeded((Output(URL, "png"), Output(URL, "png")))),
    ({"status": "succeeded", "output": "https://x/y"}, Succeeded((Output("https://x/y", "bin"),))),
    ({"status": "succeeded", "output": "a text"}, Succeeded((Output("", "txt", "", "a text"),))),
    ({"status": "succeeded", "output": ["a ", "text"]}, Succeeded((Output("", "txt", "", "a text"),))),
    ({"status": "succeeded", "output": {"n": 1}}, Succeeded((Output("", "json", "", '{"n": 1}'),))),
    ({"status": "succeeded", "output": 7}, Succeeded((Output("", "json", "", "7"),))),
    (
        {"status": "succeeded", "output": {"a": URL, "b": [URL]}},
        Succeeded((Output(URL, "png", "a"), Output(URL, "png", "b"))),
    ),
    (
        {"status": "succeeded", "output": URL, "metrics": {"predict_time": 1.5, "total_time": "x", "o": 1}},
        Succeeded((Output(URL, "png"),), {"predict_time": 1.5}),
    ),
]


class TestQuery:
    @pytest.mark.parametrize(("shown", "answer"), ANSWERS, ids=[json.dumps(s)[:60] for s, _ in ANSWERS])
    async def test_what_is_shown_is_an_answer(
        self, shown: dict[str, Any], answer: Answer, script: Script, provider: Replicate
    ) -> None:
        script.reply({"id": ID, **shown})
        assert await provider.query(ID) == answer

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"id": ID, "status": "resting"}, 200),
            ({"id": ID}, 200),
            ({"id": "another", "status": "succeeded"}, 200),
            ({"status": "succeeded"}, 200),
            ({"id": ID, "status": "succeeded", "output": "data:image/png;base64,AAAA"}, 200),
            ({"detail": "oh"}, 500),
            ({"detail": "no"}, 401),
            (PAGE, 404),
            (PAGE, 200),
        ],
    )
    async def test_anything_else_is_none(
        self, body: Any, status: int, script: Script, provider: Replicate
    ) -> None:
        script.reply(body, status)
        with pytest.raises(ProviderUnavailable):
            await provider.query(ID)

    async def test_one_that_replicate_does_not_know(self, script: Script, provider: Replicate) -> None:
        script.reply({"detail": "Prediction not found"}, 404)
        assert await provider.query(ID) == NotFound()
        assert await provider.cancel(ID) is CancelReply.NOT_FOUND

    async def test_an_id_cannot_lead_elsewhere(self, script: Script, provider: Replicate) -> None:
        script.reply({"detail": "no"}, 404)
        assert await provider.query("../files?x#y") == NotFound()
        assert script.requests[0][0] == "GET /v1/predictions/..%2Ffiles%3Fx%23y HTTP/1.1"


class TestFiles:
    async def test_the_limit_is_kept(
        self, replicate: ScriptedReplicate, session: aiohttp.ClientSession
    ) -> None:
        provider = Replicate(ReplicateClient(session, KEY, replicate.url))
        output = Output(replicate.result(), "png")
        assert b"".join([piece async for piece in provider.fetch(output, len(PNG))]) == PNG
        for bad, limit in ((output, len(PNG) - 1), (Output(replicate.result("no.png"), "png"), 1_000)):
            with pytest.raises(ProviderUnavailable):
                _ = [piece async for piece in provider.fetch(bad, limit)]
        with pytest.raises(ProviderUnavailable):
            _ = [piece async for piece in provider.fetch(Output("", "txt", "", "four"), 3)]

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            b"nonsense\r\n\r\n",
            b"",
        ],
    )
    async def test_a_file_that_is_cut_off_is_none(
        self, answer: bytes, script: Script, provider: Replicate
    ) -> None:
        script.answer = answer
        with pytest.raises(ProviderUnavailable, match="cannot be downloaded"):
            _ = [piece async for piece in provider.fetch(Output(f"{script.url}/secret-path", "png"), 1_000)]

    @pytest.mark.parametrize(
        ("body", "status", "error"),
        [
            (PAGE, 413, ProviderRefused),
            ({"detail": "no such type"}, 422, ProviderRefused),
            ({"detail": "no"}, 401, ProviderUnavailable),
            ({"detail": "oh"}, 500, ProviderUnavailable),
            (PAGE, 200, ProviderUnavailable),
            ({"id": "f"}, 201, ProviderUnavailable),
            ({"id": "f", "urls": {"get": ""}}, 201, ProviderUnavailable),
        ],
    )
    async def test_an_upload_that_was_not_taken(
        self, body: Any, status: int, error: type[Exception], script: Script, provider: Replicate
    ) -> None:
        script.reply(body, status)
        with pytest.raises(error):
            await provider.upload("in.png", PNG)


class TestAccount:
    async def test_the_configuration_opens_one(self, replicate: ScriptedReplicate) -> None:
        given = {"name": "r", "provider": "replicate", "base_url": replicate.url, "api_key": KEY}
        async with open_accounts([AccountConfig.model_validate(given)], Plugins()) as providers:
            [provider] = providers.values()
            assert isinstance(provider, Replicate)
            text = '{"id": "p1", "status": "succeeded"}'
            hint = provider.parse_webhook(replicate.signed(text), text.encode())
            assert (hint.task_id, hint.event) == ("p1", "succeeded")

    async def test_without_an_address_it_is_replicates_own(self) -> None:
        async with open_session() as session:
            assert repr(ReplicateClient(session, KEY)) == "ReplicateClient('https://api.replicate.com')"

    @pytest.mark.parametrize(
        ("given", "why"),
        [({"api_key": ""}, "token is empty"), ({"base_url": "replicate.com"}, "is no address like https")],
    )
    async def test_what_is_wrong_with_an_account_is_told(self, given: dict[str, str], why: str) -> None:
        account = {"name": "r", "provider": "replicate", "api_key": KEY, "base_url": "http://127.0.0.1:1"}
        plugins = Plugins()
        async with open_accounts([AccountConfig.model_validate({**account, **given})], plugins) as providers:
            assert providers == {}
        assert why in plugins.broken["account: r"]

    async def test_one_that_cannot_be_reached_opens_and_says_so(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.ERROR)
        async with open_account(name="r", base_url="http://127.0.0.1:1", api_key=KEY) as provider:
            assert "secret of Replicate's webhooks could not be fetched" in caplog.text
            assert provider.features.results_seconds == 3_600

    @pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64", "größer"])
    async def test_a_secret_that_is_none_is_not_told(
        self, secret: str, replicate: ScriptedReplicate, caplog: pytest.LogCaptureFixture
    ) -> None:
        replicate.secret = secret
        async with open_account(name="r", base_url=replicate.url, api_key=KEY):
            assert "could not be fetched" in caplog.text
            assert not secret or secret not in caplog.text.replace("whsec_ ", "")
