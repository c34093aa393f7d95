# studio.py
"""The studio itself, as a test server: it paints one grey picture, and only when it is told to finish."""

from aiohttp import web

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(100) + b"IEND\xaeB`\x82"  # begins and ends as a PNG does


class Studio:
    def __init__(self):
        self.url, self.files, self.tasks = "", [], {}

    async def __aenter__(self):
        app = web.Application()
        app.add_routes(
            [
                web.post("/files", self._file),
                web.post("/tasks", self._create),
                web.get("/tasks/{id}", self._tell),
                web.delete("/tasks/{id}", self._stop),
                web.get("/picture.png", self._picture),
            ]
        )
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()

    async def finish(self, task_id):
        self.tasks[task_id] |= {"state": "done", "minutes": 2, "file": f"{self.url}/picture.png"}

    async def _file(self, request):
        self.files.append(await request.read())
        return web.json_response({"name": f"file-{len(self.files)}"}, status=201)

    async def _create(self, request):
        call = await request.json()
        if call["picture"] not in [f"file-{n + 1}" for n in range(len(self.files))]:
            return web.json_response({"why": "there is no such file"}, status=422)
        task = {"id": f"t{len(self.tasks) + 1}", "state": "painting", "minutes": 0, "hook": call["hook"]}
        self.tasks[task["id"]] = task
        return web.json_response(task, status=201)

    async def _tell(self, request):
        task = self.tasks.get(request.match_info["id"])
        return web.json_response(task or {}, status=200 if task else 404)

    async def _stop(self, request):
        task = self.tasks.get(request.match_info["id"])
        if task and task["state"] == "painting":
            task["state"] = "stopped"
            return web.json_response({}, status=202)
        return web.json_response({}, status=409 if task else 404)

    async def _picture(self, _):
        return web.Response(body=PICTURE)
