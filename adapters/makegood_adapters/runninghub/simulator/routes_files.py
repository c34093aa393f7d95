"""The routes for files: both uploads, the presigned one for LoRAs, and the downloads."""

import hashlib
import mimetypes
import secrets
from typing import Final

from aiohttp import web

from makegood_adapters.runninghub.simulator import wire_v2
from makegood_adapters.runninghub.simulator.clock import at_work
from makegood_adapters.runninghub.simulator.door import Answer, Door, Incoming, Route
from makegood_adapters.runninghub.simulator.faults import Faults
from makegood_adapters.runninghub.simulator.platform import Platform, Refused, Upload
from makegood_adapters.runninghub.simulator.replies import send
from makegood_adapters.runninghub.simulator.wire import Wire

_MIB: Final = 1024 * 1024
#: v1 stops at 30 MB; v2's limit is not documented, and this one only protects our own memory.
UPLOAD_BYTES_MAX_V1: Final = 30 * _MIB
UPLOAD_BYTES_MAX_V2: Final = 100 * _MIB
_PAGE: Final = "<html><body><h1>RunningHub</h1></body></html>"
_FORBIDDEN: Final = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


class FileRoutes:
    """Adds them to *door* and *router*."""

    def __init__(self, door: Door, router: web.UrlDispatcher, platform: Platform, wire: Wire) -> None:
        self._platform, self._wire = platform, wire
        self._loras: dict[str, tuple[str, str]] = {}
        v1 = Route(call="upload", shape="v1", handler=self._upload_v1, size_max=UPLOAD_BYTES_MAX_V1)
        door.add("POST", "/task/openapi/upload", v1)
        v2 = Route(call="upload", shape="v2", handler=self._upload_v2, size_max=UPLOAD_BYTES_MAX_V2)
        door.add("POST", "/openapi/v2/media/upload/binary", v2)
        lora = Route(call="upload", shape="v1", handler=self._lora_url)
        door.add("POST", "/api/openapi/getLoraUploadUrl", lora)
        router.add_put("/lora/{ticket}", self._put_lora)
        router.add_get("/output/{name}", self._download)

    async def _upload_v1(self, call: Incoming) -> Answer:
        if call.file is None:
            raise Refused("301" if call.file_name is None else "809")
        name = self._platform.upload("api", call.key, call.file_name or "", call.file)
        return Answer(self._wire.v1("0", {"fileName": name, "fileType": "input"}))

    async def _upload_v2(self, call: Incoming) -> Answer:
        if call.file is None:
            raise Refused("301" if call.file_name is None else "809")
        name = self._platform.upload("openapi", call.key, call.file_name or "", call.file)
        return Answer(wire_v2.uploaded(self._wire, name, len(call.file)))

    async def _lora_url(self, call: Incoming) -> Answer:
        digest = str(call.body.get("md5Hex")).lower()
        if not call.body.get("loraName") or len(digest) != 32 or not digest.isalnum():
            raise Refused("301")
        ticket = secrets.token_urlsafe(16)
        self._loras[ticket] = (call.key, digest)
        told = {
            "fileName": f"api-lora-cn/{digest}.safetensors",
            "url": f"{self._wire.url()}/lora/{ticket}",
        }
        return Answer(self._wire.v1("0", told))

    async def _put_lora(self, request: web.Request) -> web.Response:
        """Take the bytes behind a presigned address, which is itself the permission."""
        key, digest = self._loras.get(request.match_info["ticket"], ("", ""))
        data = bytearray()
        async for chunk in request.content.iter_chunked(_MIB):
            data += chunk
            if len(data) > UPLOAD_BYTES_MAX_V2:
                return web.Response(status=413)
        if not key or hashlib.md5(data, usedforsecurity=False).hexdigest() != digest:
            return web.Response(text=_FORBIDDEN, status=403, content_type="application/xml")
        account = self._platform.account_of(key)
        stored = Upload(bytes(data), {account}, self._platform.clock.now())
        self._platform.uploads[f"api-lora-cn/{digest}.safetensors"] = stored
        self._platform.note_change()
        return web.Response()

    async def _download(self, request: web.Request) -> web.StreamResponse:
        async with at_work(self._platform.clock):
            self._platform.note_call("download")
            return await self._deliver(request, request.match_info["name"])

    async def _deliver(self, request: web.Request, name: str) -> web.StreamResponse:
        result, task = self._platform.results.get(name, (None, None))
        upload = self._platform.uploads.get(f"openapi/{name}")
        if result is not None and task is not None:
            data, begun_at, faults = result.data, task.finished_at, task.faults
        elif upload is not None:
            data, begun_at, faults = upload.data, upload.at, Faults()
        else:
            raise web.HTTPNotFound
        now = self._platform.clock.now()
        told = self._platform.faults_of("download", None, task)
        if told.breaks_reply:
            return await send(request, self._platform.clock, self._wire, "v1", None, told)
        faults = faults.with_faults(told)
        await self._platform.clock.sleep(faults.file_seconds)
        old = begun_at is not None and (now - begun_at).total_seconds() >= self._platform.habits.url_seconds
        match "expired" if old else faults.file:
            case "expired":
                return web.Response(text=_FORBIDDEN, status=403, content_type="application/xml")
            case "unavailable":
                return web.Response(status=503)
            case "html":
                return web.Response(text=_PAGE, content_type="text/html")
            case "dropped" | "truncated" as broken:
                return await _broken(request, data if broken == "truncated" else b"", len(data))
            case _:
                kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
                return web.Response(body=data, content_type=kind)


async def _broken(request: web.Request, data: bytes, length: int) -> web.StreamResponse:
    """Send the first half of *data* at most, and hang up."""
    response = web.StreamResponse()
    response.content_length = length
    if data:
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
    if request.transport is not None:
        request.transport.close() if data else request.transport.abort()
    return response
