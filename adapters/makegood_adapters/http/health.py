"""How the process and its provider accounts are doing, for load balancers and people."""

import logging
from datetime import datetime

from aiohttp import web

from makegood.engine import Engine
from makegood.errors import StoreError
from makegood.job import Occupancy

log = logging.getLogger("makegood.http.health")


def health_route(engine: Engine) -> web.RouteDef:
    """Return the route `GET /health`: 200 while every loop takes its turns and the store answers, else 503.

    An account that cannot be used is shown and is no reason for a 503: another process would not help.
    """

    async def health(_: web.Request) -> web.Response:
        # An error's text may hold addresses and names: it is in the log, not in the reply.
        loops = {name: {"turns": s.turns, "failures": s.failures} for name, s in engine.health.items()}
        ok = not any(state["failures"] for state in loops.values())
        accounts = None
        try:
            accounts = {use.account: _account(use) for use in await engine.occupancy()}
        except StoreError as error:
            log.warning("the store does not tell how the accounts are: %s", error)
            ok = False
        body = {"ok": ok, "loops": loops, "accounts": accounts}
        return web.json_response(body, status=200 if ok else 503)

    return web.get("/health", health)


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
