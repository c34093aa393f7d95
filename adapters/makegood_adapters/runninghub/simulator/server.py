"""The simulator's HTTP side: RunningHub's routes on loopback, and the way to start and stop it."""

import asyncio
import errno
import json
import mimetypes
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import BodyPartReader, web

from makegood.errors import MakegoodError
from makegood_adapters.runninghub.simulator import admin, wire
from makegood_adapters.runninghub.simulator.apps import Worker, default_apps, pillow_is_missing
from makegood_adapters.runninghub.simulator.faults import Rule
from makegood_adapters.runninghub.simulator.platform import Pace, Platform, Refused
from makegood_adapters.runninghub.simulator.request import Node
from makegood_adapters.runninghub.simulator.tasks import Task

_MIB = 1024 * 1024
_REPLY_HELD_SECONDS = 30.0

#: v1 stops at 30 MB; v2's limit is not documented, and this one only protects our own memory.
_UPLOAD_BYTES_MAX = {"api": 30 * _MIB, "openapi": 100 * _MIB}

CancelWord = Literal["CANCEL", "CANCELED", "CANCELLED"]


class SimulatorError(MakegoodError):
    """The simulator cannot start; the message says what to do."""


class Simulator:
    """RunningHub in this process: `async with Simulator(keys={"my-key": 3}) as sim: sim.url`.

    *keys* maps each valid API key to its concurrency limit. *apps* maps webapp ids to workers, by
    default upscalers and the pose changer, which need Pillow. *port* 0 takes a free one. The same
    *seed* and order of tasks give the same durations. *cancel_word* is one of the three spellings
    that RunningHub uses; whether it sends a webhook for a cancelled task is not documented.
    Raises SimulatorError on entering when it cannot start.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, int] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        apps: Mapping[str, Worker] | None = None,
        pace: Pace | None = None,
        seed: int = 0,
        cancel_word: CancelWord = "CANCEL",
        webhook_on_cancel: bool = False,
    ) -> None:
        self._platform = Platform(
            {"simulator-key": 3} if keys is None else keys,
            default_apps() if apps is None else apps,
            Pace() if pace is None else pace,
            seed,
            webhook_on_cancel,
        )
        self._platform.webhook_body = lambda task: wire.webhook(task, self.url, cancel_word)
        self._needs_pillow = apps is None
        self._host, self._port, self._cancel_word = host, port, cancel_word
        self._url: str | None = None
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        if self._url is None:
            raise RuntimeError("the simulator has not been started")
        return self._url

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Every task that was accepted, in order of arrival."""
        return tuple(self._platform.tasks.values())

    @property
    def refusals(self) -> Mapping[str, int]:
        """How many create calls were refused, by v1 code."""
        return self._platform.refusals

    def task(self, task_id: str) -> Task:
        """Return one task. Raises KeyError."""
        return self._platform.tasks[task_id]

    def add(self, rule: Rule) -> None:
        """Add a rule of faults behind the others; `POST /admin/faults` does the same."""
        self._platform.plan.add(rule)

    def release(self, task_id: str) -> None:
        """Let a task go on that the fault `hold` has stopped. Raises KeyError."""
        self.task(task_id).released.set()

    async def wait_for(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until *condition* holds, looking after every change. Raises TimeoutError."""
        await self._platform.wait_for(condition, seconds)

    async def __aenter__(self) -> Self:
        if self._needs_pillow and pillow_is_missing():
            raise SimulatorError(
                "The simulator's apps need Pillow: install it with pip install 'makegood[demo]'."
            )
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.5)
        async with AsyncExitStack() as stack:
            await self._platform.open()
            stack.push_async_callback(self._platform.close)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            try:
                await web.TCPSite(runner, self._host, self._port).start()
            except OSError as error:
                why = "the port is in use" if error.errno == errno.EADDRINUSE else error.strerror
                raise SimulatorError(
                    f"The simulator cannot listen on {self._host}:{self._port}: {why}. "
                    "Stop the other program or choose another port; 0 takes a free one."
                ) from error
            port = runner.addresses[0][1]
            self._url = f"http://{self._host}:{port}"
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def _application(self) -> web.Application:
        """Return the routes. None looks at Host: clients send a fixed one whatever the URL."""
        app = web.Application(client_max_size=16 * _MIB)
        post = app.router.add_post
        post("/task/openapi/upload", self._upload_v1)
        post("/openapi/v2/media/upload/binary", self._upload_v2)
        post("/task/openapi/ai-app/run", self._run_v1)
        post("/openapi/v2/run/ai-app/{app}", self._run_v2)
        post("/openapi/v2/query", self._query)
        post("/task/openapi/outputs", self._outputs)
        post("/task/openapi/status", self._status)
        post("/task/openapi/cancel", self._cancel)
        post("/task/openapi/getWebhookDetail", self._webhook_detail)
        post("/task/openapi/retryWebhook", self._retry_webhook)
        post("/uc/openapi/accountStatus", self._account_status)
        app.router.add_get("/openapi/v2/queue/status", self._queue_status)
        app.router.add_get("/output/{name}", self._output)
        admin.add_routes(app.router, self._platform, lambda: self.url)
        return app

    async def _upload_v1(self, request: web.Request) -> web.Response:
        key, name, data = await self._receive(request, _UPLOAD_BYTES_MAX["api"])
        if key not in self._platform.keys:
            return web.json_response(wire.BAD_KEY)
        if data is None:
            return web.json_response(wire.v1("301" if name is None else "809"))
        stored = self._platform.upload("api", name or "", data)
        return web.json_response(wire.v1("0", {"fileName": stored, "fileType": "input"}))

    async def _upload_v2(self, request: web.Request) -> web.Response:
        key, name, data = await self._receive(request, _UPLOAD_BYTES_MAX["openapi"])
        if key not in self._platform.keys:
            return web.json_response(wire.BAD_KEY)
        if data is None:
            code = 1007 if name is None else 1008
            return web.json_response({"code": code, "message": "invalid file", "data": None})
        stored = self._platform.upload("openapi", name or "", data)
        told = {
            "type": "image",
            "download_url": f"{self.url}/output/{stored.split('/')[1]}",
            "fileName": stored,
            "size": str(len(data)),
        }
        return web.json_response({"code": 0, "message": "success", "data": told})

    async def _run_v1(self, request: web.Request) -> web.StreamResponse:
        key, body = await self._call(request)
        if key is None:
            return web.json_response(wire.BAD_KEY)
        return await self._run(request, key, "v1", str(body.get("webappId")), body)

    async def _run_v2(self, request: web.Request) -> web.StreamResponse:
        key, body = await self._call(request)
        if key is None:
            return web.json_response(wire.BAD_KEY)
        return await self._run(request, key, "v2", request.match_info["app"], body)

    async def _run(
        self,
        request: web.Request,
        key: str,
        api: Literal["v1", "v2"],
        app: str,
        body: Mapping[str, Any],
    ) -> web.StreamResponse:
        try:
            webhook = body.get("webhookUrl") or None
            if webhook is not None and not isinstance(webhook, str):
                raise Refused("301")
            task = self._platform.create(key, api, app, _nodes(body.get("nodeInfoList")), webhook)
        except Refused as refusal:
            code = refusal.code
            return web.json_response(wire.v1(code) if api == "v1" else wire.v2_error(code))
        # The reply tells the state at acceptance, also where it is held back.
        reply = wire.created(task)
        if task.faults.webhook_before_reply:
            await self.wait_for(lambda: _webhook_tried(task), _REPLY_HELD_SECONDS)
        if task.faults.reply_seconds:
            await asyncio.sleep(task.faults.reply_seconds)
        task.reply = "dropped" if task.faults.drop_reply else "sent"
        if task.faults.drop_reply and request.transport is not None:
            request.transport.abort()
        self._platform.note_change()
        return web.json_response(reply)

    async def _query(self, request: web.Request) -> web.Response:
        key, body = await self._call(request)
        if key is None:
            return web.json_response(wire.BAD_KEY)
        task = self._find(key, body)
        if task is None:
            return web.json_response(wire.v2_error("807"))
        return web.json_response(wire.query(task, self.url, self._cancel_word))

    async def _outputs(self, request: web.Request) -> web.Response:
        return await self._about_task(request, lambda task: wire.outputs(task, self.url))

    async def _status(self, request: web.Request) -> web.Response:
        def status(task: Task) -> wire.Body:
            word = self._cancel_word if task.state == "CANCEL" else task.state.value
            return wire.v1("0", word, text="")

        return await self._about_task(request, status)

    async def _cancel(self, request: web.Request) -> web.Response:
        def cancel(task: Task) -> wire.Body:
            if task.over:
                return wire.v1("817")
            self._platform.cancel(task)
            return wire.v1("0")

        return await self._about_task(request, cancel)

    async def _webhook_detail(self, request: web.Request) -> web.Response:
        return await self._about_task(
            request, lambda task: wire.webhook_detail(task, self.url, self._cancel_word)
        )

    async def _retry_webhook(self, request: web.Request) -> web.Response:
        key, body = await self._call(request)
        if key is None:
            return web.json_response(wire.BAD_KEY)
        for task in self.tasks:
            if task.key == key and task.webhook_id == body.get("webhookId") is not None:
                self._platform.redeliver(task, str(body.get("webhookUrl") or task.request.webhook_url))
                return web.json_response(wire.v1("0", text=""))
        return web.json_response(wire.v1("1", text="webhook event not exists"))

    async def _account_status(self, request: web.Request) -> web.Response:
        key, body = await self._call(request)
        if key is None:
            missing = _key_of(request, body) is None
            return web.json_response(wire.v1("1601") if missing else wire.BAD_KEY)
        spent = sum(task.coins for task in self.tasks if task.key == key and task.over)
        data = {
            "remainCoins": str(99_999 - spent),
            "currentTaskCounts": str(sum(self._platform.load_of(key))),
            "remainMoney": None,
            "currency": None,
            "apiType": "NORMAL",
        }
        return web.json_response(wire.v1("0", data))

    async def _queue_status(self, request: web.Request) -> web.Response:
        key = _key_of(request, {})
        if key not in self._platform.keys or key is None:
            return web.json_response(wire.BAD_KEY)
        running, queued = self._platform.load_of(key)
        data = {
            "apiKeyType": "NORMAL",
            "concurrentLimit": self._platform.keys[key],
            "runningCount": str(running),
            "queuedCount": str(queued),
            "totalCurrentTasks": str(running + queued),
        }
        return web.json_response({"code": 0, "message": "success", "data": data})

    async def _output(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        result = self._platform.results.get(name)
        data = self._platform.uploads.get(f"openapi/{name}") if result is None else result.data
        if data is None:
            raise web.HTTPNotFound
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return web.Response(body=data, content_type=kind)

    async def _about_task(self, request: web.Request, answer: Callable[[Task], wire.Body]) -> web.Response:
        """Answer a v1 question about one task of the key."""
        key, body = await self._call(request)
        if key is None:
            return web.json_response(wire.BAD_KEY)
        if not str(body.get("taskId")).isdigit() or int(str(body.get("taskId"))) == 0:
            return web.json_response(wire.v1("301", text="taskId must be positive"))
        task = self._find(key, body)
        return web.json_response(wire.v1("807") if task is None else answer(task))

    def _find(self, key: str, body: Mapping[str, Any]) -> Task | None:
        task = self._platform.tasks.get(str(body.get("taskId")))
        return task if task is not None and task.key == key else None

    async def _call(self, request: web.Request) -> tuple[str | None, Mapping[str, Any]]:
        """Return the valid key of a JSON call, None if there is none, and the body."""
        try:
            body = json.loads(await request.read())
        except (ValueError, RecursionError):
            body = None
        body = body if isinstance(body, dict) else {}
        key = _key_of(request, body)
        return (key if key in self._platform.keys else None), body

    async def _receive(
        self, request: web.Request, size_max: int
    ) -> tuple[str | None, str | None, bytes | None]:
        """Read a multipart upload: key, file name, content; None for what is missing or too big.

        It is read to its end in any case, or the client would see a broken connection, not a code.
        """
        fields: dict[str, Any] = {}
        name: str | None = None
        data: bytearray | None = None
        if not request.content_type.startswith("multipart/"):
            return _key_of(request, fields), None, None
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                continue
            if part.name != "file":
                fields[part.name or ""] = await part.text()
                continue
            name, data = part.filename or "", bytearray()
            while chunk := await part.read_chunk(_MIB):
                if data is not None and len(data) + len(chunk) <= size_max:
                    data += chunk
                else:
                    data = None
        return _key_of(request, fields), name, bytes(data) if data is not None else None


def _key_of(request: web.Request, body: Mapping[str, Any]) -> str | None:
    """Find the key: bearer, bare header, body in either spelling, or query."""
    header = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    found = header or body.get("apiKey") or body.get("apikey") or request.query.get("apiKey")
    return found if isinstance(found, str) and found else None


def _nodes(value: Any) -> list[Node]:
    """Read nodeInfoList; numbers are accepted as text and the other way round. Raises Refused."""
    if not isinstance(value, list) or not value:
        raise Refused("301")
    nodes = []
    for item in value:
        if not isinstance(item, dict) or not {"nodeId", "fieldName", "fieldValue"} <= item.keys():
            raise Refused("803")
        nodes.append(Node(str(item["nodeId"]), str(item["fieldName"]), str(item["fieldValue"])))
    return nodes


def _webhook_tried(task: Task) -> bool:
    return bool(task.deliveries) or task.life is None or task.life.done()
