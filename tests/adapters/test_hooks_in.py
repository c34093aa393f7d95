"""Webhooks as they come in: kept before they are answered, whatever they hold, and by their token alone."""

import asyncio
import gzip
import hashlib
import logging
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from aiohttp import web

from makegood.catalog import Catalog
from makegood.engine import Engine
from makegood.errors import StoreUnavailable
from makegood.job import Job, ProviderAccount, Verdict
from makegood.outcome import Features, Signature
from makegood.ports import Provider
from makegood.testing.drive import LEASE_SECONDS, Drive, Plain, accounts
from makegood.testing.provider import ScriptedProvider, signed
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.http import application, hook_routes
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.runninghub import RunningHub, RunningHubClient, open_session
from tests.adapters.queue_manager.scene import Page, Reply, served

BODY = b'{"event": "TASK_END", "taskId": "1904163390028185602", "eventData": "{\\"code\\": 0}"}'
NOT_FOUND = {"error": "Not Found"}
#: Pools whose account is at RunningHub, at a provider that signs, and at one that this process does not have.
RUNNINGHUB, SIGNING, ELSEWHERE = "runninghub", "signing", "elsewhere"


def account(pool: str) -> ProviderAccount:
    """Return the account of a pool as `Drive.resize` names it."""
    [name] = accounts(pool)
    return ProviderAccount(name=name, pool=pool, capacity=10)


class Receiver:
    """The service with one submitted job and the token of its attempt."""

    def __init__(self, engine: Engine, store: PostgresStore, drive: Drive, page: Page, dsn: str) -> None:
        self.engine, self.store, self.drive, self.page, self._dsn = engine, store, drive, page, dsn
        self.token = secrets.token_urlsafe(32)

    async def submitted(self, pool: str = RUNNINGHUB) -> Job:
        """Bring a job up to the intent: the create call may be under way, its reply has not come."""
        await self.drive.resize(pool, 10)
        job = await self.drive.dispatch(await self.drive.to("queued", pool=pool))
        attempt = await self.drive.claim(job)
        token_hash = hashlib.sha256(self.token.encode()).digest()
        assert await self.store.attempts.intend(attempt, token_hash, LEASE_SECONDS)
        return await self.drive.job(job)

    async def send(self, data: Any = BODY, token: str | None = None, **given: Any) -> Reply:
        return await self.page.call("POST", f"/hooks/{token or self.token}", data=data, **given)

    async def inbox(self) -> list[tuple[str, str | None, int]]:
        connection = await asyncpg.connect(self._dsn)
        try:
            rows = await connection.fetch(
                "select body, task_id, copies from makegood.inbox order by inbox_id"
            )
            return [(row["body"], row["task_id"], row["copies"]) for row in rows]
        finally:
            await connection.close()


def hooks_of(engine: Engine, body_seconds: float = 600.0) -> web.Application:
    """Return an application for the hooks alone; no slow machine takes so long to bring a body."""
    app = application()
    app.add_routes(hook_routes(engine, body_seconds=body_seconds))
    return app


@pytest_asyncio.fixture
async def receiver(database: str, tmp_path: Path) -> AsyncIterator[Receiver]:
    async with PostgresStore.open(database) as store, open_session() as session:
        providers: dict[ProviderAccount, Provider] = {
            account(RUNNINGHUB): RunningHub(RunningHubClient(session, "http://127.0.0.1:1", "a-key")),
            account(SIGNING): ScriptedProvider(Features(signature=Signature.STANDARD)),
        }
        blobs, catalog = FolderBlobs(tmp_path), Catalog([Plain])
        engine = Engine(store, catalog, blobs=blobs, providers=providers, run_loops=False)

        async def no_time_passes(_: float) -> None:
            raise AssertionError

        drive = Drive(store, no_time_passes)
        await drive.grant(1_000)
        async with engine, served(hooks_of(engine)) as page:
            yield Receiver(engine, store, drive, page, database)
            assert await engine.violations() == []


async def test_a_message_is_kept_and_its_task_is_asked_about(receiver: Receiver) -> None:
    job = await receiver.submitted()
    job = await receiver.drive.event(job, "begin", Verdict.ACCEPTED)
    due = await receiver.store.attempts.due(accounts(job.pool), 10, again_seconds=3_600)
    reply = await receiver.send()
    assert (reply.status, reply.body) == (200, {"received": True})
    assert await receiver.inbox() == [(BODY.decode(), "1904163390028185602", 1)]
    due = await receiver.store.attempts.due(accounts(job.pool), 10, again_seconds=3_600)
    assert [attempt.job_id for attempt in due] == [job.id]
    assert await receiver.drive.job(job) == job


async def test_a_message_before_the_create_reply_is_kept(receiver: Receiver) -> None:
    job = await receiver.submitted()
    assert (await receiver.send()).status == 200
    assert await receiver.drive.job(job) == job
    assert len(await receiver.inbox()) == 1
    assert [h.task_id for h in await receiver.store.hints.unread(await receiver.drive.attempt(job))] == [
        "1904163390028185602"
    ]


async def test_a_message_after_the_end_is_kept_and_moves_nothing(receiver: Receiver) -> None:
    job = await receiver.submitted()
    job = await receiver.drive.event(job, "begin", Verdict.ACCEPTED)
    job = await receiver.drive.event(job, "fail", Verdict.FAILED)
    assert (await receiver.send()).status == 200
    assert await receiver.drive.job(job) == job


async def test_a_message_that_the_provider_has_signed_is_kept(receiver: Receiver) -> None:
    await receiver.submitted(SIGNING)
    headers = {name.upper(): value for name, value in signed(b"task-1").items()}
    assert (await receiver.send(b"task-1", headers=headers)).status == 200
    assert await receiver.inbox() == [("task-1", "task-1", 1)]


async def test_a_message_that_the_provider_has_not_signed_is_401_and_leaves_nothing(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    job = await receiver.submitted(SIGNING)
    for headers in ({}, signed(b"task-2")):
        reply = await receiver.send(b"task-1", headers=headers)
        assert (reply.status, reply.body) == (401, {"error": "The signature of this message is not right."})
    assert await receiver.inbox() == []
    assert await receiver.drive.job(job) == job
    assert "not signed" in caplog.text
    assert receiver.token not in caplog.text
    assert "task-1" not in caplog.text


async def test_a_message_for_an_account_of_another_process_is_503_so_that_it_is_sent_again(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    await receiver.submitted(ELSEWHERE)
    reply = await receiver.send()
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    assert await receiver.inbox() == []
    assert "does not have the provider of account 'elsewhere-a'" in caplog.text
    assert receiver.token not in caplog.text
    assert receiver.token not in str(reply.body)


async def test_the_same_message_twice_is_kept_once(receiver: Receiver) -> None:
    await receiver.submitted()
    replies = await asyncio.gather(*(receiver.send() for _ in range(10)))
    assert {reply.status for reply in replies} == {200}
    assert await receiver.inbox() == [(BODY.decode(), "1904163390028185602", 10)]
    assert (await receiver.send(b"{}")).status == 200
    assert len(await receiver.inbox()) == 2


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "x" * 21,
        "x" * 43,
        "x" * 129,
        "x" * 5_000,
        "..%2f..%2fetc%2fpasswd" + "x" * 20,
        "x" * 42 + "%00",
        "x" * 42 + "%0a",
        "x" * 42 + "+",
        "٣" * 43,
        "",
    ],
)
async def test_tokens_that_nobody_was_given_get_one_answer(receiver: Receiver, token: str) -> None:
    await receiver.submitted()
    reply = await receiver.page.call("POST", f"/hooks/{token}", data=BODY)
    assert (reply.status, reply.body) == (404, NOT_FOUND)
    assert await receiver.inbox() == []


async def test_a_token_with_a_change_is_unknown(receiver: Receiver) -> None:
    await receiver.submitted()
    for token in (receiver.token[:-1], receiver.token + "a", receiver.token.swapcase()):
        assert (await receiver.send(token=token)).status == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"taskId=1&status=SUCCESS",
        b"\xff\xfe\x00",
        b'{"taskId": null}',
        b'{"taskId": "a b"}',
        b'{"taskId": "\\u0000\\ud800"}',
        b'{"a":' * 20_000,
        b"[" * 200_000,
        b"\x00" * 100,
    ],
)
async def test_a_body_about_no_task_is_kept_all_the_same(receiver: Receiver, body: bytes) -> None:
    await receiver.submitted()
    assert (await receiver.send(body)).status == 200
    [(_, task_id, copies)] = await receiver.inbox()
    assert (task_id, copies) == (None, 1)


async def test_a_body_larger_than_the_bound_is_413(receiver: Receiver) -> None:
    await receiver.submitted()
    assert (await receiver.send(b"x" * 300 * 1024)).status == 413
    assert (await receiver.send(b"x" * 256 * 1024)).status == 200
    assert [copies for *_, copies in await receiver.inbox()] == [1]


async def test_a_body_that_cannot_be_unpacked_is_400_and_one_line_of_the_log(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    await receiver.submitted()
    packed = {"Content-Encoding": "gzip", "Connection": "close"}
    assert (await receiver.send(b"not gzip", headers=packed)).status == 400
    # what is packed is counted unpacked
    large = gzip.compress(b" " * 10_000_000)
    assert (await receiver.send(large, headers=packed)).status == 413
    assert (await receiver.send(gzip.compress(BODY), headers=packed)).status == 200
    assert [body for body, *_ in await receiver.inbox()] == [BODY.decode()]
    assert "Traceback" not in caplog.text
    assert receiver.token not in caplog.text


async def test_a_body_that_does_not_come_in_time_is_408(receiver: Receiver) -> None:
    await receiver.submitted()
    come = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await come.wait()
        yield b"}"

    async with served(hooks_of(receiver.engine, body_seconds=0.1)) as page:
        try:
            assert (await page.call("POST", f"/hooks/{receiver.token}", data=slow())).status == 408
        finally:
            come.set()
    assert await receiver.inbox() == []


async def test_other_methods_are_405(receiver: Receiver) -> None:
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        assert (await receiver.page.call(method, f"/hooks/{receiver.token}")).status == 405


async def test_d21_a_database_in_trouble_is_503_so_that_the_provider_sends_again(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await receiver.submitted()

    async def gone(*_: Any) -> None:
        raise StoreUnavailable("postgres at db.internal does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(receiver.store.hints, "take_in", gone)
        reply = await receiver.send()
    assert reply.status == 503
    assert reply.headers["Retry-After"] == "5"
    assert "internal" not in str(reply.body)
    assert await receiver.inbox() == []
    assert (await receiver.send()).status == 200


async def test_no_token_is_ever_logged(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await receiver.submitted()
    token = receiver.token

    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    assert (await receiver.send()).status == 200
    assert (await receiver.send(b"x" * 300 * 1024)).status == 413
    assert (await receiver.page.call("GET", f"/hooks/{token}")).status == 405
    assert (await receiver.page.call("POST", f"/hooks/{token}/more")).status == 404
    assert (await receiver.page.call("POST", f"/other?token={token}")).status == 404
    with monkeypatch.context() as patched:
        patched.setattr(receiver.store.hints, "take_in", broken)
        assert (await receiver.send()).status == 500
    await send_nonsense(receiver.page, token)
    assert "POST /hooks/{token} 200" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "Error handling request" in caplog.text
    assert token not in caplog.text


async def send_nonsense(page: Page, token: str) -> None:
    """Send requests that are no HTTP; the parser's complaint quotes them."""
    port = int(page.base.rpartition(":")[2])
    for text in (
        f"POST /hooks/{token} HTTP/9.x\r\n\r\n",
        f"POST /hooks/{token}{'x' * 9_000} HTTP/1.1\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(text.encode())
        await writer.drain()
        assert b" 400 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def test_a_client_that_leaves_in_the_middle_harms_nobody(receiver: Receiver) -> None:
    await receiver.submitted()
    port = int(receiver.page.base.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST /hooks/{receiver.token} HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\nhalf".encode()
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await receiver.send()).status == 200
    assert await receiver.inbox() == [(BODY.decode(), "1904163390028185602", 1)]
