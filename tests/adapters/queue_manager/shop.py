"""A signed-in user's page that brings files and runs tools, and a service with a key of ours."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from makegood.catalog import Catalog
from makegood.engine import Engine
from makegood.job import Job, JobMoney, Verdict
from makegood.lifecycle import BaseJob, Failure
from makegood_adapters.access import LimitsConfig
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from makegood_adapters.queue_manager import Options
from tests.adapters.queue_manager.scene import FUNCTIONS, OWNER, PNG, RULES, Reply, Scene, opened
from tests.api.issuer import BY_SECRET, PUBLIC, a_gate, by_secret

ADA, BOB = by_secret(sub=OWNER), by_secret(sub="bob")
UPSCALER = "runninghub-upscaler"
TABLE = "upscaler_jobs"


def bearing(token: str) -> dict[str, str]:
    """Return what the page's library sends for whoever is signed in."""
    return {"apikey": PUBLIC, "Authorization": f"Bearer {token}"}


# Tests call more often than any page does.
_OFTEN = LimitsConfig(
    user={"requests": "9000/minute", "submits": "9000/minute", "uploads": "9000/minute"},
    address={"requests": "9000/minute"},
)
PUBLIC_ALONE = {"Authorization": f"Bearer {PUBLIC}"}


@dataclass
class Shop:
    """Everything a test of the functions touches; it speaks for ada unless told otherwise."""

    scene: Scene
    keys: Engine
    files: int = field(default=0)

    async def file(self, owner: str = OWNER, content: bytes = PNG) -> str:
        """Bring a file as the page does, and return the address that the page builds for it."""
        self.files += 1
        path = f"artes-cloudinary/upscaler/{owner}/{self.files}.png"
        await self.scene.engine.bring(owner, _pieces(content), name=path)
        return f"{self.scene.page.base}/storage/v1/object/public/{path}"

    async def draft(
        self, job_type: str = "upscaler", owner: str = OWNER, *, session: str = "page-1", **given: Any
    ) -> Job:
        """Insert a row that has no input yet, as a page does before it has read the file."""
        return await self.scene.engine.submit(job_type, owner, given, draft=True, session=session)

    async def at(self, place: str, owner: str = OWNER, session: str = "page-1") -> Job:
        """Bring an upscaler's job to a place of its life, `PLACES` of the scene."""
        engine, drive, event = self.scene.engine, self.scene.drive, self.scene.event
        job = await self.draft(owner=owner, session=session)
        if place == "draft":
            return job
        upload = await engine.bring(owner, _pieces(PNG))
        job = await engine.prepare(job.id, {"image": upload.key})
        if place == "pending":
            return job
        job = await engine.accept(job.id)
        match place:
            case "starting":
                return await drive.dispatch(job)
            case "failed":
                return await engine.fire(job.id, BaseJob.fail, Failure(category="provider"))
            case "cancelled":
                return await engine.cancel(job.id)
            case "queued":
                return job
        job = await drive.submit(await drive.dispatch(job))
        if place == "starting with intent":
            return job
        job = await event(job, "begin", Verdict.ACCEPTED)
        match place:
            case "completed":
                return await event(job, "complete", Verdict.SUCCEEDED, output={"files": []})
            case "queued again":
                return await event(job, "rerun", Verdict.FAILED)
            case _:
                return job

    async def call(self, function: str, endpoint: str, body: Any, token: str | None = ADA) -> Reply:
        """Call a tool's function as the page's library does."""
        headers = {} if token is None else bearing(token)
        path = f"/functions/v1/{function}/{endpoint}"
        return await self.scene.page.call("POST", path, json=body, headers=headers)

    async def run(self, job: Job | UUID | str, token: str | None = ADA, **body: Any) -> Reply:
        """Run an upscaler's row."""
        job_id = str(job.id if isinstance(job, Job) else job)
        return await self.call(UPSCALER, "run", {"jobId": job_id, **body}, token)

    async def running(self, **body: Any) -> tuple[Job, Reply]:
        """Insert a row, run it, and return its job with what was told."""
        draft = await self.draft()
        reply = await self.run(draft, imageUrl=await self.file(), **body)
        return await self.job(draft), reply

    async def manager(
        self, endpoint: str, body: Any = None, headers: Mapping[str, str] = PUBLIC_ALONE
    ) -> Reply:
        """Call the queue manager, with the publishable key alone unless told otherwise."""
        return await self.scene.page.call("POST", f"{FUNCTIONS}/{endpoint}", json=body or {}, headers=headers)

    async def service(self, *scopes: str) -> dict[str, str]:
        """Return the headers of a service of ours."""
        made = await self.keys.make_key(f"service-{'-'.join(scopes)}", scopes, actor="admin")
        return {"Authorization": f"Bearer {made.secret}"}

    async def job(self, job: Job) -> Job:
        return await self.scene.engine.get(job.id)

    async def money(self, job: Job) -> JobMoney:
        return await self.scene.engine.money(job.id)

    async def available(self, owner: str = OWNER) -> int:
        return (await self.scene.engine.wallet(owner)).available


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


@asynccontextmanager
async def a_shop(
    dsn: str, folder: Path, *, limits: LimitsConfig | None = None, **given: Any
) -> AsyncIterator[Shop]:
    """Yield a shop where users are known by their tokens; *given* goes to the engine."""
    keys = Engine(MemoryStore(), Catalog([]), blobs=MemoryBlobs(), run_loops=False)
    async with a_gate(BY_SECRET, limits=limits or _OFTEN, keys=keys) as gate:
        options = Options(gate=gate, public_key=PUBLIC, files=RULES)
        async with opened(dsn, folder, options, exclusive=True, **given) as scene:
            yield Shop(scene, keys)
