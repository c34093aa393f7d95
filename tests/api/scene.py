"""The API over a real engine and database, served by aiohttp or by an ASGI server, and clients of it."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import uvicorn
from aiohttp import web
from starlette.applications import Starlette
from starlette.routing import Mount

from makegood.catalog import Catalog
from makegood.engine import Engine
from makegood.job import Job, ProviderAccount, Verdict
from makegood.lifecycle import BaseJob
from makegood.testing.drive import Drive, accounts
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.http.aiohttp_app import WRITE_SECONDS, aiohttp_app
from makegood_adapters.http.asgi import asgi_app
from makegood_adapters.http.callers import Caller, CallerKind, Gate, Scope
from makegood_adapters.http.hub import StreamLimits
from makegood_adapters.http.problems import ApiProblem
from makegood_adapters.http.v1 import OPERATIONS, Api
from makegood_adapters.http.v1.api import PageRules
from makegood_adapters.http.v1.links import FileRules
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.queue_manager.scene import served
from tests.shipped import shipped

POOL = "runninghub"
OWNER, OTHER = "ada", "bob"
CREDITS = 1_000
SECRET = hashlib.sha256(b"a secret of the tests").digest()
#: Small, so that tests meet them.
RULES = FileRules(
    upload_bytes_max=200_000,
    day_bytes_max=500_000,
    stall_bytes=1_024,
    stall_seconds=600.0,
    link_secret=SECRET,
)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


class NamingGate:
    """Takes every caller at its word: `Bearer user:ada`, `Bearer service:owners,credits`, `Bearer public`."""

    async def identify(self, headers: Mapping[str, str], address: str) -> Caller:
        kind, _, rest = headers.get("authorization", "").removeprefix("Bearer ").partition(":")
        match kind:
            case "":
                return Caller(address=address)
            case "public":
                return Caller(kind=CallerKind.ANONYMOUS, address=address)
            case "user":
                return Caller(kind=CallerKind.USER, owner=rest, address=address)
            case "service":
                scopes = frozenset(Scope(text) for text in rest.split(","))
                return Caller(kind=CallerKind.SERVICE, name="test", scopes=scopes, address=address)
        raise ApiProblem("unauthenticated")

    async def admit(self, caller: Caller, cost: str) -> None:
        """Let everybody in."""


@dataclass(frozen=True)
class Answer:
    """What a client gets; `body` is the JSON, None when there is none."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""


class Client:
    """An HTTP client of the API that says who it is."""

    def __init__(self, session: aiohttp.ClientSession, base: str, who: str | None = f"user:{OWNER}") -> None:
        self.session, self.base, self.who = session, base, who

    def as_(self, who: str | None) -> "Client":
        return Client(self.session, self.base, who)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.who}"} if self.who else {}

    async def call(self, method: str, path: str, **given: Any) -> Answer:
        headers = {**self.headers, **given.pop("headers", {})}
        async with self.session.request(method, self.base + path, headers=headers, **given) as reply:
            raw = await reply.read()
            body = json.loads(raw) if raw and "json" in reply.content_type else None
            return Answer(reply.status, body, dict(reply.headers), raw)

    async def get(self, path: str, **given: Any) -> Answer:
        return await self.call("GET", path, **given)

    async def post(self, path: str, **given: Any) -> Answer:
        return await self.call("POST", path, **given)


@dataclass
class Scene:
    """Everything a test touches."""

    engine: Engine
    store: PostgresStore
    blobs: FolderBlobs
    drive: Drive
    client: Client

    async def order(self, owner: str = OWNER) -> dict[str, Any]:
        """Return the body of an order that is right in every way."""
        key = await self.blobs.put(PNG, "person.png")
        await self.store.uploads.keep(owner, key, "png", len(PNG))
        return {"type": "upscaler", "input": {"image": key, "category": "comida", "resolution": 1024}}

    async def completed(self, content: bytes, kind: str) -> Job:
        """Return a job of the owner that is paid, with one result file."""
        made = (await self.client.post("/jobs", json=await self.order())).body
        return await self.complete(await self.engine.get(UUID(made["id"])), content, kind)

    async def complete(self, job: Job, content: bytes, kind: str) -> Job:
        """Run a queued job, as the loops do, and bring home one result file."""
        key = await self.blobs.put(content, f"result.{kind}")
        job = await self.drive.submit(await self.drive.dispatch(job))
        job = await self.drive.event(job, "begin", Verdict.ACCEPTED)
        file = {"key": key, "kind": kind, "node": "", "size": len(content), "sha256": key[:64]}
        return await self.drive.event(job, "complete", Verdict.SUCCEEDED, output={"files": [file]})


@asynccontextmanager
async def opened(
    dsn: str,
    folder: Path,
    *,
    asgi: bool = False,
    gate: Gate | None = None,
    files: FileRules = RULES,
    streams: StreamLimits | None = None,
    page: PageRules | None = None,
    types: Iterable[type[BaseJob]] | None = None,
    write_seconds: float = WRITE_SECONDS,
    **given: Any,
) -> AsyncIterator[Scene]:
    """Yield the scene with room for fifty jobs and an owner who can pay; *given* goes to the engine."""
    catalog, blobs = Catalog(shipped() if types is None else types), FolderBlobs(folder)
    async with (
        PostgresStore.open(dsn) as store,
        Engine(store, catalog, blobs=blobs, run_loops=False, **given) as engine,
    ):
        drive = Drive(store, _no_time_passes)
        drive.specs |= {spec.name: spec for spec in catalog.specs}
        [name] = accounts(POOL)
        await store.attempts.register(ProviderAccount(name=name, pool=POOL, capacity=50))
        await engine.grant(OWNER, CREDITS, source_ref="order-1")
        api = Api(
            engine=engine,
            files=files,
            stream_limits=streams or StreamLimits(),
            page=page or PageRules(),
        )
        async with serving(api, gate or NamingGate(), asgi=asgi, write_seconds=write_seconds) as client:
            yield Scene(engine, store, blobs, drive, client)


@asynccontextmanager
async def serving(
    api: Api, gate: Gate, *, asgi: bool, write_seconds: float = WRITE_SECONDS
) -> AsyncIterator[Client]:
    """Serve the API below /v1 on a free port of this machine."""
    if asgi:
        app = Starlette(routes=[Mount("/v1", asgi_app(OPERATIONS, api, gate, write_seconds=write_seconds))])
        async with uvicorn_on(app) as base, aiohttp.ClientSession() as session:
            yield Client(session, f"{base}/v1")
    else:
        site = web.Application()
        site.add_subapp("/v1", aiohttp_app(OPERATIONS, api, gate, write_seconds=write_seconds))
        async with served(site) as page, aiohttp.ClientSession() as session:
            yield Client(session, f"{page.base}/v1")


@asynccontextmanager
async def uvicorn_on(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI application and yield where."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_level="warning",
        lifespan="off",
        ws="none",
        # A test that stands still for a while does not find its connection on the point of being closed.
        timeout_keep_alive=600,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    running = asyncio.create_task(server.main_loop())
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        await server.shutdown()


async def _no_time_passes(_: float) -> None:
    raise AssertionError("these tests do not move the clock")
