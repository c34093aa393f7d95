"""A scripted API behind the real page: many jobs under way, and many steps in a second.

A real database makes no 500 steps a second on a machine that also draws the page; what is measured here is
the page alone.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aiohttp import web

from makegood.machine.projections import layout
from makegood_adapters.http.page import page_routes
from tests.adapters.queue_manager.scene import served
from tests.page.scene import Portrait

_SPEC = Portrait.spec
_BOOKS = dict.fromkeys(("issued", "remaining", "held", "captured", "expired", "difference", "broken"), 0)


class Crowd:
    """`live` jobs, spread over the states; each step moves one of them, and an ended one is followed by a new
    one. `counts` are those that a page must show when it has heard of all."""

    def __init__(self, live: int, seed: int) -> None:
        self._random = random.Random(seed)
        open_states = [state.name for state in _SPEC.states if not state.terminal]
        self._jobs = [open_states[n % len(open_states)] for n in range(live)]
        self.ended = dict.fromkeys(sorted(_SPEC.terminal), 0)
        self.seq = 0
        self.done = asyncio.Event()

    @property
    def counts(self) -> dict[str, int]:
        """Jobs by state, also of those that are over."""
        states = {state.name: self._jobs.count(state.name) for state in _SPEC.states}
        return {**states, **self.ended}

    def step(self) -> dict[str, Any]:
        """Move a job and return what the stream tells of it."""
        at = self._random.randrange(len(self._jobs))
        source = self._jobs[at]
        edge = self._random.choice([e for e in _SPEC.edges if e.source == source] or [None])
        event, dest = (edge.event, edge.dest) if edge else ("submit", _SPEC.initial)
        over = dest in _SPEC.terminal
        if over:
            self.ended[dest] += 1
        self._jobs[at] = "" if over else dest  # the place of a new job
        self.seq += 1
        return {
            "kind": "transition", "job_id": str(UUID(int=at)), "version": self.seq, "seq": self.seq,
            "type": _SPEC.name, "event": event, "from_state": source or None, "to_state": dest, "attempt": 1,
            "at": _now(), "owner": "ada", "actor": "engine", "reason": None, "error": None,
            "money": {"held": 0, "captured": 0, "released": 60} if over else None,
        }  # fmt: skip

    def overview(self) -> dict[str, Any]:
        """Return what the operation of this name tells."""
        states = {state.name: self._jobs.count(state.name) for state in _SPEC.states if not state.terminal}
        counts = {"states": states, "ended": dict(self.ended), "ended_hours": 24, "capped": 10_000}
        kind = {"name": _SPEC.name, "version": 1, "label": "Portrait", **counts}
        rates = {"accepted": 0.0, "completed": 0.0, "failed": 0.0, "cancelled": 0.0}
        rest: dict[str, Any] = {"workers": [], "accounts": [], "lanes": [], "rates": rates}
        return {"at": _now(), "types": [kind], "last_seq": self.seq, **rest}


@asynccontextmanager
async def crowded(crowd: Crowd, steps_per_second: int, seconds: float) -> AsyncIterator[str]:
    """Serve the page; whoever reads the stream is told so many steps, in twenty pieces a second."""

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(int(20 * seconds)):
                told = [crowd.step() for _ in range(steps_per_second // 20)]
                frames = (f"event: transition\nid: {s['seq']}\ndata: {json.dumps(s)}\n\n" for s in told)
                await response.write("".join(frames).encode())
                await asyncio.sleep(1 / 20)  # the pace is what is tested
            crowd.done.set()
            while True:
                await response.write(b":\n\n")
                await asyncio.sleep(1)  # a stream goes on until its reader leaves, who is seen by writing
        return response

    async def other(request: web.Request) -> web.Response:
        answers: dict[str, Any] = {
            "me": {"caller": "local", "acts": False, "credits": False, "page": {"demo": False}},
            "overview": crowd.overview(),
            "queue": {"jobs": [], "pools": []},
            "concerns": {"concerns": []},
            "rules": {"rules": []},
            "job-types": {"types": []},
            "jobs": {"jobs": [], "next": None},
            "books": {"at": _now(), "age_seconds": 0, "took_seconds": 0, "violations": [], **_BOOKS},
            _SPEC.name: _machine(),
        }  # fmt: skip
        return web.json_response(answers[request.path.rsplit("/", 1)[1]])

    app = web.Application()
    app.add_routes(
        [web.get("/v1/operations/events", events), web.get("/v1/{rest:.*}", other), *page_routes()]
    )
    async with served(app) as site:
        yield f"{site.base}/page/"


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _machine() -> dict[str, Any]:
    drawn = layout(_SPEC)
    nodes = [
        {"state": n.state, "status": n.status, "terminal": n.terminal, "slot": n.slot, "meaning": n.label,
         "note": n.note, "x": n.x, "y": n.y, "width": n.width, "height": n.height} for n in drawn.nodes
    ]  # fmt: skip
    edges = [
        {"event": a.event, "from": a.source, "to": a.dest, "money": a.money, "d": a.curve, "head": a.head,
         "label": {"x": a.x, "y": a.y, "text": a.event}} for a in drawn.arrows
    ]  # fmt: skip
    return {"name": _SPEC.name, "width": drawn.width, "height": drawn.height, "nodes": nodes, "edges": edges}
