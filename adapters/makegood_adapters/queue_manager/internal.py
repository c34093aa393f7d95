"""The endpoints of the queue manager that our own services call: start, queue, retry, look; never revive."""

from aiohttp import web

from makegood.engine import Engine
from makegood.errors import Conflict, GuardFailed, IllegalTransition, InsufficientCredits
from makegood.job import Job
from makegood.lifecycle import BaseJob
from makegood_adapters.http.application import Refused
from makegood_adapters.queue_manager.asking import ask_soon
from makegood_adapters.queue_manager.callers import actor_of, is_internal
from makegood_adapters.queue_manager.projection import status
from makegood_adapters.queue_manager.public import Endpoint, body_of, room
from makegood_adapters.queue_manager.runs import Reply, Runs
from makegood_adapters.queue_manager.tables import Tables

_ASKED_FOR = "Valid table and jobId are required"


class InternalCalls:
    """Each call describes the job as it is afterwards, and may be repeated; a job that is over stays so.

    What a caller says about prices is not read.
    """

    def __init__(self, engine: Engine, tables: Tables, runs: Runs) -> None:
        self._engine, self._tables, self._runs = engine, tables, runs

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """Return the endpoints by their names."""
        named: dict[str, Endpoint] = {
            "run-or-queue": self._run_or_queue,
            "enqueue": self._enqueue,
            "retry": self._retry,
            "process-next": self._process_next,
            "status": self._status,
        }
        return {name: _guarded(endpoint) for name, endpoint in named.items()}

    async def _run_or_queue(self, request: web.Request) -> web.Response:
        before = await self._job(request)
        job = await self._accepted(before, request)
        if job.finished_at is not None:
            return web.json_response(await self._over(job))
        state = status(job)
        told: Reply = {"success": True, "queued": state == BaseJob.queued.name}
        if status(before) != BaseJob.pending.name:
            return web.json_response({**told, "taskId": _task(job), "status": state, "duplicate": True})
        if told["queued"]:
            return web.json_response({**told, **await self._place(job)})
        attempts = await self._engine.attempts(job.id)
        account = attempts[-1].account if attempts else None
        return web.json_response({"success": True, "taskId": _task(job), "accountUsed": account})

    async def _enqueue(self, request: web.Request) -> web.Response:
        job = await self._accepted(await self._job(request), request)
        if job.finished_at is not None:
            return web.json_response(await self._over(job))
        queued = status(job) == BaseJob.queued.name
        return web.json_response({"success": True, "queued": queued, **await self._place(job)})

    async def _retry(self, request: web.Request) -> web.Response:
        """Bring the next attempt forward, which the engine makes under the same charge by itself."""
        job = await self._job(request)
        if job.finished_at is not None:
            return web.json_response(await self._over(job))
        job = await self._accepted(job, request)
        await ask_soon(self._engine, job)
        self._engine.dispatch_soon()
        if job.finished_at is not None:
            return web.json_response(await self._over(job))
        return web.json_response({"success": True, "taskId": _task(job), "status": status(job)})

    async def _process_next(self, _: web.Request) -> web.Response:
        """Wake whoever works the queue off; it does so by itself, and one call starts no certain job."""
        self._engine.dispatch_soon()
        told = await room(self._engine)
        if told["totalQueued"] == 0:
            why = "No queued jobs"
        elif told["running"] >= told["maxConcurrent"]:
            why = "Global limit reached"
        elif told["slotsAvailable"] == 0:
            why = "No slots available"
        else:
            why = "The queue is worked off by itself"
        return web.json_response({"processed": False, "reason": why})

    async def _status(self, _: web.Request) -> web.Response:
        told, occupancy = await room(self._engine), await self._engine.occupancy()
        queued: dict[str, int] = {}
        for table in self._tables:
            live = [await self._engine.live(tool.job_type) for tool in table.tools]
            queued[table.name] = sum(states.get(BaseJob.queued.name, 0) for states in live)
        accounts = [
            {
                "name": account.account,
                "running": account.open,
                "maxSlots": account.capacity,
                "available": max(0, account.capacity - account.open),
            }
            for account in occupancy
        ]
        return web.json_response(
            {
                "totalMaxSlots": told["maxConcurrent"],
                "totalRunning": told["running"],
                "totalSlotsAvailable": told["slotsAvailable"],
                "totalQueued": told["totalQueued"],
                "accounts": accounts,
                "queuedByTool": queued,
                "running": told["running"],
                "maxConcurrent": told["maxConcurrent"],
                "slotsAvailable": told["slotsAvailable"],
            }
        )

    async def _job(self, request: web.Request) -> Job:
        body = await body_of(request, _ASKED_FOR)
        job = await self._tables.find(body["table"], body["jobId"])
        if job is None:
            raise Refused(404, "Job not found")
        if job.draft and job.finished_at is None:
            raise Refused(400, "The job has no input yet: the function of its tool is called first.")
        return job

    async def _accepted(self, job: Job, request: web.Request) -> Job:
        if status(job) != BaseJob.pending.name:
            return job
        try:
            return await self._engine.accept(job.id, actor=actor_of(request))
        except (InsufficientCredits, IllegalTransition, Conflict):
            return await self._engine.get(job.id)
        except GuardFailed as held_back:
            raise Refused(409, str(held_back)) from None

    async def _over(self, job: Job) -> Reply:
        if status(job) == BaseJob.completed.name:
            return {"success": False, "status": status(job), "refunded": False}
        return await self._runs.told(job)

    async def _place(self, job: Job) -> Reply:
        position = await self._engine.position(job.id)
        return {"position": position, "totalQueued": (await room(self._engine))["totalQueued"]}


def _guarded(endpoint: Endpoint) -> Endpoint:
    async def guarded(request: web.Request) -> web.Response:
        if not is_internal(request):
            raise Refused(401, "This is for services with a key of ours that has the scope `operations`.")
        return await endpoint(request)

    return guarded


def _task(job: Job) -> str | None:
    """Return our own reference, as the rows show it: the provider's is nobody's business."""
    return None if status(job) == BaseJob.pending.name else str(job.id)
