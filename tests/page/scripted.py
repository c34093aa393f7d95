"""A scripted API behind the real page: answers that come late, odd or not at all, and steps one by one.

A real service does in a moment what is told here slowly enough to be looked at.
"""

import asyncio
import contextlib
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from makegood_adapters.http.page import page_routes
from makegood_adapters.http.v1.machines import picture_of
from tests.page.scene import Portrait

_SPEC = Portrait.spec
_EVENTS = "events"
_BEAT = b":\n\n"
_BEAT_SECONDS = 15
PAUSE: dict[str, Any] = {
    "label": "Pause", "title": "Start no more jobs of pool studio", "path": "/operations/pauses",
    "body": {"scope": "pool", "name": "studio"}, "danger": False, "refused": None,
    "fields": [
        {"name": "by", "label": "Your name", "type": "text"},
        {"name": "reason", "label": "Reason", "type": "text"},
    ],
}  # fmt: skip
RESUME = {**PAUSE, "label": "Resume", "title": "Resume pool studio", "path": "/operations/pauses/end"}


def now() -> str:
    """Return this moment as the API tells it."""
    return datetime.now(UTC).isoformat()


def row(number: int, state: str, version: int = 3) -> dict[str, Any]:
    """Return a job as the list has it."""
    return {
        "id": job_id(number), "state": state, "status": state, "type": _SPEC.name, "owner": "ada",
        "price": 60, "created_at": now(), "attempt": 1, "version": version, "draft": False,
    }  # fmt: skip


def step(number: int, source: str | None, dest: str, version: int = 4) -> dict[str, Any]:
    """Return what the stream tells of a job that has moved."""
    return {
        "kind": "transition", "job_id": job_id(number), "version": version, "seq": version, "owner": "ada",
        "type": _SPEC.name, "event": "moved", "from_state": source, "to_state": dest, "attempt": 1,
        "at": now(), "actor": "engine", "reason": None, "error": None,
        "money": {"held": 0, "captured": 60, "released": 0} if dest in _SPEC.terminal else None,
    }  # fmt: skip


def job_id(number: int) -> str:
    """Return the id of a job."""
    return f"019ac5b2-0000-7000-8000-{number:012}"


@dataclass
class Script:
    """`answers` are told by the last part of a path; what is in `held` waits until it is taken out there.
    `asked` counts requests, `queries` has all that was asked of a name, `streams` are those that are open. A
    post whose name is in `lost` is carried out (`posted`, to its `places`), and its reply never comes.
    `instead` of all answers but those of the stream: a status, headers and a body."""

    answers: dict[str, Any] = field(default_factory=dict)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    queries: defaultdict[str, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))
    posted: list[dict[str, Any]] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    instead: tuple[int, dict[str, str], str] | None = None
    streams: list[asyncio.Queue[bytes]] = field(default_factory=list)
    connected: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        books = {"told": {"level": "good", "text": "issued 0 = remaining 0"}, "at": now(), "violations": []}
        self.answers = {
            "me": {"caller": "key:grace", "acts": True, "credits": True, "page": {"demo": False}},
            "queue": {"jobs": [], "pools": [], "told": {"level": "plain", "text": "0 waiting"}},
            "concerns": {"concerns": []},
            "jobs": {"jobs": [], "next": None},
            "books": books,
            _SPEC.name: {"name": _SPEC.name, "svg": picture_of(_SPEC, "Portrait")},
            **self.answers,
        }

    def hold(self, name: str) -> None:
        """Let the answers of this name wait."""
        self.held[name] = asyncio.Event()

    def release(self, name: str) -> None:
        """Let them go."""
        self.held.pop(name).set()

    async def until(self, is_so: Any) -> None:
        """Wait until *is_so*, which is asked again with every request and stream that comes or goes."""
        async with self._changed:
            await self._changed.wait_for(is_so)

    async def tell(self, *steps: dict[str, Any]) -> None:
        """Tell the steps on every stream."""
        await self.send(
            "".join(f"event: transition\ndata: {json.dumps(each)}\n\n" for each in steps).encode()
        )

    async def send(self, *pieces: bytes) -> None:
        """Send the pieces on every stream, each by itself."""
        for stream in self.streams:
            for piece in pieces:
                stream.put_nowait(piece)

    async def noted(self) -> None:
        """Let those look again who wait `until` something."""
        async with self._changed:
            self._changed.notify_all()

    def answer(self, name: str) -> Any:
        """Return what is answered now."""
        if name == "overview" and name not in self.answers:
            return overview()
        return self.answers.get(name)


def told(level: str, text: str) -> dict[str, str]:
    """Return a sentence of the service."""
    return {"level": level, "text": text}


def overview(*acts: dict[str, Any], **states: int) -> dict[str, Any]:
    """Return how everything is: one type with so many jobs by state, one account with these *acts*."""
    ended = {state: states.pop(state, 0) for state in _SPEC.terminal}
    counts = {"states": states, "ended": ended, "capped": 10_000, "under_way": sum(states.values())}
    kind = {"name": _SPEC.name, "label": "Portrait", "told": [], "acts": [], "jobs": 1, **counts}
    account = {
        "account": "studio", "pool": "studio", "capacity": 3, "open": 0, "draining": 0, "foreign": 0,
        "problem": None, "told": [], "acts": list(acts),
    }  # fmt: skip
    return {
        "at": now(),
        "types": [kind],
        "last_seq": 1,
        "workers": [],
        "accounts": [account],
        "pace": "0 a minute",
    }


async def beat(pieces: asyncio.Queue[bytes]) -> None:
    """Say that the stream is there, as the service does: a page leaves one that says nothing for 45 s."""
    while True:
        await asyncio.sleep(_BEAT_SECONDS)
        pieces.put_nowait(_BEAT)


@asynccontextmanager
async def scripted(script: Script, *, stage: str | None = None) -> AsyncIterator[str]:
    """Serve the page over *script* and yield its address; *stage* is where buttons of a demo are."""

    async def events(request: web.Request) -> web.StreamResponse:
        script.connected += 1
        if wait := script.held.get(_EVENTS):
            await script.noted()
            await wait.wait()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        pieces: asyncio.Queue[bytes] = asyncio.Queue()
        script.streams.append(pieces)
        beating = asyncio.create_task(beat(pieces))
        try:
            await script.noted()
            await response.write(last := _BEAT)
            with contextlib.suppress(ConnectionError):
                while piece := await pieces.get():
                    if piece != _BEAT or last.endswith(b"\n\n"):
                        await response.write(last := piece)
        finally:
            beating.cancel()
            script.streams.remove(pieces)
            await script.noted()
        return response

    async def other(request: web.Request) -> web.StreamResponse:
        return await _answer(script, request)

    app = web.Application()
    app.add_routes(
        [
            web.get("/v1/operations/events", events),
            web.route("*", "/v1/{rest:.*}", other),
            *page_routes(stage=stage),
        ]
    )
    # Who leaves is seen at once; who stays, as where a test has failed, has this long: 0 would be for ever.
    serving = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await serving.setup()
    try:
        await web.TCPSite(serving, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{serving.addresses[0][1]}/page/"
    finally:
        await script.send(b"")
        for name in list(script.held):
            script.release(name)
        await serving.cleanup()


async def _answer(script: Script, request: web.Request) -> web.StreamResponse:
    name = request.path.rsplit("/", 1)[1]
    script.asked[name] += 1
    script.queries[name].append(dict(request.query))
    told = json.dumps(script.answer(name)).encode()  # as it is now, however late it is told
    await script.noted()
    if script.instead:
        status, headers, text = script.instead
        return web.Response(status=status, headers=headers, text=text)
    if wait := script.held.get(name):
        await wait.wait()
    if request.method == "POST":
        script.posted.append(await request.json())
        script.places.append(request.path)
        if name in script.lost:
            assert request.transport is not None
            request.transport.abort()
    if script.answer(name) is None:
        problem = {"detail": "There is nothing."}
        return web.json_response(problem, status=404, content_type="application/problem+json")
    return web.Response(body=told, content_type="application/json")
