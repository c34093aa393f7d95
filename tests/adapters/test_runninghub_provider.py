"""RunningHub's questions and files against scripted bytes: a clear answer or none."""

import hashlib
from typing import Any

import pytest

from makegood.errors import ProviderUnavailable, ResultTooLarge
from makegood.outcome import (
    Answer,
    Cancelled,
    CancelReply,
    Failed,
    NotFound,
    Output,
    Succeeded,
    Trouble,
    Unfinished,
)
from makegood_adapters.runninghub import RunningHub
from tests.adapters.scripted_runninghub import HOSTILE, KEY, TASK, Script


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "code 0, no data"])
async def test_any_bytes_are_no_answer_to_a_question(script: Script, provider: RunningHub, name: str) -> None:
    HOSTILE[name][0](script)
    with pytest.raises(ProviderUnavailable) as query:
        await provider.query(TASK)
    with pytest.raises(ProviderUnavailable):
        await provider.upload("a.png", b"x")
    with pytest.raises(ProviderUnavailable):
        await provider.confirm_binding(TASK, b"\x00" * 32)
    assert KEY not in str(query.value)


def record(status: str, **more: Any) -> dict[str, Any]:
    return {"taskId": TASK, "status": status, "errorCode": "", "errorMessage": "", **more}


REASON = {"exception_type": "TypeError", "node_name": "KSampler", "exception_message": "odd input"}
ANSWERS: list[tuple[dict[str, Any], Answer]] = [
    (record("CREATE"), Unfinished(running=False)),
    (record("QUEUED"), Unfinished(running=False)),
    (record("RUNNING"), Unfinished(running=True)),
    (record("SUCCESS", results=None), Succeeded(())),
    (record("SUCCESS", results=[]), Succeeded(())),
    (
        record("SUCCESS", results=[{"url": None, "text": "a poem"}]),
        Succeeded((Output("", "txt", text="a poem"),)),
    ),
    (record("SUCCESS", results=[{"url": None, "text": ""}]), Succeeded(())),
    (record("CANCEL"), Cancelled(ran=None)),
    (record("CANCELED", usage={"taskCostTime": "0"}), Cancelled(ran=None)),
    (record("CANCELLED", usage={"taskCostTime": "12"}), Cancelled(ran=True)),
    (record("FAILED", failedReason=REASON), Failed("odd input")),
    (record("FAILED", errorCode="805", failedReason={}), Failed("APIKEY_TASK_STATUS_ERROR")),
    (record("FAILED", errorCode=1000, errorMessage="unknown error"), Failed("unknown error")),
    (record("FAILED", errorCode="1007", errorMessage="bad size"), Failed("bad size")),
    (record("FAILED", errorCode="1004"), NotFound()),
    (record("", errorCode="1004"), NotFound()),
    (record("", errorCode="1007"), NotFound()),
    (record("", errorCode=807), NotFound()),
    ({"code": 807, "msg": "APIKEY_TASK_NOT_FOUND", "data": None}, NotFound()),
    ({"code": 0, "msg": "success", "data": record("RUNNING")}, Unfinished(running=True)),
    ({"code": 813, "msg": "APIKEY_TASK_IS_QUEUED", "data": None}, Unfinished(running=False)),
]


@pytest.mark.parametrize("number", range(len(ANSWERS)))
async def test_c14_answers_about_a_task_in_every_shape(
    script: Script, provider: RunningHub, number: int
) -> None:
    body, expected = ANSWERS[number]
    script.reply(body, kind="text/plain")
    answer = await provider.query(TASK)
    if isinstance(answer, Failed):
        answer = Failed(answer.reason, answer.trouble)
    assert answer == expected


@pytest.mark.parametrize("code", ["1006", "1015", "1504"])
async def test_codes_after_which_another_run_may_do(script: Script, provider: RunningHub, code: str) -> None:
    script.reply(record("FAILED", errorCode=code))
    answer = await provider.query(TASK)
    assert isinstance(answer, Failed)
    assert answer.trouble is Trouble.PASSING


@pytest.mark.parametrize(
    ("text", "kind", "node", "trouble"),
    [
        ("[Errno 116] Stale file handle: '/data'", "OSError", "VAELoader", Trouble.PASSING),
        ("[Errno 5] Input/output error", "OSError", "VAELoader", Trouble.PASSING),
        ("Broken pipe", "BrokenPipeError", "SaveImage", Trouble.PASSING),
        ("Connection reset by peer", "ConnectionResetError", "SaveImage", Trouble.PASSING),
        ("No such file: 'x.png'", "FileNotFoundError", "LoadImage", Trouble.PASSING),
        ("No such file: 'x.ckpt'", "FileNotFoundError", "CheckpointLoader", Trouble.REQUEST),
        ("CUDA out of memory", "OutOfMemoryError", "KSampler", Trouble.MEMORY),
        ("Allocation on device", "torch.OutOfMemoryError", "VAEDecode", Trouble.MEMORY),
        ("division by zero", "ZeroDivisionError", "KSampler", Trouble.REQUEST),
    ],
)
async def test_texts_after_which_another_run_may_do(
    script: Script, provider: RunningHub, text: str, kind: str, node: str, trouble: Trouble
) -> None:
    reason = {"exception_message": text, "exception_type": kind, "node_name": node}
    script.reply(record("FAILED", errorCode="805", failedReason=reason))
    answer = await provider.query(TASK)
    assert isinstance(answer, Failed)
    assert answer.trouble is trouble


async def test_results_and_the_bill(script: Script, provider: RunningHub) -> None:
    results = [
        {"url": "https://cdn.example/a.png?sign=1", "nodeId": 2, "outputType": "PNG"},
        {"url": "https://cdn.example/b.mp4", "nodeId": None, "outputType": None},
        {"url": "https://cdn.example/c", "outputType": "../../x"},
    ]
    usage = {"consumeCoins": "17", "taskCostTime": 83, "consumeMoney": None}
    script.reply(record("SUCCESS", results=results, usage=usage))
    assert await provider.query(TASK) == Succeeded(
        (
            Output("https://cdn.example/a.png?sign=1", "png", "2"),
            Output("https://cdn.example/b.mp4", "mp4"),
            Output("https://cdn.example/c", "bin"),
        ),
        {"consumeCoins": "17", "taskCostTime": "83"},
    )


@pytest.mark.parametrize(
    "body",
    [
        record("PAUSED"),
        record("SUCCESS", results={"url": "x"}),
        record("SUCCESS", results=["x"]),
        record("SUCCESS", results=[{"url": "file:///etc/passwd"}]),
        record("SUCCESS", results=[{"url": 5}]),
        {**record("SUCCESS"), "taskId": "777"},
        record("", errorCode="1003"),
        record("", errorCode="1011"),
        record("", errorCode="1000"),
        {"code": 811, "msg": "CORPAPIKEY_INVALID"},
        {"code": 401, "message": "ApiKey verification failed", "data": None},
        {"status": None},
    ],
)
async def test_no_change_without_a_clear_answer(
    script: Script, provider: RunningHub, caplog: pytest.LogCaptureFixture, body: dict[str, Any]
) -> None:
    script.reply(body)
    with pytest.raises(ProviderUnavailable):
        await provider.query(TASK)
    assert ("PAUSED" in caplog.text) == (body.get("status") == "PAUSED")


async def test_a_state_with_an_http_error_is_no_answer(script: Script, provider: RunningHub) -> None:
    script.reply(record("FAILED"), 500)
    with pytest.raises(ProviderUnavailable):
        await provider.query(TASK)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0, CancelReply.REQUESTED),
        (817, CancelReply.ALREADY_OVER),
        (807, CancelReply.NOT_FOUND),
        (423, CancelReply.NOT_FOUND),
        (301, None),
        (805, None),
        (None, None),
    ],
)
async def test_replies_to_a_cancel(
    script: Script, provider: RunningHub, code: int | None, expected: CancelReply | None
) -> None:
    script.reply({"code": code, "msg": "", "data": None})
    if expected is None:
        with pytest.raises(ProviderUnavailable):
            await provider.cancel(TASK)
    else:
        assert await provider.cancel(TASK) is expected


@pytest.mark.parametrize(
    ("url", "bound"),
    [
        ("https://us.example/hooks/runninghub/secret", True),
        ("https://us.example/hooks/runninghub/secret?x=1", True),
        ("https://us.example/hooks/secret/other", False),
        ("https://us.example/", False),
    ],
)
async def test_a_binding_is_the_last_segment(
    script: Script, provider: RunningHub, url: str, bound: bool
) -> None:
    script.reply({"code": 0, "msg": "success", "data": {"id": "1", "taskId": TASK, "webhookUrl": url}})
    assert await provider.confirm_binding(TASK, hashlib.sha256(b"secret").digest()) is bound
    assert script.sent == {"apiKey": KEY, "taskId": TASK}


@pytest.mark.parametrize(
    "body",
    [
        {"code": 1, "msg": "webhook event not exists"},
        {"code": 807, "msg": "APIKEY_TASK_NOT_FOUND"},
        {"code": 0, "data": {"taskId": "777", "webhookUrl": "https://us.example/secret"}},
    ],
)
async def test_what_has_no_such_webhook_is_not_bound(
    script: Script, provider: RunningHub, body: dict[str, Any]
) -> None:
    script.reply(body)
    assert not await provider.confirm_binding(TASK, hashlib.sha256(b"secret").digest())


@pytest.mark.parametrize(("code", "field"), [(0, "fileName"), (200, "filename")])
async def test_an_upload_returns_the_name_there(
    script: Script, provider: RunningHub, code: int, field: str
) -> None:
    script.reply({"code": code, "message": "success", "data": {field: "openapi/1.png"}})
    assert await provider.upload('../a"b\r\n.PNG', b"content") == "openapi/1.png"
    first, headers, body = script.requests[0]
    assert first.startswith("POST /openapi/v2/media/upload/binary ")
    assert headers["authorization"] == f"Bearer {KEY}"
    assert b'filename="input.PNG"' in body
    assert b"content" in body


async def test_a_large_upload_arrives_whole(script: Script, provider: RunningHub) -> None:
    script.reply({"code": 0, "data": {"fileName": "openapi/1.png"}})
    data = bytes(range(256)) * 12_000
    await provider.upload("a.png", data)
    assert data in script.requests[0][2]


async def content(provider: RunningHub, url: str, size_max: int) -> bytes:
    return b"".join([piece async for piece in provider.fetch(Output(url, "png"), size_max)])


async def test_a_result_is_fetched_without_the_key(script: Script, provider: RunningHub) -> None:
    script.reply(b"PNG", kind="image/png")
    assert await content(provider, f"{script.url}/a.png", 3) == b"PNG"
    assert KEY not in str(script.requests)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nPNGS",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nPNGS",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nPN",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nPNG",
        b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: ftp://us.example/a.png\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nPN\r\n2\r\nGS\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nPNG\r\n",
        b"garbage\r\n\r\n",
        b"",
    ],
)
async def test_half_a_result_is_none(script: Script, provider: RunningHub, answer: bytes) -> None:
    script.answer = answer
    with pytest.raises(ProviderUnavailable) as caught:
        await content(provider, f"{script.url}/a.png?signature=s3cret", 3)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nPNGS",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nPNGS",
    ],
)
async def test_a_result_over_the_limit_will_never_fit(
    script: Script, provider: RunningHub, answer: bytes
) -> None:
    script.answer = answer
    with pytest.raises(ResultTooLarge, match="larger than 3 bytes"):
        await content(provider, f"{script.url}/a.png", 3)


async def test_a_refused_address_is_told_to_have_expired(script: Script, provider: RunningHub) -> None:
    script.answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nPNG"
    with pytest.raises(ProviderUnavailable, match="HTTP 403, as for an address that has expired"):
        await content(provider, f"{script.url}/a.png", 3)


async def test_a_large_result_comes_in_pieces(script: Script, provider: RunningHub) -> None:
    data = bytes(range(256)) * 4096
    script.reply(data, kind="image/png")
    pieces = [piece async for piece in provider.fetch(Output(f"{script.url}/a.png", "png"), len(data))]
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 65_536


async def test_a_redirect_of_the_storage_is_followed(script: Script, provider: RunningHub) -> None:
    script.before = [b"HTTP/1.1 302 Found\r\nLocation: /real.png\r\nContent-Length: 0\r\n\r\n"]
    script.reply(b"PNG", kind="image/png")
    assert await content(provider, f"{script.url}/a.png", 3) == b"PNG"
    assert script.paths == ["/a.png", "/real.png"]


async def test_a_result_left_half_read_closes_its_connection(script: Script, provider: RunningHub) -> None:
    script.reply(bytes(2_000_000), kind="image/png")
    pieces = provider.fetch(Output(f"{script.url}/a.png", "png"), 2_000_000)
    assert await anext(pieces)
    await pieces.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)


async def test_a_cancel_that_was_not_answered_may_be_what_ended_the_task(
    script: Script, provider: RunningHub
) -> None:
    script.reply({"code": 817, "msg": "APIKEY_TASK_CANCEL_NOT_ALLOWED", "data": None})
    assert await provider.cancel(TASK) is CancelReply.ALREADY_OVER
    script.before = [b""]
    assert await provider.cancel(TASK) is CancelReply.REQUESTED
