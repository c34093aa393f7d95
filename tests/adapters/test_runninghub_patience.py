"""Questions to RunningHub are repeated within bounds; a create call is made once, whatever happens."""

import asyncio
from collections.abc import Callable

import aiohttp
import pytest

from makegood.errors import ProviderUnavailable
from makegood.outcome import CancelReply, Uncertain, Unfinished
from makegood_adapters.exchange import Exchange, NoReply, Reply
from makegood_adapters.runninghub import RunningHub
from makegood_adapters.runninghub.patience import Patience
from tests.adapters.scripted_runninghub import HOSTILE, KEY, PAGE, TASK, Script, given_up, reply
from tests.adapters.test_runninghub_submit import submit
from tests.scenarios.line import client_to, patient

TRIES = 4
QUEUED = {"taskId": TASK, "status": "QUEUED"}

#: What a question meets now and then, and is asked again for.
PASSING = {
    "429": reply(PAGE, 429),
    "500": reply(PAGE, 500),
    "502 with JSON": reply({"error": "bad gateway"}, 502),
    "503": reply(PAGE, 503),
    "HTML": reply(PAGE, 200, "text/html"),
    "empty": reply(b""),
    "not JSON": reply(b"upstream error"),
    "truncated JSON": reply(b'{"taskId":"19'),
    "truncated body": b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"code":0}',
    "closed": b"",
    "-1": reply({"code": -1, "msg": "ApiKey verification failed"}, 401),
    **{
        str(code): reply({"code": code, "msg": "…"})
        for code in (401, 500, 811, 1000, 1003, 1005, 1010, 1011, 1012)
    },
    "1003 as v2 says it": reply({"taskId": "", "status": "", "errorCode": "1003", "errorMessage": "slow"}),
}
#: What is the same the next time.
SETTLED = {
    "301": reply({"code": 301, "msg": "taskId must be positive"}),
    "416": reply({"code": 416}),
    "802": reply({"code": 802}),
    "moved": reply(PAGE, 301, extra="Location: https://elsewhere.example/\r\n"),
    "malformed": reply({"taskId": TASK, "status": "SUCCESS", "results": "x"}),
    "unlisted": reply({"code": 31337}),
}


@pytest.mark.parametrize("name", PASSING)
async def test_a_question_survives_what_passes(script: Script, provider: RunningHub, name: str) -> None:
    script.before = [PASSING[name]]
    script.reply(QUEUED)
    assert await provider.query(TASK) == Unfinished(running=False)
    assert script.paths == ["/openapi/v2/query"] * 2


@pytest.mark.parametrize("name", SETTLED)
async def test_what_is_settled_is_asked_once(script: Script, provider: RunningHub, name: str) -> None:
    script.answer = SETTLED[name]
    with pytest.raises(ProviderUnavailable):
        await provider.query(TASK)
    assert script.paths.count("/openapi/v2/query") == 1


async def test_the_tries_are_few(script: Script, provider: RunningHub) -> None:
    script.reply({"code": 1003, "msg": "slow"})
    with pytest.raises(ProviderUnavailable, match="1003"):
        await provider.query(TASK)
    assert len(script.requests) == TRIES


@pytest.mark.parametrize("name", ["HTML", "closed", "1003", "811"])
async def test_cancel_upload_and_detail_are_repeated_too(
    script: Script, provider: RunningHub, name: str
) -> None:
    script.before, script.answer = [PASSING[name]], reply({"code": 0, "data": None})
    assert await provider.cancel(TASK) is CancelReply.REQUESTED
    script.before = [PASSING[name]]
    script.reply({"code": 0, "data": {"fileName": "openapi/1.png"}})
    assert await provider.upload("a.png", b"x") == "openapi/1.png"
    script.before = [PASSING[name]]
    script.reply({"code": 1, "msg": "webhook event not exists"})
    assert not await provider.confirm_binding(TASK, b"\x00" * 32)
    assert len(script.requests) == 6


@pytest.mark.parametrize("code", [808, 1013])
async def test_a_file_that_was_not_stored_is_sent_again(
    script: Script, provider: RunningHub, code: int
) -> None:
    script.before = [reply({"code": code, "message": "…"})]
    script.reply({"code": 0, "data": {"fileName": "openapi/1.png"}})
    assert await provider.upload("a.png", b"x") == "openapi/1.png"


@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize("fault", [*HOSTILE, *PASSING])
async def test_whatever_happens_there_is_one_create_call(
    script: Script, session: aiohttp.ClientSession, fault: str, api: str
) -> None:
    if fault in HOSTILE:
        HOSTILE[fault][0](script)
    else:
        script.answer = PASSING[fault]
    client = client_to(session, script.url, KEY)
    provider = RunningHub(client, api="v1" if api == "v1" else "v2", patience=patient(0.001))
    await submit(provider)
    assert len(script.requests) == 1


async def test_a_create_call_without_an_answer_is_not_made_again(
    script: Script, session: aiohttp.ClientSession
) -> None:
    script.answer = None
    client = client_to(session, script.url, KEY)
    assert isinstance(await given_up(submit(RunningHub(client, patience=patient())), script), Uncertain)
    assert len(script.requests) == 1


def replies(*found: Exchange) -> Callable[[], "asyncio.Future[Exchange]"]:
    """Return a call that answers with each of *found*, then with the last for ever."""
    left = list(found)

    def call() -> "asyncio.Future[Exchange]":
        answered: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
        answered.set_result(left.pop(0) if len(left) > 1 else left[0])
        return answered

    return call


BUSY, OK = Reply(429, None, "HTTP 429 with an HTML page"), Reply(200, {"code": 0})


async def test_a_wish_for_patience_is_kept_to() -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    wish = Reply(429, None, "busy", retry_after_seconds=1.0)
    assert await patient(0.001).ask(replies(wish, OK)) == OK
    assert clock() - began >= 1.0


async def test_a_wish_beyond_the_bound_ends_the_question() -> None:
    wish = Reply(429, None, "busy", retry_after_seconds=60.0)
    assert await patient(0.001).ask(replies(wish, OK)) == wish


async def test_the_time_of_a_question_is_bounded() -> None:
    patience = Patience(first_seconds=30.0, seconds=0.05)
    assert await patience.ask(replies(BUSY, OK)) == BUSY

    async def never() -> Exchange:
        await asyncio.Event().wait()
        return OK

    found = await patience.ask(never)
    assert isinstance(found, NoReply)
    assert found.problem == "no answer within 0.05 s"


async def test_a_cancelled_question_stays_cancelled() -> None:
    asked = asyncio.Event()

    async def never() -> Exchange:
        asked.set()
        await asyncio.Event().wait()
        return OK

    asking = asyncio.create_task(Patience().ask(never))
    await asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_the_questions_of_an_account_keep_a_pace() -> None:
    clock = asyncio.get_running_loop().time
    patience, began = Patience(calls_per_second=10), clock()
    await asyncio.gather(*(patience.ask(replies(OK)) for _ in range(15)))
    assert clock() - began >= 0.4  # ten at once, then one each tenth of a second


@pytest.mark.parametrize("pace", [0, -1.0, float("nan")])
def test_an_impossible_pace_is_refused(pace: float) -> None:
    with pytest.raises(ValueError, match="calls_per_second must be more than 0"):
        Patience(calls_per_second=pace)
