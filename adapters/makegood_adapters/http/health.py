"""How the process and its provider accounts are doing, for load balancers, service managers and people."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Protocol

from aiohttp import web

from makegood.engine import Engine
from makegood.errors import StoreError
from makegood.job import Occupancy
from makegood.ports import WorkerName

log = logging.getLogger("makegood.http.health")


class Listening(Protocol):
    """Wake-ups between processes, and how they go."""

    @property
    def connected(self) -> bool:
        """Whether wake-ups go out and come in at present."""

    sent: int
    received: int
    reconnects: int


def probe_routes(
    engine: Engine, not_ready: Callable[[], Awaitable[list[str]]], leaving: Callable[[], bool]
) -> list[web.RouteDef]:
    """Return the routes `GET /livez` and `GET /readyz`; *leaving* tells whether the service is being ended.

    `/livez` is 503 only where a new process is the remedy: a loop has come to an end though nobody ended
    it. It never asks the database, and a turn that hangs is no reason, since it may hang on the database.
    `/readyz` is 503 with the reasons that *not_ready* finds: then no requests should be sent here.
    """

    async def live(_: web.Request) -> web.Response:
        over = sorted(name for name, state in engine.health.items() if state.over)
        if over and not leaving():
            return web.json_response({"ok": False, "over": over}, status=503)
        return web.json_response({"ok": True})

    async def ready(_: web.Request) -> web.Response:
        reasons = await not_ready()
        return web.json_response({"ok": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    return [web.get("/livez", live), web.get("/readyz", ready)]


def health_route(
    engine: Engine,
    wakeups: Listening | None = None,
    worker: WorkerName | None = None,
    left_out: Mapping[str, str] | None = None,
) -> web.RouteDef:
    """Return the route `GET /health`: 200 while every loop takes its turns and the store answers, else 503.

    A loop that hangs in one turn is a 503, too. An account that cannot be used is shown and is no reason for
    one: another process would not help; nor are *wakeups* that are lost, since every loop goes on at its
    interval. *worker* tells which of several processes on one port has answered, *left_out* what disabled
    itself at the start; why is in the log, and `makegood doctor` says what to do.
    """

    async def health(_: web.Request) -> web.Response:
        # An error's text may hold addresses and names: it is in the log, not in the reply.
        now = asyncio.get_running_loop().time()
        loops = {name: state.told(now) for name, state in engine.health.items()}
        ok = all(state.healthy for state in engine.health.values())
        accounts = None
        try:
            accounts = {use.account: _account(use) for use in await engine.occupancy()}
        except StoreError as error:
            log.warning("the store does not tell how the accounts are: %s", error)
            ok = False
        body = {
            "ok": ok,
            "worker": asdict(worker) if worker else None,
            "loops": loops,
            "wakeups": _wakeups(wakeups),
            "accounts": accounts,
            "left_out": [*(left_out or {}), *(f"job type: {name}" for name in engine.refused)],
        }
        return web.json_response(body, status=200 if ok else 503)

    return web.get("/health", health)


def _wakeups(wakeups: Listening | None) -> dict[str, object] | None:
    if wakeups is None:
        return None
    return {
        "connected": wakeups.connected,
        "sent": wakeups.sent,
        "received": wakeups.received,
        "reconnects": wakeups.reconnects,
    }


def _account(use: Occupancy) -> dict[str, object]:
    return {
        "healthy": use.healthy,
        "problem": use.problem,
        "problem_since": _text(use.problem_since),
        "rests_until": _text(use.rests_until),
        "capacity": use.capacity,
        "configured": use.configured,
        "told": use.told,
        "learned": use.learned,
        "open": use.open,
        "draining": use.draining,
        "waiting": use.waiting,
        "in_use": use.in_use,
        "told_at": _text(use.told_at),
        "differs_since": _text(use.differs_since),
        "foreign": use.foreign,
        "unanswered": use.failures,
        "needs_a_person": use.abandoned + use.late,
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
