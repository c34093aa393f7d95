"""Run a tool: its draft gets the whole input, is priced, held and queued, once, however often it is asked."""

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any

from makegood.engine import TOO_FEW, Engine
from makegood.errors import (
    ActiveJob,
    Conflict,
    GuardFailed,
    IllegalTransition,
    InsufficientCredits,
    InvalidInput,
    InvalidRequest,
    JobTypeClosed,
    JobTypeRefused,
    Refusal,
    StoreError,
    UnknownJob,
    UnknownJobType,
    UploadsExhausted,
)
from makegood.job import Job
from makegood.lifecycle import BaseJob, Failure
from makegood_adapters.http.application import Refused
from makegood_adapters.queue_manager.inputs import Inputs, Unfit, unfit
from makegood_adapters.queue_manager.projection import status
from makegood_adapters.queue_manager.tables import Tables, Tool, chosen, to_uuid
from makegood_adapters.queue_manager.wording import category, of_credits, reason

log = logging.getLogger("makegood.http")

#: What a refusal of ours is called in the history; its detail has the `code` that the page was told.
REFUSED = "refused"
_CLOSED = "The tool takes no jobs at the moment. Please try again later."
_HELD_BACK = "The job cannot be accepted now. Please try again later."
_NOT_OFFERED = (JobTypeClosed, JobTypeRefused, UnknownJobType)
_JOB_ID_LENGTH_MAX = 100
# Beside a job that a function has made: what the call was that made it. No column is called so.
_CALL = "makegood.call"
_KEPT_LENGTH_MAX = 500

Reply = dict[str, Any]


class Runs:
    """Runs tools for their owners. What is refused for good is settled in the same step, without a charge."""

    def __init__(self, engine: Engine, tables: Tables, inputs: Inputs) -> None:
        self._engine, self._tables, self._inputs = engine, tables, inputs

    async def own_job(self, tools: list[Tool], job_id: object, owner: str | None) -> Job:
        """Return the owner's job in the table of these tools; Refused 404 for every other."""
        key = to_uuid(job_id) if isinstance(job_id, str) else None
        try:
            if key is not None:
                job = await self._engine.get(key, owner=owner)
                found = self._tables.tool(job.type)
                if found is not None and found.table in {tool.table for tool in tools}:
                    return job
        except UnknownJob:
            pass
        raise Refused(404, "Job not found", code="JOB_NOT_FOUND")

    async def run_row(
        self, tools: list[Tool], body: Mapping[str, Any], owner: str | None, actor: str
    ) -> Reply:
        """Run a row that the page has inserted, and tell the state of its job afterwards."""
        job_id = body.get("jobId")
        if not isinstance(job_id, str) or not 0 < len(job_id) <= _JOB_ID_LENGTH_MAX:
            return {"error": "jobId is missing or no id of a job.", "code": "INVALID_JOB_ID"}
        job = await self.own_job(tools, job_id, owner)
        if job.draft and job.finished_at is None:
            tool = _tool_for(tools, body)
            try:
                job = await self._prepared(job, tool, body)
            except Unfit as error:
                job = await self._settled(job, error, actor)
        return await self.started(job, actor)

    async def run_new(self, tools: list[Tool], body: Mapping[str, Any], owner: str, actor: str) -> Reply:
        """Make a job of a tool whose page inserts no row, and run it.

        The same call again, while its job is under way, is that job; another call then is refused.
        """
        tool, call = _tool_for(tools, body), _digest(body)
        try:
            if tool is None:
                raise Unfit("INVALID_INPUT", "The call names no engine or model that there is.")
            if active := await self._active(owner, tool):
                return await self._beside(active, call, actor)
            given = await self._inputs.whole(tool, owner, {}, body)
            kept = {**_kept(tool, body), _CALL: call}
            try:
                job = await self._engine.submit(
                    tool.job_type, owner, given, session=_session(body), metadata=kept
                )
            except InvalidInput as error:
                raise unfit(error, tool, given) from None
            except ActiveJob as error:
                return await self._beside(await self._engine.get(error.job_id), call, actor)
        except UploadsExhausted:
            raise
        except _NOT_OFFERED:
            return _refused(Unfit("RUN_FAILED", _CLOSED))
        except InvalidRequest as error:
            return _refused(_odd(error))
        except Unfit as error:
            return _refused(error)
        return {**await self.started(job, actor), "job_id": str(job.id)}

    async def started(self, job: Job, actor: str) -> Reply:
        """Accept a job that only waits for that, and tell its state."""
        if job.finished_at is None and not job.draft and status(job) == BaseJob.pending.name:
            try:
                job = await self._engine.accept(job.id, actor=actor)
            except (InsufficientCredits, IllegalTransition, Conflict):
                job = await self._engine.get(job.id)
            except GuardFailed as held_back:  # by a guard of its type: it may be run later
                log.info("job %s is not accepted: %s", job.id, held_back)
                return _refused(Unfit("RUN_FAILED", _HELD_BACK))
        try:
            return await self.told(job)
        except StoreError as error:  # it is accepted, so that no error may lead the page to think otherwise
            log.warning("job %s is run, and its state cannot be told: %s", job.id, error)
            return {"success": True, "queued": status(job) == BaseJob.queued.name}

    async def told(self, job: Job) -> Reply:
        """Return the state of a job as `/run` tells it; of credits only what the ledger shows."""
        match status(job):
            case "failed" | "cancelled":
                return await self._told_over(job)
            case "queued":
                return {"success": True, "queued": True, "position": await self._engine.position(job.id)}
            case "starting" | "running":
                return {"success": True, "queued": False, "taskId": str(job.id)}
            case _:
                return {"success": True, "queued": False}

    async def _told_over(self, job: Job) -> Reply:
        error: object = job.error
        failure = error if isinstance(error, Mapping) else {}
        money = await self._engine.money(job.id)
        why = reason(job) or "The job was cancelled."
        reply: Reply = {
            "success": False,
            "error": f"{why} {of_credits(money)}",
            "code": _code(failure),
            "status": status(job),
            "refunded": money.released > 0,
        }
        if failure.get("category") == TOO_FEW:
            reply["currentBalance"] = (await self._engine.wallet(job.owner)).available
        return reply

    async def _prepared(self, job: Job, tool: Tool | None, body: Mapping[str, Any]) -> Job:
        if tool is None:
            raise Unfit("INVALID_INPUT", "The call names no engine or model that there is.")
        try:
            given = await self._inputs.whole(tool, job.owner, job.input, body)
            try:
                return await self._engine.prepare(job.id, given, job_type=tool.job_type)
            except InvalidInput as error:
                raise unfit(error, tool, given) from None
        except UploadsExhausted:
            raise
        except _NOT_OFFERED:
            raise Unfit("RUN_FAILED", _CLOSED) from None
        except InvalidRequest as error:
            raise _odd(error) from None

    async def _settled(self, job: Job, error: Unfit, actor: str) -> Job:
        """End a draft that cannot become a job; one that another call has made one meanwhile goes on."""
        failure = Failure(category=REFUSED, message=error.message, detail={"code": error.code})
        try:
            return await self._engine.refuse_draft(job.id, failure, actor=actor, reason=error.code)
        except Refusal:
            return await self._engine.get(job.id)

    async def _active(self, owner: str, tool: Tool) -> Job | None:
        scope = self._engine.catalog.get(tool.job_type).exclusive_by
        return await self._engine.active_job(owner, scope) if scope else None

    async def _beside(self, active: Job, call: str, actor: str) -> Reply:
        if active.metadata.get(_CALL) == call:
            return {**await self.started(active, actor), "job_id": str(active.id)}
        label = self._engine.catalog.label(active.type)
        return {
            "error": f"You have a job under way: {label}. Please wait until it is over, or cancel it.",
            "code": "USER_HAS_ACTIVE_JOB",
            "activeTool": label,
            "activeStatus": status(active),
        }


def _refused(error: Unfit) -> Reply:
    return {"success": False, "error": error.message, "code": error.code, "refunded": False}


def _odd(error: InvalidRequest) -> Unfit:
    """Return what a page is told of a refusal whose words are made for whoever runs the service."""
    log.warning("a call of a tool is refused: %s", error)
    return Unfit("INVALID_INPUT", "The call cannot become a job of this tool.")


def _tool_for(tools: list[Tool], body: Mapping[str, Any]) -> Tool | None:
    """Return that tool of one function for which the body is: where there is one only, it need not say."""
    return tools[0] if len(tools) == 1 else chosen(tools, body)


def _code(failure: Mapping[str, Any]) -> str:
    """Return the code of a job that is over: the one that was told when it was refused, if it was."""
    if failure.get("category") == TOO_FEW:
        return "INSUFFICIENT_CREDITS"
    detail = failure.get("detail")
    if failure.get("category") == REFUSED and isinstance(detail, Mapping):
        return str(detail.get("code", "RUN_FAILED"))
    return "IMAGE_TRANSFER_ERROR" if category(failure) == "upload" else "RUN_FAILED"


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _session(body: Mapping[str, Any]) -> str | None:
    session = body.get("session_id") or body.get("sessionId")
    return session if isinstance(session, str) and session.isprintable() and len(session) <= 200 else None


def _kept(tool: Tool, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that are kept beside the job, which the body has in its own spelling."""
    found = {}
    for column in tool.kept:
        first, *rest = column.split("_")
        value = body.get(column, body.get(first + "".join(part.title() for part in rest)))
        if isinstance(value, (str, int, float)) and len(str(value)) <= _KEPT_LENGTH_MAX:
            found[column] = value
    return found
