"""How a reply leaves the simulator: whole, late, with another status, broken, or not at all."""

import json
from typing import Any

from aiohttp import web

from makegood_adapters.runninghub.simulator import wire_v1, wire_v2
from makegood_adapters.runninghub.simulator.clock import Clock
from makegood_adapters.runninghub.simulator.faults import Faults
from makegood_adapters.runninghub.simulator.wire import Shape, Wire

_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>\n"


async def send(
    request: web.Request, clock: Clock, wire: Wire, shape: Shape, body: Any, faults: Faults
) -> web.StreamResponse:
    """Send *body*, or what *faults* make of it; `refuse` must have become the body already.

    None as body, where nothing was done, is a success that says nothing.
    """
    await clock.sleep(faults.reply_seconds)
    if faults.drop_reply:
        return _dropped(request)
    if faults.reply_code is not None:
        body = wire.error(shape, faults.reply_code)
    if body is None or faults.reply == "no_task_id":
        body = _without_id(wire, shape)
    status = faults.reply_status or 200
    match faults.reply:
        case "html":
            return _page(status, "RunningHub", faults)
        case "redirect":
            return _redirect(request)
        case "empty":
            return web.Response(status=status, content_type="application/json")
        case "truncated":
            return _json(_half(body), status, faults)
        case "cut":
            return await _cut(request, body, status)
        case "not_json":
            return web.Response(text="upstream request timeout", status=status)
        case "no_task_id" | None:
            pass
    has_code = faults.refuse is not None or faults.reply_code is not None
    if faults.reply_status is not None and not has_code:
        return _page(status, f"{status} {_title(status)}", faults)
    return _json(body, status, faults)


def _without_id(wire: Wire, shape: Shape) -> Any:
    match shape:
        case "v1":
            return wire_v1.without_id(wire)
        case "v2_task":
            return wire_v2.without_id()
        case "v2":
            return wire.v2(None)


def _json(body: Any, status: int, faults: Faults) -> web.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    headers = _headers(faults)
    return web.Response(body=raw, status=status, headers=headers, content_type="application/json")


def _page(status: int, title: str, faults: Faults) -> web.Response:
    text = _PAGE.format(title)
    return web.Response(text=text, status=status, headers=_headers(faults), content_type="text/html")


def _redirect(request: web.Request) -> web.Response:
    """Return what RunningHub's plain http answers."""
    where = {"Location": f"https://www.runninghub.cn{request.rel_url.path}"}
    title = "301 Moved Permanently"
    return web.Response(text=_PAGE.format(title), status=301, headers=where, content_type="text/html")


def _half(body: Any) -> bytes:
    raw = json.dumps(body).encode()
    return raw[: len(raw) // 2]


async def _cut(request: web.Request, body: Any, status: int) -> web.StreamResponse:
    raw = json.dumps(body).encode()
    response = web.StreamResponse(status=status, headers={"Content-Type": "application/json"})
    response.content_length = len(raw)
    await response.prepare(request)
    await response.write(raw[: len(raw) // 2])
    return _dropped(request)


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _headers(faults: Faults) -> dict[str, str]:
    after = faults.retry_after_seconds
    return {} if after is None else {"Retry-After": str(after)}


def _title(status: int) -> str:
    titles = {429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway"}
    return titles.get(status, "Service Unavailable")
