"""The two old addresses to which the provider sends that a task ended: kept as hints, believed never."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from makegood.engine import Engine
from makegood.errors import InvalidRequest
from makegood.ports import Receipt
from makegood_adapters.http.addresses import limited_as
from makegood_adapters.http.application import RETRY_AFTER_SECONDS, Refused, read_body
from makegood_adapters.http.callers import Gate, joined
from makegood_adapters.http.problems import ApiProblem

PATHS = ("/functions/v1/runninghub-webhook", "/functions/v1/runninghub-video-upscaler-webhook")
_ENDED = "TASK_END"
_CREDENTIALS = ("authorization", "apikey")
#: Where the id of the task stands, in the order in which it is looked for.
_IDS = ("taskId", "task_id")
_INSIDE = ("eventData", "data")


def old_hook_routes(engine: Engine, gate: Gate | None) -> list[web.RouteDef]:
    """Return the routes, for an application that contains errors.

    Nothing is signed and no token is in the address, so that a message only has the provider asked. It is 200
    only after the message is kept; 503 where it could not be, and then the provider sends again.
    """

    async def receive(request: web.Request) -> web.Response:
        raw = await read_body(request)
        body = _object(raw)
        if body is None:
            raise Refused(400, "The body is no JSON object.")
        event = body.get("event")
        if event is not None and event != _ENDED:
            return web.json_response({"success": True, "ignored": True})
        task_id = _task_of(body)
        if task_id is None:
            raise Refused(400, "The message names no task.")
        text = raw.decode(errors="replace")
        try:
            receipt = await engine.receive_hint(task_id, text, source=await _source(request, gate))
        except InvalidRequest:
            raise Refused(400, "The message names no task.") from None
        if receipt is Receipt.FULL:
            again = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            raise Refused(503, "Too many messages wait; please send it again.", headers=again)
        return web.json_response({"success": True})

    return [web.post(path, receive) for path in PATHS]


async def _source(request: web.Request, gate: Gate | None) -> str:
    """Return where the message comes from, as far as our own proxies tell: of IPv6 the /64, all of which one
    sender has, and could park messages with until there is room for nobody's."""
    peer = request.remote or "unknown"
    if gate is None:
        return peer
    headers = {n: v for n, v in joined(request.headers.items()).items() if n not in _CREDENTIALS}
    try:
        return limited_as((await gate.identify(headers, peer)).address or peer)
    except ApiProblem:
        return peer


def _task_of(body: Mapping[str, Any], depth: int = 2) -> str | None:
    """Find the id of the task: beside the event, or in the event's data, which may be JSON as text."""
    for name in _IDS:
        if isinstance(found := body.get(name), (str, int)) and not isinstance(found, bool):
            return str(found)
    for name in _INSIDE if depth else ():
        inside = body.get(name)
        if isinstance(inside, str):
            inside = _object(inside.encode(errors="replace"))
        if isinstance(inside, Mapping) and (found := _task_of(inside, depth - 1)):
            return found
    return None


def _object(raw: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(raw.decode())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
