"""`/functions/v1/{function}/…` of the tools: run, refine, upload, and what a page asks about its own job."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from makegood.engine import Engine
from makegood.errors import InvalidRequest, UploadsExhausted
from makegood.job import Job
from makegood_adapters.http.application import BODY_BYTES_MAX, BODY_SECONDS, Refused, read_json
from makegood_adapters.http.callers import Gate
from makegood_adapters.http.v1.links import FileRules
from makegood_adapters.queue_manager.addresses import Addresses
from makegood_adapters.queue_manager.asking import ask_soon
from makegood_adapters.queue_manager.callers import acting_owner, actor_of, count, is_owner
from makegood_adapters.queue_manager.large_bodies import LargeBodies, NoRoom
from makegood_adapters.queue_manager.projection import to_row
from makegood_adapters.queue_manager.runs import Runs
from makegood_adapters.queue_manager.storage import BASE64_BYTES_MAX, bring_base64
from makegood_adapters.queue_manager.tables import Tables, Tool

#: Of a body that has files in it: two as base64, with room for the rest.
_FILES_BYTES_MAX = 2 * BASE64_BYTES_MAX * 4 // 3 + BODY_BYTES_MAX
_FILES_SECONDS = 60.0
_ROOM_SECONDS = 10.0
_RUNS = ("run", "refine")
_SHOWN = ("status", "position", "output_url", "error_message")
# The states as those engines of the existing app told them that were polled by their pages.
_POLLED = {"completed": "completed", "failed": "failed", "cancelled": "failed", "pending": "pending"}

Body = Mapping[str, Any]


class Functions:
    """The functions of the tools: for the owner of a job alone, and to others as if it were not there."""

    def __init__(
        self,
        engine: Engine,
        tables: Tables,
        addresses: Addresses,
        runs: Runs,
        *,
        rules: FileRules,
        gate: Gate | None,
    ) -> None:
        self._engine, self._tables, self._addresses = engine, tables, addresses
        self._runs, self._rules, self._gate = runs, rules, gate
        self._large = LargeBodies()
        self._endpoints: dict[str, Callable[[web.Request, str], Awaitable[web.Response]]] = {
            "run": self._run,
            "refine": self._run,
            "upload": self._upload,
            "queue-status": self._queue_status,
            "reconcile": self._reconcile,
            "poll": self._poll,
            "poll-evolink": self._poll,
        }

    def routes(self) -> list[web.RouteDef]:
        """Return the routes below `/functions/v1`; the last segment of the path names the endpoint."""
        return [web.post("/{function}", self._call), web.post("/{function}/{path:.*}", self._call)]

    async def _call(self, request: web.Request) -> web.Response:
        if not self._of(request):
            raise Refused(404, "There is no such function.")
        name = request.match_info.get("path", "").rpartition("/")[2]
        endpoint = self._endpoints.get(name)
        runs = name not in _RUNS or any(tool.endpoint == name for tool in self._of(request))
        if endpoint is None or not runs:
            raise Refused(400, "Invalid endpoint")
        return await endpoint(request, name)

    async def _run(self, request: web.Request, name: str) -> web.Response:
        tools = self._tables.function(request.match_info["function"], name)
        owner, large = acting_owner(request), any(tool.content for tool in tools)
        if limited := await self._limited(request, owner, "submits"):
            return limited
        actor = actor_of(request)
        try:
            with self._large.room(request, owner or ""):
                body = await _read(request, with_files=large)
                if any(tool.makes_row for tool in tools):
                    reply = await self._runs.run_new(tools, body, owner or _named(body), actor)
                else:
                    reply = await self._runs.run_row(tools, body, owner, actor)
        except UploadsExhausted as error:
            return _too_often(str(error), error.again_seconds)
        except NoRoom as error:
            return _too_often(str(error), _ROOM_SECONDS)
        return web.json_response(reply)

    async def _upload(self, request: web.Request, _: str) -> web.Response:
        owner = acting_owner(request)
        if limited := await self._limited(request, owner, "uploads"):
            return limited
        try:
            with self._large.room(request, owner or ""):
                body = await _read(request, with_files=True)
                if not body.get("imageBase64"):
                    return _refused("MISSING_IMAGE", "There is no file: imageBase64 is missing.")
                file, named = body["imageBase64"], owner or _named(body)
                upload = await bring_base64(self._engine, named, file, self._rules)
        except UploadsExhausted as error:
            return _too_often(str(error), error.again_seconds)
        except NoRoom as error:
            return _too_often(str(error), _ROOM_SECONDS)
        except InvalidRequest as error:
            return _refused("INVALID_INPUT", str(error))
        return web.json_response({"success": True, "fileName": upload.key})

    async def _queue_status(self, request: web.Request, _: str) -> web.Response:
        body = await self._asked(request)
        row = await self._row(await self._own(request, body))
        if "job_id" in body:
            return web.json_response({"success": True, **row})
        told = {
            "status": row["status"],
            "position": row["position"],
            "outputUrl": row["output_url"],
            "errorMessage": row["error_message"],
        }
        return web.json_response({"success": True, **told})

    async def _reconcile(self, request: web.Request, _: str) -> web.Response:
        """Tell our own state, and have the provider asked soon. The image engines look at `status`."""
        body = await self._asked(request)
        job = await self._own(request, body)
        row = await self._row(job)
        told: dict[str, Any] = {"success": True, "status": row["status"]}
        if job.finished_at is not None:
            told |= {"alreadyFinalized": True, "outputUrl": row["output_url"]}
            if row["error_message"] is not None:
                told["error"] = row["error_message"]
            return web.json_response(told)
        await ask_soon(self._engine, job)
        told |= {"reconciled": False, "currentStatus": row["status"]}
        if not job.submitted:
            told["message"] = "The provider does not have the task yet."
        return web.json_response(told)

    async def _poll(self, request: web.Request, _: str) -> web.Response:
        row = await self._row(await self._own(request, await self._asked(request)))
        told = {"status": _POLLED.get(row["status"], "processing")}
        told |= {"output_url": row["output_url"]} if row["output_url"] else {}
        if told["status"] == "failed":
            told["error"] = row["error_message"] or "The job was cancelled."
        return web.json_response(told)

    async def _asked(self, request: web.Request) -> Body:
        owner = acting_owner(request)
        await count(self._gate, request, owner, "requests")
        body = await _read(request)
        if not (body.get("jobId") or body.get("job_id")):
            raise Refused(400, "jobId is required")
        return body

    async def _own(self, request: web.Request, body: Body) -> Job:
        job_id = body.get("jobId") or body.get("job_id")
        return await self._runs.own_job(self._of(request), job_id, acting_owner(request))

    def _of(self, request: web.Request) -> list[Tool]:
        """Return the tools of the function that the path names."""
        name = request.match_info["function"]
        return [tool for table in self._tables for tool in table.tools if tool.function == name]

    async def _row(self, job: Job) -> dict[str, Any]:
        tool = self._tables.tool(job.type)
        table = self._tables.get(tool.table) if tool else None
        assert table is not None, "the job is one of a tool"
        return await to_row(self._engine, table, job, _SHOWN, self._addresses)

    async def _limited(self, request: web.Request, owner: str | None, cost: str) -> web.Response | None:
        try:
            await count(self._gate, request, owner, cost)
        except Refused as refused:
            if refused.status != 429:
                raise
            return _too_often(refused.message, float(refused.headers.get("Retry-After", "60")))
        return None


async def _read(request: web.Request, *, with_files: bool = False) -> Body:
    bytes_max, seconds = BODY_BYTES_MAX, BODY_SECONDS
    if with_files:
        bytes_max, seconds = _FILES_BYTES_MAX, _FILES_SECONDS
    body = await read_json(request, bytes_max=bytes_max, seconds=seconds)
    if not isinstance(body, dict):
        raise Refused(400, "The body is no JSON object.")
    return body


def _named(body: Body) -> str:
    """Return the user that the body names, for services that know none."""
    owner = body.get("userId") or body.get("user_id")
    if not is_owner(owner):
        raise Refused(401, "The call names no user: userId is missing or no text.", code="AUTH_REQUIRED")
    return owner


def _refused(code: str, message: str) -> web.Response:
    return web.json_response({"success": False, "error": message, "code": code})


def _too_often(message: str, seconds: float) -> web.Response:
    """Return that the caller comes too often: the job stays as it is, and may be run later."""
    body = {"error": message, "code": "RATE_LIMIT_EXCEEDED", "retryAfter": max(1, round(seconds))}
    return web.json_response(body, headers={"Retry-After": str(body["retryAfter"])})
