"""The existing page, as it was recorded, before a whole service: its calls, its retries and its timers."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from aiohttp import web

from makegood import Engine, Job, JobMoney
from makegood.catalog import Catalog
from makegood_adapters.access import LimitsConfig
from makegood_adapters.http.v1.links import FileRules
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from makegood_adapters.queue_manager import Options, mount
from makegood_adapters.runninghub.simulator import Faults, Match, Rule
from tests.adapters.queue_manager.scene import one_at_a_time
from tests.api.contents import MP4
from tests.api.issuer import BY_SECRET, PUBLIC, SECRET, a_gate, by_secret
from tests.incidents.old_tools import UPSCALER, PageTool
from tests.scenarios.stage import KEY, MONTHLY, PURCHASED, Stage, fill_wallet, picture, staged

MANAGER = "/functions/v1/runninghub-queue-manager"
HOOK = "/functions/v1/runninghub-webhook"
CREDITS = MONTHLY + PURCHASED
NOBODY = "00000000-0000-4000-8000-000000000000"
#: Pages of many tests ask more often than one page does, from one address.
_OFTEN = "100000/minute"
LIMITS = LimitsConfig(
    user=dict.fromkeys(("requests", "submits", "uploads"), _OFTEN),
    address={"requests": _OFTEN},
    failures=_OFTEN,
)
#: After an answer that is no 2xx, or none at all, the page calls /run again so often.
TRIES = 4


@dataclass(frozen=True)
class Reply:
    """What the page gets; `body` is None when it is empty."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass
class OldPage:
    """The page of a signed-in user. It knows an address, a public key and the user's token."""

    http: aiohttp.ClientSession
    base: str
    heard: list[str]
    user: str = "ada"
    tool: PageTool = UPSCALER
    session: str = "page-of-ada"
    #: Where the page's direct calls go; it is the same address, unless a test cuts them off.
    direct: str = ""
    #: What became of the last job, as the page shows it to its user.
    shown: str = ""

    async def call(
        self,
        method: str,
        path: str,
        *,
        public: bool = False,
        headers: Mapping[str, str] | None = None,
        **given: Any,
    ) -> Reply:
        """Call as the library does, or with *public* as the direct calls do: with the public key alone."""
        bearer = PUBLIC if public else by_secret(sub=self.user)
        sent = (
            {"Authorization": f"Bearer {bearer}"}
            | ({} if public else {"apikey": PUBLIC})
            | dict(headers or {})
        )
        base = (public and self.direct) or self.base
        async with self.http.request(method, base + path, headers=sent, **given) as reply:
            raw = await reply.read()
            self.heard.append(raw.decode(errors="replace"))
            is_json = raw and "json" in reply.content_type
            return Reply(reply.status, json.loads(raw) if is_json else None)

    async def manager(self, endpoint: str, body: Mapping[str, Any], *, public: bool = True) -> Reply:
        return await self.call("POST", f"{MANAGER}/{endpoint}", public=public, json=body)

    async def rpc(self, name: str, **body: Any) -> Any:
        return (await self.call("POST", f"/rest/v1/rpc/{name}", json=body)).body

    async def check_active(self) -> dict[str, Any]:
        """`checkActiveJob`: an answer that is no 2xx is read as "no active job"."""
        reply = await self.manager("check-user-active", {"userId": self.user})
        return dict(reply.body) if reply.ok else {"hasActiveJob": False}

    async def insert(self, **payload: Any) -> Reply:
        """`createJob`."""
        row = {
            "session_id": self.session,
            "user_id": self.user,
            "status": "pending",
            **self.tool.row,
            **payload,
        }
        return await self.call(
            "POST",
            f"/rest/v1/{self.tool.table}?select=id",
            json=row,
            headers={
                "Accept": "application/vnd.pgrst.object+json",
                "Prefer": "return=representation",
                "Content-Profile": "public",
            },
        )

    async def create(self, **payload: Any) -> str:
        """`createJob`, which must succeed; returns the id of the row."""
        reply = await self.insert(**payload)
        assert reply.status == 201, reply
        return str(reply.body["id"])

    async def upload(self, data: Any, name: str) -> str:
        """`uploadToStorage`; returns the address that the page builds for it."""
        path = f"artes-cloudinary/{self.tool.name}/{self.user}/{name}"
        kept = {"Content-Type": "image/png", "x-upsert": "true", "Cache-Control": "max-age=3600"}
        reply = await self.call("POST", f"/storage/v1/object/{path}", data=data, headers=kept)
        assert reply.status == 200, reply
        return f"{self.base}/storage/v1/object/public/{path}"

    async def run(self, job_id: str, **payload: Any) -> Reply:
        """Call the tool's function once."""
        path = f"/functions/v1/{self.tool.function}/{self.tool.endpoint}"
        return await self.call("POST", path, json={"jobId": job_id, **self.tool.body, **payload})

    async def start(self, job_id: str, **payload: Any) -> dict[str, Any]:
        """`startJob` of the latest page, with its retries, and what it does with the answer."""
        body: Any = None
        for _ in range(TRIES):
            try:
                reply = await self.run(job_id, **payload)
            except aiohttp.ClientError:
                continue
            if reply.ok:
                body = reply.body
                break
        if body is None:
            await self.mark_failed(job_id, "the tool could not be reached")
            return {}
        left_alone = body.get("code") in ("INSUFFICIENT_CREDITS", "RATE_LIMIT_EXCEEDED")
        if body.get("error") and not (body.get("success") or body.get("queued") or left_alone):
            await self.mark_failed(job_id, body["error"])
        self.shown = body.get("error") or ("queued" if body.get("queued") else "started")
        return dict(body)

    async def finish(self, job_id: str, message: str = "gone", **claims: Any) -> Reply:
        """Call /finish once."""
        body = {
            "table": self.tool.table,
            "jobId": job_id,
            "status": "failed",
            "errorMessage": message,
            **claims,
        }
        return await self.manager("finish", body)

    async def patch(self, job_id: str, **columns: Any) -> Reply:
        path = f"/rest/v1/{self.tool.table}?id=eq.{job_id}"
        return await self.call("PATCH", path, json=columns, headers={"Content-Profile": "public"})

    async def write_failed(self, job_id: str, message: str = "gone") -> Reply:
        """The fallback write of `markJobFailed`."""
        done = "2026-02-05T00:00:00Z"
        return await self.patch(job_id, status="failed", error_message=message, completed_at=done)

    async def mark_failed(self, job_id: str, message: str = "gone") -> None:
        """`markJobFailed`: /finish, and after anything but a 2xx the write."""
        try:
            reply = await self.finish(job_id, message)
        except aiohttp.ClientError:
            reply = Reply(0, None)
        if not reply.ok:
            await self.write_failed(job_id, message)

    async def read(
        self, job_id: str, columns: str = "status,output_url,error_message,position"
    ) -> dict[str, Any]:
        """`queryJobStatus`: the row, {} for none."""
        reply = await self.call("GET", f"/rest/v1/{self.tool.table}?select={columns}&id=eq.{job_id}")
        assert reply.status == 200, reply
        return dict(reply.body[0]) if reply.body else {}

    async def cancel(self, name: str, job_id: str) -> dict[str, Any]:
        """`cancelJob`, by a table or the name of a tool."""
        [row] = await self.rpc("user_cancel_ai_job", p_table_name=name, p_job_id=job_id)
        return dict(row)

    async def credits(self) -> int:
        """`checkCredits`."""
        return int(await self.rpc("get_upscaler_credits", _user_id=self.user))

    async def leave(self) -> Reply:
        """What the page sends while it closes."""
        return await self.manager("cancel-session", {"sessionId": self.session})

    async def watchdog(self, job_id: str, *, last: bool = False) -> str:
        """The pending watchdog, after 240 s, and with *last* after 360 s. Return what it did."""
        columns = "status,task_id,created_at,current_step,step_history"
        row = await self.read(job_id, columns)
        if row["status"] in ("completed", "failed", "running") or row["task_id"]:
            return "left alone"
        moves = bool(row["step_history"]) or row["current_step"] not in (None, "pending")
        if moves and not last:
            return "waits"
        return f"marked: {await self.mark_pending(job_id)}"

    async def mark_pending(self, job_id: str) -> Any:
        """The call of the watchdog, whatever the row says."""
        named = {"p_table_name": self.tool.table, "p_job_id": job_id}
        return await self.rpc("mark_pending_job_as_failed", **named, p_error_message="timeout")

    async def absolute_timer(self, job_id: str, *, last: bool = False) -> str:
        """The timer of ten minutes, and with *last* the five minutes more. Return what it did."""
        row = await self.read(job_id, "status,current_step")
        if row["status"] in ("completed", "failed", "cancelled"):
            return "over"
        reply = await self.manager("reconcile", {"table": self.tool.table, "jobId": job_id})
        if reply.ok and reply.body.get("reason") == "still_running":
            return "only the page says failed" if last else "five minutes more"
        if reply.ok and reply.body.get("resolved"):
            return "over"
        await self.mark_failed(job_id, "timeout")
        return "reported"


@dataclass
class OldService:
    """A whole service of ours in place of the old backend: engine, provider, and pages before it."""

    stage: Stage
    http: aiohttp.ClientSession
    keys: Engine
    heard: list[str] = field(default_factory=list)
    pictures: int = 0

    async def page(self, user: str = "ada", tool: PageTool = UPSCALER, *, credits: bool = True) -> OldPage:
        """Open the page of a user, who has CREDITS, or with *credits* False none."""
        if credits and not (await self.stage.engine.wallet(user)).buckets:
            await fill_wallet(self.stage.engine, user)
        return OldPage(self.http, self.stage.url, self.heard, user, tool, f"page-of-{user}")

    async def picture(self, page: OldPage, **faults: Any) -> str:
        """Upload a picture that nobody else has; *faults* meet its task, every time it is made."""
        self.pictures += 1
        data = picture(self.pictures)
        if faults:
            times = faults.pop("times", None)
            match = Match(input_sha256=hashlib.sha256(data).hexdigest())
            self.stage.simulator.add(Rule(faults=Faults(**faults), match=match, times=times))
        return await page.upload(data, f"{self.pictures}.png")

    async def files(self, page: OldPage, **faults: Any) -> dict[str, Any]:
        """Upload one file for all fields of the page's tool that take files."""
        tool = page.tool
        if not (tool.files or tool.lists):
            return {}
        address = await (page.upload(MP4, "film.mp4") if tool.video else self.picture(page, **faults))
        return dict.fromkeys(tool.files, address) | {name: [address] for name in tool.lists}

    async def order(self, page: OldPage, **faults: Any) -> str:
        """Let the page create and start a job; the service must take it."""
        if page.tool.makes_row:
            reply = await page.run("", **await self.files(page, **faults))
            assert reply.body["success"] is True, reply
            return str(reply.body["job_id"])
        job_id = await page.create()
        told = await page.start(job_id, **await self.files(page, **faults))
        assert told["success"] is True, told
        return job_id

    async def running(self, page: OldPage, **faults: Any) -> str:
        """Let the page order a job that is held at the provider, and wait until it is there."""
        job_id = await self.order(page, hold="running", **faults)
        await self.stage.reached(await self.job(job_id), "running")
        return job_id

    async def fill(self, users: int = 1) -> list[str]:
        """Take a slot for each of so many other users, who do not leave it before `release`."""
        return [await self.running(await self.page(f"blocker-{n}")) for n in range(users)]

    async def release(self, job_id: str) -> None:
        """Let the provider go on with the job's task, and wait until it is over there."""
        for task in await self.stage.tasks_of(await self.job(job_id)):
            self.stage.simulator.release(task.id)
            await self.stage.simulator.wait_for(lambda: task.over)  # noqa: B023 - it is awaited here

    async def job(self, job_id: str) -> Job:
        return await self.stage.engine.get(UUID(job_id))

    async def settled(self, job_id: str) -> Job:
        """Wait for the end of the job and check that it was paid or given back, wholly and once."""
        return await self.stage.settled(await self.job(job_id))

    async def money(self, job_id: str) -> JobMoney:
        return await self.stage.engine.money(UUID(job_id))

    async def available(self, user: str = "ada") -> int:
        return (await self.stage.engine.wallet(user)).available

    async def refunds(self) -> int:
        """Return how many jobs have ended as failed or cancelled, of all transitions that there were."""
        query = "select count(*) from makegood.history where to_state in ('failed', 'cancelled')"
        return int(await self.stage.value(query))

    async def hook(self, body: Mapping[str, Any]) -> Reply:
        """Post to the old address of webhooks, as the provider or anybody might."""
        async with self.http.post(self.stage.url + HOOK, json=body) as reply:
            return Reply(reply.status, await reply.json())

    async def service_headers(self) -> dict[str, str]:
        """Return the credentials of a part of the old backend that has a key of ours."""
        made = await self.keys.make_key("old-part", ("operations",), actor="admin")
        return {"Authorization": f"Bearer {made.secret}"}

    def no_secret_was_told(self) -> None:
        """Fail if a page has heard a key, or the provider's name of a task."""
        for text in self.heard:
            assert KEY not in text
            assert SECRET not in text
            assert not [task.id for task in self.stage.simulator.tasks if task.id in text]


@asynccontextmanager
async def old_service(
    dsn: str, folder: Path, *, crowded: bool = False, stall_seconds: float = 60.0, **given: Any
) -> AsyncIterator[OldService]:
    """Serve. At the end no page may have heard a secret, and the ledger has no difference.

    *crowded*: a user may have any number of jobs; *given* goes to `staged`.
    """
    keys = Engine(MemoryStore(), Catalog([]), blobs=MemoryBlobs(), run_loops=False)
    async with a_gate(BY_SECRET, limits=LIMITS, keys=keys) as gate, aiohttp.ClientSession() as http:

        def beside(app: web.Application, engine: Engine, url: str) -> None:
            files = FileRules(
                link_secret=hashlib.sha256(b"links of the old page").digest(),
                stall_bytes=64,
                stall_seconds=stall_seconds,
            )
            mount(app, engine, Options(gate=gate, public_key=PUBLIC, base_url=url, files=files))

        offered = None if crowded else one_at_a_time()
        async with staged(dsn, folder, offered=offered, beside=beside, **given) as stage:
            service = OldService(stage, http, keys)
            yield service
            service.no_secret_was_told()
            audit = await stage.engine.audit()
            assert (audit.total.difference, audit.broken) == (0, 0), audit.violations
