"""Whether webhooks reach the service is asked at its start, at the address that providers are given."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from makegood import Catalog, Engine
from makegood_adapters.http import application, hook_routes, problem_of_hooks, reach, runner
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from tests.ports import kept_port
from tests.test_serve_command import PATIENCE_SECONDS, serving

ACCOUNT = """
[[accounts]]
name = "main"
pool = "runninghub"
provider = "runninghub"
base_url = "http://127.0.0.1:1"
api_key = "a-key"
capacity = 1
"""


@asynccontextmanager
async def site(app: web.Application) -> AsyncIterator[str]:
    """Serve *app* and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = runner(app)
        await serving.setup()
        try:
            await web.SockSite(serving, listener).start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await serving.cleanup()


@pytest.fixture(autouse=True)
def no_receiver_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "_SECONDS", PATIENCE_SECONDS)


async def test_d14_a_receiver_that_answers_has_no_problem() -> None:
    async with Engine(MemoryStore(), Catalog([]), blobs=MemoryBlobs(), run_loops=False) as engine:
        app = application()
        app.add_routes(hook_routes(engine))
        async with site(app) as url:
            assert await problem_of_hooks(url) is None


@pytest.mark.parametrize(
    ("status", "text", "problem"),
    [
        (404, "<h1>Not Found</h1>", "somebody else's"),
        (200, "{}", "HTTP 200"),
        (302, "", "HTTP 302"),
        (503, '{"error": "Not Found"}', "HTTP 503"),
    ],
)
async def test_d14_somebody_else_at_the_address_is_a_problem(status: int, text: str, problem: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text)

    app = web.Application()
    app.router.add_post("/hooks/{token}", answer)
    async with site(app) as url:
        assert problem in (await problem_of_hooks(url) or "")


@pytest.mark.parametrize("reached", [True, False])
async def test_d14_a_service_says_at_its_start_whether_webhooks_reach_it(
    database: str, tmp_path: Path, reached: bool
) -> None:
    """It goes on all the same: the poll finds every result."""
    with kept_port() as closed:
        nobody = f"http://127.0.0.1:{closed}"
        url = "http://127.0.0.1:{port}" if reached else nobody
        async with serving(tmp_path, database, more=ACCOUNT, webhook_base_url=url) as service:
            told = (
                "webhooks reach" if reached else f"webhooks do not reach this service under {nobody}: nobody"
            )
            await service.logs(told)
            assert (await service.until(service.health, "health"))["ok"] is True
