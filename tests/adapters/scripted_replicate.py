"""A Replicate on loopback: predictions live and end as a test says, and its webhooks are signed or forged."""

import asyncio
import base64
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import aiohttp
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from makegood.testing.provider import PNG_END

KEY = "r8_the-token-of-the-script"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64)) + PNG_END
_OVER = ("succeeded", "failed", "canceled", "aborted")


def new_secret() -> str:
    """Return a signing secret of the form in which Replicate tells it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


class Create(StrEnum):
    """What becomes of a create call that is not simply taken; the names tell whether a prediction exists."""

    TAKEN_THEN_500 = "taken, then an error"
    TAKEN_THEN_PAGE = "taken, then an HTML page of something in between"
    TAKEN_THEN_CUT = "taken, then the connection is cut"
    TAKEN_WITHOUT_ID = "taken, but the reply does not name it"
    TAKEN_AND_HELD = "taken, the reply waits until `let_go` is set"


class Forgery(StrEnum):
    """What is wrong with a webhook."""

    WRONG_KEY = "signed with another key"
    OLD = "signed ten minutes ago"
    EARLY = "signed in ten minutes"
    CHANGED = "the body was changed after it was signed"
    OTHER_ID = "the message id was changed after it was signed"
    UNSIGNED = "no headers"
    GARBLED = "a signature that is none"
    NO_TIME = "a time that is none"
    NO_TEXT = "a body that is no text"


@dataclass(slots=True)
class Prediction:
    """One prediction; `told` are the statuses with which its webhooks were answered."""

    id: str
    input: Mapping[str, Any]
    webhook: str | None
    events: tuple[str, ...]
    shown: dict[str, Any] = field(default_factory=dict)
    told: list[int] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def text(self) -> str:
        """The prediction as JSON, as it is shown and sent."""
        return json.dumps(self.shown)


class ScriptedReplicate:
    """The server: `plans` are for the next create calls, `refusals` are (status, detail, headers) for them.

    `calls` lists what was asked, without what a token could tell. `created` has every prediction once, in
    the order in which they came.
    """

    def __init__(self) -> None:
        self.url, self.secret = "", new_secret()
        self.plans: deque[Create] = deque()
        self.refusals: deque[tuple[int, Any, dict[str, str]]] = deque()
        self.predictions: dict[str, Prediction] = {}
        self.created: asyncio.Queue[Prediction] = asyncio.Queue()
        self.let_go = asyncio.Event()
        self.calls: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.results: dict[str, bytes] = {"image.png": PNG}
        self._session: aiohttp.ClientSession | None = None

    def count(self, call: str) -> int:
        """Return how often *call*, such as `POST /v1/predictions`, was asked."""
        return self.calls.count(call)

    def result(self, name: str = "image.png") -> str:
        """Return the address of a result file."""
        return f"{self.url}/results/{name}"

    def move(self, prediction: Prediction, status: str, **shown: Any) -> None:
        """Let the prediction go on; nobody is told."""
        prediction.shown |= {"status": status, **shown}
        if status != "starting" and status != "aborted":
            prediction.shown["started_at"] = prediction.shown["started_at"] or _now()
        if status in _OVER:
            prediction.shown |= {"completed_at": _now(), "metrics": {"predict_time": 1.5}}

    async def finish(self, prediction: Prediction, status: str = "succeeded", **shown: Any) -> int:
        """End the prediction, tell by webhook, and return the status of the reply."""
        if status == "succeeded":
            shown.setdefault("output", self.result())
        self.move(prediction, status, **shown)
        return await self.tell(prediction)

    def signed(self, text: str, number: str | None = None, at: datetime | None = None) -> dict[str, str]:
        """Return the headers of a webhook with this body."""
        number, at = number or f"msg_{secrets.token_hex(8)}", at or datetime.now(UTC)
        return {
            "webhook-id": number,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(number, at, text),
        }

    def forged(self, text: str, how: Forgery) -> tuple[bytes, dict[str, str]]:
        """Return body and headers of a webhook with which something is wrong."""
        headers, body = self.signed(text), text.encode()
        match how:
            case Forgery.WRONG_KEY:
                at = datetime.now(UTC)
                signature = Webhook(new_secret()).sign(headers["webhook-id"], at, text)
                headers["webhook-signature"] = signature
            case Forgery.OLD:
                headers = self.signed(text, at=datetime.now(UTC) - timedelta(minutes=10))
            case Forgery.EARLY:
                headers = self.signed(text, at=datetime.now(UTC) + timedelta(minutes=10))
            case Forgery.CHANGED:
                body = text.replace("succeeded", "SUCCEEDED").encode() + b" "
            case Forgery.OTHER_ID:
                headers["webhook-id"] += "0"
            case Forgery.UNSIGNED:
                headers = {}
            case Forgery.GARBLED:
                headers["webhook-signature"] = "v1"
            case Forgery.NO_TIME:
                headers["webhook-timestamp"] = "yesterday"
            case Forgery.NO_TEXT:
                body = b"\xff\xfe"
        return body, headers

    async def tell(self, prediction: Prediction, text: str | None = None) -> int:
        """Send the prediction as it is, or *text*, signed, to its webhook; return the status of the reply."""
        text = prediction.text if text is None else text
        return await self.post(prediction, text.encode(), self.signed(text))

    async def post(self, prediction: Prediction, body: bytes, headers: Mapping[str, str]) -> int:
        """Send this body with these headers to the prediction's webhook; return the status of the reply."""
        assert prediction.webhook is not None
        assert self._session is not None
        async with self._session.post(prediction.webhook, data=body, headers=headers) as reply:
            prediction.told.append(reply.status)
            return reply.status

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/predictions", self._create),
            web.get("/v1/predictions/{id}", self._get),
            web.post("/v1/predictions/{id}/cancel", self._cancel),
            web.get("/v1/webhooks/default/secret", self._secret),
            web.post("/v1/files", self._upload),
            web.get("/results/{name}", self._result),
        ]

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Count the call and ask for the token, except where results are given to everybody."""
        resource = request.match_info.route.resource
        self.calls.append(f"{request.method} {resource.canonical if resource else request.path}")
        authorised = request.headers.get("Authorization") == f"Bearer {KEY}"
        if request.path.startswith("/results/"):
            assert "Authorization" not in request.headers
        elif not authorised:
            return _error(401, "Unauthenticated")
        reply: web.StreamResponse = await handler(request)
        return reply

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        if self.refusals:
            status, detail, headers = self.refusals.popleft()
            return _error(status, detail, headers)
        prediction = self._new(body)
        match self.plans.popleft() if self.plans else None:
            case Create.TAKEN_THEN_500:
                return _error(500, "Internal server error")
            case Create.TAKEN_THEN_PAGE:
                return web.Response(status=502, text="<html>Bad gateway</html>", content_type="text/html")
            case Create.TAKEN_THEN_CUT:
                assert request.transport is not None
                request.transport.abort()
            case Create.TAKEN_WITHOUT_ID:
                return web.json_response({"status": "starting"}, status=201)
            case Create.TAKEN_AND_HELD:
                await self.let_go.wait()
        return web.json_response(prediction.shown, status=201)

    def _new(self, body: Mapping[str, Any]) -> Prediction:
        number = f"p{len(self.predictions)}{secrets.token_hex(8)}"
        urls = {name: f"{self.url}/v1/predictions/{number}{path}" for name, path in _URLS.items()}
        prediction = Prediction(
            number, body["input"], body.get("webhook"), tuple(body.get("webhook_events_filter", ()))
        )
        prediction.shown = {
            "id": number,
            "status": "starting",
            "input": body["input"],
            "output": None,
            "error": None,
            "logs": "",
            "metrics": {},
            "created_at": _now(),
            "started_at": None,
            "completed_at": None,
            "urls": urls,
        }
        self.predictions[number] = prediction
        self.created.put_nowait(prediction)
        return prediction

    async def _get(self, request: web.Request) -> web.StreamResponse:
        prediction = self.predictions.get(request.match_info["id"])
        if prediction is None:
            return _error(404, "Prediction not found")
        prediction.asked.set()
        return web.json_response(prediction.shown)

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        prediction = self.predictions.get(request.match_info["id"])
        if prediction is None:
            return _error(404, "Prediction not found")
        if prediction.shown["status"] not in _OVER:
            began = prediction.shown["status"] == "processing"
            self.move(prediction, "canceled" if began else "aborted")
        return web.json_response(prediction.shown)

    async def _secret(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"key": self.secret})

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        content = form["content"]
        assert isinstance(content, web.FileField)
        number = f"f{len(self.files)}"
        self.files[number] = content.file.read()
        url = f"{self.url}/v1/files/{number}"
        return web.json_response({"id": number, "urls": {"get": url}}, status=201)

    async def _result(self, request: web.Request) -> web.StreamResponse:
        data = self.results.get(request.match_info["name"])
        return web.Response(body=data) if data is not None else web.Response(status=403)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["ScriptedReplicate"]:
        """Listen on a free port of this machine."""
        app = web.Application(middlewares=[self._guard])
        app.add_routes(self.routes())
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with aiohttp.ClientSession() as self._session:
                yield self
        finally:
            self.let_go.set()
            await runner.cleanup()


_URLS = {"get": "", "cancel": "/cancel"}


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _error(status: int, detail: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    body = {"title": "Error", "detail": detail, "status": status}
    return web.json_response(body, status=status, headers=headers)
