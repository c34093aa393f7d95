"""The simulator's private routes, for a test or a demo in another process."""

import json
from collections.abc import Callable

from aiohttp import web

from makegood_adapters.runninghub.simulator.faults import Rule
from makegood_adapters.runninghub.simulator.platform import Platform


def add_routes(router: web.UrlDispatcher, platform: Platform, base_url: Callable[[], str]) -> None:
    """Add them; they ask for no key, so the simulator belongs on loopback.

    `POST /admin/faults` takes a rule or a list of rules, `{"match": {…}, "faults": {…}, "times":
    1}`, and answers 400 with a sentence if one is wrong, taking none. `POST /admin/release` takes
    `{"taskId": "…"}`. `GET /admin/tasks` tells all tasks, uploads and refusals.
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

    async def tasks(_: web.Request) -> web.Response:
        return web.json_response(
            {
                "tasks": [task.to_json(base_url()) for task in platform.tasks.values()],
                "uploads": sorted(platform.uploads),
                "refusals": dict(platform.refusals),
            }
        )

    router.add_post("/admin/faults", add_faults)
    router.add_post("/admin/release", release)
    router.add_get("/admin/tasks", tasks)
