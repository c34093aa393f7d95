"""What a receiver of our webhooks gets, and what comes of every way in which it may answer."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from uuid import UUID

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from makegood.job import JobMoney
from makegood.ports import Letter, Posted
from makegood_adapters.http import hooks_out
from makegood_adapters.http.hooks_out import WebhookMessenger
from tests.adapters.queue_manager.scene import served
from tests.engine.world import a_job, moved
from tests.loop_time import hasten
from tests.ports import kept_port

SECRET, OLD = "whsec_" + "c2VjcmV0" * 6, "whsec_" + "b2xkb2xk" * 6
STEP = replace(moved("fail", "failed"), seq=7, actor="ops", reason="the operator's own words")
LETTER = Letter(
    id=f"msg_{UUID(int=7).hex}",
    url="",
    secrets=(SECRET, OLD),
    transition=STEP,
    job=a_job("failed", error={"category": "rejected", "message": "No."}),
    money=JobMoney(released=100),
    status="failed",
)

#: For what hangs: no test wants a machine to be quick.
PATIENCE_SECONDS = 60.0
Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


def a_messenger() -> AbstractAsyncContextManager[WebhookMessenger]:
    """Open one that no receiver on this machine keeps waiting for too long."""
    return WebhookMessenger.open(private=True, timeout_seconds=PATIENCE_SECONDS)


@pytest.fixture(autouse=True)
def no_answer_is_too_slow_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks_out, "_ANSWER_SECONDS", PATIENCE_SECONDS)


class Heard:
    """What a receiver has got."""

    def __init__(self, url: str) -> None:
        self.url, self.requests = url, list[tuple[web.Request, bytes]]()


@asynccontextmanager
async def receiver(answering: Answering) -> AsyncIterator[Heard]:
    """Serve a receiver that answers like this on a free port of this machine."""
    heard = Heard("")

    async def hear(request: web.Request) -> web.StreamResponse:
        heard.requests.append((request, await request.read()))
        return await answering(request)

    app = web.Application()
    app.add_routes([web.post("/hooks", hear), web.post("/other", hear)])
    async with served(app) as page:
        heard.url = f"{page.base}/hooks?token=of-the-receiver"
        yield heard


async def posted(answering: Answering) -> tuple[Posted, Heard]:
    """Post a letter to a receiver that answers like this."""
    async with receiver(answering) as heard, a_messenger() as messenger:
        return await messenger.post(replace(LETTER, url=heard.url)), heard


async def fine(_: web.Request) -> web.StreamResponse:
    return web.Response(status=204)


async def test_the_receiver_verifies_it_by_the_standard_with_either_secret() -> None:
    told, heard = await posted(fine)
    assert (told.delivered, told.status, told.problem) == (True, 204, None)
    [(request, raw)] = heard.requests
    for secret in (SECRET, OLD):
        body = Webhook(secret).verify(raw, dict(request.headers))
        assert body == json.loads(raw)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "b3RoZXJz" * 6).verify(raw, dict(request.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(raw.replace(b"failed", b"queued"), dict(request.headers))
    assert request.headers["webhook-id"] == LETTER.id
    assert request.headers["Content-Type"] == "application/json"
    assert not {"Authorization", "Cookie"} & set(request.headers)


async def test_the_body_tells_transition_job_and_money_and_nothing_of_the_operator() -> None:
    _, heard = await posted(fine)
    [(_, raw)] = heard.requests
    body = json.loads(raw)
    assert body["type"] == "job.failed"
    assert body["timestamp"].startswith(STEP.at.isoformat()[:19])
    assert set(body["data"]) == {"transition", "job", "money"}
    assert body["data"]["transition"]["seq"] == 7
    assert body["data"]["job"]["error"] == {"category": "rejected", "message": "No."}
    assert body["data"]["money"] == {"held": 0, "captured": 0, "released": 100}
    assert "operator" not in raw.decode()
    assert '"ops"' not in raw.decode()


async def test_a_test_message_is_signed_too() -> None:
    async with receiver(fine) as heard, a_messenger() as messenger:
        assert (await messenger.post(Letter(id="test_1", url=heard.url, secrets=(SECRET,)))).delivered
    [(request, raw)] = heard.requests
    assert Webhook(SECRET).verify(raw, dict(request.headers))["type"] == "test"


@pytest.mark.parametrize("status", [200, 201, 202, 299])
async def test_every_2xx_is_a_success(status: int) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="thanks")

    told, _ = await posted(answer)
    assert (told.delivered, told.body) == (True, "thanks")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_not_followed(status: int) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "/other"})

    told, heard = await posted(answer)
    assert (told.delivered, told.status) == (False, status)
    assert "redirects are not followed" in (told.problem or "")
    assert len(heard.requests) == 1


@pytest.mark.parametrize(
    ("status", "header", "asked"),
    [(429, "120", 120), (503, "9" * 40, 3_600), (503, "soon", None), (500, "120", None), (429, "-5", None)],
)
async def test_a_pause_that_is_asked_for_is_told_within_bounds(
    status: int, header: str, asked: float | None
) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Retry-After": header})

    told, _ = await posted(answer)
    assert (told.delivered, told.gone, told.retry_after_seconds) == (False, False, asked)


async def test_410_is_gone() -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=410)

    assert (await posted(answer))[0].gone


async def test_a_bomb_is_not_unpacked_and_of_a_long_answer_the_beginning_is_read() -> None:
    bomb = gzip.compress(bytes(50_000_000))

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    told, _ = await posted(answer)
    assert told.delivered
    assert told.body.startswith("\x1f")
    assert len(told.body) <= 1024


async def test_an_answer_without_end_takes_no_longer_than_its_beginning() -> None:
    gone = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 4_000)
        finally:
            gone.set()

    async with receiver(answer) as heard, a_messenger() as messenger:
        told = await messenger.post(replace(LETTER, url=heard.url))
        assert (told.delivered, told.body) == (True, "x" * 1024)
        await gone.wait()  # the connection is given up, not kept and drained


async def test_who_does_not_answer_in_time_has_not_got_it() -> None:
    never = asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        hasten(61)
        await never.wait()
        return web.Response()

    async with receiver(answer) as heard, a_messenger() as messenger:
        told = await messenger.post(replace(LETTER, url=heard.url))
        never.set()
    assert (told.delivered, told.status, told.problem) == (False, None, "no answer within 60 seconds")


async def test_a_receiver_that_breaks_off_or_speaks_no_http_is_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    told, _ = await posted(cut)
    assert told.problem == "the exchange broke off (ServerDisconnectedError)"

    async def speaks(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    with kept_port() as port:
        letter = replace(LETTER, url=f"http://127.0.0.1:{port}/")
        async with await asyncio.start_server(speaks, "127.0.0.1", port), a_messenger() as messenger:
            assert "broke off" in ((await messenger.post(letter)).problem or "")
        async with a_messenger() as messenger:
            assert (await messenger.post(letter)).problem == "no connection"
    own = [r.getMessage() for r in caplog.records if r.name.startswith("makegood")]
    assert not [line for line in own if SECRET in line or "of-the-receiver" in line]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254"])
async def test_a_private_address_is_refused_when_it_is_named_and_when_it_is_posted_to(host: str) -> None:
    async with WebhookMessenger.open() as messenger:
        url = f"https://{host}:8443/hooks"
        named = await messenger.problem_of(url)
        assert named == "its name leads to an address that is not on the public Internet"
        told = await messenger.post(replace(LETTER, url=url))
        assert told.problem == "its name leads to no public address"


async def test_what_cannot_be_posted_to_is_seen_when_it_is_named() -> None:
    async with WebhookMessenger.open() as messenger:
        assert await messenger.problem_of("http://example.org/") == "it must begin with https://"
        assert "leads nowhere" in str(await messenger.problem_of("https://nobody.invalid/hooks"))
        assert (await messenger.post(replace(LETTER, url="http://8.8.8.8/"))).problem is not None
