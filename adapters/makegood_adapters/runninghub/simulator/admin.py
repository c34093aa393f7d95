"""The simulator's private routes, for a test or a demo in another process."""

import json

from aiohttp import web

from makegood_adapters.runninghub.simulator.clock import Clock, VirtualClock
from makegood_adapters.runninghub.simulator.faults import Rule
from makegood_adapters.runninghub.simulator.platform import Platform
from makegood_adapters.runninghub.simulator.wire import Wire


def add_routes(router: web.UrlDispatcher, platform: Platform, wire: Wire) -> None:
    """Add them; they ask for no key, so the simulator belongs on loopback.

    `POST /admin/faults` takes a rule or a list of rules, `{"match": {…}, "faults": {…}, "times":
    1}`, and answers 400 with a sentence if one is wrong, taking none. `POST /admin/release` takes
    `{"taskId": "…"}`. `POST /admin/advance` takes `{"seconds": 60}` where time is virtual.
    `GET /admin/tasks` tells all tasks, uploads and refusals, `GET /admin/counters` the counts.
    """

    async def add_faults(request: web.Request) -> web.Response:
        try:
            value = json.loads(await request.read())
            rules = [Rule.from_json(item) for item in (value if isinstance(value, list) else [value])]
        except (ValueError, RecursionError) as error:
            return web.json_response({"error": str(error)}, status=400)
        for rule in rules:
            platform.plan.add(rule)
        return web.json_response({"added": len(rules)})

    async def release(request: web.Request) -> web.Response:
        try:
            task = platform.tasks[json.loads(await request.read())["taskId"]]
        except (ValueError, TypeError, KeyError):
            return web.json_response({"error": "There is no such task."}, status=404)
        task.released.set()
        return web.json_response({"released": task.id})

    async def advance(request: web.Request) -> web.Response:
        try:
            seconds = float(json.loads(await request.read())["seconds"])
            await advance_clock(platform.clock, seconds)
        except (ValueError, TypeError, KeyError) as error:
            return web.json_response({"error": f"The time cannot be moved: {error}."}, status=400)
        return web.json_response({"now": platform.clock.now().isoformat()})

    async def tasks(_: web.Request) -> web.Response:
        return web.json_response(
            {
                "tasks": [task.to_json(wire.url()) for task in platform.tasks.values()],
                "uploads": sorted(platform.uploads),
                "refusals": dict(platform.counters.refusals),
            }
        )

    async def counters(_: web.Request) -> web.Response:
        return web.json_response(platform.counters.to_json())

    router.add_post("/admin/faults", add_faults)
    router.add_post("/admin/release", release)
    router.add_post("/admin/advance", advance)
    router.add_get("/admin/tasks", tasks)
    router.add_get("/admin/counters", counters)


async def advance_clock(clock: Clock, seconds: float) -> None:
    """Move a virtual clock. Raises ValueError if it is another or the time would go back."""
    if not isinstance(clock, VirtualClock):
        raise ValueError("the simulator does not run on a virtual clock")
    if seconds < 0:
        raise ValueError(f"{seconds} seconds would go back")
    await clock.advance(seconds)
