"""The queue manager's endpoints that anybody may call, and the routes of all of them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from makegood.engine import Engine
from makegood.errors import Conflict, GuardFailed, IllegalTransition, StoreError
from makegood.job import Job
from makegood.lifecycle import BaseJob
from makegood_adapters.http.application import Refused, read_json
from makegood_adapters.queue_manager.asking import ask_soon
from makegood_adapters.queue_manager.callers import actor_of, caller_of, is_internal, is_owner, may_report
from makegood_adapters.queue_manager.cancel_ids import cancel_id
from makegood_adapters.queue_manager.projection import status
from makegood_adapters.queue_manager.reports import Claim, Reports
from makegood_adapters.queue_manager.tables import Tables

NAME = "runninghub-queue-manager"
_ASKED_FOR = "table and jobId are required"

Body = Mapping[str, Any]
Endpoint = Callable[[web.Request], Awaitable[web.Response]]


class PublicCalls:
    """What pages ask with their public key alone; their word moves nothing that was submitted."""

    def __init__(self, engine: Engine, tables: Tables, reports: Reports) -> None:
        self._engine, self._tables, self._reports = engine, tables, reports
        offered = [each for each in engine.catalog if tables.tool(each.name)]
        self._scopes = sorted({each.exclusive_by for each in offered if each.exclusive_by})

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """Return the endpoints by their names."""
        return {
            "check": self._check,
            "check-user-active": self._check_user_active,
            "finish": self._finish,
            "cancel-session": self._cancel_session,
            "reconcile": self._reconcile,
        }

    async def _check(self, _: web.Request) -> web.Response:
        """Tell how full the provider accounts are, together; no name and no key of any of them."""
        told = await room(self._engine)
        available = told["running"] < told["maxConcurrent"] and told["slotsAvailable"] > 0
        return web.json_response(
            {
                "available": available and told["totalQueued"] == 0,
                **told,
                "accountName": None,
                "accountApiKey": None,
            }
        )

    async def _check_user_active(self, request: web.Request) -> web.Response:
        """Advise whether a user has a job under way; it is the insert that decides.

        Whoever asks gets no id of a job, but one that is good for its owner's cancel alone.
        """
        user = (await body_of(request)).get("userId")
        if not is_owner(user):
            raise Refused(400, "userId is required")
        try:
            found = [await self._engine.active_job(user, scope) for scope in self._scopes]
        except StoreError:
            raise Refused(500, "Whether the user has a job under way cannot be told now.") from None
        active = next((job for job in found if job is not None), None)
        if active is None:
            return web.json_response({"hasActiveJob": False, "activeTool": None})
        state = status(active)
        return web.json_response(
            {
                "hasActiveJob": True,
                "activeTool": self._engine.catalog.label(active.type),
                "activeJobId": str(cancel_id(active.id)),
                "activeStatus": "pending (initializing)" if state == BaseJob.pending.name else state,
            }
        )

    async def _finish(self, request: web.Request) -> web.Response:
        body = await body_of(request, _ASKED_FOR)
        job = await self._job(body)
        if job is None or not may_report(request, job):
            raise Refused(404, "Job not found")
        claim = Claim.read(body, "errorMessage", "outputUrl")
        if is_internal(request):
            taken = await self._reports.settle(job, claim, actor_of(request), body.get("taskId"))
        else:
            taken = await self._reports.take(job, claim)
        if taken.over_already:
            return web.json_response({"success": True, "skipped": True, "reason": "already_terminal"})
        return web.json_response({"success": True, "refundedAmount": taken.refunded})

    async def _cancel_session(self, request: web.Request) -> web.Response:
        """Cancel what was never submitted of a page that leaves, or of a user if it is that user who asks."""
        body = await body_of(request)
        session, user = body.get("sessionId"), body.get("userId")
        ended: list[Job] = []
        if is_owner(session):
            ended = await self._engine.end_session(session)
        elif is_owner(user):
            caller = caller_of(request)
            if caller is None or caller.owner == user or is_internal(request):
                ended = await self._cancelled(user, actor_of(request))
        else:
            raise Refused(400, "sessionId or userId is required")
        jobs = [{"table": self._table_of(job), "id": str(job.id)} for job in ended]
        return web.json_response({"success": True, "cancelledCount": len(jobs), "cancelledJobs": jobs})

    async def _cancelled(self, owner: str, actor: str) -> list[Job]:
        ended = []
        for job in (await self._engine.list_jobs(owner, active=True, limit=200)).jobs:
            if job.intent_attempt is None and self._table_of(job):
                try:
                    why = "the page was left"
                    ended.append(await self._engine.fire(job.id, BaseJob.cancel, actor=actor, reason=why))
                except (IllegalTransition, GuardFailed, Conflict):
                    continue  # it was submitted at this moment, or is over
        return ended

    async def _reconcile(self, request: web.Request) -> web.Response:
        """Tell our own state, and have the provider asked soon.

        Of a job that is not over, also of one that waits, it is told that it runs: for every other reason the
        page would report it as failed.
        """
        try:
            body = await body_of(request, _ASKED_FOR)
        except Refused as refused:
            return web.json_response({"error": refused.message, "resolved": False}, status=refused.status)
        job = await self._job(body)
        if job is None:
            return web.json_response({"error": "Job not found", "resolved": False}, status=404)
        if job.finished_at is not None:
            return web.json_response({"resolved": True, "status": status(job)})
        await ask_soon(self._engine, job)
        shown = "RUNNING" if status(job) == BaseJob.running.name else "QUEUED"
        return web.json_response({"resolved": False, "reason": "still_running", "providerStatus": shown})

    def _table_of(self, job: Job) -> str | None:
        tool = self._tables.tool(job.type)
        return tool.table if tool else None

    async def _job(self, body: Body) -> Job | None:
        return await self._tables.find(body["table"], body["jobId"])


def queue_manager_routes(endpoints: Mapping[str, Endpoint]) -> list[web.RouteDef]:
    """Return the routes below the queue manager's name; the last segment of the path names the endpoint."""

    async def dispatch(request: web.Request) -> web.Response:
        endpoint = endpoints.get(request.match_info.get("path", "").rpartition("/")[2])
        if endpoint is None:
            raise Refused(400, "Invalid endpoint")
        return await endpoint(request)

    return [web.post("", dispatch), web.post("/{path:.*}", dispatch)]


async def body_of(request: web.Request, demanded: str | None = None) -> Body:
    """Return the body, an object; with the words *demanded* it has to name a table and a job."""
    body = await read_json(request)
    if not isinstance(body, dict):
        raise Refused(400, demanded or "The body is no JSON object.")
    if demanded and not (body.get("table") and body.get("jobId")):
        raise Refused(400, demanded)
    return body


async def room(engine: Engine) -> dict[str, int]:
    """Return the sums over all provider accounts."""
    occupancy = await engine.occupancy()
    return {
        "running": sum(account.open for account in occupancy),
        "maxConcurrent": sum(account.capacity for account in occupancy),
        "slotsAvailable": sum(max(0, account.capacity - account.open) for account in occupancy),
        # Accounts of one pool share its queue, and each tells how long it is.
        "totalQueued": sum({account.pool: account.waiting for account in occupancy}.values()),
    }
