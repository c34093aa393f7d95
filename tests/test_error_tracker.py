"""What Sentry hears of `makegood serve`: a service, its errors, and a server that takes what is sent."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from makegood import Catalog, Engine
from makegood.errors import StoreUnavailable
from makegood_adapters import error_tracker
from makegood_adapters.config import ConfigurationError, ServiceConfig
from makegood_adapters.error_tracker import telling_sentry
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.toolfiles import load_tools
from tests.test_serve_command import serving

OWNER, PROMPT, SECRET = "ana-the-owner", "a lighthouse that nobody else may know of", "7f3a9c1e" * 5
TOOL = """
name = "drawn"
version = 1
label = "Drawn"
extends = "base@1"
pool = "runninghub"
price = 20
inputs.prompt = { kind = "text", required = true }

[[apps]]
app = "2018000000000000000"
nodes = [{ node = "1", field = "text", input = "prompt" }]
"""


class Tracker:
    """Takes what a client of Sentry sends, and keeps it."""

    def __init__(self) -> None:
        self.sent, self.events = b"", list[dict[str, Any]]()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()  # unpacked, where it says that it is packed
        self.sent += body
        for line in body.splitlines():
            found = json.loads(line)
            if "event_id" in found and "level" in found:
                self.events.append(found)
        return web.json_response({})

    def of(self, logger: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("logger") == logger]


@asynccontextmanager
async def tracking() -> AsyncIterator[tuple[Tracker, str]]:
    """Yield a tracker and the address that it has for clients."""
    tracker, app = Tracker(), web.Application()
    app.router.add_post("/api/1/envelope/", tracker.take)
    async with TestServer(app) as server:
        yield tracker, f"http://public@127.0.0.1:{server.port}/1"


async def test_errors_of_a_service_reach_sentry_without_secrets_and_owners(
    database: str, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "drawn.toml").write_text(TOOL)
    async with tracking() as (tracker, dsn):
        more = f'sentry_dsn = "{dsn}"\nlink_secret = "{SECRET}"\ntools = "tools"\n[[accounts]]\n'
        more += 'name = "main"\ncapacity = 1\napi_key = "the-key-of-main"\nbase_url = "http://127.0.0.1:1"\n'
        async with (
            serving(tmp_path, database, "--workers", "2", more=more) as service,
            PostgresStore.open(database) as store,
        ):
            _, second = await service.has_workers(2)
            await service.until(service.health, "an answer")
            await service.plain.execute(  # Postgres shows the row that is not taken, and names the rule
                f"alter table makegood.job add constraint no_{SECRET} check (state <> 'starting') not valid"
            )
            engine = Engine(store, Catalog(load_tools(tools)), blobs=MemoryBlobs(), run_loops=False)
            async with engine:
                await engine.grant(OWNER, 100, source_ref="order-1")
                job = await engine.submit("drawn", OWNER, {"prompt": PROMPT})
                await engine.accept(job.id)

            async def told_of_the_loop() -> bool:
                return bool(tracker.of("makegood.runtime"))

            await service.until(told_of_the_loop, "a loop that fails")
            os.kill(second["pid"], signal.SIGKILL)

            async def told_by_the_parent() -> bool:
                return bool(tracker.of("makegood.serve"))

            await service.until(told_by_the_parent, "a process that was killed")
            service.process.send_signal(signal.SIGTERM)
            assert await service.ended() == 0
            assert f"no_{SECRET}" not in service.log
            assert not [text for text in (PROMPT, OWNER) if text in service.log]
    failed, killed = tracker.of("makegood.runtime")[0], tracker.of("makegood.serve")[0]
    assert failed["logentry"]["message"] == "%s could not take its turn (%d in a row)"
    assert failed["exception"]["values"][-1]["type"] == "DatabaseRefusal"
    assert failed["tags"]["process"] in ("1", "2")
    assert "was killed by signal 9" in killed["logentry"]["formatted"]
    assert killed["tags"]["process"] == "0"
    assert all(event["release"].startswith("makegood@") for event in tracker.events)
    sent = tracker.sent.decode()
    assert not [text for text in (OWNER, PROMPT, SECRET, "the-key-of-main") if text in sent]


def configured(dsn: str) -> ServiceConfig:
    return ServiceConfig.model_validate({"database_url": "postgresql://u:p@h/d", "sentry_dsn": dsn})


async def test_what_nobody_caught_is_told_before_the_process_ends_and_nothing_of_other_jobs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(error_tracker, "LAST_SECONDS", 60.0)  # as long as a slow machine takes to send it

    def fails(dsn: str) -> None:
        with telling_sentry(configured(dsn), 3):
            logging.getLogger("makegood.runtime").warning("what another job has: %s", PROMPT)
            raise ZeroDivisionError("a mistake of ours")

    async with tracking() as (tracker, dsn):
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(fails, dsn)
    [event] = tracker.events
    assert event["exception"]["values"][0]["type"] == "ZeroDivisionError"
    assert event["tags"]["process"] == "3"
    assert PROMPT not in tracker.sent.decode()


async def test_a_sentence_of_ours_is_told_to_who_has_started_the_process_and_not_to_sentry() -> None:
    def fails(dsn: str) -> None:
        with telling_sentry(configured(dsn)):
            raise StoreUnavailable("the database has gone")

    async with tracking() as (tracker, dsn):
        with pytest.raises(StoreUnavailable):
            await asyncio.to_thread(fails, dsn)
    assert tracker.sent == b""


@pytest.mark.parametrize(
    ("dsn", "there", "told"),
    [
        ("https://key@errors.example/1", False, "pip install 'makegood[sentry]', or leave sentry_dsn out"),
        ("https://errors.example/1", True, "it is written https://KEY@HOST/NUMBER"),
    ],
)
def test_what_is_missing_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, dsn: str, there: bool, told: str
) -> None:
    if not there:
        for name in ("sentry_sdk", "sentry_sdk.utils"):  # what was imported before is found anyhow
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError, match="sentry_dsn") as refused, telling_sentry(configured(dsn)):
        raise AssertionError
    assert told in str(refused.value)
