"""`/functions/v1/runninghub-queue-manager/…`: the calls that a page makes with its public key alone."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from makegood.engine import Engine
from makegood_adapters.http.application import Refused, read_json
from makegood_adapters.queue_manager.callers import may_report
from makegood_adapters.queue_manager.reports import Claim, Reports
from makegood_adapters.queue_manager.tables import Tables

NAME = "runninghub-queue-manager"


def function_routes(engine: Engine, tables: Tables, reports: Reports) -> list[web.RouteDef]:
    """Return the routes below `/functions/v1`; the last segment of the path names the endpoint."""

    async def check(_: web.Request) -> web.Response:
        return web.json_response(await _room(engine))

    async def finish(request: web.Request) -> web.Response:
        body = await read_json(request)
        if not isinstance(body, dict) or not body.get("table") or not body.get("jobId"):
            raise Refused(400, "table and jobId are required")
        job = await tables.find(body["table"], body["jobId"])
        if job is None or not may_report(request, job):
            raise Refused(404, "Job not found")
        taken = await reports.take(job, Claim.read(body, "errorMessage", "outputUrl"))
        if taken.over_already:
            return web.json_response({"success": True, "skipped": True, "reason": "already_terminal"})
        return web.json_response({"success": True, "refundedAmount": taken.refunded})

    endpoints: dict[str, Callable[[web.Request], Awaitable[web.Response]]] = {
        "check": check,
        "finish": finish,
    }

    async def dispatch(request: web.Request) -> web.Response:
        endpoint = endpoints.get(request.match_info.get("path", "").rpartition("/")[2])
        if endpoint is None:
            raise Refused(400, "Invalid endpoint")
        return await endpoint(request)

    return [web.post(f"/{NAME}", dispatch), web.post(f"/{NAME}/{{path:.*}}", dispatch)]


async def _room(engine: Engine) -> dict[str, object]:
    """Return how full the provider accounts are, together; no name and no key of any of them."""
    occupancy = await engine.occupancy()
    running = sum(account.open for account in occupancy)
    capacity = sum(account.capacity for account in occupancy)
    free = sum(max(0, account.capacity - account.open) for account in occupancy)
    # Accounts of one pool share its queue, and each tells how long it is.
    queued = sum({account.pool: account.waiting for account in occupancy}.values())
    return {
        "available": running < capacity and free > 0 and queued == 0,
        "running": running,
        "maxConcurrent": capacity,
        "slotsAvailable": free,
        "totalQueued": queued,
        "accountName": None,
        "accountApiKey": None,
    }
