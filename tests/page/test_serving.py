"""How the files of the page are served: in aiohttp and ASGI applications, and by the service itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from starlette.applications import Starlette
from starlette.routing import Mount
from yarl import URL

from makegood_adapters.http.page import asgi_page, page_routes
from makegood_adapters.http.page.serving import POLICY
from tests.adapters.queue_manager.scene import served
from tests.api.scene import uvicorn_on
from tests.api.test_front import opened


@asynccontextmanager
async def mounted(kind: str) -> AsyncIterator[str]:
    """Serve the page below /ops/page and yield that address, without a slash."""
    if kind == "asgi":
        app = Starlette(routes=[Mount("/ops/page", asgi_page("../../v1", stage="/stage"))])
        async with uvicorn_on(app) as base:
            yield f"{base}/ops/page"
    else:
        site = web.Application()
        site.add_routes(page_routes("../../v1", stage="/stage", prefix="/ops/page"))
        async with served(site) as page:
            yield f"{page.base}/ops/page"


@pytest.mark.parametrize("kind", ["aiohttp", "asgi"])
async def test_files_come_with_their_policy_and_are_asked_for_again(kind: str) -> None:
    async with mounted(kind) as base, aiohttp.ClientSession() as session:
        async with session.get(f"{base}?view=jobs") as reply:
            assert (reply.status, reply.url.path) == (200, "/ops/page/"), "relative addresses need the slash"
            assert reply.url.query == {"view": "jobs"}
            index = await reply.text()
        asked = URL(f"{base}?owner=a%26b%0D%0AX-Made-Up:%201", encoded=True)
        async with session.get(asked) as reply:
            assert (reply.status, reply.url.raw_query_string) == (200, asked.raw_query_string)
        assert '<meta name="makegood-api" content="../../v1">' in index
        assert '<meta name="makegood-stage" content="/stage">' in index
        async with session.get(f"{base}/main.js") as reply:
            assert reply.headers["Content-Security-Policy"] == POLICY
            assert reply.headers["Content-Type"] == "text/javascript; charset=utf-8"
            assert reply.headers["Cache-Control"] == "no-cache"
            assert reply.headers["X-Content-Type-Options"] == "nosniff"
            tag, size = reply.headers["ETag"], len(await reply.read())
        async with session.get(f"{base}/main.js", headers={"If-None-Match": f'"x", W/{tag}'}) as reply:
            assert (reply.status, await reply.read()) == (304, b"")
        async with session.get(f"{base}/main.js", headers={"If-None-Match": '"old"'}) as reply:
            assert reply.status == 200
        async with session.head(f"{base}/main.js") as reply:
            assert (reply.status, reply.headers["Content-Length"]) == (200, str(size))
        for path in ("nothing.js", "../serving.py", "%2e%2e/serving.py", "vendor"):
            async with session.get(f"{base}/{path}") as reply:
                assert reply.status == 404, path
        async with session.post(f"{base}/main.js") as reply:
            assert reply.status == 405


async def test_the_service_shows_the_page_to_browsers_alone(database: str, tmp_path: Path) -> None:
    async with opened(database, tmp_path) as site, aiohttp.ClientSession() as browser:
        root = site.client.base
        async with browser.get(root, headers={"Accept": "text/html,*/*;q=0.8"}) as reply:
            assert (reply.status, reply.url.path) == (200, "/page/")
            assert '<meta name="makegood-api" content="../v1">' in await reply.text()
        async with browser.get(root) as reply:
            assert (await reply.json())["links"]["page"] == "/page/"


async def test_the_page_may_be_left_out(database: str, tmp_path: Path) -> None:
    async with opened(database, tmp_path, page={"serve": False}) as site, aiohttp.ClientSession() as browser:
        async with browser.get(site.client.base, headers={"Accept": "text/html"}) as reply:
            assert "page" not in (await reply.json())["links"]
        async with browser.get(f"{site.client.base}/page/") as reply:
            assert reply.status == 404
