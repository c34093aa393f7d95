"""A page, a queue manager over a real engine and database, and a hand that moves jobs as the loops do."""

import hashlib
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
from aiohttp import web

from makegood.catalog import Catalog
from makegood.engine import Engine
from makegood.job import Job, JobMoney, ProviderAccount, Verdict
from makegood.lifecycle import BaseJob
from makegood.testing.drive import Drive, accounts
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.http import application, runner
from makegood_adapters.http.v1.links import FileRules
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.queue_manager import Options, mount
from makegood_adapters.queue_manager.addresses import Addresses
from makegood_adapters.toolfiles import default_tools_folder, load_tools
from tests.shipped import shipped

FUNCTIONS = "/functions/v1/runninghub-queue-manager"
POOL = "runninghub"
OWNER = "ada"
CREDITS = 1_000
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
#: Small, so that tests meet them.
RULES = FileRules(
    upload_bytes_max=200_000,
    day_bytes_max=500_000,
    stall_bytes=1_024,
    stall_seconds=600.0,
    link_secret=hashlib.sha256(b"a secret of the tests").digest(),
)
#: Every place in a job's life that section 2.1 of the wire tells apart.
PLACES = (
    "draft",
    "pending",
    "queued",
    "queued again",
    "starting",
    "starting with intent",
    "running",
    "completed",
    "failed",
    "cancelled",
)
UNTOUCHED = ("draft", "pending", "queued")
SUBMITTED = ("queued again", "starting", "starting with intent", "running")
OVER = ("completed", "failed", "cancelled")
#: Table to the columns of a complete row, without its files; the file columns follow.
TABLES: Mapping[str, tuple[Mapping[str, Any], tuple[str, ...]]] = {
    "upscaler_jobs": ({"category": "comida", "resolution": 1024}, ("input_url",)),
    "pose_changer_jobs": ({}, ("person_image_url", "reference_image_url")),
}


@dataclass(frozen=True)
class Reply:
    """What the page gets; `body` is None when there is none."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Page:
    """An HTTP client of the service, without manners."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session, self.base = session, base

    async def call(self, method: str, path: str, **given: Any) -> Reply:
        async with self._session.request(method, self.base + path, **given) as reply:
            raw = await reply.read()
            return Reply(reply.status, json.loads(raw) if raw else None, dict(reply.headers))

    async def finish(self, table: str, job_id: object, **given: Any) -> Reply:
        body = {"table": table, "jobId": str(job_id), "status": "failed", "errorMessage": "gone", **given}
        return await self.call("POST", f"{FUNCTIONS}/finish", json=body)

    async def patch(self, table: str, job_id: object, **given: Any) -> Reply:
        return await self.call("PATCH", f"/rest/v1/{table}", params={"id": f"eq.{job_id}"}, json=given)

    async def select(self, table: str, job_id: object, columns: str = "status", **given: Any) -> Reply:
        query = {"select": columns, "id": f"eq.{job_id}"}
        return await self.call("GET", f"/rest/v1/{table}", params=query, **given)


@dataclass
class Scene:
    """Everything a test touches."""

    engine: Engine
    store: PostgresStore
    blobs: FolderBlobs
    drive: Drive
    page: Page
    addresses: Addresses

    async def row(self, table: str, **given: Any) -> dict[str, Any]:
        """Return a complete row for *table*, its files stored; *given* replaces columns."""
        columns, files = TABLES[table]
        keys = {column: await self.blobs.put(PNG, f"{column}.png") for column in files}
        return {"session_id": "s1", "user_id": OWNER, "status": "pending", **columns, **keys, **given}

    async def insert(self, table: str, **given: Any) -> Job:
        """Insert as the page does."""
        reply = await self.page.call(
            "POST",
            f"/rest/v1/{table}?select=id",
            json=await self.row(table, **given),
            headers={"Prefer": "return=representation", "Accept": "application/vnd.pgrst.object+json"},
        )
        assert reply.status == 201, reply
        return await self.engine.get(UUID(reply.body["id"]))

    async def ready(self, table: str, owner: str = OWNER, **given: Any) -> Job:
        """Insert a row and complete its job, as a function does; it is charged when it is accepted."""
        job = await self.insert(table, user_id=owner, **given)
        return await self.engine.prepare(job.id, job.input)

    async def job_at(self, place: str, table: str = "upscaler_jobs", owner: str = OWNER) -> Job:
        """Insert a job and bring it to *place*."""
        if place == "draft":
            return await self.insert(table, user_id=owner)
        job = await self.ready(table, owner)
        if place != "pending":
            job = await self.engine.accept(job.id)
        match place:
            case "starting":
                job = await self.drive.dispatch(job)
            case "starting with intent":
                job = await self.drive.submit(await self.drive.dispatch(job))
            case "running" | "completed" | "queued again":
                job = await self.drive.submit(await self.drive.dispatch(job))
                job = await self.event(job, "begin", Verdict.ACCEPTED)
            case "failed" | "cancelled":
                job = await self.event(job, {"failed": "fail", "cancelled": "cancel"}[place])
        if place == "completed":
            job = await self.event(job, "complete", Verdict.SUCCEEDED)
        if place == "queued again":
            job = await self.event(job, "rerun", Verdict.FAILED)
        return job

    async def event(self, job: Job, event: str, verdict: Verdict | None = None, **given: Any) -> Job:
        return await self.drive.event(job, event, verdict, **given)

    async def money(self, job: Job) -> JobMoney:
        return await self.engine.money(job.id)

    async def is_asked_about(self, job: Job) -> bool:
        """Whether the provider will be asked at once; questions that were due before count as asked."""
        due = await self.store.attempts.due(accounts(POOL), 100, again_seconds=3_600)
        return job.id in {attempt.job_id for attempt in due}


@asynccontextmanager
async def served(
    app: web.Application, headers: Mapping[str, str] | None = None, listener: socket.socket | None = None
) -> AsyncIterator[Page]:
    """Serve *app* on a free port of this machine, as the product does, to a page that sends *headers*."""
    serving = runner(app)
    await serving.setup()
    try:
        await web.SockSite(serving, listener or socket.create_server(("127.0.0.1", 0))).start()
        async with aiohttp.ClientSession(headers=headers) as session:
            yield Page(session, f"http://127.0.0.1:{serving.addresses[0][1]}")
    finally:
        await serving.cleanup()


@cache
def one_at_a_time() -> tuple[type[BaseJob], ...]:
    """Return the tools of config/tools as they are: a user has one job at a time, of whatever tool."""
    return tuple(load_tools(default_tools_folder()))


@asynccontextmanager
async def opened(
    dsn: str,
    folder: Path,
    options: Options | None = None,
    *,
    key: str | None = None,
    exclusive: bool = False,
    **given: Any,
) -> AsyncIterator[Scene]:
    """Yield a scene with room for fifty jobs and an owner who can pay.

    The page sends *key* with every call; with *exclusive* an owner has one job at a time, as the tools say;
    *given* goes to the engine.
    """
    catalog, blobs = Catalog(one_at_a_time() if exclusive else shipped()), FolderBlobs(folder)
    async with (
        PostgresStore.open(dsn) as store,
        Engine(store, catalog, blobs=blobs, run_loops=False, **given) as engine,
    ):
        drive = Drive(store, _no_time_passes)
        drive.specs |= {spec.name: spec for spec in catalog.specs}
        [name] = accounts(POOL)
        await store.attempts.register(ProviderAccount(name=name, pool=POOL, capacity=50))
        await engine.grant(OWNER, CREDITS, source_ref=f"order-{uuid4()}")
        app = application()
        listener = socket.create_server(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        options = replace(options or Options(files=RULES), base_url=base_url)
        mount(app, engine, options)
        addresses = Addresses(
            engine, base_url=base_url, buckets=options.buckets, link_secret=options.files.link_secret
        )
        async with served(app, {"apikey": key} if key else {}, listener) as page:
            yield Scene(engine, store, blobs, drive, page, addresses)


async def _no_time_passes(_: float) -> None:
    raise AssertionError("these tests do not move the clock")
