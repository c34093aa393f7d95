"""A user with an account and bad manners: what it sends costs nobody else anything."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio
from aiohttp import WSServerHandshakeError

from makegood import BaseJob, Catalog, Engine, Job, JobInput, JobMoney
from makegood.machine import Event, Money
from makegood.ports import Receipt
from makegood_adapters.access import LimitsConfig
from makegood_adapters.http import application
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from makegood_adapters.queue_manager import Options, mount
from tests.adapters.queue_manager.scene import OWNER, Reply, Scene, served
from tests.adapters.queue_manager.shop import ADA, BOB, TABLE, UPSCALER, Shop, a_shop, bearing
from tests.adapters.queue_manager.sockets import listening

JSON = {"Content-Type": "application/json"}


@pytest_asyncio.fixture
async def shop(database: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with a_shop(database, tmp_path) as made:
        yield made


async def posted(shop: Shop, path: str, body: str, token: str = ADA) -> Reply:
    return await shop.scene.page.call("POST", path, data=body, headers={**bearing(token), **JSON})


async def test_a_body_for_a_file_is_not_filled_with_a_million_lists(shop: Shop) -> None:
    """Millions of lists are seconds of one process, in which it serves nobody."""
    for path in (f"/functions/v1/{UPSCALER}/upload", "/functions/v1/generate-video/run"):
        reply = await posted(shop, path, f'{{"imageBase64": [{"[]," * 100_000}0]}}')
        assert reply.status == 413
        assert reply.body["error"] == "The body has more than 10,000 values in it."
    reply = await shop.call(UPSCALER, "upload", {"imageBase64": "A" * 300_000})
    assert reply.status == 200, "one long text is what such a body is for"


@asynccontextmanager
async def slow_body(shop: Shop, token: str) -> AsyncIterator[None]:
    """Begin a large body that never ends; the service is reading it."""
    url = urlsplit(shop.scene.page.base)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    path = f"/functions/v1/{UPSCALER}/upload"
    headers = {**bearing(token), "Host": "x", "Content-Length": "20000000", "Expect": "100-continue"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    try:
        writer.write(f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode())
        assert b" 100 " in await reader.readline()
        yield
    finally:
        writer.close()
        await writer.wait_closed()


async def test_large_bodies_of_one_user_do_not_hold_all_of_the_memory(shop: Shop) -> None:
    large = {"imageBase64": "A" * 300_000}
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(slow_body(shop, ADA))
        reply = await shop.call(UPSCALER, "upload", large)
        assert (reply.status, reply.body["code"]) == (200, "RATE_LIMIT_EXCEEDED")
        assert reply.body["retryAfter"] == int(reply.headers["Retry-After"]) == 10
        draft = await shop.draft("bg_remover")
        body = {"jobId": str(draft.id), **large}
        run = await shop.call("runninghub-bg-remover", "run", body)
        assert (run.status, run.body["code"]) == (200, "RATE_LIMIT_EXCEEDED")
        assert await shop.job(draft) == draft, "it may be run later"
        assert (await shop.call(UPSCALER, "upload", large, BOB)).body["code"] == "INVALID_INPUT"
        assert (await shop.call(UPSCALER, "upload", {})).body["code"] == "MISSING_IMAGE", "a small one"
    async with asyncio.timeout(60):
        while (await shop.call(UPSCALER, "upload", large)).body["code"] != "INVALID_INPUT":
            pass  # a server notices in its own time that a client has left


async def test_what_lies_too_deep_to_be_listed_is_not_kept(shop: Shop) -> None:
    """One row that no library can write as JSON would hide the jobs of all others from who operates."""
    for deep, column in itertools.product((51, 250, 900), ("input_file_name", "category")):
        row = f'{{"{column}": {{"a": {"[" * deep}{"]" * deep}}}}}'
        reply = await posted(shop, f"/rest/v1/{TABLE}", row)
        assert (reply.status, reply.body["code"]) == (400, "22001"), (deep, column)
        assert "more than 50 deep" in reply.body["message"]
    assert (await shop.scene.engine.list_jobs(OWNER)).jobs == ()


async def test_rows_that_are_inserted_have_the_budget_of_orders(database: str, tmp_path: Path) -> None:
    """They cost no credits, and nothing deletes them."""
    few = LimitsConfig(user={"submits": "1/minute"})
    async with a_shop(database, tmp_path, limits=few) as shop:
        replies = [await posted(shop, f"/rest/v1/{TABLE}", "{}", token) for token in (ADA, ADA, BOB)]
        assert [reply.status for reply in replies] == [201, 429, 201]
        assert replies[1].headers["Retry-After"]
        assert len((await shop.scene.engine.list_jobs(OWNER)).jobs) == 1


async def test_a_bad_call_does_not_end_the_job_that_a_good_one_has_completed(
    shop: Shop, database: str
) -> None:
    """The bad one has read the draft, and is judged after the good one: nothing of it counts any more."""
    draft, image = await shop.draft(), await shop.file()
    key = await shop.scene.addresses.key_of(OWNER, image)
    other = await asyncpg.connect(database)
    try:
        async with other.transaction():
            await other.execute("lock table makegood.upload_name in access exclusive mode")
            bad = asyncio.create_task(shop.run(draft, imageUrl=image.replace("1.png", "2.png")))
            async with asyncio.timeout(60):
                waits = (
                    "select exists (select from pg_locks l join pg_database d on d.oid = l.database"
                    " where not l.granted and d.datname = current_database())"
                )
                while not await other.fetchval(waits):  # noqa: ASYNC110  # a database tells nobody
                    await asyncio.sleep(0)
            await shop.scene.engine.prepare(draft.id, {"image": key})
        reply = await bad
    finally:
        await other.close()
    job = await shop.job(draft)
    assert reply.body["success"] is True, reply.body
    assert (job.state, job.files, await shop.money(job)) == ("queued", {"image": key}, JobMoney(held=60))


async def test_one_customer_of_ipv6_parks_as_one_sender(shop: Shop, database: str) -> None:
    """It has 2^64 addresses; with a share for each, no message of the provider would be kept."""
    for n in range(3):
        event = {"event": "TASK_END", "taskId": str(n)}
        headers = {"X-Forwarded-For": f"2001:db8:1:2::{n}"}
        path = "/functions/v1/runninghub-webhook"
        assert (await shop.scene.page.call("POST", path, json=event, headers=headers)).status == 200
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch("select distinct source from makegood.parked_hint")
    finally:
        await connection.close()
    assert [row["source"] for row in rows] == ["2001:db8:1:2::/64"]
    assert await shop.scene.engine.receive_hint("0", "x", source="ops") is Receipt.PARKED


async def test_a_service_that_believes_who_calls_is_not_served_through_a_proxy(scene: Scene) -> None:
    """It listens on loopback, where a proxy in front would bring it the whole world."""
    row = await scene.row(TABLE)
    for name in ("X-Forwarded-For", "Forwarded"):
        reply = await scene.page.call("POST", f"/rest/v1/{TABLE}", json=row, headers={name: "203.0.113.7"})
        assert reply.status == 403
        assert "it needs [auth]" in reply.body["message"]
        with pytest.raises(WSServerHandshakeError, match="403"):
            async with listening(scene.page.base, headers={name: "203.0.113.7"}):
                pass
    assert (await scene.page.call("POST", f"/rest/v1/{TABLE}", json=row)).status == 201


class Held(BaseJob):
    """A tool of somebody's own, whose jobs are accepted when the house is open, which it is not."""

    pool, price, table, function = "p", 5, "held_jobs", "held"
    columns: ClassVar[Mapping[str, str]] = {"prompt": "prompt"}
    accept = Event(BaseJob.pending >> BaseJob.queued, money=Money.HOLD)

    class Input(JobInput):
        prompt: str


@Held.accept.guard
def is_open(job: Job, _: object) -> bool:
    return False


async def test_a_job_that_is_held_back_by_a_guard_is_told_so_and_may_be_run_later() -> None:
    store, app = MemoryStore(), application()
    async with Engine(store, Catalog([Held]), blobs=MemoryBlobs(), run_loops=False) as engine:
        mount(app, engine, Options())
        job = await engine.submit(Held, OWNER, {}, draft=True)
        async with served(app) as page:
            body = {"jobId": str(job.id), "prompt": "x"}
            reply = await page.call("POST", "/functions/v1/held/run", json=body)
            assert (reply.status, reply.body["code"], reply.body["refunded"]) == (200, "RUN_FAILED", False)
        job = await engine.get(job.id)
        assert (job.state, job.draft, await engine.money(job.id)) == ("pending", False, JobMoney())
