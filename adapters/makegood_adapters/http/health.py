"""How the process is doing, for load balancers and people."""

from aiohttp import web

from makegood.engine import Engine


def health_route(engine: Engine) -> web.RouteDef:
    """Return the route `GET /health`: 200 while every loop takes its turns, else 503."""

    async def health(_: web.Request) -> web.Response:
        # An error's text may hold addresses and names: it is in the log, not in the reply.
        loops = {name: {"turns": s.turns, "failures": s.failures} for name, s in engine.health.items()}
        ok = not any(state["failures"] for state in loops.values())
        return web.json_response({"ok": ok, "loops": loops}, status=200 if ok else 503)

    return web.get("/health", health)
