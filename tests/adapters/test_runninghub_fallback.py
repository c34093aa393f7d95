"""Where v2 has no answer of its own, v1 gives the same one, in each of its spellings."""

from typing import Any

import pytest

from makegood.errors import ProviderUnavailable, ResultTooLarge
from makegood.outcome import Answer, Cancelled, Failed, NotFound, Output, Succeeded, Trouble, Unfinished
from makegood_adapters.runninghub import RunningHub
from tests.adapters.scripted_runninghub import PAGE, TASK, Script, reply

V2, OUTPUTS, STATUS = "/openapi/v2/query", "/task/openapi/outputs", "/task/openapi/status"

NO_ROUTE = {
    "404": reply(PAGE, 404, "text/html"),
    "405": reply({"error": "method"}, 405),
    "412": reply({"code": 412, "msg": "TOKEN_INVALID"}),
    "1001": reply({"errorCode": "1001", "errorMessage": "invalid URL", "taskId": ""}),
    "1009": reply({"errorCode": "1009", "errorMessage": "wrong method"}),
    "HTML again and again": reply(PAGE, 200, "text/html"),
    "empty again and again": reply(b""),
}
REASON = {"exception_type": "TypeError", "node_name": "KSampler", "exception_message": "odd input"}
TRACE = ["  File x, line 1"]
ITEM = {
    "fileUrl": "https://cdn.example/a.png",
    "fileType": "png",
    "taskCostTime": "83",
    "nodeId": "12",
    "consumeMoney": None,
    "consumeCoins": "17",
    "storageType": "cos",
}
FILE = Output("https://cdn.example/a.png", "png", "12")
GIVEN = {"consumeCoins": "17", "taskCostTime": "83"}


def v1(code: Any, msg: str = "", data: Any = None) -> dict[str, Any]:
    return {"code": code, "msg": msg, "errorMessages": None, "data": data}


def failed(reason: Any) -> dict[str, Any]:
    return v1(805, "APIKEY_TASK_STATUS_ERROR", {"failedReason": reason})


ANSWERS: list[tuple[dict[str, Any], Answer]] = [
    (v1(813, "APIKEY_TASK_IS_QUEUED"), Unfinished(running=False)),
    (v1("813", "APIKEY_TASK_IS_QUEUED"), Unfinished(running=False)),
    (v1(804, "APIKEY_TASK_IS_RUNNING", {"netWssUrl": "wss://x"}), Unfinished(running=True)),
    (v1(804, "APIKEY_TASK_IS_RUNNING", {"netWssUrl": None}), Unfinished(running=True)),
    (v1(0, "success"), Unfinished(running=True)),
    (v1(0, "APIKEY_TASK_IS_QUEUED"), Unfinished(running=False)),
    (v1(0, "APIKEY_TASK_IS_RUNNING", {"netWssUrl": None}), Unfinished(running=True)),
    (v1(0, "success", [ITEM]), Succeeded((FILE,), GIVEN)),
    (v1(0, "success", [{**ITEM, "taskCostTime": 83}]), Succeeded((FILE,), GIVEN)),
    (v1(0, "success", []), Succeeded(())),
    (failed(REASON), Failed("odd input")),
    (failed({**REASON, "traceback": TRACE}), Failed("odd input")),
    (failed({**REASON, "traceback": '["  File x, line 1"]'}), Failed("odd input")),
    (failed("just a text"), Failed("just a text")),
    (failed({**REASON, "exception_message": "Broken pipe"}), Failed("Broken pipe", trouble=Trouble.PASSING)),
    (v1(1504, "model timeout"), Failed("model timeout", trouble=Trouble.PASSING)),
    (v1(807, "APIKEY_TASK_NOT_FOUND"), NotFound()),
]


@pytest.mark.parametrize("name", NO_ROUTE)
async def test_v1_is_asked_where_v2_is_not_there(script: Script, provider: RunningHub, name: str) -> None:
    script.routes = {V2: NO_ROUTE[name], OUTPUTS: reply(v1(0, "success", [ITEM]))}
    assert await provider.query(TASK) == Succeeded((FILE,), GIVEN)
    assert script.paths[-1] == OUTPUTS


@pytest.mark.parametrize("number", range(len(ANSWERS)))
async def test_answers_of_v1(script: Script, provider: RunningHub, number: int) -> None:
    body, expected = ANSWERS[number]
    script.routes = {V2: NO_ROUTE["404"], OUTPUTS: reply(body)}
    assert await provider.query(TASK) == expected
    assert STATUS not in script.paths


WITHOUT_REASON = {"{}": failed({}), "null": failed(None), "absent": v1(805, "X", {}), "no data": v1(805)}
WORDS: list[tuple[Any, Answer]] = [
    ("CANCEL", Cancelled()),
    ("CANCELED", Cancelled()),
    ("cancelled ", Cancelled()),
    ({"taskStatus": "CANCELLED"}, Cancelled()),
    ("FAILED", Failed("RunningHub gave no reason.")),
    (None, Failed("RunningHub gave no reason.")),
]


@pytest.mark.parametrize("reason", WITHOUT_REASON)
@pytest.mark.parametrize("number", range(len(WORDS)))
async def test_failed_and_cancelled_are_told_apart_by_the_status(
    script: Script, provider: RunningHub, reason: str, number: int
) -> None:
    word, expected = WORDS[number]
    status = reply(v1(0, "success", word))
    script.routes = {V2: NO_ROUTE["412"], OUTPUTS: reply(WITHOUT_REASON[reason]), STATUS: status}
    assert await provider.query(TASK) == expected


async def test_without_a_status_such_a_task_has_failed(script: Script, provider: RunningHub) -> None:
    script.routes = {V2: NO_ROUTE["412"], OUTPUTS: reply(failed({})), STATUS: reply(PAGE, 500)}
    assert await provider.query(TASK) == Failed("RunningHub gave no reason.")


@pytest.mark.parametrize(
    "body", [v1(0, "success", "RUNNING"), v1(0, "x", {"netWssUrl": None}), v1(301), v1(None), v1(0, "", [5])]
)
async def test_what_v1_does_not_say_either_changes_nothing(
    script: Script, provider: RunningHub, body: dict[str, Any]
) -> None:
    script.routes = {V2: NO_ROUTE["404"], OUTPUTS: reply(body)}
    with pytest.raises(ProviderUnavailable):
        await provider.query(TASK)


@pytest.mark.parametrize("status", [401, 429])
async def test_v1_is_not_asked_because_the_site_is_busy(
    script: Script, provider: RunningHub, status: int
) -> None:
    script.reply(PAGE, status)
    with pytest.raises(ProviderUnavailable):
        await provider.query(TASK)
    assert set(script.paths) == {V2}


async def test_a_text_beside_files_is_a_result_too(script: Script, provider: RunningHub) -> None:
    text = "a poem\x00 of \ud800 " + "x" * 2000
    results = [{"url": None, "text": text, "nodeId": 4}, {"url": "https://cdn.example/a.png"}]
    script.reply({"taskId": TASK, "status": "SUCCESS", "results": results})
    answer = await provider.query(TASK)
    kept = "a poem of ? " + "x" * 2000
    assert answer == Succeeded(
        (Output("", "txt", "4", text=kept), Output("https://cdn.example/a.png", "png", ""))
    )
    assert isinstance(answer, Succeeded)
    assert b"".join([piece async for piece in provider.fetch(answer.outputs[0], 5000)]) == kept.encode()
    with pytest.raises(ResultTooLarge):
        [piece async for piece in provider.fetch(answer.outputs[0], 10)]
