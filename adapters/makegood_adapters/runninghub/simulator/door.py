"""The simulator's way in: reads a call, checks its key, and sends its answer with its faults."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from aiohttp import BodyPartReader, web

from makegood_adapters.runninghub.simulator.clock import at_work
from makegood_adapters.runninghub.simulator.faults import Call, Faults
from makegood_adapters.runninghub.simulator.platform import NothingDone, Platform, Refused
from makegood_adapters.runninghub.simulator.replies import send
from makegood_adapters.runninghub.simulator.tasks import Task
from makegood_adapters.runninghub.simulator.wire import Shape, Wire

_MIB = 1024 * 1024
_PIECE = 64 * 1024


@dataclass(slots=True)
class Incoming:
    """A call as it was read: JSON or form fields in `body`, and the file of an upload.

    `file` is None when none came or when it was too big, `file_name` when none came. `task` is the
    one that the call is about, if it may see it.
    """

    request: web.Request
    body: Mapping[str, Any] = field(default_factory=dict)
    file: bytes | None = None
    file_name: str | None = None
    key: str = ""
    task: Task | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is answered, and the faults of a create call, which belong to its task."""

    body: Any
    faults: Faults = field(default_factory=Faults)
    task: Task | None = None


Handler = Callable[[Incoming], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A path and what is behind it; `open` asks for no key."""

    call: Call
    shape: Shape
    handler: Handler
    size_max: int = 0
    open: bool = False


class Door:
    """Adds routes to a router. None looks at Host: clients send a fixed one whatever the URL."""

    def __init__(self, router: web.UrlDispatcher, platform: Platform, wire: Wire) -> None:
        self._router, self._platform, self._wire = router, platform, wire

    def add(self, method: Literal["GET", "POST"], path: str, route: Route) -> None:
        """Answer a path; a wrong method gets the code 1009."""
        self._router.add_route("*", path, partial(self._answer, method, route))

    async def _answer(self, method: str, route: Route, request: web.Request) -> web.StreamResponse:
        async with at_work(self._platform.clock):
            self._platform.note_call(route.call)
            call = await self._read(request, route)
            if request.method != method:
                return web.json_response(self._wire.error(route.shape, "1009"))
            if not route.open:
                refusal = self._refusal_of_key(call, route)
                if refusal is not None:
                    return web.json_response(self._wire.error(route.shape, refusal))
            return await self._carry_out(call, route)

    async def _carry_out(self, call: Incoming, route: Route) -> web.StreamResponse:
        if route.call == "create":
            faults = Faults()
        else:
            call.task = self._platform.find(call.key, call.body.get("taskId")) if call.key else None
            digest = hashlib.sha256(call.file).hexdigest() if call.file is not None else None
            faults = self._platform.faults_of(route.call, call.key, call.task, digest)
        answer = Answer(None, faults)
        try:
            if faults.refuse is not None:
                raise Refused(faults.refuse, faults=faults)
            if not faults.no_task:
                answer = await route.handler(call)
                faults = answer.faults if route.call == "create" else faults
        except Refused as refusal:
            answer = Answer(self._wire.error(route.shape, refusal.code, refusal.text))
            faults = refusal.faults or faults
        except NothingDone as nothing:
            faults = nothing.faults
        response = send(call.request, self._platform.clock, self._wire, route.shape, answer.body, faults)
        return await self._noting(answer.task, faults, response)

    async def _noting(
        self, task: Task | None, faults: Faults, response: Awaitable[web.StreamResponse]
    ) -> web.StreamResponse:
        """Send, and note what became of a create reply."""
        sent = await response
        if task is not None:
            task.reply = "dropped" if faults.drop_reply else "broken" if faults.breaks_reply else "sent"
            self._platform.note_change()
        return sent

    def _refusal_of_key(self, call: Incoming, route: Route) -> str | None:
        """Find the key of a call; return the v1 code that refuses it, None if it is good."""
        found = _key_of(call.request, call.body)
        if found is None:
            return "1601" if route.call == "account" else "401"
        account = self._platform.setting.keys.get(found)
        if account is None:
            return "401"
        if account.site not in (None, self._platform.setting.site):
            return self._platform.habits.foreign_key_code
        if account.bearer_only and route.shape == "v1" and ("apiKey" in call.body or "apikey" in call.body):
            return "401"
        call.key = found
        return None

    async def _read(self, request: web.Request, route: Route) -> Incoming:
        if request.content_type.startswith("multipart/"):
            return await self._form(request, route.size_max)
        try:
            body = json.loads(await request.read())
        except (ValueError, RecursionError):
            body = None
        return Incoming(request, body if isinstance(body, dict) else {**request.query})

    async def _form(self, request: web.Request, size_max: int) -> Incoming:
        """Read a multipart call, to its end in any case: else a client would see a broken connection."""
        pace = self._platform.habits.upload_bytes_per_second
        fields: dict[str, Any] = {}
        name: str | None = None
        data: bytearray | None = None
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                continue
            if part.name != "file":
                fields[part.name or ""] = await part.text()
                continue
            name, data = part.filename or "", bytearray()
            while chunk := await part.read_chunk(_PIECE if pace else _MIB):
                if pace:
                    await self._platform.clock.sleep(len(chunk) / pace)
                if data is not None and len(data) + len(chunk) <= size_max:
                    data += chunk
                else:
                    data = None
        return Incoming(request, fields, bytes(data) if data is not None else None, name)


def _key_of(request: web.Request, body: Mapping[str, Any]) -> str | None:
    """Find the key: bearer, bare header, body in either spelling, or query."""
    header = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    found = header or body.get("apiKey") or body.get("apikey") or request.query.get("apiKey")
    return found if isinstance(found, str) and found else None
