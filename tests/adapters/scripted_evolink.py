"""An Evolink on loopback: it takes files and tasks as its docs say, and each task ends as a test says."""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import aiohttp
from aiohttp import web

from makegood.testing.provider import PNG, PNG_END

KEY = "sk-evo-the-key-of-the-script"
#: The smallest film: a box that says what the file is, and an empty one with the pictures.
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + b"\x00\x00\x00\x08mdat"
_PLACES = {"images": "image", "videos": "video", "audios": "audio"}


class Create(StrEnum):
    """What becomes of a create call that is not simply taken; the names tell whether a task exists."""

    TAKEN_THEN_500 = "taken, then an error in Evolink's form"
    TAKEN_THEN_CUT = "taken, then the connection is cut"
    TAKEN_WITHOUT_ID = "taken, but the reply does not name it"


@dataclass(slots=True)
class Task:
    """One task; `body` is what it was created with."""

    id: str
    body: Mapping[str, Any]
    shown: dict[str, Any] = field(default_factory=dict)


class ScriptedEvolink:
    """The server: `plans` are for the next create calls, `refusals` are (status, code, message) for them.

    `created` has every task once, in the order in which they came. One server is both of Evolink's sites.
    """

    def __init__(self) -> None:
        self.url = ""
        self.plans: deque[Create] = deque()
        self.refusals: deque[tuple[int, str, str]] = deque()
        self.tasks: dict[str, Task] = {}
        self.created: asyncio.Queue[Task] = asyncio.Queue()
        self.calls: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.results: dict[str, bytes] = {"film.mp4": MP4, "picture.png": PNG + PNG_END}

    def result(self, name: str = "film.mp4") -> str:
        """Return the address of a result file."""
        return f"{self.url}/results/{name}"

    def finish(self, task: Task, *results: str) -> None:
        """End the task with these results."""
        usage = {**task.shown["usage"], "credits_used": 41.5}
        task.shown |= {"status": "completed", "progress": 100, "results": list(results), "usage": usage}

    def fail(self, task: Task, code: str, message: str = "") -> None:
        """End the task with an error."""
        error = {"code": code, "message": message, "type": "task_error"}
        task.shown |= {"status": "failed", "error": error}

    async def tell(self, task: Task, url: str | None = None) -> int:
        """Send the task as it is to its callback, or to *url*; return the status of the reply."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(url or task.body["callback_url"], json=task.shown) as reply,
        ):
            return reply.status

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["ScriptedEvolink"]:
        """Listen on a free port of this machine."""
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.post("/v1/{place:images|videos|audios}/generations", self._create),
                web.get("/v1/tasks/{id}", self._get),
                web.get("/v1/credits", self._credits),
                web.post("/api/v1/files/upload/stream", self._upload),
                web.get("/results/{name}", self._result),
            ]
        )
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Keep the call and ask for the key, except where results are given to everybody."""
        self.calls.append(f"{request.method} {request.path}")
        if request.path.startswith("/results/"):
            assert "Authorization" not in request.headers
        elif request.headers.get("Authorization") != f"Bearer {KEY}":
            return error(401, "unauthorized", "Authentication required", "authentication_error")
        reply: web.StreamResponse = await handler(request)
        return reply

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        if self.refusals:
            return error(*self.refusals.popleft())
        task = self._new(_PLACES[request.match_info["place"]], body)
        match self.plans.popleft() if self.plans else None:
            case Create.TAKEN_THEN_500:
                return error(500, "internal_error", "Failed to create the task", "api_error")
            case Create.TAKEN_THEN_CUT:
                assert request.transport is not None
                request.transport.abort()
            case Create.TAKEN_WITHOUT_ID:
                return web.json_response({"status": "pending"})
        return web.json_response(task.shown)

    def _new(self, kind: str, body: Mapping[str, Any]) -> Task:
        number = f"task-unified-{1757169743 + len(self.tasks)}-{secrets.token_hex(4)}"
        task = self.tasks[number] = Task(number, body)
        task.shown = {
            "created": 1757169743,
            "id": number,
            "model": body["model"],
            "object": f"{kind}.generation.task",
            "progress": 0,
            "status": "pending",
            "task_info": {"can_cancel": True, "estimated_time": 180},
            "type": kind,
            "usage": {"billing_rule": "per_call", "credits_reserved": 42, "user_group": "default"},
        }
        self.created.put_nowait(task)
        return task

    async def _get(self, request: web.Request) -> web.StreamResponse:
        number = request.match_info["id"]
        if not number.startswith("task-unified-"):
            return error(400, "invalid_task_id", "Invalid task ID format")
        task = self.tasks.get(number)
        return web.json_response(task.shown) if task else error(404, "task_not_found", "No such task")

    async def _credits(self, _: web.Request) -> web.StreamResponse:
        data = {"token": {"remaining_credits": 9.5}, "user": {"remaining_credits": 12}}
        return web.json_response({"success": True, "message": "", "data": data})

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        sent = (await request.post())["file"]
        assert isinstance(sent, web.FileField)
        name = f"{len(self.files)}-{sent.filename}"
        self.files[name] = sent.file.read()
        data = {"file_id": name, "mime_type": sent.content_type, "file_url": f"{self.url}/files/{name}"}
        return web.json_response({"success": True, "code": 200, "msg": "uploaded", "data": data})

    async def _result(self, request: web.Request) -> web.StreamResponse:
        data = self.results.get(request.match_info["name"])
        return web.Response(body=data) if data is not None else web.Response(status=403)


def error(status: int, code: str, message: str, kind: str = "invalid_request_error") -> web.Response:
    """Return an error in the form of the API."""
    return web.json_response({"error": {"code": code, "message": message, "type": kind}}, status=status)


def callback(task_id: str) -> bytes:
    """Return the body of a callback about a task."""
    return json.dumps({"id": task_id, "status": "completed", "results": []}).encode()
