"""Evolink's answers, one by one: what each makes of a create call, a question, an upload."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from makegood.errors import AccountRefused, ProviderRefused, ProviderUnavailable
from makegood.outcome import (
    Accepted,
    Answer,
    Cancelled,
    Capacity,
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
from makegood.testing.provider import PNG
from makegood_adapters.accounts import open_accounts
from makegood_adapters.config import AccountConfig
from makegood_adapters.evolink import Evolink, EvolinkClient, open_session
from makegood_adapters.plugins import Plugins
from tests.adapters.scripted_evolink import KEY, ScriptedEvolink
from tests.adapters.scripted_runninghub import HOSTILE, PAGE, Bytes, Script, given_up

MODEL = "gpt-image-2-beta"
REQUEST: dict[str, Any] = {"model": MODEL, "makes": "image", "input": {"prompt": "x"}}
ID = "task-unified-1757156493-imcg5zqt"
HOOK = "https://makegood.example/hooks/t"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


@pytest.fixture
def provider(script: Script, session: aiohttp.ClientSession) -> Evolink:
    return Evolink(EvolinkClient(session, KEY, script.url, timeout_seconds=60, connect_seconds=60))


def told(code: str, message: str = f"not with {KEY}") -> dict[str, Any]:
    """Return an error in Evolink's form."""
    return {"error": {"code": code, "message": message, "type": "evo_api_error"}}


#: Each refusal that the docs or Evolink's own client list, and whether and for whom it may pass.
REFUSALS = [
    (400, "invalid_parameters", Retry.NEVER, Cause.REQUEST),
    (400, "content_policy_violation", Retry.NEVER, Cause.REQUEST),
    (401, "unauthorized", Retry.LATER, Cause.ACCOUNT),
    (401, "key_expired", Retry.LATER, Cause.ACCOUNT),
    (402, "quota_exceeded", Retry.NEVER, Cause.ACCOUNT),
    (402, "token_daily_quota_exceeded", Retry.NEVER, Cause.ACCOUNT),
    (403, "insufficient_user_quota", Retry.NEVER, Cause.ACCOUNT),
    (403, "permission_denied", Retry.LATER, Cause.ACCOUNT),
    (403, "key_model_not_allowed", Retry.NEVER, Cause.TYPE),
    (404, "model_not_found", Retry.NEVER, Cause.TYPE),
    (413, "request_too_large", Retry.NEVER, Cause.REQUEST),
    (429, "rate_limit_exceeded", Retry.LATER, Cause.PACE),
    (429, "quota_not_enough", Retry.NEVER, Cause.ACCOUNT),
    (503, "no_available_channel", Retry.LATER, Cause.REQUEST),
]


class TestSubmit:
    @pytest.mark.parametrize(
        ("makes", "place"), [("image", "images"), ("video", "videos"), ("audio", "audios")]
    )
    async def test_a_task_with_an_id_is_accepted(
        self, makes: str, place: str, script: Script, provider: Evolink
    ) -> None:
        script.reply({"id": ID, "status": "pending", "task_info": {"can_cancel": True}})
        given = {"model": "m", "makes": makes, "input": {"n": 1, "image_urls": [{"file": "images.0"}]}}
        assert await provider.submit(given, {"images.0": "https://1"}, HOOK) == Accepted(ID)
        [(first, headers, _)] = script.requests
        assert first == f"POST /v1/{place}/generations HTTP/1.1"
        assert headers["authorization"] == f"Bearer {KEY}"
        assert script.sent == {"model": "m", "n": 1, "image_urls": ["https://1"], "callback_url": HOOK}

    @pytest.mark.parametrize(
        "hook",
        [
            "http://makegood.example/hooks/t",
            "https://127.0.0.1/hooks/t",
            "https://10.1.2.3:8443/hooks/t",
            "https://[::1]/hooks/t",
            "https://localhost/hooks/t",
            f"https://makegood.example/{'t' * 2048}",
        ],
    )
    async def test_an_address_that_evolink_calls_never_is_not_sent(
        self, hook: str, script: Script, provider: Evolink
    ) -> None:
        script.reply({"id": ID})
        assert await provider.submit(REQUEST, {}, hook) == Accepted(ID)
        assert script.sent == {"model": MODEL, "prompt": "x"}

    @pytest.mark.parametrize(("status", "code", "retry", "cause"), REFUSALS)
    async def test_a_refusal_in_its_own_form_is_about_somebody(
        self, status: int, code: str, retry: Retry, cause: Cause, script: Script, provider: Evolink
    ) -> None:
        script.reply(told(code), status, extra="Retry-After: 30\r\n")
        assert await provider.submit(REQUEST, {}, None) == Rejected(code, "not with [key]", retry, 30, cause)
        assert len(script.requests) == 1

    async def test_a_code_may_be_a_number(self, script: Script, provider: Evolink) -> None:
        script.reply({"error": {"code": 401, "message": "no"}}, 401)
        assert await provider.submit(REQUEST, {}, None) == Rejected(
            "401", "no", Retry.LATER, None, Cause.ACCOUNT
        )

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"id": 7}, 200),
            ({"id": "a b"}, 200),
            ({}, 200),
            (told("service_error"), 200),
            (PAGE, 200),
            (told("internal_error"), 500),
            (told("upstream_error"), 502),
            (told("service_unavailable"), 503),
            (PAGE, 503),
            (PAGE, 400),
            (PAGE, 404),
            ({"detail": "?"}, 400),
            ({"error": "no"}, 400),
            (told("idempotency_conflict"), 409),
            (told("gave_up"), 408),
        ],
    )
    async def test_what_proves_nothing_is_uncertain(
        self, body: Any, status: int, script: Script, provider: Evolink
    ) -> None:
        script.reply(body, status)
        answer = await provider.submit(REQUEST, {}, None)
        assert isinstance(answer, Uncertain)
        assert KEY not in answer.reason
        assert len(script.requests) == 1

    @pytest.mark.parametrize("answer", [how for how, *_ in HOSTILE.values()], ids=[*HOSTILE])
    async def test_hostile_bytes_are_a_value_after_one_request(
        self, answer: Bytes, script: Script, provider: Evolink
    ) -> None:
        answer(script)
        said = await provider.submit(REQUEST, {}, None)
        assert isinstance(said, Uncertain) or (isinstance(said, Rejected) and said.retry is Retry.LATER)
        assert len(script.requests) == 1
        with pytest.raises(ProviderUnavailable):
            await provider.query(ID)

    async def test_an_answer_that_never_comes_is_uncertain(
        self, script: Script, session: aiohttp.ClientSession
    ) -> None:
        script.answer = None
        provider = Evolink(EvolinkClient(session, KEY, script.url))
        assert isinstance(await given_up(provider.submit(REQUEST, {}, None), script), Uncertain)

    async def test_nobody_there_is_a_rejection(self, session: aiohttp.ClientSession) -> None:
        provider = Evolink(EvolinkClient(session, KEY, "http://127.0.0.1:1"))
        said = await provider.submit(REQUEST, {}, None)
        assert isinstance(said, Rejected)
        assert (said.code, said.retry, said.cause) == ("connection", Retry.LATER, Cause.PACE)

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ({"makes": "image", "input": {}}, "must have a model"),
            ({"model": 7, "makes": "image", "input": {}}, "must have a model"),
            ({"model": "m", "input": {}}, "what the model makes, one of image, video, audio"),
            ({"model": "m", "makes": "tea", "input": {}}, "what the model makes"),
            ({"model": "m", "makes": "image", "input": []}, "input must be an object"),
            ({**REQUEST, "input": {"model": "other"}}, "model is no parameter"),
            ({**REQUEST, "input": {"callback_url": "https://x"}}, "callback_url is no parameter"),
            ({**REQUEST, "input": {"a": [{"file": "image"}]}}, "the job has no file 'image'"),
            ({**REQUEST, "input": {"a": float("nan")}}, "not JSON compliant"),
        ],
    )
    async def test_a_malformed_request_is_not_sent(
        self, given: Any, why: str, script: Script, provider: Evolink
    ) -> None:
        said = await provider.submit(given, {}, None)
        assert isinstance(said, Rejected)
        assert (said.code, said.retry, said.cause) == ("request", Retry.NEVER, Cause.REQUEST)
        assert why in said.message
        assert script.requests == []


URL = "https://media.evolink.ai/x/out.MP4"
OTHER = "https://media.evolink.ai/other"
FILM = Output(URL, "mp4")


def failed(code: str, message: str = "no") -> dict[str, Any]:
    return {"status": "failed", "error": {"code": code, "message": message, "type": "task_error"}}


ANSWERS: list[tuple[dict[str, Any], Answer]] = [
    ({"status": "pending"}, Unfinished(running=False)),
    ({"status": "processing"}, Unfinished(running=True)),
    ({"status": "cancelled"}, Cancelled()),
    (failed("request_cancelled"), Cancelled()),
    *((failed(code), Failed(f"{code}: no")) for code in ("content_policy_violation", "invalid_parameters")),
    *((failed(code), Failed(f"{code}: no")) for code in ("image_processing_error", "resource_not_found")),
    (failed("image_dimension_mismatch"), Failed("image_dimension_mismatch: no")),
    (failed("generation_failed_no_content"), Failed("generation_failed_no_content: no")),
    (failed("unknown_error", ""), Failed("unknown_error")),
    *(
        (failed(code, "later"), Failed(f"{code}: later", trouble=Trouble.PASSING))
        for code in ("service_error", "generation_timeout", "resource_exhausted", "quota_exceeded")
    ),
    (failed("service_unavailable"), Failed("service_unavailable: no", trouble=Trouble.PASSING)),
    ({"status": "failed"}, Failed("The task failed.")),
    ({"status": "failed", "error": None}, Failed("The task failed.")),
    (failed("", f"{KEY}\x00"), Failed("[key]")),
    ({"status": "completed"}, Succeeded(())),
    ({"status": "completed", "results": []}, Succeeded(())),
    ({"status": "completed", "results": [URL, URL]}, Succeeded((FILM,))),
    (
        {"status": "completed", "type": "image", "results": [OTHER, URL]},
        Succeeded((Output(OTHER, "png"), FILM)),
    ),
    ({"status": "completed", "type": "video", "results": [OTHER]}, Succeeded((Output(OTHER, "mp4"),))),
    ({"status": "completed", "type": "text", "results": [OTHER]}, Succeeded((Output(OTHER, "bin"),))),
    (
        {"status": "completed", "results": [], "result_data": [{"video_url": URL, "title": "x"}]},
        Succeeded((FILM,)),
    ),
    (
        {
            "status": "completed",
            "results": [URL],
            "usage": {"credits_reserved": 50, "credits_used": 41.5, "cost": {"usd": 0.61, "credits": "x"}},
        },
        Succeeded((FILM,), {"credits_reserved": 50, "credits_used": 41.5, "usd": 0.61}),
    ),
    ({"status": "completed", "results": [URL], "usage": {"credits_used": True}}, Succeeded((FILM,))),
]


class TestQuery:
    @pytest.mark.parametrize(("shown", "answer"), ANSWERS, ids=[json.dumps(s)[:60] for s, _ in ANSWERS])
    async def test_what_is_shown_is_an_answer(
        self, shown: dict[str, Any], answer: Answer, script: Script, provider: Evolink
    ) -> None:
        script.reply({"id": ID, **shown})
        assert await provider.query(ID) == answer

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"id": ID, "status": "resting"}, 200),
            ({"id": ID}, 200),
            ({"id": "task-unified-2-b", "status": "completed"}, 200),
            ({"status": "completed"}, 200),
            ({"id": ID, "status": "completed", "results": "https://x"}, 200),
            ({"id": ID, "status": "completed", "results": ["data:video/mp4;base64,AAAA"]}, 200),
            ({"id": ID, "status": "completed", "result_data": {"url": "x"}}, 200),
            (told("permission_denied"), 403),
            (told("unauthorized"), 401),
            (told("rate_limit_exceeded"), 429),
            (told("internal_error"), 500),
            (told("bad_request"), 400),
            (PAGE, 404),
            (PAGE, 200),
        ],
    )
    async def test_anything_else_is_none(
        self, body: Any, status: int, script: Script, provider: Evolink
    ) -> None:
        script.reply(body, status)
        with pytest.raises(ProviderUnavailable) as unavailable:
            await provider.query(ID)
        assert KEY not in str(unavailable.value)

    @pytest.mark.parametrize(("status", "code"), [(404, "task_not_found"), (400, "invalid_task_id")])
    async def test_a_task_that_evolink_does_not_know(
        self, status: int, code: str, script: Script, provider: Evolink
    ) -> None:
        script.reply(told(code), status)
        assert await provider.query("../credits?x#y") == NotFound()
        assert script.requests[0][0] == "GET /v1/tasks/..%2Fcredits%3Fx%23y HTTP/1.1"

    async def test_no_call_ends_a_task(self, script: Script, provider: Evolink) -> None:
        assert not provider.features.cancels
        with pytest.raises(ProviderUnavailable, match="no call that ends a task"):
            await provider.cancel(ID)
        assert script.requests == []


class TestFiles:
    async def test_a_file_is_named_by_its_own_bytes(self, session: aiohttp.ClientSession) -> None:
        async with ScriptedEvolink().serve() as evolink:
            provider = Evolink(EvolinkClient(session, KEY, evolink.url))
            assert await provider.upload("a.JPEG", PNG) == f"{evolink.url}/files/0-input.png"
            assert await provider.upload("b.wav/../c.mp3", b"x") == f"{evolink.url}/files/1-input.mp3"
            assert await provider.upload("ä", b"") == f"{evolink.url}/files/2-input"
            assert [*evolink.files.values()] == [PNG, b"x", b""]

    @pytest.mark.parametrize(
        ("body", "status", "error"),
        [
            (PAGE, 413, ProviderRefused),
            ({"success": False, "code": 400, "msg": "unsupported type"}, 400, ProviderRefused),
            ({"success": False, "code": 415, "msg": "unsupported type"}, 200, ProviderRefused),
            ({"success": False, "code": 400, "msg": "file quota is exhausted"}, 400, AccountRefused),
            ({"success": False, "code": 401, "msg": "no"}, 200, AccountRefused),
            (told("unauthorized"), 401, AccountRefused),
            (told("internal_error"), 500, ProviderUnavailable),
            (told("rate_limit_exceeded"), 429, ProviderUnavailable),
            ({"success": True, "data": {}}, 200, ProviderUnavailable),
            ({"success": True, "data": {"file_url": "no address"}}, 200, ProviderUnavailable),
            (PAGE, 200, ProviderUnavailable),
        ],
    )
    async def test_an_upload_that_was_not_taken(
        self, body: Any, status: int, error: type[Exception], script: Script, provider: Evolink
    ) -> None:
        script.reply(body, status)
        with pytest.raises(error) as refused:
            await provider.upload("in.png", PNG)
        assert type(refused.value) is error
        assert KEY not in str(refused.value)


class TestAccount:
    async def test_the_configuration_opens_one_whose_key_can_be_tried(self) -> None:
        async with ScriptedEvolink().serve() as evolink:
            given = {"name": "e", "provider": "evolink", "pool": "evolink", "base_url": evolink.url}
            for key in (KEY, "sk-evo-other"):
                account = AccountConfig.model_validate({**given, "api_key": key})
                async with open_accounts([account], Plugins()) as providers:
                    [provider] = providers.values()
                    if key == KEY:
                        assert await provider.capacity() == Capacity()
                    else:
                        with pytest.raises(ProviderUnavailable, match="Authentication required"):
                            await provider.capacity()
            assert evolink.calls == ["GET /v1/credits", "GET /v1/credits"]

    async def test_files_go_to_a_site_of_their_own_that_belongs_to_the_address(
        self, session: aiohttp.ClientSession
    ) -> None:
        own = EvolinkClient(session, KEY)
        assert (own.base_url, own.files_url) == ("https://api.evolink.ai", "https://files-api.evolink.ai")
        other = EvolinkClient(session, KEY, "https://evolink.proxy.example/")
        assert other.files_url == other.base_url == "https://evolink.proxy.example"

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ({"api_key": ""}, "key or token is empty"),
            ({"base_url": "evolink.ai"}, "no address like https"),
            ({"api": "v2"}, "is an option of RunningHub"),
        ],
    )
    async def test_what_is_wrong_with_an_account_is_told(self, given: dict[str, str], why: str) -> None:
        account = {"name": "e", "provider": "evolink", "api_key": KEY, "base_url": "http://127.0.0.1:1"}
        plugins = Plugins()
        async with open_accounts([AccountConfig.model_validate({**account, **given})], plugins) as providers:
            assert providers == {}
        assert why in plugins.broken["account: e"]
