"""A running RunningHub simulator with everything that a test needs around it."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from makegood.outcome import Accepted
from makegood_adapters.runninghub import open_session
from makegood_adapters.runninghub.simulator import Pace, Simulator, Task
from tests.scenarios.line import line_to

KEY = "a-key-of-the-simulator"
#: No time limit of a webhook: a receiver that is slow has still heard it, and once.
FAST = Pace(
    queued_seconds=0,
    running_seconds=0,
    cancel_seconds=0,
    webhook_retry_seconds=0,
    webhook_timeout_seconds=60,
)
UPSCALER, POSE = "2037188547966406658", "2018451429635133442"


def png(width: int = 6, height: int = 4, colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


class Receiver:
    """Our side of the webhooks: keeps the bodies, answers with the given statuses, then with 200."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


class Site:
    """A running simulator, a provider of one of its accounts, a receiver, and short ways to use them."""

    def __init__(
        self, sim: Simulator, session: aiohttp.ClientSession, receiver: Receiver, key: str = KEY
    ) -> None:
        self.sim, self.session, self.receiver = sim, session, receiver
        self.provider = line_to(session, sim.url, key)

    async def submit(
        self,
        image: bytes | None = None,
        webhook: str | None = None,
        value: str = "2048",
        instance: str | None = None,
    ) -> Any:
        name = await self.provider.upload("a.png", png() if image is None else image)
        nodes = [
            {"node": "1", "field": "image", "value": {"file": "image"}},
            {"node": "548", "field": "value", "value": value},
        ]
        request: dict[str, Any] = {"app": UPSCALER, "nodes": nodes}
        if instance is not None:
            request["instance_type"] = instance
        return await self.provider.submit(request, {"image": name}, webhook)

    async def run(self, image: bytes | None = None, webhook: str | None = None) -> Task:
        outcome = await self.submit(image, webhook)
        assert isinstance(outcome, Accepted)
        return await self.ended(self.sim.task(outcome.task_id))

    async def ended(self, task: Task) -> Task:
        """Return the task when it is over and its webhooks are done."""
        await self.sim.wait_for(lambda: task.over)
        assert task.life is not None
        async with asyncio.timeout(60):
            await asyncio.wait([task.life])
        return task

    async def post(self, path: str, **body: Any) -> Any:
        async with self.session.post(self.sim.url + path, json=body) as response:
            return await response.json()


@asynccontextmanager
async def open_site(limit: int = 3, **options: Any) -> AsyncIterator[Site]:
    """Run a simulator whose key has *limit*; *options* are the simulator's."""
    ours = Receiver()
    app = web.Application()
    app.router.add_post("/hooks/{token}", ours.take)
    keys = {KEY: limit, "other": 1}
    async with (
        TestServer(app) as server,
        Simulator(**{"keys": keys, "pace": FAST, **options}) as sim,
        open_session() as session,
    ):
        ours.url = str(server.make_url("/hooks/secret"))
        yield Site(sim, session, ours)
