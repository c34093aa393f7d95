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
from itertools import count
from typing import Any
from uuid import UUID

from aiohttp import web

from makegood_adapters.http.page import page_routes
from makegood_adapters.http.v1.machines import picture_of
from tests.adapters.queue_manager.scene import served
from tests.page.scene import Portrait

_SPEC = Portrait.spec
_BOOKS = {"told": {"level": "good", "text": "issued 0 = remaining 0 + held 0 + captured 0 + expired 0"}}


class Crowd:
    """`live` jobs, spread over the states; each step moves one of them, and an ended one is followed by a new
    one. `counts` are those that a page must show when it has heard of all."""

    def __init__(self, live: int, seed: int) -> None:
        self._random = random.Random(seed)
        open_states = [state.name for state in _SPEC.states if not state.terminal]
        self._jobs = [open_states[n % len(open_states)] for n in range(live)]
        self.ended = dict.fromkeys(sorted(_SPEC.terminal), 0)
        self.seq = 0
        self.enough, self.done = asyncio.Event(), asyncio.Event()

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
        jobs = {"under_way": sum(states.values()), "jobs": len(self._jobs) + sum(self.ended.values())}
        kind = {"name": _SPEC.name, "label": "Portrait", "told": [], "acts": [], **counts, **jobs}
        rest: dict[str, Any] = {"workers": [], "accounts": [], "pace": "Per minute: 30,000 accepted."}
        return {"at": _now(), "types": [kind], "last_seq": self.seq, **rest}


@asynccontextmanager
async def crowded(crowd: Crowd, steps_per_second: int, seconds: float) -> AsyncIterator[str]:
    """Serve the page; whoever reads the stream is told so many steps, in twenty pieces a second, for so many
    *seconds* at least, and until it is `enough`."""

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for piece in count():
                if piece >= 20 * seconds and crowd.enough.is_set():
                    break
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
            "queue": {"jobs": [], "pools": [], "told": {"level": "plain", "text": "0 waiting"}},
            "concerns": {"concerns": []},
            "jobs": {"jobs": [], "next": None},
            "books": {"at": _now(), "violations": [], **_BOOKS},
            _SPEC.name: {"name": _SPEC.name, "svg": picture_of(_SPEC, "Portrait")},
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
